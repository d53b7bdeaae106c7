"""run_audit_verification: verify the newest audit runs again, without running anything."""

from __future__ import annotations

from code.actions import Context, EachWorkload
from code.actions.run_audit_harness import chosen_round, pair_of, require_passed, say_needed, say_outcome
from code.common.errors import MissingError
from code.run.job import Job
from code.submission.audit import audit_run
from code.submission.stage import runs


def run(job: Job, context: Context) -> None:
    """Every test of one workload. MissingError where a test was never run, RunError where one fails."""
    workload, definition = job.workload, job.definition
    round_ = chosen_round(workload, definition.name)
    tests = audit_run.tests_for(definition.name, list(context.request["audit_test"] or ()), round_)
    say_needed(definition.name, round_, tests)
    failed = []
    for test in tests:
        audit = pair_of(job, test, round_)
        newest = audit_run.newest_audit(runs.log_folder(workload["log_dir"]), audit)
        if newest is None:
            raise MissingError(f"there is no {test} run of {workload.label}", "", "make run_audit_harness with the same RUN_ARGS")
        folder, audit = newest
        outcome = audit_run.verify(audit, folder, definition, job.values)
        say_outcome(f"{workload.label} {test}", outcome)
        if not outcome.passed:
            failed.append(outcome)
    require_passed(workload, failed)


ACTION = EachWorkload(run)
