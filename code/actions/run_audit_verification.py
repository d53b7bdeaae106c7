"""run_audit_verification: verify the newest audit runs again, without rerunning them."""

from __future__ import annotations

from code.actions import Context, EachWorkload
from code.actions.run_audit_harness import chosen_round, pair_of, print_needed, print_outcome, require_passed
from code.common.errors import MissingError
from code.run.job import Job
from code.submission.audit import audit_run
from code.submission.stage import runs


def run(job: Job, context: Context) -> None:
    """Verify every test of one workload. MissingError if a test was never run, RunError if one fails."""
    workload, definition = job.workload, job.definition
    round_ = chosen_round(workload, definition.name)
    tests = audit_run.tests_for(definition.name, list(context.request["audit_test"] or ()), round_)
    print_needed(definition.name, round_, tests)
    failed = []
    for test in tests:
        audit = pair_of(job, test, round_)
        newest = audit_run.newest_audit(runs.log_folder(workload["log_dir"]), audit)
        if newest is None:
            raise MissingError(f"no {test} run of {workload.label}", "", "run `make run_audit_harness` with the same RUN_ARGS")
        folder, audit = newest
        outcome = audit_run.verify(audit, folder, definition, job.values)
        print_outcome(f"{workload.label} {test}", outcome)
        if not outcome.passed:
            failed.append(outcome)
    require_passed(workload, failed)


ACTION = EachWorkload(run)
