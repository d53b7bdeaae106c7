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
from code.rules.rounds import EVERY_DIVISION, NEWEST, Round, round_named
from code.submission.check import official, tree_checks
from code.submission.check.finding import errors
from code.submission.stage import identity, staging

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Check the tree; returns 0 if neither the preflight nor the official checker finds an error, 4 otherwise."""
    asked = context.request["preflight"]
    root = tree(context.request)
    round_, submitter = subject(context.request, root)
    status = 0 if asked == "off" else _preflight(root, round_, submitter)
    if asked == "only":
        console.say("The official checker was not run: --preflight=only")
        return status
    return _official(root, round_, submitter, alone=asked == "off") or status


def _preflight(root: Path, round_: Round, submitter: str) -> int:
    found = tree_checks.preflight(root, round_, submitter)
    print_findings(found, root)
    wrong = errors(found)
    notes = f", {len(found) - len(wrong)} notes" if len(found) > len(wrong) else ""
    console.say(f"Preflight for {round_.name}: {len(wrong) or 'no'} errors{notes}")
    return FAILED_STATUS if wrong else 0


def subject(request: Request, root: Path) -> tuple[Round, str]:
    """The round and submitter to check: as requested, else as staged, else the newest round and the only submitter, or all of them."""
    who = identity.read(request, needed=())
    record = staging.read_record(root)
    staged = {entry["round"] for entry in record.get("results", [])}
    round_ = who.round or (round_named(staged.pop()) if len(staged) == 1 else round_named(NEWEST))
    return round_, who.submitter or str(record.get("submitter", "")) or _only_submitter(root)


def _only_submitter(root: Path) -> str:
    """The submitter of a tree that has a single one; '' otherwise, which means all of them."""
    found = {path.name for division in EVERY_DIVISION for path in root.glob(f"{division}/*") if path.is_dir()}
    return found.pop() if len(found) == 1 else ""


def _official(root: Path, round_: Round, submitter: str, alone: bool) -> int:
    """Ask the official checker. Where it cannot be had, only the preflight counts; MissingError if that was not asked for."""
    try:
        place, checker = official.checkout(round_.checkers)
    except MissingError as error:
        if alone:
            raise
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
