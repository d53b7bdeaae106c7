"""A repository of others is fetched at one commit, with the files that are needed, by the git of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from code.common.checkout import Source, commit_of, fetch
from code.common.errors import MissingError


def git(folder: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True, env={**os.environ, **who}
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> tuple[str, str, str]:
    """(address, first commit, second commit) of a repository with tools/a.py, which the second commit changes, and large.bin."""
    folder = tmp_path / "origin"
    (folder / "tools").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
        git(folder, "config", setting, "true")
    (folder / "large.bin").write_bytes(b"x" * 1000)
    commits = []
    for text in ("first", "second"):
        (folder / "tools/a.py").write_text(text)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", text)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return f"file://{folder}", commits[0], commits[1]


def source(address: str, *parts: str) -> Source:
    return Source("the tool", address, "TOOL_DIR", parts)


def test_one_commit_is_fetched_with_what_is_needed(origin: tuple[str, str, str], tmp_path: Path) -> None:
    address, first, second = origin
    folder = tmp_path / "build" / "deep" / "tool"
    fetch(source(address, "/tools"), first, folder)
    assert (folder / "tools/a.py").read_text() == "first" and not (folder / "large.bin").exists()
    assert commit_of(folder) == first and git(folder, "rev-list", "--count", "HEAD") == "1"
    (folder / "tools/a.py").write_text("edited")
    fetch(source(address, "/tools"), second, folder)
    assert commit_of(folder) == second and (folder / "tools/a.py").read_text() == "second"
    fetch(source(address), second, tmp_path / "whole")
    assert (tmp_path / "whole/large.bin").is_file(), "everything, where no parts are named"


def test_an_archive_unpacked_in_another_repository_has_no_commit(origin: tuple[str, str, str], tmp_path: Path) -> None:
    folder = tmp_path / "origin"
    assert commit_of(folder) == origin[2] and commit_of(folder / "tools") == ""


def test_what_cannot_be_fetched_names_the_variable_and_gits_reason(origin: tuple[str, str, str], tmp_path: Path) -> None:
    address, first, _ = origin
    for where, commit in ((address + "-gone", first), (address, "0" * 40)):
        with pytest.raises(MissingError) as caught:
            fetch(source(where), commit, tmp_path / "tool")
        assert caught.value.what == "the tool is not present and cannot be fetched"
        assert "fatal" in caught.value.why and "\n" not in caught.value.why
        assert caught.value.next_step == f"clone {where} at {commit[:12]} yourself and set TOOL_DIR to it"
    assert commit_of(tmp_path / "tool") == "", "there is no commit in it"


def test_a_git_that_says_nothing_of_use(origin: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, first, _ = origin
    folder = tmp_path / "bin"
    folder.mkdir()
    stand_in = folder / "git"
    monkeypatch.setenv("PATH", str(folder))
    for script, why in (
        ("echo one >&2; echo last words >&2; exit 1", "last words"),
        ("exit 7", "returned non-zero exit status 7"),
    ):
        stand_in.write_text(f"#!/bin/sh\n{script}\n")
        stand_in.chmod(0o755)
        with pytest.raises(MissingError) as caught:
            fetch(source(address), first, tmp_path / "tool")
        assert why in caught.value.why
        assert commit_of(tmp_path) == ""
    stand_in.write_text("#!/bin/sh\necho git-2\nexit 128\n")
    assert commit_of(tmp_path) == "", "what a failed git prints is no commit"
