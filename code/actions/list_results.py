"""list_results: list every run, newest first, complete or not."""

from __future__ import annotations

from typing import Any

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.common import console, paths
from code.rules.benchmarks import short_name
from code.submission.stage import runs
from code.submission.stage.outcome import result, value, verdict
from code.submission.stage.runs import Run


def run(context: Context) -> int:
    """Print the runs, or JSON with --json."""
    request = context.request
    root = runs.log_folder(request["log_dir"])
    complete, damaged = runs.scan(root)
    found = runs.newest_first([*complete, *runs.unfinished(root)])
    for folder, reason in damaged:
        console.warn(f"{paths.shown(folder)} is left out: {reason}")
    if request["benchmarks"]:
        short = {definition_of(b).name for b in request.benchmarks()}
        found = [one for one in found if short_name(one.benchmark) in short]
    if request["json"]:
        console.emit([as_json(one) for one in found])
        return 0
    if not found:
        console.say(f"no runs in {paths.shown(root)}")
        return 0
    console.say(f"Runs in {paths.shown(root)}, newest first")
    for line in listing(found):
        console.say(line)
    return 0


def listing(found: list[Run]) -> list[str]:
    """Two lines per run: its result in columns, and its full folder path so that it can be copied."""
    rows = [(one.started or "-", one.benchmark, one.scenario, one.mode, result(one), verdict(one)) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row, one in zip(rows, found, strict=True):
        lines.append("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
        lines.append(f"  {paths.shown(one.folder)}")
    return lines


def as_json(one: Run) -> dict[str, Any]:
    """One run as JSON."""
    return {
        "folder": str(one.folder),
        "started": one.started,
        "system": one.system,
        "benchmark": one.benchmark,
        "scenario": one.scenario,
        "mode": one.mode,
        "complete": one.complete,
        "result": result(one),
        **value(one),
        "verdict": verdict(one),
        "engine": one.engine,
    }


ACTION = OncePerRequest(run)
