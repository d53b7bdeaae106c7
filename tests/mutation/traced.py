"""Runs tests in a process of their own over a copy of the project, and notes which lines each of them executes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OWN = ("code", "configs", "scripts", "tests")
"""The project's packages, which a run imports from its copy."""
PRELOADED = ("pytest", "_pytest.pytester", "numpy", "yaml", "rich.table", "rich.progress", "nibabel", "mlperf_loadgen")
"""Imported once, before the processes of the runs are forked; none of them starts a thread."""
WHOLE_FILE = "*"
"""In place of a test's name: what a file executes while it is imported and while fixtures are set up."""


@dataclass
class Baseline:
    """What one test file does in the unchanged project."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Test → how long it takes; of tests that pass only."""
    lines: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """Module's path → test, or WHOLE_FILE → lines."""
    failed: list[str] = field(default_factory=list)


def copied(target: Path) -> Path:
    """A copy of what git tracks or would track, with byte code that goes by content, so that a changed module is compiled."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    with contextlib.suppress(OSError):
        (target.parent / "shared").symlink_to(ROOT.parent / "shared")
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "code", "configs"],
        cwd=target,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return target


def preload() -> None:
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)


@dataclass
class Child:
    """A forked process that runs tests in a copy."""

    pid: int
    answer: Path
    deadline: float

    def ended(self) -> dict[str, Any] | None:
        """Its answer once it has ended; {"status": "timeout"} where it was ended because it took too long."""
        late = time.monotonic() > self.deadline
        if late:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        pid, _ = os.waitpid(self.pid, 0 if late else os.WNOHANG)
        if not pid:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what its tests have left
        try:
            found: dict[str, Any] = json.loads(self.answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {"status": "timeout" if late else "died"}
        self.answer.unlink(missing_ok=True)
        return found


def start(copy: Path, answer: Path, limit_s: float, task: Callable[[], dict[str, Any]]) -> Child:
    """Fork, and do a task in the copy; its answer goes into a file."""
    sys.stdout.flush()
    owner = os.getpid()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        return Child(pid, answer, time.monotonic() + limit_s)
    try:
        os.setpgid(0, 0)
        _enter(copy)
        _end_with(owner)
        found = task()
        answer.write_text(json.dumps(found), encoding="utf-8")
    finally:
        os._exit(0)


def _enter(copy: Path) -> None:
    os.chdir(copy)
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silent, number)
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    sys.path[:] = [str(copy), *(entry for entry in sys.path if entry and Path(entry).resolve() != ROOT)]
    temporary = copy.parent / f"{copy.name}-tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    os.environ.update(TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1", BUILD_DIR=str(copy / "build"))
    os.environ.pop("MLPERF_SCRATCH_PATH", None)
    os.environ.pop("PYTEST_ADDOPTS", None)
    sys.dont_write_bytecode = True
    import tempfile

    tempfile.tempdir = None


def _end_with(owner: int) -> None:
    from code.common.parent import end_with

    end_with(owner)


def baseline(copy: Path, test_file: str, scope: list[str]) -> dict[str, Any]:
    """Run one test file with every line of these modules noted; to be called in a child."""
    import pytest

    notes = _Lines({str(copy / path): path for path in scope})
    with notes.tracing():
        pytest.main([*_OPTIONS, test_file], plugins=[notes])
    lines = {path: {key: sorted(seen) for key, seen in tests.items()} for path, tests in notes.lines.items()}
    seconds = {name: spent for name, spent in notes.seconds.items() if name in notes.passed and name not in notes.failed}
    return {"status": 0, "seconds": seconds, "lines": lines, "failed": sorted(set(notes.failed))}


def judged(copy: Path, files: list[str], wanted: list[str]) -> dict[str, Any]:
    """Run tests until one fails, in this order (those whose names have changed with the module: all); to be called in a child."""
    import pytest

    chosen = _Wanted(wanted)
    pytest.main([*_OPTIONS, "-x", *files], plugins=[chosen])
    return {"status": int(chosen.failed)}


@contextlib.contextmanager
def changed(copy: Path, path: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """One module of a copy changed. What an ended process has left changed is put back first."""
    target, kept = copy / path, copy.parent / "kept.json"
    if kept.exists():
        name, text = json.loads(kept.read_text(encoding="utf-8"))
        (copy / name).write_text(text, encoding="utf-8")
    original = target.read_bytes()
    kept.write_text(json.dumps([path, original.decode()]), encoding="utf-8")
    target.write_bytes(change(original))
    yield
    target.write_bytes(original)
    kept.unlink()


_OUTSIDE = "not e2e and not container and not full and not cpp"
_OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "-m", _OUTSIDE]


class _Wanted:
    def __init__(self, wanted: list[str]) -> None:
        self._place = {name: number for number, name in enumerate(wanted)}
        self.failed = False

    def pytest_collectreport(self, report: Any) -> None:
        self.failed |= report.failed

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed |= report.failed

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        if chosen:
            items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


class _Lines:
    """A plugin of pytest: the lines that each test executes, and how long it takes."""

    def __init__(self, scope: dict[str, str]) -> None:
        self._scope = scope
        self._at = WHOLE_FILE
        self.lines: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: list[str] = []
        self.passed: set[str] = set()

    @contextlib.contextmanager
    def tracing(self) -> Iterator[None]:
        threading.settrace(self._called)
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        path = self._scope.get(frame.f_code.co_filename)
        if path is None:
            return None
        seen = self.lines[path][self._at]
        seen.add(frame.f_lineno)

        def line(frame: FrameType, event: str, argument: object) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line

    def pytest_runtest_call(self, item: Any) -> None:
        self._at = item.nodeid

    def pytest_runtest_teardown(self, item: Any) -> None:
        self._at = WHOLE_FILE

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "call" and report.passed:
            self.passed.add(report.nodeid)
