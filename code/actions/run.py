"""run: generate_engines, then run_harness, one workload at a time."""

from __future__ import annotations

from code.actions import Context, EachWorkload, generate_engines, run_harness
from code.results.report import ReportRow
from code.run.job import Job


def run(job: Job, context: Context) -> list[ReportRow]:
    """Build the engine, then run the harness."""
    job.require_gpus()
    generate_engines.run(job, context)
    return run_harness.run(job, context)


ACTION = EachWorkload(run, reports=True)
