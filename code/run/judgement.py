"""The verdict on a test of a job: what LoadGen logged, the rules of its round, and what else the machine did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from code.results import machine
from code.results.departures import departures
from code.results.loadgen_log import LoadGenLog
from code.results.machine import MachineState
from code.results.verdict import Verdict, judge
from code.run.resolved import Resolved
from code.run.settings import lengthen, round_of


def judged(job: Resolved, log: LoadGenLog, folder: Path) -> tuple[Verdict, MachineState | None]:
    """The verdict, and the machine's state during the test in `folder`; None if it was not recorded."""
    workload = job.workload
    round_ = round_of(workload.plain(), str(workload.benchmark))
    verdict = judge(log, departures(log, workload.full_name, round_), lengthen(workload))
    state = machine.read(folder)
    if state is None or not job.backend.computes:
        return verdict, state
    return replace(verdict, notes=(*verdict.notes, *state.notes())), state
