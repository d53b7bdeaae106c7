"""Chooses the precision that a search is made in, where the workload leaves it to measurement."""

from __future__ import annotations

from code.common import console
from code.plan import precision_choice
from code.plan.request import Value
from code.plan.workload import Workload
from code.run import loadgen_run
from code.run.job import Job
from code.run.preparation import with_language


def searched(job: Job) -> tuple[Job, Workload]:
    """The job in the precision that is searched, and its workload in one harness language, because a study is of one."""
    job = in_fastest(job)
    return job, with_language(job.workload, job.language)


def in_fastest(job: Job) -> Job:
    """The job in the fastest precision of those whose accuracy is proved, each built and probed; the same job where a precision is named.

    What was measured beside other work is not remembered, and decides nothing. Raises what an engine raises.
    """
    workload = job.workload
    if not precision_choice.asked(workload.values):
        return job
    benchmark, target = str(workload.benchmark), workload.setting.accuracy_target.value
    known = precision_choice.proved(job.values, benchmark, target, workload.detected)
    for precision in known if len(known) > 1 else ():
        tried = Job(workload.with_values({"precision": Value(precision, "tune")}), job.notices)
        tried.build()
        found, state = loadgen_run.probe(tried, f"{tried.label} {precision}")
        console.say(f"{job.label}: {precision}: {found['samples_per_second']:,.4g} samples/s in a probe")
        if state.disturbed:
            console.warn(f"{job.label}: {state.notes()[0].what}; the rate of {precision} is not remembered")
        else:
            precision_choice.remember_rate(tried.values, benchmark, workload.detected, found, "probe")
    asked = {"precision": Value(precision_choice.AUTO, workload.origin("precision").partition(precision_choice.MARK)[0])}
    values = workload.with_values(asked).values
    best = precision_choice.chosen(values, benchmark, workload.scenario.loadgen, target, workload.detected)
    console.say(f"{job.label}: precision {best.origin.partition(precision_choice.MARK)[2]}")
    return Job(workload.with_values({"precision": best}), job.notices)


def chosen_precision(workload: Workload) -> dict[str, str]:
    """The field for a config class where the precision was chosen here; {} where it was named."""
    return {"precision": precision_choice.of(workload.values)} if precision_choice.asked(workload.values) else {}
