"""`python -m code.run.nodes.recording FOLDER PROCESS`: records a node's processors and GPUs until its standard input ends.

Names of GPUs follow FOLDER and PROCESS, the process whose children run the test.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from code.telemetry.recorder import recorded
from code.telemetry.source import Watched


def record(folder: str, process: str, *gpus: str) -> None:
    """Record into `folder`/telemetry.npz."""
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    with recorded(Path(folder), Watched(cpus, gpus, int(process))):
        sys.stdin.buffer.read()


if __name__ == "__main__":
    record(*sys.argv[1:])
