"""Accuracy logs cut to the checker's limit, with the whole log's hash in accuracy.txt.

The same bytes as the official truncate_accuracy_log.py leaves: the first and the last 4096 with "\\n\\n...\\n\\n" between, and a line
"hash=<SHA-256>" at the end of accuracy.txt. Whole logs are kept under build/full_results with their digests. Doing it again
changes nothing, and so does doing it after it was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import MissingError, RunError
from code.common.files import atomic_write, sha256, write_json
from code.common.paths import build_dir
from code.submission.check import accuracy_text
from code.submission.stage import layout
from code.submission.stage.layout import LAYOUTS

DIGESTS = "digests.json"
BETWEEN = b"\n\n...\n\n"
TRUNCATED_TESTS = ("TEST01",)
"""Audit tests whose accuracy logs are truncated; TEST06's must stay whole."""


@dataclass(frozen=True)
class Truncated:
    """One log that was cut."""

    log: Path
    kept: Path
    digest: str


def full_results_dir() -> Path:
    """Where whole accuracy logs are kept."""
    return build_dir() / "full_results"


def accuracy_logs(root: Path) -> Iterator[Path]:
    """Every accuracy log of a tree that has to be within the limit."""
    shapes = LAYOUTS.values()
    seen = set()
    for place in LAYOUTS["inside"].places(root):
        folders = [LAYOUTS["inside"].accuracy_dir(root, place)]
        folders += [shape.compliance_dir(root, place) / test / "accuracy" for shape in shapes for test in TRUNCATED_TESTS]
        for folder in folders:
            log = folder / layout.ACCURACY_LOG
            if log.is_file() and log not in seen:
                seen.add(log)
                yield log


def is_truncated(log: Path) -> bool:
    """Whether a log is within the limit and accuracy.txt beside it has the hash."""
    text = log.with_name("accuracy.txt")
    return log.stat().st_size < layout.ACCURACY_LOG_LIMIT and text.is_file() and bool(accuracy_text.hash_of(text))


def truncate(root: Path) -> list[Truncated]:
    """Cut every log of a tree that is not cut yet.

    Raises:
        MissingError: there is no tree.
        RunError: a log is cut although its accuracy.txt has no hash, or the disk is full.
    """
    if not root.is_dir():
        raise MissingError(f"there is no submission tree {root}", "", "make one with `make stage_results`")
    done = [_truncate(log, full_results_dir() / log.relative_to(root)) for log in accuracy_logs(root) if not is_truncated(log)]
    if done:
        _remember(done)
    return done


def _truncate(log: Path, kept: Path) -> Truncated:
    text = log.with_name("accuracy.txt")
    size = log.stat().st_size
    if _looks_cut(log, size):
        raise RunError(
            f"{log} is cut, but accuracy.txt beside it has no hash",
            "the hash of the whole log cannot be had from what is left",
            "stage it again with `make stage_results`",
        )
    digest = sha256(log)
    _keep(log, kept, digest)
    if not text.is_file() or accuracy_text.hash_of(text) != digest:
        before = text.read_text(encoding="utf-8") if text.is_file() else ""
        with atomic_write(text) as out:
            out.write(f"{before}{chr(10) if before else ''}hash={digest}\n")
    if size >= layout.VIEWABLE:
        with log.open("rb") as source:
            start = source.read(layout.VIEWABLE)
            source.seek(size - layout.VIEWABLE)
            end = source.read(layout.VIEWABLE)
        with atomic_write(log, "wb") as out:
            out.write(start + BETWEEN + end)
    return Truncated(log, kept, digest)


def _looks_cut(log: Path, size: int) -> bool:
    if size != 2 * layout.VIEWABLE + len(BETWEEN):
        return False
    with log.open("rb") as source:
        source.seek(layout.VIEWABLE)
        return source.read(len(BETWEEN)) == BETWEEN


def _keep(log: Path, kept: Path, digest: str) -> None:
    """Put the whole log aside; an older one of the same name gets its digest into its name."""
    if kept.is_file():
        old = sha256(kept)
        if old == digest:
            return
        kept.replace(set_aside(kept, old))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        os.link(log, kept)
        return
    with log.open("rb") as source, atomic_write(kept, "wb") as out:
        shutil.copyfileobj(source, out)


def set_aside(kept: Path, digest: str) -> Path:
    """Where a whole log lies once another tree's log of the same name took its place."""
    return kept.with_name(f"{kept.stem}.{digest[:12]}{kept.suffix}")


def _remember(done: list[Truncated]) -> None:
    path = full_results_dir() / DIGESTS
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known.update({str(one.kept.relative_to(full_results_dir())): one.digest for one in done})
    write_json(path, known)
