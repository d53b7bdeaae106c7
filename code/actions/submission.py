"""submission: every step from runs to the tarball.

run (both modes) → run_audit_harness (closed) → stage_results → truncate_results → check_submission → pack_submission.
The first step that fails stops the sequence; each step can be rerun with its own make target.
"""

from __future__ import annotations

from dataclasses import replace

from code.actions import (
    Context,
    OncePerRequest,
    check_submission,
    pack_submission,
    run_audit_harness,
    stage_results,
    truncate_results,
)
from code.actions import run as run_both
from code.common import console
from code.common.errors import RunError
from code.plan.request import Request, Value
from code.plan.workload import build
from code.results.report import Outcome, print_report
from code.submission.stage import identity


def run(context: Context) -> int:
    """Run all steps; returns the exit status of the first that fails."""
    who = identity.read(context.request)
    request = with_round(context.request, who)
    context = Context(request, context.notices)
    console.say("1/6 run")
    _run_all(context)
    if who.division == "closed":
        console.say("2/6 audits")
        _audit_all(context)
    else:
        console.say("2/6 audits: not required in the open division (run them with make run_audit_harness)")
    for number, (name, step) in enumerate(STEPS, start=3):
        console.say(f"{number}/6 {name}")
        status = step.run(context)
        if status:
            console.say(f"stopped at {name}; fix the errors above, then continue with: make {name}")
            return int(status)
    return 0


STEPS = (
    ("stage_results", stage_results),
    ("truncate_results", truncate_results),
    ("check_submission", check_submission),
    ("pack_submission", pack_submission),
)


def with_round(request: Request, who: identity.Identity) -> Request:
    """The request with both test modes, and with the round named in submission.toml, whose seeds apply."""
    given = dict(request.given)
    given["test_mode"] = Value("SubmissionRun", "make submission")
    if who.round is not None:
        given.setdefault("round", Value(who.round.name, str(who.file or "submission")))
    return replace(request, given=given)


def _run_all(context: Context) -> None:
    workloads, unplanned = build(context.request)
    if unplanned:
        raise unplanned[0].error
    rows = [row for workload in workloads for row in run_both.run(context.job(workload), context)]
    print_report(rows)
    failed = [row for row in rows if row.outcome in (Outcome.ERROR, Outcome.FAILED)]
    if failed:
        what = "; ".join(f"{row.benchmark_full} {row.scenario} {row.mode}: {row.outcome.value}" for row in failed)
        raise RunError("not every run succeeded", what, "fix the errors in the table, then run `make submission` again")


def _audit_all(context: Context) -> None:
    workloads, _ = build(context.request)
    for workload in workloads:
        run_audit_harness.run(context.job(workload), context)


ACTION = OncePerRequest(run)
