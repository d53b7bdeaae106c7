"""What was observed of a test besides its logs: its devices, the machine, telemetry and measured power."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common import console
from code.results import devices, machine, nodes
from code.results.loadgen_log import LoadGenLog
from code.results.machine import MachineState
from code.results.reason import Reason
from code.run import llm_server, power_run, telemetry, triton_time


@dataclass(frozen=True)
class Observed:
    """What was observed of a test.

    Args:
        content: keys of metadata.json.
        state: of the machine; None where it was not recorded.
        notes: what disturbed it, each cause once: with its time where telemetry was recorded.
    """

    content: dict[str, Any]
    state: MachineState | None
    notes: tuple[Reason, ...]


def observed(folder: Path, log: LoadGenLog, label: str) -> Observed:
    """What was observed of the run in `folder`; warns of devices that fell behind.

    Args:
        label: the prefix of the warnings.

    Raises RunError where the samples of a power measurement cannot be read.
    """
    of_devices = devices.read(folder)
    for line in devices.laggards(of_devices):
        console.warn(f"{label}: {line}")
    samples = sum(device.samples for device in of_devices) or None
    state = machine.read(folder)
    seen, notes = telemetry.described(folder, log, samples)
    if state is not None:
        notes = [*state.beside_notes(), *notes] if seen is not None else state.notes()
    found: dict[str, Any] = {
        "devices": [device.as_json() for device in of_devices],
        "nodes": nodes.read(folder, of_devices, log),
        "machine": None if state is None else state.as_json(),
        "telemetry": seen,
        "power": power_run.figures(folder, log, samples),
    }
    found |= triton_time.recorded(folder) | llm_server.recorded(folder)
    return Observed({key: value for key, value in found.items() if value}, state, tuple(notes))
