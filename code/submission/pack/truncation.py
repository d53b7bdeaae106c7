"""Truncate accuracy logs to the checker's limit and put the full log's hash into accuracy.txt.

The result equals that of the official truncate_accuracy_log.py: the first and last 4096 bytes with "\\n\\n...\\n\\n" between, and a line
"hash=<SHA-256>" at the end of accuracy.txt. Full logs are kept under build/full_results with their digests. Truncation is
idempotent and can be repeated after an interruption.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from code.common import jsonfile
from code.common.errors import MissingError, RunError
from code.common.files import atomic_write, sha256, write_json
from code.common.paths import build_dir
from code.submission.check import accuracy_text
from code.submission.stage import layout
from code.submission.stage.layout import LAYOUTS

DIGESTS = "digests.json"
BETWEEN = b"\n\n...\n\n"
TRUNCATED_TESTS = ("TEST01",)
"""Audit tests whose accuracy logs are truncated; TEST06's must not be."""


@dataclass(frozen=True)
class Truncated:
    """A truncated log: its path, the full log and that log's SHA-256."""

    log: Path
    kept: Path
    digest: str


def full_results_dir() -> Path:
    """The folder of full accuracy logs."""
    return build_dir() / "full_results"


def accuracy_logs(root: Path) -> Iterator[Path]:
    """Every accuracy log of a tree to which the limit applies."""
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
    """Whether a log is within the limit and its accuracy.txt has the hash."""
    text = log.with_name("accuracy.txt")
    return log.stat().st_size < layout.ACCURACY_LOG_LIMIT and text.is_file() and bool(accuracy_text.hash_of(text))


def truncate(root: Path) -> list[Truncated]:
    """Truncate every log of a tree that is not truncated yet.

    Raises:
        MissingError: the tree does not exist.
        RunError: a log is truncated but its accuracy.txt has no hash, or the disk is full.
    """
    if not root.is_dir():
        raise MissingError(f"no submission tree at {root}", "", "make one with `make stage_results`")
    done = [_truncate(log, full_results_dir() / log.relative_to(root)) for log in accuracy_logs(root) if not is_truncated(log)]
    if done:
        _remember(done)
    return done


def _truncate(log: Path, kept: Path) -> Truncated:
    text = log.with_name("accuracy.txt")
    size = log.stat().st_size
    if _looks_cut(log, size):
        raise RunError(
            f"{log} is truncated, but its accuracy.txt has no hash",
            "the hash of the full log cannot be recovered",
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
    """Keep the full log; an older one of the same name is renamed with its digest."""
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
    """Path of a full log after another tree's log of the same name replaced it."""
    return kept.with_name(f"{kept.stem}.{digest[:12]}{kept.suffix}")


def _remember(done: list[Truncated]) -> None:
    path = full_results_dir() / DIGESTS
    known = jsonfile.object_or_empty(path)
    known.update({str(one.kept.relative_to(full_results_dir())): one.digest for one in done})
    write_json(path, known)
