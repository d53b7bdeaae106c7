"""Telemetry around a LoadGen test: records what the machine does, and says afterwards what disturbed the run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common import console
from code.fields.consumer import Consumer
from code.results import noise, telemetry
from code.results.devices import DeviceShare
from code.results.loadgen_log import LoadGenLog
from code.telemetry.recorder import recorded
from code.telemetry.source import Watched

if TYPE_CHECKING:
    from code.run.observers import Test

READS = Consumer("telemetry", ("telemetry",))
SHOWN = 3
"""Lines about what disturbed a run; the rest is in metadata.json."""


@contextmanager
def observer(test: Test) -> Iterator[None]:
    """Record the processors and GPUs of a test into its folder, unless `telemetry` is off."""
    if not READS.of(test.workload)["telemetry"]:
        yield
        return
    names = [device.name for device in test.placement.devices] if test.computes else []
    gpus = tuple(name for name in names if name.startswith(("GPU-", "MIG-")))
    with recorded(test.folder, Watched(tuple(sorted(os.sched_getaffinity(0))), gpus, os.getpid())):
        yield


def described(folder: Path, log: LoadGenLog, devices: Sequence[DeviceShare], label: str) -> dict[str, Any] | None:
    """metadata.json's `telemetry` of the run in `folder`, and a warning for what disturbed it; None if nothing was recorded."""
    found = telemetry.read(folder, log)
    if found is None:
        return None
    content, disturbed = noise.described(found, sum(device.samples for device in devices) or None)
    for event in disturbed[:SHOWN]:
        console.warn(f"{label}: {event.line()}")
    if len(disturbed) > SHOWN:
        console.warn(f"{label}: {len(disturbed) - SHOWN} more in metadata.json, under telemetry")
    return content
