"""Files are whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from code.common.errors import HarnessError, MissingError, RunError, UsageError, nearest
from code.common.files import atomic_directory, atomic_write, storage_error


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(target) as out:
        out.write("new")
        raise ZeroDivisionError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with atomic_directory(target) as new:
        (new / "x").write_text("1")
    with pytest.raises(ZeroDivisionError), atomic_directory(target) as new:
        (new / "x").write_text("2")
        raise ZeroDivisionError
    assert (target / "x").read_text() == "1" and list(tmp_path.iterdir()) == [target]
    with atomic_directory(target) as new:
        (new / "y").write_text("3")
    assert [p.name for p in target.iterdir()] == ["y"] and list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no space left"), atomic_write(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())
    assert "MLPERF_SCRATCH_PATH" in storage_error(OSError(errno.EACCES, "Permission denied"), tmp_path / "b").next_step


@pytest.mark.parametrize(("kind", "status"), [(UsageError, 2), (MissingError, 3), (RunError, 4)])
def test_an_error_has_three_lines_and_a_status(kind: type[HarnessError], status: int) -> None:
    error = kind("what", "why", "do this", "file.py:3")
    assert error.lines() == ["error: file.py:3: what", "  why:  why", "  next: do this"] and error.exit_status == status


def test_nearest_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("OFLINE", ["Offline", "Server"]) == "Offline"
    assert nearest("xyz", ["Offline", "Server"]) is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to a device"])
def test_what_is_not_a_file_is_never_replaced_by_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    before = path.lstat().st_ino
    with pytest.raises(RunError, match="cannot write") as caught, atomic_write(path) as out:
        out.write("x")
    assert "not a regular file" in caught.value.why and path.lstat().st_ino == before
    assert [one.name for one in tmp_path.iterdir()] == ["out"]
