"""Run the official submission checker at the commit pinned for the round."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from code.common.checkout import Source, commit_of, fetch
from code.common.errors import MissingError, RunError
from code.common.paths import build_dir
from code.results import loadgen_log
from code.rules.benchmarks import result_named
from code.rules.rounds import OfficialChecker, Round
from code.submission.check.finding import Finding
from code.submission.stage.layout import LAYOUTS

REPOSITORY = "https://github.com/mlcommons/inference"
VARIABLE = "MLPERF_INFERENCE_DIR"
NEEDED = ("/tools/submission/*.py", "/tools/submission/submission_checker", "/tools/submission/power")
CHECK_TIMEOUT_S = 900
_LOGGED = re.compile(r"^(?:\[.*?\s)?(?P<level>ERROR|WARNING|INFO|CRITICAL)[:\]]")
_RESULT = re.compile(r"\bResults \S*/\S")
_SUMMARY = re.compile(r"SUMMARY:|\bResults=\d")
_NOISE = re.compile("There are multiple messages with key|Private id")


@dataclass(frozen=True)
class Checked:
    """Result of the official checker.

    Args:
        passed: exit status 0 and no errors logged.
        results: its "Results …" lines.
        errors: its error lines.
        verdict: its summary lines with counts and final verdict.
        output: the complete output.
        commit: of the checkout that ran; '' if it is not a git checkout.
    """

    passed: bool
    results: tuple[str, ...]
    errors: tuple[str, ...]
    verdict: tuple[str, ...]
    output: str
    commit: str


def checkout(known: Sequence[OfficialChecker]) -> tuple[Path, OfficialChecker]:
    """A checkout of the checker's repository, and which of the round's checkers it has: $MLPERF_INFERENCE_DIR, else build/inference at
    the first one's commit, cloned if necessary.

    Raises MissingError if there is no checkout and it cannot be cloned.
    """
    pinned, named = known[0], os.environ.get(VARIABLE, "")
    if named:
        for checker in known:
            if (Path(named) / checker.script).is_file():
                return Path(named), checker
        raise MissingError(
            f"{VARIABLE} is {named}, which has no {pinned.script}",
            f"the checker of this round is in {REPOSITORY} at commit {pinned.commit[:12]}",
            f"check out that commit there, or unset {VARIABLE}",
        )
    folder = build_dir() / "inference"
    if not (folder / pinned.script).is_file() or commit_of(folder) != pinned.commit:
        fetch(Source("the official checker", REPOSITORY, VARIABLE, NEEDED), pinned.commit, folder)
    return folder, pinned


def faults(root: Path, round_: Round, submitter: str, checker: OfficialChecker) -> list[Finding]:
    """A note, with a remedy, on each result that the checker rejects because of a bug of its own."""
    shape, found = LAYOUTS[round_.layout], []
    others = [other for other in round_.checkers if other.commit != checker.commit]
    older = "".join(f"; or set {VARIABLE} to a checkout at {other.commit[:12]}, which {other.stricter}" for other in others)
    for place in shape.places(root):
        result = result_named(place.benchmark)
        refused = result.facts.checker_faults.get(checker.commit, ()) if result else ()
        if (submitter and place.submitter != submitter) or result is None or not refused:
            continue
        log = shape.performance_dir(root, place) / loadgen_log.DETAIL_NAME
        if _scenario_of(log) in refused:
            what = f"a bug in the official checker makes it fail on this result: it lacks the data for {result.name} {place.scenario}"
            step = f"stage it again: on an edge system a SingleStream run is used for it, unless --infer=false{older}"
            found.append(Finding(log.parent, what, step, error=False, check="checker"))
    return found


def _scenario_of(log: Path) -> str:
    """The scenario that was run; '' where the log cannot be read, which the checker says itself."""
    try:
        return loadgen_log.read_detail(log).scenario
    except RunError:
        return ""


def check(root: Path, round_: Round, submitter: str, csv: Path, place: Path, checker: OfficialChecker) -> Checked:
    """Run the official checker in checkout `place` on a tree; its summary goes to `csv`.

    Args:
        submitter: the only one to check; '' for all.

    Raises RunError if it cannot be started.
    """
    script = place / checker.script
    command = [sys.executable, str(script)] if not checker.modern else [sys.executable, "-m", "submission_checker.main"]
    command += ["--input", ".", "--version", round_.name, "--csv", str(csv), *(["--submitter", submitter] if submitter else [])]
    csv.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(script.parents[1] if checker.modern else script.parent)},
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT_S,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RunError("the official checker could not be run", str(error), f"run it by hand: {' '.join(command)}") from error
    return _read(done.returncode, done.stdout + done.stderr, commit_of(place))


def _read(status: int, output: str, commit: str) -> Checked:
    lines = [line for line in output.splitlines() if not _NOISE.search(line)]
    errors = [line for line in lines if _is_error(line)]
    if status != 0 and not errors:
        errors = lines[-3:] or [f"exit status {status}"]
    results = tuple(_text(line) for line in lines if _RESULT.search(line) and "NoResults" not in line)
    verdict = tuple(_text(line) for line in lines if _SUMMARY.search(line))
    return Checked(status == 0 and not errors, results, tuple(errors), verdict, output, commit)


def _is_error(line: str) -> bool:
    hit = _LOGGED.match(line)
    return hit is not None and hit["level"] in ("ERROR", "CRITICAL")


def _text(line: str) -> str:
    """A log line without the logger's prefix."""
    return re.sub(r"^(?:\[[^\]]*\]\s*|(?:INFO|ERROR|WARNING):\w+:)", "", line).strip()
