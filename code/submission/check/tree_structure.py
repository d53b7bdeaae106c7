"""Structure checks of a tree: allowed, forbidden and required files and folders.

What only breaks a convention of this harness is marked as its own; what the official checks refuse is not. They are the round's checker,
and repository_checks.sh for names, links and sizes (tools/submission of https://github.com/mlcommons/inference).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from code.rules.rounds import EVERY_DIVISION, Round
from code.submission.check.finding import Finding
from code.submission.stage import endpoint, layout
from code.submission.stage.layout import LAYOUTS, SCENARIOS, Layout, Place

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
TOLERATED = frozenset(("mlperf_log_trace.json", "results.json", ".gitkeep"))
"""Files that the official checkers overlook in every folder whose files they compare with a list."""
IN_PERFORMANCE = frozenset((*layout.PERFORMANCE_FILES, "mlperf_log_accuracy.json"))
IN_ACCURACY = frozenset(layout.ACCURACY_FILES)
ROOT_FOLDERS = frozenset((".git", ".github", "assets"))
ROOT_PAGES = (".md", ".pdf")
CALIBRATION_PAGES = (
    "documentation/calibration.md",
    "calibration.md",
    "documentation/calibration.adoc",
    "calibration/*/README.md",
)


@dataclass(frozen=True)
class Tree:
    """A tree to check.

    Args:
        root: the folder that holds the divisions.
        submitter: the only submitter to look at; '' for all.
    """

    root: Path
    round: Round
    submitter: str = ""

    @property
    def shape(self) -> Layout:
        """The layout of its round."""
        return LAYOUTS[self.round.layout]

    def submitters(self) -> list[Path]:
        """The folders of the submitters to look at."""
        folders = [path for division in EVERY_DIVISION for path in sorted(self.root.glob(f"{division}/*")) if path.is_dir()]
        return [path for path in folders if not self.submitter or path.name == self.submitter]

    def at_endpoint(self, place: Place) -> bool:
        """Whether a result is one of MLCommons endpoints' client."""
        return endpoint.is_endpoint(self.shape.results_dir(self.root, place))


def check(tree: Tree) -> Iterator[Finding]:
    """Every finding on a tree's files and folders."""
    yield from _divisions(tree)
    for folder in tree.submitters():
        yield from _submitter(folder, tree.shape)
        for path in sorted(folder.rglob("*")):
            yield from _entry(path, tree.round)


def _divisions(tree: Tree) -> Iterator[Finding]:
    """The script before v6.0 refuses whatever is not a division; the package after it does not look."""
    for division in sorted(tree.root.iterdir()):
        if division.name in EVERY_DIVISION and division.is_dir():
            yield from _beside_submitters(division, tree)
            continue
        overlooked = division.name in ROOT_FOLDERS if division.is_dir() else division.suffix in ROOT_PAGES
        yield Finding(
            division,
            f"not a division: a tree contains only {', '.join(EVERY_DIVISION)}",
            "move it out of the tree",
            check="structure",
            own=tree.round.modern or overlooked,
        )


def _beside_submitters(division: Path, tree: Tree) -> Iterator[Finding]:
    for path in sorted(division.iterdir()):
        if not path.is_dir():
            yield Finding(path, "not a submitter's folder", "move it out of the tree", check="structure", own=tree.round.modern)
        elif tree.submitter and path.name != tree.submitter:
            what = f"does not belong to submitter {tree.submitter}, so it was not checked"
            yield Finding(path, what, "move it out of the tree", check="structure", own=True)


def _submitter(folder: Path, shape: Layout) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.name not in SUBMITTER_ENTRIES:
            yield Finding(path, "not part of a submission", "remove it", check="structure", own=True)
    source = folder / Path(shape.source).name
    if not source.is_dir() or not any(source.iterdir()):
        yield Finding(source, "the source code is missing", STAGE, check="structure")
    pages = [path for pattern in CALIBRATION_PAGES for path in folder.glob(pattern)]
    if not any(path.is_file() and path.stat().st_size for path in pages):
        yield Finding(
            folder / CALIBRATION_PAGES[0],
            "the page on calibration is missing, which the rules require of a quantised result",
            STAGE,
            check="structure",
            own=True,
        )


def _entry(path: Path, round_: Round) -> Iterator[Finding]:
    yield from _name(path, round_)
    if path.is_symlink():
        yield Finding(
            path, "symbolic links are not allowed in a submission", "replace it with the file itself", check="structure"
        )
    elif path.is_dir():
        if not any(path.iterdir()):
            what = "empty folder" + ("" if round_.modern else ", which the official checker rejects")
            yield Finding(path, what, f"rmdir {path}", check="structure", own=round_.modern)
    else:
        yield from _file(path, round_)


def _name(path: Path, round_: Round) -> Iterator[Finding]:
    if path.name.startswith(".") or " " in path.name:
        what = "the official checks reject names that start with a dot or contain a space"
        yield Finding(path, what, "rename or remove it", check="structure")
    elif path.name == "__pycache__":
        yield Finding(path, "compiled Python is not part of a submission", "remove it", check="structure", own=round_.modern)


def _file(path: Path, round_: Round) -> Iterator[Finding]:
    listed = _listed(path)
    unseen = path.name in TOLERATED or (round_.modern and not _measured(path.parent))
    if path.name in FORBIDDEN:
        own = unseen or listed is None
        yield Finding(path, FORBIDDEN[path.name], f"remove it: rm {path}", check="forbidden", own=own)
    elif listed is not None and path.name not in listed:
        what = "not one of the files allowed in this folder"
        yield Finding(path, what, f"remove it: rm {path}", check="forbidden", own=unseen)
    size = path.stat().st_size
    if size > layout.FILE_LIMIT_BYTES:
        what = f"{size / 2**20:.1f} MiB; the limit is {layout.FILE_LIMIT_BYTES // 2**20} MiB"
        step = "make truncate_results" if path.name == layout.ACCURACY_LOG else "leave it out of the submission"
        yield Finding(path, what, step, check="size")


def _listed(path: Path) -> frozenset[str] | None:
    """The files allowed beside one in a result's folder of logs; None elsewhere. The folders of audits have checks of their own."""
    folder = path.parent
    if folder.name == "accuracy" and folder.parent.name in SCENARIOS:
        return frozenset((Path(endpoint.ACCURACY).name,)) if endpoint.is_endpoint(folder.parent) else IN_ACCURACY
    if folder.name == "run_1" and folder.parents[1].name in SCENARIOS:
        return IN_PERFORMANCE | {layout.POWER_LOG} if _measured(folder) else IN_PERFORMANCE
    return None


def _measured(folder: Path) -> bool:
    """Whether power was measured in the run whose logs are in `folder`: every checker then compares the files in it with a list."""
    return (folder.parent / "power").is_dir()
