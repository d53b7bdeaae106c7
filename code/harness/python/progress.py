"""Progress and fatal errors as JSON lines on a pipe to the launcher.

{"phase": "load" | "warmup" | "run" | "end", "issued": n, "completed": n, "elapsed_s": s}, {"probe": {…}} or
{"error": {"what", "why", "next_step", "status"}}.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from code.common.errors import HarnessError

PIPE_VARIABLE = "HARNESS_PROGRESS_FD"


class ProgressPipe:
    """Writes to the pipe in HARNESS_PROGRESS_FD; does nothing when the variable is unset."""

    def __init__(self) -> None:
        number = os.environ.get(PIPE_VARIABLE, "")
        self._descriptor = int(number) if number.isdigit() else None
        self._lock = threading.Lock()

    def send(self, **content: Any) -> None:
        """Write one line. A closed pipe is ignored: progress reporting must never stop a run."""
        if self._descriptor is None:
            return
        with self._lock:
            try:
                os.write(self._descriptor, (json.dumps(content) + "\n").encode())
            except OSError:
                self._descriptor = None

    def error(self, error: HarnessError) -> None:
        """Report the error that ends this process."""
        self.send(error={"what": error.what, "why": error.why, "next_step": error.next_step, "status": error.exit_status})
