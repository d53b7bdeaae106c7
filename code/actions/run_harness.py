"""run_harness: run one LoadGen test per requested mode, judge it, and store it with its metadata.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.common.errors import UsageError
from code.results.report import ReportRow
from code.results.spread import Spread
from code.run import audit_config, power_run
from code.run.folders import log_root
from code.run.job import Job

MODES = {"SubmissionRun": ("PerformanceOnly", "AccuracyOnly")}


def run(job: Job, context: Context) -> list[ReportRow]:
    """Run the tests and return one row per mode. MissingError if the engine is not built."""
    meter = power_run.meter(context.request)
    return tests(job, int(context.request["repeat"]), meter)


def tests(job: Job, times: int = 1, meter: power_run.Meter | None = None) -> list[ReportRow]:
    """Run the tests of a job; the power of its performance runs is measured where there is a meter.

    MissingError if the engine is not built, UsageError for a meter without a performance run.
    """
    audit_config.refuse_leftover(paths.project_root(), Path.cwd(), log_root(job.workload))
    asked = str(job.workload["test_mode"])
    if meter is not None and asked == "AccuracyOnly":
        raise UsageError("power is measured in performance runs only", f"the test mode is {asked}", "leave --power out")
    job.prepare()
    measured = power_run.measured(job, meter) if meter is not None else None
    modes = MODES.get(asked, (asked,))
    rows = [job.run(mode, measured if mode == "PerformanceOnly" else None) for _ in range(times) for mode in modes]
    _say_spread(job, rows)
    return rows


def _say_spread(job: Job, rows: Sequence[ReportRow]) -> None:
    values = tuple(float(row.value) for row in rows if row.value is not None)
    metric = next((row.metric for row in rows if row.metric is not None), None)
    if len(values) > 1 and metric is not None:
        console.say(f"{job.label}: {Spread(values).words(metric)}")


ACTION = EachWorkload(run, reports=True)
