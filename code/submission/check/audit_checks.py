"""Checks of the audit tests in a tree: files, verdicts, and the audit's own LoadGen log, to which the rules of a result apply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from code.common.errors import RunError
from code.common.files import sha256
from code.results import loadgen_log
from code.results.loadgen_log import LoadGenLog
from code.rules.benchmarks import required_audits
from code.submission.audit import audits
from code.submission.check import accuracy_text, log_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.check.tree_structure import TOLERATED
from code.submission.stage import layout

STAGE = "make stage_results"
RUN = Path("performance", "run_1")
_LOGS = tuple(str(RUN / name) for name in layout.PERFORMANCE_FILES)
FILES: dict[str, tuple[str, ...]] = {
    "TEST01": ("verify_accuracy.txt", "verify_performance.txt", "accuracy/mlperf_log_accuracy.json", *_LOGS),
    "TEST04": ("verify_performance.txt", *_LOGS),
    "TEST05": ("verify_performance.txt", *_LOGS),
    "TEST06": ("verify_accuracy.txt", "accuracy/mlperf_log_accuracy.json"),
}
VERDICTS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    "TEST01": {"verify_accuracy.txt": (("TEST PASS",),), "verify_performance.txt": (("TEST PASS",),)},
    "TEST04": {"verify_performance.txt": (("TEST PASS",),)},
    "TEST05": {"verify_performance.txt": (("TEST PASS",),)},
    "TEST06": {
        "verify_accuracy.txt": (
            ("First token check pass: True", "First token check pass: Skipped"),
            ("EOS check pass: True",),
            ("Sample length check pass: True",),
        )
    },
}
"""Test → file → the lines of which each group needs one."""
BASELINE, COMPLIANCE = "baseline_accuracy.txt", "compliance_accuracy.txt"
LOGGED = ("TEST01", "TEST04", "TEST05")
"""Tests whose LoadGen log has to meet the rules of a result. TEST06 is a short run of its own."""
MOMENTS = ("test_datetime", "power_begin")
"""Keys by which two runs differ: when LoadGen started, and when its test began, to the millisecond."""


def check(folder: Path, claim: Claim, result: Path) -> Iterator[Finding]:
    """Findings on the audits that a closed result must have.

    Args:
        folder: holds TEST01 and so on.
        result: the folder of the result's performance run.
    """
    words = f"--benchmarks={claim.result.name} --scenarios={claim.scenario}"
    step = f'make run_audit_harness RUN_ARGS="{words}" ROUND={claim.round.name}, then {STAGE}'
    for test in required_audits(claim.round, claim.result.name):
        for name in FILES[test]:
            path = folder / test / name
            if not path.is_file():
                yield Finding(path, f"{test} is missing or incomplete", step, check="audit")
        yield from _verdicts(folder / test, claim, test, step)
        yield from _strays(folder / test, claim)
        if test in LOGGED and (folder / test / RUN / loadgen_log.DETAIL_NAME).is_file():
            yield from _own_log(folder / test / RUN, claim, test, step, result)


def _verdicts(folder: Path, claim: Claim, test: str, step: str) -> Iterator[Finding]:
    for name, groups in VERDICTS[test].items():
        path = folder / name
        if not path.is_file() or _says(path, groups):
            continue
        if name == "verify_accuracy.txt" and test == "TEST01":
            yield from _by_score(folder, claim, step)
        else:
            yield Finding(path, f"{test} did not pass", step, check="audit")


def _says(path: Path, groups: tuple[tuple[str, ...], ...]) -> bool:
    lines = {line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()}
    return all(lines & set(group) for group in groups)


def _by_score(folder: Path, claim: Claim, step: str) -> Iterator[Finding]:
    """TEST01's fallback for responses that vary between runs: the scores on the same samples must be close."""
    files = [folder / "accuracy" / name for name in (BASELINE, COMPLIANCE)]
    absent = [path for path in files if not path.is_file()]
    if absent:
        yield Finding(
            folder / "verify_accuracy.txt", f"TEST01 did not pass, and there is no {absent[0].name}", step, check="audit"
        )
        return
    base, other = (
        {n: s or 0.0 for n, s in accuracy_text.scores(path, tuple(claim.result.target.least)).items()} for path in files
    )
    if not audits.scores_agree(claim.benchmark, base, other):
        pairs = ", ".join(f"{name} {base[name]:.6g} and {other[name]:.6g}" for name in base)
        what = f"the scores differ too much: {pairs}; {audits.allowed_delta_percent(claim.benchmark):g} % is allowed"
        yield Finding(files[1], what, step, check="audit")


def _strays(folder: Path, claim: Claim) -> Iterator[Finding]:
    """Files that the official checkers refuse beside the audit's logs, and beside TEST01's responses up to v5.1."""
    listed: dict[Path, frozenset[str]] = {folder / RUN: frozenset((*layout.PERFORMANCE_FILES, layout.ACCURACY_LOG))}
    if not claim.round.modern and folder.name == "TEST01" and (folder / "accuracy").is_dir():
        names = (layout.ACCURACY_LOG, "accuracy.txt")
        passed = _says(folder / "verify_accuracy.txt", VERDICTS["TEST01"]["verify_accuracy.txt"]) if _verified(folder) else False
        listed[folder / "accuracy"] = frozenset(names if passed else (*names, BASELINE, COMPLIANCE))
        if not (folder / "accuracy" / "accuracy.txt").is_file():
            yield Finding(folder / "accuracy" / "accuracy.txt", "missing", "make truncate_results", check="audit")
    for place, names_of in listed.items():
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.is_file() and path.name not in names_of | TOLERATED:
                yield Finding(path, "not one of the files allowed in this folder", f"remove it: rm {path}", check="audit")


def _verified(folder: Path) -> bool:
    return (folder / "verify_accuracy.txt").is_file()


def _own_log(folder: Path, claim: Claim, test: str, step: str, result: Path) -> Iterator[Finding]:
    seeds = claim.round.test05_seeds if test == "TEST05" else claim.round.seeds
    for one in log_checks.audit(folder, claim, seeds):
        yield replace(one, what=f"{test}: {one.what}", next_step=step)
    try:
        log = loadgen_log.read_detail(folder)
    except RunError:
        return
    if not log.audited:
        what = f"{test}: LoadGen ran without an audit.config, so this is not an audit run"
        yield Finding(log.path, what, step, check="audit")
    if (result / loadgen_log.DETAIL_NAME).is_file() and _same_run(log, result):
        yield Finding(log.path, f"{test}: this is the log of the result itself, not of an audit run", step, check="audit")


def _same_run(log: LoadGenLog, result: Path) -> bool:
    """Whether a log is the result's own: the same file, or a copy of it that was edited."""
    if sha256(log.path) == sha256(result / loadgen_log.DETAIL_NAME):
        return True
    try:
        other = loadgen_log.read_detail(result)
    except RunError:
        return False
    return all(log.all(key) == other.all(key) and log.all(key) for key in MOMENTS)
