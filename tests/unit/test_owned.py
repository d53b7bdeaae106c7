"""A test that is killed leaves no process of its own running."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.owned import owned

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = re.compile(r"Popen\([^)]*start_new_session=True", re.DOTALL)
ALLOWED = {
    "tests/owned.py": "what this is about",
    "tests/unit/test_telemetry.py": "an orphan that ends after 4 s is what it measures",
    "tests/unit/test_nodes_processes.py": "it ends after 60 s",
}


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(runs(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_process_owns_ends_with_it(number: signal.Signals) -> None:
    script = "from tests.owned import owned\n"
    script += "child = owned(['bash', '-c', 'sleep 300 & echo $! $$; wait'], text=True)\nchild.wait()"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        pids = [int(word) for word in test.stdout.readline().split()]
        assert len(pids) == 2 and not gone(pids, 1.0)
        test.send_signal(number)
    assert gone(pids)


def test_what_ends_by_itself_is_left_alone() -> None:
    with owned(["bash", "-c", "exit 3"]) as child:
        assert child.wait(30) == 3


def test_no_other_test_starts_a_session_that_outlives_it() -> None:
    files = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "tests").rglob("*.py")}
    found = {name for name, text in files.items() if SESSIONS.search(text)}
    assert found == set(ALLOWED), found ^ set(ALLOWED)
