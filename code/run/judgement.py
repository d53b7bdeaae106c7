"""The verdict on a test of a job: what LoadGen logged, the rules of its round, and what disturbed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from code.plan import precision_choice
from code.results.departures import departures
from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason
from code.results.verdict import Verdict, judge
from code.run.resolved import Resolved
from code.run.settings import lengthen, round_of


def judged(job: Resolved, log: LoadGenLog, disturbed: Sequence[Reason]) -> Verdict:
    """The verdict, whose notes say what disturbed the test, unless its engine was simulated."""
    workload = job.workload
    round_ = round_of(workload.plain(), str(workload.benchmark))
    verdict = judge(log, departures(log, workload.full_name, round_, str(workload.scenario)), lengthen(workload))
    return replace(verdict, notes=(*verdict.notes, *_precision(job), *disturbed)) if job.backend.computes else verdict


def _precision(job: Resolved) -> list[Reason]:
    """A note on a precision that was chosen by measurement, but for the usual one."""
    values = job.workload.values
    if not precision_choice.asked(values) or precision_choice.of(values) == precision_choice.USUAL:
        return []
    return [
        Reason(f"the precision was chosen by measurement: {precision_choice.reason(values)}", "precision", "name one for another")
    ]
