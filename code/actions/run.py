"""run: generate_engines, then run_harness, for one workload after the other."""

from __future__ import annotations

from code.actions import Context, generate_engines, run_harness
from code.plan.workload import Workload
from code.results.report import ReportRow

SCOPE = "workload"


def run(workload: Workload, context: Context) -> list[ReportRow]:
    """Both, in order."""
    generate_engines.run(workload, context)
    return run_harness.run(workload, context)
