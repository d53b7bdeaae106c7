"""report: write one self-contained HTML page per run, an index, and with --compare a page of runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.common import console, paths
from code.common.errors import HarnessError, MissingError, RunError
from code.common.paths import build_dir
from code.results.page import compare, index, write
from code.results.page.index import Entry
from code.rules.benchmarks import short_name
from code.submission import pages
from code.submission.audit import side_by_side
from code.submission.stage import runs
from code.submission.stage.runs import Run

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Write pages for every complete run; returns 4 if a run could not be read."""
    request = context.request
    columns = side_by_side.columns(request["compare"]) if request["compare"] else []
    root = runs.log_folder(request["log_dir"])
    everything, damaged = runs.scan(root)
    problems = _named(damaged)
    if request["benchmarks"]:
        short = {definition_of(b).name for b in request.benchmarks()}
        everything = [one for one in everything if short_name(one.benchmark) in short]
    if not any(one.complete for one in everything) and not columns:
        raise MissingError(f"no complete run in {paths.shown(root)}", "", "make one with `make run`, then `make report`")
    folder = Path(request["report_dir"]).absolute() if request["report_dir"] else build_dir() / "report"
    entries = _written(everything, folder, problems)
    written = sum(1 for one in entries if one.link)
    listed = pages.ordered([*entries, *pages.others(root)])
    console.say(f"{written} pages, index: {paths.shown(index.write_index(listed, problems, folder))}")
    if columns:
        console.say(f"side by side: {paths.shown(compare.write_compare(columns, folder))}")
    return FAILED_STATUS if problems else 0


def _written(everything: Sequence[Run], folder: Path, problems: list[tuple[Path, HarnessError]]) -> list[Entry]:
    """Write the page of each complete run, and return the lines of all; those that cannot be read are printed and join `problems`."""
    entries: list[Entry] = []
    for one in everything:
        if not one.complete:
            entries.append(pages.entry_of(one))
            continue
        try:
            entries.append(pages.entry_of(one, write.write_run(pages.page_of(one), folder).name))
        except HarnessError as error:
            problems.append((one.folder, error))
            console.fail(error.lines())
    return entries


def _named(damaged: list[tuple[Path, str]]) -> list[tuple[Path, HarnessError]]:
    """Print an error for each run whose metadata.json is damaged, and return them."""
    problems: list[tuple[Path, HarnessError]] = []
    for where, reason in damaged:
        error = RunError(f"{paths.shown(where / runs.METADATA)} is damaged", reason, "run the workload again")
        console.fail(error.lines())
        problems.append((where, error))
    return problems


ACTION = OncePerRequest(run)
