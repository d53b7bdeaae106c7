"""Checks of a result's power measurement, and the figure that the official checker reports of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.common.errors import MissingError
from code.power import tools
from code.results import power_log
from code.results.loadgen_log import LoadGenLog
from code.results.power_log import PowerError
from code.submission.check import power_session
from code.submission.check.finding import Finding
from code.submission.check.tree_structure import IN_PERFORMANCE, TOLERATED, Tree
from code.submission.stage import layout
from code.submission.stage.layout import Place

AGAIN = "measure it again, or submit without power"
STEP = "copy it from the power run, or submit without power"
UNITS = {
    **dict.fromkeys(("Offline", "Server", "Interactive"), "Watts"),
    **dict.fromkeys(("SingleStream", "MultiStream"), "millijoules"),
}
"""Scenario → unit of the power figure: average power, or energy of a query."""
SETTINGS = ("analyzer_table.*", "power_settings.*")
"""Files that the script before v6.0 wants in measurements, of the result or of a folder above it."""
MULTISTREAM_SAMPLES = 8


def check(tree: Tree, place: Place) -> Iterator[Finding]:
    """Findings on a result's power measurement; none if it has none."""
    folder = tree.shape.results_dir(tree.root, place) / "performance"
    if not (folder / "power").is_dir():
        return
    yield from _files(folder / "power", layout.POWER_FILES, frozenset(layout.POWER_FILES))
    if not (folder / "ranging").is_dir():
        yield Finding(folder / "ranging", "the result claims power, but this folder is missing", STEP, check="power")
    else:
        wanted = (*layout.PERFORMANCE_FILES, layout.POWER_LOG)
        yield from _files(folder / "ranging", wanted, IN_PERFORMANCE | {layout.POWER_LOG})
    if not (folder / "run_1" / layout.POWER_LOG).is_file():
        yield _missing(folder / "run_1" / layout.POWER_LOG)
    if not tree.round.modern:
        yield from _settings(tree, place)
    yield from _contents(folder)


def _missing(path: Path) -> Finding:
    return Finding(path, "the result claims power, but this file is missing", STEP, check="power")


def _files(folder: Path, wanted: tuple[str, ...], allowed: frozenset[str]) -> Iterator[Finding]:
    for name in wanted:
        if not (folder / name).is_file():
            yield _missing(folder / name)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in allowed | TOLERATED:
            yield Finding(path, "not one of the files allowed in this folder", f"remove it: rm {path}", check="power")


def _settings(tree: Tree, place: Place) -> Iterator[Finding]:
    folder = tree.shape.measurements_dir(tree.root, place)
    for pattern in SETTINGS:
        found = [path for level in (folder, *list(folder.parents)[:3]) for path in level.glob(pattern) if path.is_file()]
        if not found:
            yield Finding(
                folder / pattern, "the result claims power, but there is no such file here or above", STEP, check="power"
            )
        elif not any(path.stat().st_size for path in found):
            yield Finding(found[0], "empty", STEP, check="power")


def _contents(folder: Path) -> Iterator[Finding]:
    try:
        session = power_session.read(folder)
    except PowerError as error:
        yield Finding(folder / "power", str(error), STEP, check="power")
        return
    for name, what in power_session.problems(session):
        path = folder / name.partition(" ")[0]
        if path.is_file():
            yield Finding(path, what, AGAIN, check="power")
    yield from _compliance(folder)


def _compliance(folder: Path) -> Iterator[Finding]:
    """What power-dev's own check finds, where power-dev is present."""
    try:
        checkout = tools.present()
    except MissingError as error:
        yield Finding(folder / "power", f"power-dev's own check was not run: {error.what}", error.next_step, False, "power")
        return
    if checkout is None:
        step = f"git clone {tools.SOURCE.repository} and set {tools.VARIABLE} to it"
        yield Finding(folder / "power", "power-dev's own check was not run: power-dev is not here", step, False, "power")
        return
    for problem in tools.compliance(checkout, folder).problems:
        yield Finding(folder / "power", f"power-dev's check: {problem}", AGAIN, check="power")


def figure(performance: Path, log: LoadGenLog, scenario: str) -> float | None:
    """Average power in W, or energy of a query in mJ in the stream scenarios; None where nothing was measured or nothing fits.

    Args:
        performance: the folder of the run, with spl.txt.
        log: its detail log.
        scenario: the scenario it is submitted for.
    """
    try:
        found, (begin, end) = power_log.watts(performance), power_log.window(performance)
    except (OSError, ValueError, IndexError):
        return None
    if not found:
        return None
    average = sum(found) / len(found)
    if UNITS.get(scenario) != "millijoules":
        return average
    queries = log.query_count
    if not queries:
        return None
    samples = MULTISTREAM_SAMPLES if scenario == "MultiStream" and log.scenario == "SingleStream" else 1
    return average * (end - begin).total_seconds() * 1000 * samples / queries
