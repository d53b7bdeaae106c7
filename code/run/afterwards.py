"""What follows from a finished performance run: the rates that it is compared with, and what later runs know of its engine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from code.machine.measurements import Measurement, best_of
from code.plan import precision_choice
from code.results.accuracy import AccuracyResult
from code.results.loadgen_log import LoadGenLog
from code.results.machine import MachineState
from code.run import preparation, roofline
from code.run.resolved import Resolved

MEASURED_BY = {
    "Offline": ("samples_per_second", "result_samples_per_second"),
    "SingleStream": ("latency_ns", "result_mean_latency_ns"),
    "MultiStream": ("query_latency_ns", "result_mean_query_latency_ns"),
}
"""Scenario → what a run measures, and LoadGen's key of it. A Server run measures the rate it was asked for, not the engine's."""


def limits(job: Resolved, folder: Path) -> dict[str, Any]:
    """Keys of metadata.json: the engine's own rate (`engine_alone`) and the run's share of its bound (`bound`), where they are known."""
    return {**engine_alone(job), **roofline.recorded(job, folder)}


def remember(job: Resolved, log: LoadGenLog, state: MachineState | None) -> None:
    """Remember what a completed performance run measured of its engine, unless the machine was busy or the run had neighbours."""
    if job.company is not None:
        return
    what, key = MEASURED_BY.get(log.scenario, ("", ""))
    value = log.number(key)
    if not job.backend.computes or state is None or state.disturbed or not value or not 0 < value < math.inf:
        return
    one = Measurement({what: float(value)}, time.time(), "run", state.load_before)
    preparation.memory(job, job.language).add(one)
    precision_choice.remember_rate(job.values, str(job.workload.benchmark), job.workload.detected, one.values, "run")


def prove(job: Resolved, scores: Sequence[AccuracyResult], valid: bool) -> None:
    """Remember the least share of the reference's scores that a whole accuracy run reached: the proof of its precision."""
    target = job.workload.setting.accuracy_target.value
    shares = [target * one.value / one.threshold for one in scores if one.higher_is_better and one.threshold > 0]
    if valid and job.backend.computes and shares:
        precision_choice.remember_proof(job.values, str(job.workload.benchmark), job.workload.detected, min(shares))


def engine_alone(job: Resolved) -> dict[str, Any]:
    """metadata.json's `engine_alone`: the best rates of the engine in a bare loop, without LoadGen, that a probe measured; {} for none."""
    if not job.backend.computes or job.workload["test_mode"] == "AccuracyOnly":
        return {}
    probes = [one for one in preparation.memory(job, job.language).read() if one.source == "probe"]
    found = best_of(probes, "samples_per_second")
    if found is None:
        return {}
    singles = best_of(probes, "singles_per_second")
    rates = {"samples_per_second": found[0], **({} if singles is None else {"singles_per_second": singles[0]})}
    return {"engine_alone": {**rates, "measured": found[1].shown()}}
