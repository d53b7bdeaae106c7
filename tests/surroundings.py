"""Keeps a test run to itself: what tests generate goes into a temporary folder, and the checkout and the home folder stay as they are.

Tests that run make as a user would (`e2e`, `container`, `cpp`) have the user's environment; each other test has a build folder of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIKE_A_USER = ("e2e", "container", "cpp")
"""Markers of tests that build and cache as a user does."""
GIVEN = dict(os.environ)
"""The environment in which the tests were started."""
PASSED_OVER = frozenset((".git", ".venv", "__pycache__", ".pytest_cache", "bytecode"))
"""Folders of the checkout and of the build folder that Python and pytest themselves write to."""
OWN_BUILD = Path(GIVEN.get("BUILD_DIR") or "build")
OWN_BUILD = OWN_BUILD if OWN_BUILD.is_absolute() else ROOT / OWN_BUILD
"""The user's build folder."""
SHARED = "HARNESS_TESTS_SHARED"
"""The variable with the folder of what is made once for all processes of a test run."""
HOME_FOLDERS = ("", ".cache", ".config", ".local/share")


def like_a_user(item: pytest.Item) -> bool:
    """Whether a test is to have the user's environment."""
    return any(item.get_closest_marker(name) for name in LIKE_A_USER)


class Surroundings:
    """A temporary folder for one test process, and what of its environment points there."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harness-tests-"))
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(self.folder / "hypothesis")
        # One for all tests: their processes would each compile the project into a build folder of its own. A worker has its parent's.
        os.environ.setdefault("HARNESS_BYTECODE_DIR", str(self.folder / "bytecode"))
        os.environ.setdefault(SHARED, str(self.folder / "shared"))
        self.builds = 0
        (self.folder / "locks").mkdir()
        (self.folder / "home").mkdir()

    def enter(self, item: pytest.Item) -> None:
        """Set the environment for a test, before any of its fixtures is made."""
        wanted = self._variables()
        if like_a_user(item):
            wanted = {name: GIVEN.get(name, "") for name in wanted}
        wanted["HARNESS_LOCK_DIR"] = str(self.folder / "locks")  # no test waits for runs that use the machine
        for name, value in wanted.items():
            if value:
                os.environ[name] = value
            else:
                os.environ.pop(name, None)

    def _variables(self) -> dict[str, str]:
        """A build folder for one test; home and caches are shared by the tests of this process."""
        build, home = self._build(), self.folder / "home"
        return {
            "BUILD_DIR": str(build),
            "MLPERF_SCRATCH_PATH": str(build / "scratch"),
            "ENGINE_DIR": "",
            "LOG_DIR": "",
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local/share"),
            "RUFF_CACHE_DIR": str(home / ".ruff_cache"),
            "HF_HOME": str(home / ".huggingface"),
        }

    def _build(self) -> Path:
        """A build folder with nothing but a scratch space: that of the test before, if it was left so.

        Some file systems take milliseconds to remove a folder, and most tests never write to theirs.
        """
        build = self.folder / f"build{self.builds}"
        if self.builds == 0 or not _untouched(build):
            self.builds += 1
            build = self.folder / f"build{self.builds}"
            (build / "scratch").mkdir(parents=True)  # make does not create a scratch path that was set
        return build

    def leave(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _untouched(build: Path) -> bool:
    try:
        return os.listdir(build) == ["scratch"] and not os.listdir(build / "scratch")  # noqa: PTH208
    except OSError:
        return False


def once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills once in a test run, whichever process asks first; the others wait. Nobody may change what is in it."""
    root = Path(os.environ[SHARED])
    root.mkdir(parents=True, exist_ok=True)
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def seen() -> dict[str, object]:
    """What a test run must leave as it is: files of the checkout and the build folder with size and time, and names in the home folder."""
    found: dict[str, object] = {str(path): _state(path) for root in {ROOT, OWN_BUILD} for path in _files(root)}
    home = Path(GIVEN.get("HOME") or "~").expanduser()
    for name in HOME_FOLDERS:
        if (home / name).is_dir():
            found.update({str(path): "" for path in (home / name).iterdir()})
    return found


def _files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root):
        folders[:] = [one for one in folders if one not in PASSED_OVER and not Path(parent, one).is_symlink()]
        yield from (Path(parent, name) for name in names)


def _state(path: Path) -> object:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def differences(before: dict[str, object], after: dict[str, object], builds: bool) -> list[str]:
    """A line for each path that is new, gone or changed.

    Args:
        builds: there were tests like a user's, which write to the build folder.
    """
    lines = []
    for path in sorted(before.keys() | after.keys()):
        word = "new" if path not in before else "gone" if path not in after else "changed"
        if word == "changed" and before[path] == after[path]:
            continue
        if not (builds and Path(path).is_relative_to(OWN_BUILD)):
            lines.append(f"{word}: {path}")
    return lines
