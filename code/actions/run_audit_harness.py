"""run_audit_harness: run and verify the audit tests a round requires, or those named with --audit_test."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.common.errors import RunError, UsageError
from code.plan.workload import Workload
from code.rules.benchmarks import facts_of, newest_with, required_audits
from code.rules.rounds import Round, round_named
from code.run import audit_config
from code.run.folders import log_root, new_log_folder
from code.run.identity import run_identity
from code.run.job import Job
from code.submission.audit import audit_run
from code.submission.audit.audit_run import Audit, Outcome
from code.submission.stage import runs


def run(job: Job, context: Context) -> None:
    """Run every test of one workload. RunError if one still fails after --audit_attempts attempts."""
    workload = job.workload
    require_computing(job)
    audit_config.refuse_leftover(paths.project_root(), Path.cwd(), log_root(workload))
    short = job.definition.name
    round_ = chosen_round(workload, short)
    tests = audit_run.tests_for(short, list(context.request["audit_test"] or ()), round_)
    print_needed(short, round_, tests)
    if context.request["no_audit_verify"]:
        for test in tests:
            _unverified(job, test, round_)
        return
    failed = [outcome for test in tests if not (outcome := _attempts(job, context, test, round_)).passed]
    require_passed(workload, failed)


def chosen_round(workload: Workload, short: str) -> Round:
    """The requested round, else the newest one with this benchmark."""
    return round_named(workload["round"]) if workload["round"] else newest_with(short)


def print_needed(short: str, round_: Round, tests: list[str]) -> None:
    """Print the tests the round requires and those about to run."""
    wanted = ", ".join(required_audits(round_, short)) or "no audit tests"
    console.say(f"{round_.name} closed requires {wanted} for {short}; running {', '.join(tests) or 'none'}")


def require_computing(job: Job) -> None:
    """UsageError for a simulated engine: it computes no answers to verify."""
    if not job.backend.computes:
        raise UsageError(
            f"{job.label} cannot be audited", "a simulated engine computes no answers", "choose a real runtime with --backend=…"
        )


def pair_of(job: Job, test: str, round_: Round) -> Audit:
    """The audit and the runs it is compared with."""
    workload = job.workload
    system = run_identity(workload, runs.PERFORMANCE, job.backend, 0).system_name
    key = (system, workload.full_name, str(workload.scenario))
    performance, accuracy = audit_run.find_pair(runs.log_folder(workload["log_dir"]), key, job.definition.name, round_)
    return Audit(test, job.definition.name, performance, accuracy)


def _unverified(job: Job, test: str, round_: Round) -> None:
    """Run a test once and leave its verification to run_audit_verification."""
    workload = job.workload
    audit = pair_of(job, test, round_)
    audit_run.require_valid(audit)
    folder = new_log_folder(log_root(workload) / "audit" / test, workload)
    label = f"{workload.label} {test}"
    audit_run.run(audit, folder, label, facts_of(job.definition.name).audits.sampling[test] if test == "TEST01" else None)
    console.say(
        f"{label}: not verified; `make run_audit_verification` with the same RUN_ARGS does it. Logs in {paths.shown(folder)}"
    )


def _attempts(job: Job, context: Context, test: str, round_: Round) -> Outcome:
    """Run a test until its performance part passes, at most --audit_attempts times.

    Each further TEST01 attempt logs half as many samples: logging slows the run, and TEST01's README allows fewer.
    """
    workload, short = job.workload, job.definition.name
    audit = pair_of(job, test, round_)
    audit_run.require_valid(audit)
    sampling = facts_of(short).audits.sampling[test] if test == "TEST01" else None
    most = max(1, int(context.request["audit_attempts"]))
    for attempt in range(1, most + 1):
        folder = new_log_folder(log_root(workload) / "audit" / test, workload)
        label = f"{workload.label} {test}"
        console.say(f"{label}: attempt {attempt} of {most}, logs in {paths.shown(folder)}")
        audit_run.run(audit, folder, label, sampling)
        outcome = audit_run.verify(audit, folder, job.definition, job.values)
        print_outcome(label, outcome)
        if outcome.passed or not outcome.performance_failed:
            return outcome
        sampling = sampling // 2 if sampling else None
    return outcome


def print_outcome(label: str, outcome: Outcome) -> None:
    """Print the verdict and the scores behind it."""
    for line in outcome.lines:
        console.say(f"{label}: {line}")
    console.say(f"{label}: {'PASSED' if outcome.passed else 'FAILED'}, stored in {paths.shown(outcome.folder)}")


def require_passed(workload: Workload, failed: list[Outcome]) -> None:
    """RunError if any test failed."""
    if failed:
        names = ", ".join(outcome.folder.name for outcome in failed)
        raise RunError(
            f"{workload.label} failed {names}",
            " | ".join(failed[0].lines),
            "see verify_*.txt in the folder above; if only performance failed, stop other work on the machine and run again",
        )


ACTION = EachWorkload(run)
