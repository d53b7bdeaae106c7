"""run_harness: run one LoadGen test per requested mode, judge it, and store it with its metadata.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.results.report import ReportRow
from code.results.spread import Spread
from code.rules.metrics import METRICS
from code.run import audit_config
from code.run.folders import log_root
from code.run.job import Job

MODES = {"SubmissionRun": ("PerformanceOnly", "AccuracyOnly")}


def run(job: Job, context: Context) -> list[ReportRow]:
    """Run the tests and return one row per mode. MissingError if the engine is not built."""
    audit_config.refuse_leftover(paths.project_root(), Path.cwd(), log_root(job.workload))
    job.prepare()
    asked = str(job.workload["test_mode"])
    rows = [job.run(mode) for _ in range(int(context.request["repeat"])) for mode in MODES.get(asked, (asked,))]
    _say_spread(job, rows)
    return rows


def _say_spread(job: Job, rows: Sequence[ReportRow]) -> None:
    values = tuple(float(row.value) for row in rows if row.value is not None)
    if len(values) > 1:
        console.say(f"{job.label}: {Spread(values).words(METRICS[str(job.workload.scenario)])}")


ACTION = EachWorkload(run, reports=True)
