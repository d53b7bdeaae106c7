"""Measurements of a point: a harness probe for throughput and latency, short LoadGen runs for Server's rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.constants import Scenario
from code.common.errors import RunError
from code.common.files import storage_error
from code.plan.request import Value
from code.plan.workload import Workload
from code.results.verdict import judge
from code.rules.metrics import PERCENTILES, queries_without_late
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
    Scenario.Interactive: Aim("samples_per_second", "samples/s", True),
}
"""Scenario → objective of a trial. Server's rate is found afterwards, with the lanes of the highest throughput."""


def at(workload: Workload, point: Mapping[str, Any]) -> Workload:
    """The workload with the values of a point."""
    return workload.with_values({name: Value(value, ORIGIN) for name, value in values_of(workload, point).items()})


P99 = "result_99.00_percentile_latency_ns"
LONGEST_S = 600.0
"""Most time that one rate may take: as long as a run that counts."""
MARGIN = 1.5
"""Factor on the queries that early stopping needs without a late one; a few late ones, which a VALID run may have, cost more."""


def queries_needed(workload: Workload) -> int:
    """Queries that a Server run needs to be VALID, with room for a few late ones."""
    given = workload["server_target_latency_percentile"]
    share = PERCENTILES["Server"] if given is None else given / 100 if given > 1 else given
    return math.ceil(MARGIN * queries_without_late(share))


def lowest_rate(workload: Workload) -> float:
    """The lowest rate in queries/s at which enough queries arrive within LONGEST_S."""
    return queries_needed(workload) / LONGEST_S


def at_rate(workload: Workload, rate: float, seconds: float) -> Workload:
    """The workload as a Server run of at least `seconds` at `rate` queries/s, with as many queries as it needs to be VALID."""
    changed = {
        "server_target_qps": rate,
        "server_target_qps_adj_factor": None,
        "min_duration": int(seconds * 1000),
        "max_duration": 0,
        "min_query_count": max(queries_needed(workload), int(rate)),
        "max_query_count": 0,
        "fast": True,  # no whole passes over the data set, which mlperf.conf asks for
    }
    return workload.with_values({name: Value(value, ORIGIN) for name, value in changed.items()})


def probe(job: Job) -> dict[str, float]:
    """The probe's measurements of the workload's engine, which is built if necessary. Raises what the engine raises."""
    job.build()
    return job.probe(f"{job.label} trial")


def server_is_valid(job: Job, rate: float, folder: Path, p99_ms: float | None = None) -> bool:
    """Whether a short Server run at `rate` queries/s is VALID. Its logs stay in a folder of its own below `folder`.

    Args:
        p99_ms: the latency of 99 % of its queries in ms must be no longer either. RunError where LoadGen did not log it.
    """
    logs = _fresh(folder / f"{rate:.6g}-queries-per-second")
    log = job.test("PerformanceOnly", logs, f"{job.label} at {rate:,.1f} queries/s")
    if p99_ms is None:
        return judge(log).valid
    latency_ns = log.number(P99)
    if latency_ns is None:
        raise RunError(f"{logs} has no latency of 99 % of queries", f"LoadGen logged no {P99}", "leave --p99_ms out")
    return judge(log).valid and latency_ns <= p99_ms * 1e6


def _fresh(wanted: Path) -> Path:
    """A new folder of this name, with '.2', '.3', … appended where it exists. RunError where it cannot be made."""
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
        except OSError as error:
            raise storage_error(error, folder) from error
    raise AssertionError
