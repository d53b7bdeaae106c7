"""report: write one self-contained HTML page per run, and an index."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.common import console, paths
from code.common.errors import HarnessError, MissingError, RunError
from code.common.paths import build_dir
from code.results.page import write
from code.results.page.write import RunPage
from code.rules.benchmarks import short_name
from code.submission.stage import runs
from code.submission.stage.runs import Run

FAILED_STATUS = 4


def run(context: Context) -> int:
    """Write pages for every complete run; returns 4 if a run could not be read."""
    request = context.request
    root = runs.log_folder(request["log_dir"])
    everything, damaged = runs.scan(root)
    problems = _named(damaged)
    found = [one for one in everything if one.complete]
    if request["benchmarks"]:
        short = {definition_of(b).name for b in request.benchmarks()}
        found = [one for one in found if short_name(one.benchmark) in short]
    if not found:
        raise MissingError(f"no complete run in {paths.shown(root)}", "", "make one with `make run`, then `make report`")
    folder = Path(request["report_dir"]).absolute() if request["report_dir"] else build_dir() / "report"
    pages: list[tuple[RunPage, Path]] = []
    for one in found:
        page = page_of(one)
        try:
            pages.append((page, write.write_run(page, folder)))
        except MissingError:
            raise
        except HarnessError as error:
            problems.append((one.folder, error))
            console.fail(error.lines())
    index = write.write_index(pages, problems, folder)
    console.say(f"{len(pages)} pages, index: {paths.shown(index)}")
    return FAILED_STATUS if problems else 0


def _named(damaged: list[tuple[Path, str]]) -> list[tuple[Path, HarnessError]]:
    """Print an error for each run whose metadata.json is damaged, and return them."""
    problems: list[tuple[Path, HarnessError]] = []
    for where, reason in damaged:
        error = RunError(f"{paths.shown(where / runs.METADATA)} is damaged", reason, "run the workload again")
        console.fail(error.lines())
        problems.append((where, error))
    return problems


def page_of(one: Run) -> RunPage:
    """Collect the data for one run's page."""
    return RunPage(one.folder, one.metadata, one.spec, one.provenance, one.started)


ACTION = OncePerRequest(run)
