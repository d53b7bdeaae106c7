"""What service times expect of a search: the throughput of its points, and the Server rate of the one that was chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from code.common import console
from code.plan.workload import Workload
from code.run import service_model, service_times, virtual
from code.run.job import Job
from code.run.language import binary
from code.run.server_rate import highest_valid
from code.tuning.measure import AIMS, at_rate

UNSIMULATED = 0.75
"""Ratio of the highest Server rate to the throughput that is assumed where nothing can be simulated."""


def expected_throughput(job: Job, word: str, space: Mapping[str, list[Any]]) -> Callable[[dict[str, Any]], float] | None:
    """Samples/s of a device at a point of the space; None without a model, or where a latency is tuned.

    Args:
        word: the request's `service_model`.
    """
    batch = next((name for name in space if name.endswith("_batch_size")), None)
    if batch is None or not AIMS[job.workload.scenario].more_is_better:
        return None
    model = service_times.model_of(job, word)
    if model is None:
        return None
    console.say(f"{job.label}: what to try first follows from service times of {model.source}")
    return lambda point: model.rate(point[batch], job.lengths)


def expected_rate(job: Job, probed: Mapping[str, float], seconds: float) -> float:
    """The highest rate in queries/s at which the short run that decides it is VALID in virtual time.

    Args:
        job: at the point that was probed.
        probed: its `samples_per_second` and `latency_ns`.
        seconds: duration of such a run.
    """
    throughput = probed["samples_per_second"]
    if not binary().is_file() or job.workload["simulated_table"]:
        return UNSIMULATED * throughput
    model = service_model.of_probe(job, probed)
    simulated = service_times.simulated(job)
    table = service_times.table(simulated, model)

    def is_valid(rate: float) -> bool:
        workload: Workload = at_rate(simulated.workload, rate, seconds)
        return virtual.simulate(Job(workload, job.notices), table, f"{job.label} at {rate:,.4g}", virtual.SHORT).valid

    return highest_valid(throughput, is_valid, close=virtual.CLOSE) or UNSIMULATED * throughput
