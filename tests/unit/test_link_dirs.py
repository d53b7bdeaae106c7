"""scripts/link_dirs.sh: a scratch path that may only be read serves where it is complete, and every other one is a clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts import OtherAccount, other_account  # noqa: F401 a fixture

NAMES = ("data", "models", "preprocessed_data")


@pytest.mark.parametrize(
    ("mode", "folders", "words"),
    [
        (0o555, NAMES, ()),
        (0o755, NAMES, ()),
        (0o555, NAMES[:2], ("preprocessed_data", "read-only", "complete this one")),
        (0o000, NAMES, ("cannot read the scratch path", "that you may read")),
    ],
)
def test_a_scratch_path_of_another_account(
    other_account: OtherAccount,  # noqa: F811
    mode: int,
    folders: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    scratch, build = other_account.folder / "a scratch", other_account.folder / "build"
    for name in folders:
        (scratch / name).mkdir(parents=True)
    build.mkdir()
    build.chmod(0o777)
    scratch.chmod(mode)
    script = other_account.folder / "tree" / "scripts" / "link_dirs.sh"
    done = other_account.run(str(script), str(build), str(scratch), "given")
    scratch.chmod(0o755)
    if words:
        assert done.returncode == 4 and [line[:6] for line in done.stderr.splitlines()] == ["error:", "  why:", "  next"]
        assert all(word in done.stderr for word in words), done.stderr
        return
    assert (done.returncode, done.stderr) == (0, "")
    assert all((build / name).resolve() == scratch / name for name in NAMES)


def test_a_link_to_another_scratch_path_is_renewed(other_account: OtherAccount) -> None:  # noqa: F811
    build = other_account.folder / "build"
    build.mkdir()
    script = str(other_account.folder / "tree" / "scripts" / "link_dirs.sh")
    for name in ("first", "second"):
        scratch: Path = other_account.folder / name
        for folder in (scratch, build):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        assert other_account.run(script, str(build), str(scratch), "given").returncode == 0
        assert (build / "data").resolve() == scratch / "data"
