"""Structure checks of a tree: allowed, forbidden and required files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.rules.rounds import DIVISIONS
from code.submission.check.finding import Finding
from code.submission.stage import layout
from code.submission.stage.layout import Layout

STAGE = "make stage_results"
SUBMITTER_ENTRIES = frozenset(
    ("results", "measurements", "systems", "code", "src", "documentation", "compliance", "calibration.md", "model_mapping.json")
)
FORBIDDEN = {
    "mlperf_log_trace.json": "LoadGen's trace is not part of a submission",
    "audit.config": "a leftover audit.config would turn the next run into an audit",
    "INCOMPLETE": "the run has not finished",
}
"""Forbidden file name → reason."""
IN_PERFORMANCE = frozenset((*layout.PERFORMANCE_FILES, "mlperf_log_accuracy.json", layout.POWER_LOG))
IN_ACCURACY = frozenset(layout.ACCURACY_FILES)


def check(root: Path, shape: Layout, submitter: str) -> Iterator[Finding]:
    """Every finding on a tree's files and folders."""
    yield from _divisions(root, shape, submitter)
    for path in sorted(root.rglob("*")):
        yield from _name(path)
        if path.is_symlink():
            yield Finding(
                path, "symbolic links are not allowed in a submission", "replace it with the file itself", check="structure"
            )
        elif path.is_dir():
            if not any(path.iterdir()):
                yield Finding(path, "empty folder, which the official checker rejects", f"rmdir {path}", check="structure")
        else:
            yield from _file(path)


def _divisions(root: Path, shape: Layout, submitter: str) -> Iterator[Finding]:
    for division in sorted(root.iterdir()):
        if division.name not in DIVISIONS or not division.is_dir():
            yield Finding(
                division,
                f"not a division: a tree contains only {', '.join(DIVISIONS)}",
                "move it out of the tree",
                check="structure",
            )
            continue
        for folder in sorted(division.iterdir()):
            if not folder.is_dir() or (submitter and folder.name != submitter):
                yield Finding(folder, f"does not belong to submitter {submitter}", "move it out of the tree", check="structure")
            else:
                yield from _submitter(folder, shape)


def _submitter(folder: Path, shape: Layout) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.name not in SUBMITTER_ENTRIES:
            yield Finding(path, "not part of a submission", "remove it", check="structure")
    source = folder / Path(shape.source).name
    if not source.is_dir() or not any(source.iterdir()):
        yield Finding(source, "the source code is missing", STAGE, check="structure")
    pages = [
        folder / "documentation" / "calibration.md",
        folder / "calibration.md",
        folder / "documentation" / "calibration.adoc",
    ]
    if not any(path.is_file() and path.stat().st_size for path in pages):
        yield Finding(pages[0], "the page on calibration is missing", STAGE, check="structure")


def _name(path: Path) -> Iterator[Finding]:
    if path.name.startswith(".") or " " in path.name or path.name == "__pycache__":
        what = "the official checks reject names that start with a dot or contain a space, and __pycache__"
        yield Finding(path, what, "rename or remove it", check="structure")


def _file(path: Path) -> Iterator[Finding]:
    if path.name in FORBIDDEN:
        yield Finding(path, FORBIDDEN[path.name], f"remove it: rm {path}", check="forbidden")
    elif (path.parent.name == "run_1" and path.name not in IN_PERFORMANCE) or (
        path.parent.name == "accuracy" and path.parents[1].name in SCENARIO_FOLDERS and path.name not in IN_ACCURACY
    ):
        yield Finding(path, "not one of the files allowed in this folder", f"remove it: rm {path}", check="forbidden")
    size = path.stat().st_size
    if size > layout.FILE_LIMIT_BYTES:
        what = f"{size / 2**20:.1f} MiB; the limit is {layout.FILE_LIMIT_BYTES // 2**20} MiB"
        step = "make truncate_results" if path.name == layout.ACCURACY_LOG else "leave it out of the submission"
        yield Finding(path, what, step, check="size")


SCENARIO_FOLDERS = frozenset(("Offline", "Server", "SingleStream", "MultiStream"))
