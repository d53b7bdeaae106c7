"""check_submission: run the project's own preflight, then the official checker if it is available."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.actions.stage_results import print_findings, tree
from code.common import console, paths
from code.common.errors import MissingError
from code.common.files import atomic_write
from code.common.paths import build_dir
from code.plan.request import Request
from code.rules.rounds import NEWEST, Round, round_named
from code.submission.check import official, tree_checks
from code.submission.check.finding import errors
from code.submission.stage import identity, staging

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Check the tree; returns 0 if it has no errors, 4 otherwise."""
    root = tree(context.request)
    round_, submitter = subject(context.request, root)
    found = tree_checks.preflight(root, round_, submitter)
    print_findings(found, root)
    wrong = errors(found)
    if wrong:
        console.say(f"Preflight for {round_.name}: {len(wrong)} errors; the official checker was not run")
        return FAILED_STATUS
    console.say(f"Preflight for {round_.name}: no errors")
    return _official(root, round_, submitter)


def subject(request: Request, root: Path) -> tuple[Round, str]:
    """The round and submitter to check: as requested, else as staged, else the newest round and all submitters."""
    who = identity.read(request, needed=())
    record = staging.read_record(root)
    staged = {entry["round"] for entry in record.get("results", [])}
    round_ = who.round or (round_named(staged.pop()) if len(staged) == 1 else round_named(NEWEST))
    return round_, who.submitter or str(record.get("submitter", ""))


def _official(root: Path, round_: Round, submitter: str) -> int:
    if not submitter:
        raise MissingError("no submitter given", identity.HINTS["submitter"], "set it on the command line or in submission.toml")
    try:
        place, checker = official.checkout(round_.checkers)
    except MissingError as error:
        console.warn(f"only the preflight ran: {error.what} ({error.why})")
        console.say(f"  next: {error.next_step}")
        return 0
    print_findings(official.faults(root, round_, submitter, checker), root)
    report = official.check(root, round_, submitter, build_dir() / "checker" / "summary.csv", place, checker)
    log = build_dir() / "checker" / "checker.log"
    with atomic_write(log) as out:
        out.write(report.output)
    commit = report.commit[:12] or "an unknown commit"
    note = "" if report.commit in ("", checker.commit) else f", not the pinned {checker.commit[:12]}"
    console.say(f"Official checker ({official.REPOSITORY} at {commit}{note}, --version {round_.name}):")
    for line in (*report.errors, *report.results, *report.verdict):
        console.say(f"  {line}")
    console.say(f"  full output: {paths.shown(log)}")
    return 0 if report.passed else FAILED_STATUS


ACTION = OncePerRequest(run)
