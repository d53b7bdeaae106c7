"""Measurements of a point: a harness probe for throughput and latency, short LoadGen runs for Server's rate."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.constants import Scenario
from code.plan.request import Value
from code.plan.workload import Workload
from code.results.verdict import judge
from code.run.job import Job
from code.tuning.space import values_of

ORIGIN = "tune"


@dataclass(frozen=True)
class Aim:
    """The objective: a key of the probe's result, its unit, and whether higher is better."""

    key: str
    unit: str
    more_is_better: bool


AIMS: dict[Scenario, Aim] = {
    Scenario.Offline: Aim("samples_per_second", "samples/s", True),
    Scenario.Server: Aim("samples_per_second", "samples/s", True),
    Scenario.SingleStream: Aim("latency_ns", "ns", False),
    Scenario.MultiStream: Aim("query_latency_ns", "ns", False),
}
"""Scenario → objective of a trial. Server's rate is found afterwards, with the lanes of the highest throughput."""


def at(workload: Workload, point: Mapping[str, Any]) -> Workload:
    """The workload with the values of a point."""
    return workload.with_values({name: Value(value, ORIGIN) for name, value in values_of(workload, point).items()})


def at_rate(workload: Workload, rate: float, seconds: float) -> Workload:
    """The workload as a Server run of `seconds` at `rate` queries/s."""
    changed = {"server_target_qps": rate, "min_duration": int(seconds * 1000), "min_query_count": max(1, int(rate))}
    return workload.with_values({name: Value(value, ORIGIN) for name, value in changed.items()})


def probe(job: Job) -> dict[str, float]:
    """The probe's measurements of the workload's engine, which is built if necessary. Raises what the engine raises."""
    job.build()
    return job.probe(f"{job.label} trial")


def server_is_valid(job: Job, rate: float) -> bool:
    """Whether a short Server run at `rate` queries/s is VALID."""
    with tempfile.TemporaryDirectory() as scratch:
        return judge(job.test("PerformanceOnly", Path(scratch), f"{job.label} at {rate:,.1f} queries/s")).valid
