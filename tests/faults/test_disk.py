"""A file that goes away or fails while it is used is named; it is no bug of the harness and no traceback."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from code import actions, main
from code.plan import selection


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EIO, errno.ESTALE, errno.ENOTDIR, errno.EMFILE])
def test_a_file_that_fails_meanwhile(number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def load(_name: str) -> None:
        raise OSError(number, os.strerror(number), "/data/x.npy")

    monkeypatch.setattr(actions, "load", load)
    status = main.main(["--action=info"])
    lines = capsys.readouterr().err.splitlines()
    assert status == 4 and [line[:6] for line in lines] == ["error:", "  why:", "  next"]
    assert "/data/x.npy" in lines[0] and os.strerror(number) in lines[1] and "bug" not in "".join(lines)


def test_a_folder_of_configs_that_changes_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = f"{tmp_path}/ND_H100_v5"

    def holds(_root: object) -> bool:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", gone)

    monkeypatch.setattr(selection, "holds_configs", holds)
    status = main.main(["--action=run", "--dry_run", "--benchmarks=bert", "--scenarios=offline", f"--config_dir={tmp_path}"])
    said = capsys.readouterr().err
    assert status == 2 and f"config_dir {tmp_path} cannot be read" in said and gone in said
