"""run_heterogeneous: measure one workload while others load the rest of the machine, and say what that cost it."""

from __future__ import annotations

from collections.abc import Sequence

from code.actions import Context, OncePerRequest, dry_run
from code.common import console, paths
from code.results.report import Outcome, ReportRow, print_report
from code.run import mixed
from code.run.company import Company
from code.run.job import Job
from code.run.neighbours import beside

STRICT_STATUS = 5


def run(context: Context) -> int:
    """Build and measure each workload alone as far as configs leave values open, then the main one alone and beside the others.

    With --dry_run print the plan of each. Raises the error of the main workload, or of a neighbour that ends before it.
    """
    request = context.request
    jobs = mixed.jobs(request, context.notices)
    main, others = jobs[0], jobs[1:]
    for job in jobs:
        for note in job.workload.notes:
            context.notices.warn(note)
    if request["dry_run"]:
        for job in jobs:
            dry_run.run(job, context)
        return 0
    for job in jobs:
        job.require_gpus()
        job.build()
        job.prepare()
    mode = str(main.workload["test_mode"])
    modes = ("PerformanceOnly", "AccuracyOnly") if mode == "SubmissionRun" else (mode,)
    rows = [row for one in modes for row in _tests(main, others, one, request["alone"] is not False, _buffer_s(context))]
    if request["json"]:
        console.emit([row.as_json() for row in rows])
    else:
        print_report(rows)
    bad = any(row.outcome in (Outcome.INVALID, Outcome.FAILED) for row in rows)
    return STRICT_STATUS if request["strict"] and bad else 0


def _buffer_s(context: Context) -> float:
    return float(context.request["start_time_buffer"] or 0) / 1000


def _tests(main: Job, others: Sequence[Job], mode: str, alone: bool, least_s: float) -> list[ReportRow]:
    """The rows of the main workload alone, where that is asked for, and beside the others."""
    rows = []
    main.company = None
    if alone and mode == "PerformanceOnly":
        console.say(f"{main.label}: first alone, to know the price of its neighbours")
        rows.append(main.run(mode))
        if rows[0].value is not None:
            main.company = Company((), (rows[0].value, paths.shown(rows[0].folder) if rows[0].folder else ""))
    with beside(others, main.label, least_s) as neighbours:
        row = main.run(mode, lambda mode, folder, label: neighbours.test(main, mode, folder, label))
        neighbours.require_alive("before the main workload's result was written")
    if main.company is not None and (words := main.company.price_words(row.value, main.workload.scenario.loadgen)):
        console.say(f"{main.label}: {words}")
    return [*rows, row]


ACTION = OncePerRequest(run)
