"""Captures: everything that the harness asks of a machine, in one file that is replayed elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path

from code.common.errors import MissingError
from code.machine.detect import DetectedSystem, examine
from code.machine.sources import LiveMachine, RecordingMachine
from code.mig import state as mig
from code.preflight import run_checks
from code.systems.description import describe


def capture(path: Path | str, description: str = "") -> DetectedSystem:
    """Write everything that detection, preflight and description ask of this machine to a capture, without what identifies it."""
    recorder = RecordingMachine(LiveMachine())
    found = examine(recorder)
    run_checks(recorder, found)
    describe(found, "")
    with contextlib.suppress(MissingError):
        mig.read(recorder)
    recorder.write(Path(path), description or f"{found.processors.model}, {len(found.gpus)} accelerators")
    return found
