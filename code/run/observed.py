"""What was observed of a test besides its logs: its devices, the machine, telemetry and measured power, for metadata.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.common import console
from code.results import devices
from code.results.loadgen_log import LoadGenLog
from code.results.machine import MachineState
from code.run import power_run, telemetry


def described(folder: Path, log: LoadGenLog, state: MachineState | None, label: str) -> dict[str, Any]:
    """The keys of metadata.json for what was observed of the run in `folder`, and warnings of what disturbed it.

    Args:
        state: of the machine; None where it was not recorded.
        label: the prefix of the warnings.

    Raises RunError where the samples of a power measurement cannot be read.
    """
    of_devices = devices.read(folder)
    for line in devices.laggards(of_devices):
        console.warn(f"{label}: {line}")
    samples = sum(device.samples for device in of_devices) or None
    found: dict[str, Any] = {
        "devices": [device.as_json() for device in of_devices],
        "machine": None if state is None else state.as_json(),
        "telemetry": telemetry.described(folder, log, of_devices, label),
        "power": power_run.figures(folder, log, samples),
    }
    return {key: value for key, value in found.items() if value}
