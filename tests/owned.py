"""Processes of tests in a session of their own that end with the test, also where that is killed: `owned` in place of `subprocess.Popen`.

A process with `start_new_session=True` outlives a test that a time limit or a signal ends, and so does all that it started. Here a guard
beside it ends the whole group when the pipe from the test closes, which the kernel does however the test ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GRACE_S = 15.0
POLL_S = 1.0


def owned(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a command in a session of its own; its group ends with this process.

    Args:
        command: what to run.
        options: as of subprocess.Popen, without `start_new_session`.
    """
    child = subprocess.Popen(command, start_new_session=True, **options)
    reading, _ = os.pipe()  # the other end stays open for as long as this process lives
    try:
        words = [sys.executable, "-S", str(Path(__file__).resolve()), str(reading), str(child.pid)]
        null = subprocess.DEVNULL
        subprocess.run(words, pass_fds=(reading,), stdin=null, stdout=null, stderr=null, check=True)  # leaves the guard behind
    finally:
        os.close(reading)
    return child


def guard(reading: int, group: int) -> None:
    """Wait until the group has ended, or until nobody holds the other end of the pipe: then end the group, kindly first."""
    while _exists(group):
        if select.select([reading], [], [], POLL_S)[0]:
            _signal(group, signal.SIGTERM)
            end = time.monotonic() + GRACE_S
            while _exists(group) and time.monotonic() < end:
                time.sleep(0.1)
            _signal(group, signal.SIGKILL)
            return


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # the guard is nobody's child: a test that looks at its own does not see it
    os.setsid()
    guard(int(sys.argv[1]), int(sys.argv[2]))
