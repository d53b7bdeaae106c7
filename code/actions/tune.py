"""tune: search for the best streams, batch sizes and padding of a workload, and for Server the highest VALID rate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.common.constants import Scenario
from code.common.errors import RunError
from code.plan.workload import Workload
from code.run.job import Job
from code.run.server_rate import near_prediction
from code.tuning import config_class, measure
from code.tuning.expectations import expected_rate, expected_throughput
from code.tuning.limits import Limits, TooMuchPowerError, within
from code.tuning.precisions import chosen_precision, searched
from code.tuning.space import point_of, search_space, values_of
from code.tuning.study import Study, study_path


def run(job: Job, context: Context) -> None:
    """Search, then print the config class to paste; --write updates the class in its file.

    An interrupted search resumes with its finished trials. MissingError without Optuna, RunError if no point could be measured.
    """
    limits = Limits.of(context.request, job)
    job.prepare_data()
    job, workload = searched(job)
    kind = "gpu" if job.placement.on_gpus else "cpu"
    space = search_space(workload, kind)
    aim = measure.AIMS[workload.scenario]
    path = study_path(workload, space, limits.power_w)
    study = Study(path, space, aim.more_is_better)
    trials = min(int(context.request["trials"]), study.size)
    console.say(f"{workload.label}: {trials} of {study.size} points, {len(study.known())} already measured ({paths.shown(path)})")

    def trial(point: dict[str, Any]) -> float:
        tried = context.job(measure.at(workload, point))
        tried.build()  # whose power is not the run's
        with within(limits, tried):
            value = measure.probe(tried)[aim.key]
        settings = ", ".join(f"{name} {_short(value)}" for name, value in point.items())
        console.say(f"{workload.label}: trial {len(study.known()) + 1}/{trials}: {value:,.6g} {aim.unit} with {settings}")
        return value

    predicted = expected_throughput(job, str(context.request["service_model"]), space)
    console.say(f"{workload.label}: {study.search(trials, point_of(workload, space), trial, console.warn, predicted)}")
    best = study.best()
    if best is None:
        raise RunError(
            f"{workload.label}: no point could be measured",
            "every trial failed (see the errors above)",
            "fix the cause and run tune again",
        )
    point, value = best
    found: dict[str, Any] = values_of(workload, point)
    if workload.scenario == Scenario.Offline:
        found["offline_expected_qps"] = float(f"{value:.4g}")
    if workload.scenario.loadgen == Scenario.Server.valstr:
        best_job = context.job(measure.at(workload, point))
        expected = expected_rate(best_job, measure.probe(best_job), float(context.request["tune_duration"]))
        console.say(f"{workload.label}: a simulation of the best point expects {expected:,.4g} queries/s")
        logs = path.with_suffix(".runs")
        found["server_target_qps"] = _server_rate(context, best_job.workload, value, expected, limits, logs)
    found |= chosen_precision(workload)
    remark = (
        f"Tuned {time.strftime('%Y-%m-%d')} on {workload.system_id}: {value:,.6g} {aim.unit} in a probe of {job.backend.label}."
    )
    console.say(f"\n{config_class.class_text(workload, found, remark)}\n")
    if context.request["write"]:
        console.say(f"written to {paths.shown(config_class.write_class(workload, found))}")
    else:
        console.say(f"replaces the class at {workload.config.where}; add --write to update it")


def _server_rate(context: Context, workload: Workload, throughput: float, expected: float, limits: Limits, logs: Path) -> float:
    """The highest VALID rate. RunError where there is none, or where it is too low to be measured in reasonable time.

    Args:
        expected: the rate to start at.
    """
    seconds = float(context.request["tune_duration"])
    needed, least = measure.queries_needed(workload), measure.lowest_rate(workload)
    if throughput * 0.75 < least:
        raise RunError(
            f"{workload.label}: {throughput:,.3g} samples/s are too few to search a Server rate",
            f"a VALID run needs about {needed} queries, which take over {measure.LONGEST_S / 60:.0f} minutes below {least:,.3g} queries/s",
            "run Server for ten minutes or more at a rate of your choice (--server_target_qps), or use a faster engine",
        )
    console.say(
        f"{workload.label}: each rate takes {seconds:g} s or {needed} queries, whichever is longer; logs in {paths.shown(logs)}"
    )

    def is_valid(rate: float) -> bool:
        job = context.job(measure.at_rate(workload, rate, seconds))
        try:
            with within(limits, job):
                valid = measure.server_is_valid(job, rate, logs, limits.p99_ms)
        except TooMuchPowerError as error:
            console.say(f"{workload.label}: {rate:,.1f} queries/s: {error.what}, and {error.why}")
            return False
        console.say(f"{workload.label}: {rate:,.1f} queries/s: {'VALID' if valid else 'INVALID'}")
        return valid

    rate = near_prediction(expected, throughput, is_valid, least)
    if rate is None:
        raise RunError(
            f"{workload.label}: no VALID rate found",
            f"not even {max(least, throughput / 64):,.3g} queries/s meets the latency bound; the logs are in {paths.shown(logs)}",
            "use a faster engine or a smaller batch",
        )
    console.say(
        f"{workload.label}: {rate:,.1f} queries/s is {rate / throughput:.0%} of the throughput; confirm it with a full ten-minute run"
    )
    return float(f"{rate:.4g}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


ACTION = EachWorkload(run)
