"""Public results of a run's benchmark that are nearest to it, per accelerator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from code.rules.metrics import METRICS
from code.systems.data.results import MACHINES

SHOWN = 5
PLACES = {"Offline": 0, "Server": 1}
"""Scenario → its place among a machine's rates; public latencies are in no table of results one by one."""
PUBLISHED = {"v4.1": "August 2024", "v5.0": "April 2025", "v5.1": "September 2025"}
"""When a round's results were published, by the announcements of MLCommons; '' for others."""


@dataclass(frozen=True)
class Public:
    """One public result.

    Args:
        system: as submitted, and by whom.
        accelerators: '8 x H100_SXM_80GB'.
        rate: samples or queries per second, of one accelerator.
        when: the round, and when its results were published.
    """

    system: str
    accelerators: str
    rate: float
    when: str


def nearest(metadata: Mapping[str, Any]) -> tuple[float, list[Public]]:
    """The run's rate per device, and the public results nearest to it by ratio, the best first; (0, []) where none can be compared."""
    scenario, benchmark = str(metadata.get("scenario")), str(metadata.get("benchmark_full"))
    value = metadata.get(METRICS[scenario].key) if scenario in PLACES else None
    if not isinstance(value, (int, float)) or not value > 0 or metadata.get("test_mode") == "AccuracyOnly":
        return 0.0, []
    devices = max(1, len(metadata.get("devices") or []))
    own = float(value) / devices
    found = []
    for machine in MACHINES:
        rate = machine.rates.get(benchmark, (None, None))[PLACES[scenario]]
        if rate is not None:
            when = f"{machine.round} ({PUBLISHED[machine.round]})" if machine.round in PUBLISHED else machine.round
            hardware = f"{machine.accelerators} x {machine.accelerator}"
            found.append(Public(f"{machine.submitter} {machine.system}", hardware, rate / machine.accelerators, when))
    near = sorted(found, key=lambda one: abs(math.log(one.rate / own)))[:SHOWN]
    return own, sorted(near, key=lambda one: -one.rate)
