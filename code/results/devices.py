"""Per-device statistics of a run, from the devices.json that the harness writes beside LoadGen's logs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.typed import listing, real, record, whole, words

DEVICES_FILE = "devices.json"
LAG = 1 / 3
"""A device that completes fewer samples than the others by this fraction is reported."""
LEAST_SAMPLES = 64
"""Minimum samples per device for a meaningful comparison."""

RECORDED = listing(
    record(
        {
            "index": whole(0, 2**16),
            "name": words(200),
            "samples": whole(0, 2**63),
            "batches": whole(0, 2**63),
            "busy_s": real(0, 1e9),
            "elapsed_s": real(0, 1e9),
        },
        {"network_s": real(0, 1e9), "received_bytes": whole(0, 2**63)},
    )
)


@dataclass(frozen=True)
class DeviceShare:
    """One device's part of a run.

    Args:
        index: its number in the harness process.
        name: its UUID or node.
        samples, batches: number completed.
        busy: fraction of the run that its streams spent in the engine, 0 to 1; for a device of a node with the way there and back.
        network: fraction of the run that its streams waited for the way to its node and back; None for a device of this machine.
        received: bytes of its answers; None as above.
        elapsed_s: how long the run took; 0 where unknown.
    """

    index: int
    name: str
    samples: int
    batches: int
    busy: float
    network: float | None = None
    received: int | None = None
    elapsed_s: float = field(default=0.0, compare=False)

    def as_json(self) -> dict[str, Any]:
        """The entry in metadata.json."""
        return {
            "index": self.index,
            "name": self.name,
            "samples": self.samples,
            "batches": self.batches,
            "busy_share": round(self.busy, 4),
            **({} if self.network is None else {"network_share": round(self.network, 4), "received_bytes": self.received}),
        }


def read(folder: Path) -> list[DeviceShare]:
    """The devices of the run in `folder`; [] if the harness did not record them."""
    try:
        content = jsonfile.read(folder / DEVICES_FILE)
    except (OSError, ValueError):
        return []
    found = RECORDED.read(content, DEVICES_FILE, []) or []
    return [
        DeviceShare(
            *(one["index"], one["name"], one["samples"], one["batches"], one["busy_s"] / max(1e-9, one["elapsed_s"])),
            one["network_s"] / max(1e-9, one["elapsed_s"]) if one.get("network_s") is not None else None,
            one.get("received_bytes"),
            one["elapsed_s"],
        )
        for one in found
    ]


def laggards(devices: Sequence[DeviceShare]) -> list[str]:
    """A line for each device that completed a third fewer samples than the others' median."""
    if len(devices) < 2:
        return []
    lines = []
    for one in devices:
        others = statistics.median(other.samples for other in devices if other is not one)
        if others >= LEAST_SAMPLES and one.samples < (1 - LAG) * others:
            lines.append(
                f"{one.name} completed {one.samples:,} samples, the other devices {others:,.0f} each: "
                "it is slower, or was busy with other work"
            )
    return lines
