"""Progress and fatal errors as JSON lines on a pipe to the launcher.

{"phase": "load" | "probe" | "warmup" | "run" | "end", "issued": n, "completed": n, "elapsed_s": s}, {"probe": {…}} or
{"error": {"what", "why", "next_step", "status"}}. "work" beside "completed" is the share of the work that is done, 0 to 1, where samples
differ in length. "answers" counts the calls that engines have answered in a test, in the Python harness.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from typing import Any

from code.common.errors import HarnessError

PIPE_VARIABLE = "HARNESS_PROGRESS_FD"
WAIT_S = 1.0
"""Time that a line waits for its turn and for room in the pipe before it is dropped: a launcher that does not read must not hold the
process, least of all when it ends."""


class ProgressPipe:
    """Writes to the pipe in HARNESS_PROGRESS_FD; does nothing when the variable is unset."""

    def __init__(self) -> None:
        number = os.environ.get(PIPE_VARIABLE, "")
        self._descriptor = int(number) if number.isdigit() else None
        self._lock = threading.Lock()

    def send(self, **content: Any) -> None:
        """Write one line. A closed or full pipe is ignored: progress reporting must never stop a run."""
        if self._descriptor is None or not self._lock.acquire(timeout=WAIT_S):
            return
        try:
            if select.select([], [self._descriptor], [], WAIT_S)[1]:
                os.write(self._descriptor, (json.dumps(content) + "\n").encode())
        except (OSError, ValueError):
            self._descriptor = None
        finally:
            self._lock.release()

    def error(self, error: HarnessError) -> None:
        """Report the error that ends this process."""
        self.send(error={"what": error.what, "why": error.why, "next_step": error.next_step, "status": error.exit_status})

    def end_process(self, error: HarnessError) -> None:
        """Report the error and exit at once with its status: LoadGen cannot stop a test."""
        self.error(error)
        print(error, file=sys.stderr, flush=True)
        os._exit(error.exit_status)
