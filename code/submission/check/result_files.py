"""Checks of a result's own files: the truncated accuracy log, the measurements, the scores of the tiny model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.common.files import sha256
from code.submission.check import accuracy_text
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.pack import truncation
from code.submission.stage import layout, measurements
from code.submission.stage.run_types import MEASUREMENTS

STAGE = "make stage_results"


def truncated(folder: Path) -> Iterator[Finding]:
    """Findings on an accuracy log that is not truncated, or whose hash is not that of the full log."""
    log = folder / layout.ACCURACY_LOG
    if log.is_file() and not truncation.is_truncated(log):
        size = log.stat().st_size
        what = f"{size:,} bytes, the limit is {layout.ACCURACY_LOG_LIMIT:,}" if size >= layout.ACCURACY_LOG_LIMIT else "no hash"
        yield Finding(log, f"not truncated: {what}", "make truncate_results", check="truncated")
    kept = truncation.full_results_dir().joinpath(*log.parts[-8:]) if len(log.parts) >= 8 else log
    text = folder / "accuracy.txt"
    named = accuracy_text.hash_of(text) if kept.is_file() and text.is_file() else ""
    if named and named != sha256(kept) and not truncation.set_aside(kept, named).is_file():
        what = f"its hash differs from that of the full log {kept}"
        yield Finding(text, what, f"{STAGE}, then make truncate_results", check="hash")


def measured(folder: Path, path: Path, content: dict[str, Any], claim: Claim, accuracy_dir: Path) -> Iterator[Finding]:
    """Findings on the files that say how a result was made: its measurements JSON, user.conf and README.md."""
    yield from described(folder, path, content, claim, ("user.conf", "README.md"))
    engine, other = content.get("engine"), content.get("accuracy_run_engine")
    if engine and other and engine != other:
        what = f"the accuracy run's engine is {other}, the performance run's is {engine}"
        yield Finding(path, what, claim.rerun("SubmissionRun"), check="engine")
    yield from _own_targets(path, content, accuracy_dir / "accuracy.txt", claim)


def described(folder: Path, path: Path, content: dict[str, Any], claim: Claim, names: tuple[str, ...]) -> Iterator[Finding]:
    """Findings on the required pages of a result and on the fields of its measurements JSON.

    Args:
        names: the pages.
    """
    for name in names:
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            yield Finding(folder / name, "missing or empty", f"make populate_readme or {STAGE}", check="files")
    for name in measurements.REQUIRED if content else ():
        if not content.get(name):
            yield Finding(path, f"the field {name} is missing or empty", STAGE, check="measurements")
    if claim.closed and content.get("division_note"):
        yield Finding(
            path,
            f"not allowed in the closed division: {content['division_note']}",
            "stage it with DIVISION=open",
            check="open_only",
        )


def _own_targets(path: Path, content: dict[str, Any], text: Path, claim: Claim) -> Iterator[Finding]:
    """The tiny model has its own accuracy targets; the score in accuracy.txt must meet them and equal the recorded one."""
    misfits: list[str] = []
    read = MEASUREMENTS.read(content, path.name, misfits) or {}
    for misfit in misfits:
        yield Finding(path, misfit, STAGE, check="measurements")
    recorded: dict[str, list[Mapping[str, Any]]] = {}
    for entry in read.get("accuracy", []):
        recorded.setdefault(entry["name"], []).append(entry)
    if not recorded or not text.is_file():
        return
    found = accuracy_text.scores(text, tuple(name for name in recorded if name in accuracy_text.PATTERNS))
    for name, value in found.items():
        if value is not None:
            yield from _judged(path, text, name, value, recorded[name], claim)


def _judged(path: Path, text: Path, name: str, value: float, entries: list[Mapping[str, Any]], claim: Claim) -> Iterator[Finding]:
    """Findings on one metric: a bound that it misses, and a value that is not the recorded one."""
    for least, target in _bounds(entries):
        if value < target if least else value > target:
            what = f"{name} is {value:.6g}; the target is {'' if least else 'at most '}{target:.6g}"
            yield Finding(text, what, claim.rerun("AccuracyOnly"), check="accuracy")
    allowed = max(1e-6 * max(1.0, abs(value)), 1.001 * accuracy_text.resolution(text, name))
    kept = entries[0]["value"]
    if abs(value - kept) > allowed:
        yield Finding(text, f"{name} is {value}, but {path.name} recorded {kept}", STAGE, check="accuracy")


def _bounds(entries: list[Mapping[str, Any]]) -> Iterator[tuple[bool, float]]:
    """(whether it is a least value, the value) of each recorded bound of a metric.

    Files of earlier versions do not mark the upper one: it is the larger of two.
    """
    smallest = min(entry["threshold"] for entry in entries)
    for entry in entries:
        most = entry.get("most", len(entries) > 1 and entry["threshold"] > smallest)
        yield not most, float(entry["threshold"])
