"""run_harness: run one LoadGen test per requested mode, judge it, and store it with its metadata.json."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, EachWorkload
from code.common import paths
from code.results.report import ReportRow
from code.run import audit_config
from code.run.folders import log_root
from code.run.job import Job

MODES = {"SubmissionRun": ("PerformanceOnly", "AccuracyOnly")}


def run(job: Job, context: Context) -> list[ReportRow]:
    """Run the tests and return one row per mode. MissingError if the engine is not built."""
    audit_config.refuse_leftover(paths.project_root(), Path.cwd(), log_root(job.workload))
    job.prepare()
    asked = str(job.workload["test_mode"])
    return [job.run(mode) for mode in MODES.get(asked, (asked,))]


ACTION = EachWorkload(run, reports=True)
