"""Progress as JSON lines on a pipe: what a harness tells whoever started it.

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
    """The writing end; silent when nobody listens."""

    def __init__(self) -> None:
        number = os.environ.get(PIPE_VARIABLE, "")
        self._descriptor = int(number) if number.isdigit() else None
        self._lock = threading.Lock()

    def send(self, **content: Any) -> None:
        """One line. A reader that went away is no reason to stop."""
        if self._descriptor is None:
            return
        with self._lock:
            try:
                os.write(self._descriptor, (json.dumps(content) + "\n").encode())
            except OSError:
                self._descriptor = None

    def error(self, error: HarnessError) -> None:
        """Why this process is about to end."""
        self.send(error={"what": error.what, "why": error.why, "next_step": error.next_step, "status": error.exit_status})
