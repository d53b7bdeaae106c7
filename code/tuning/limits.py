"""Limits that a tuned workload must keep besides the rules of MLPerf: electrical power, and the latency of 99 % of queries."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from code.common.constants import Scenario
from code.common.errors import MissingError, RunError, UsageError
from code.fields.consumer import Readable
from code.run.job import Job
from code.telemetry import gpus, processors
from code.telemetry.recorder import Recorder
from code.telemetry.source import Source, Watched

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Limits:
    """What must not be exceeded; None for anything.

    Args:
        power_w: power of the GPUs' boards, or on processors of their packages, in W.
        p99_ms: latency of 99 % of a Server run's queries, in ms.
    """

    power_w: float | None = None
    p99_ms: float | None = None

    @classmethod
    def of(cls, request: Readable, job: Job) -> Limits:
        """Those of a request, checked before anything is measured.

        UsageError for a latency that the scenario's probes do not measure, MissingError where the power cannot be read.
        """
        found = cls(request["max_power"], request["p99_ms"])
        scenario = job.workload.scenario
        if found.p99_ms is not None and scenario.loadgen != Scenario.Server.valstr:
            why = "an Offline query has no latency to limit" if scenario == Scenario.Offline else "its probes measure a median"
            raise UsageError(
                f"{job.label}: --p99_ms cannot be kept in {scenario}", why, "leave --p99_ms out, or tune --scenarios=server"
            )
        if found.power_w is not None and not _sources(job):
            reader = (
                "NVML reports none of its GPUs" if job.placement.on_gpus else "the kernel shows no RAPL counter that may be read"
            )
            raise MissingError(
                f"{job.label}: --max_power cannot be kept",
                f"the power cannot be measured here: {reader}",
                "leave --max_power out, or set a power limit of the GPUs (documentation/power.md)",
            )
        return found


class TooMuchPowerError(RunError):
    """More power was drawn than the limit allows."""


@contextmanager
def within(limits: Limits, job: Job) -> Iterator[None]:
    """Measure the power during the block, where it is limited. TooMuchPowerError where the block drew more."""
    if limits.power_w is None:
        yield
        return
    recorder = Recorder(_sources(job))
    recorder.start()
    try:
        yield
    finally:
        recorder.stop()
    watts = drawn_watts(recorder.columns())
    if not watts <= limits.power_w:
        raise TooMuchPowerError(f"it drew {watts:,.4g} W", f"--max_power is {limits.power_w:,.4g} W", "choose a higher limit")


def _sources(job: Job) -> list[Source]:
    """Readers of the power of the job's devices."""
    names = tuple(device.name for device in job.placement.devices)
    watched = Watched(tuple(sorted(os.sched_getaffinity(0))), names if job.placement.on_gpus else (), os.getpid())
    if not job.placement.on_gpus:
        return processors.energy(watched)
    found = [source for source in gpus.gpus(watched) if "power_w" in source.columns]
    return [source for source in found if math.isfinite(source.read()[source.columns.index("power_w")])]


def drawn_watts(columns: Mapping[str, NDArray[np.float64]]) -> float:
    """The sum over all devices of the power in W that they drew in the busier half of a recording: loading an engine draws little."""
    total = 0.0
    for name, values in columns.items():
        source = name.partition("/")[0]
        if name.endswith("/power_w"):
            total += _busier_half(values[np.isfinite(values)])
        elif name.endswith("_energy_j_total") and source == "rapl":
            spans = np.diff(columns[f"{source}/t"])
            total += _busier_half(np.diff(values)[spans > 0] / spans[spans > 0])
    return total


def _busier_half(values: NDArray[np.float64]) -> float:
    return float(np.mean(np.sort(values)[len(values) // 2 :])) if len(values) else math.nan
