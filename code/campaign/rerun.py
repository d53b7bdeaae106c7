"""The files of a fleet: its page, CSV and JSON, and a campaign of what has to run again."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from code.campaign.fleet import PASS, Cell, Fleet
from code.campaign.measures import workload_of
from code.campaign.plan import Plan, PlannedRun
from code.common.files import atomic_write, write_json
from code.results.page.fleet import FleetPage, Point, Workload, write_fleet

PAGE, TABLE, DATA, RERUN_FILE = "fleet.html", "fleet.csv", "fleet.json", "rerun.toml"
HEADS = (
    "node",
    "workload",
    "verdict",
    "value",
    "unit",
    "median",
    "robust_z",
    "difference",
    "spread",
    "reasons",
    "causes",
    "folders",
)


def write(fleet: Fleet, title: str, folder: Path, plan: Plan | None) -> Path:
    """Write all files into `folder`; returns the page.

    Args:
        plan: of the campaign that made the runs; None where there was none, and so no file to run again by.
    """
    write_json(folder / DATA, {"title": title, **fleet.as_json()})
    with atomic_write(folder / TABLE) as out:
        out.write(table(fleet))
    rerun = ""
    (folder / RERUN_FILE).unlink(missing_ok=True)
    again = [cell for cell in fleet.cells if cell.verdict != PASS]
    if plan is not None and again:
        with atomic_write(folder / RERUN_FILE) as out:
            out.write(campaign(plan, again))
        rerun = f"make campaign FILE={folder / RERUN_FILE}   # on each of these nodes, or: make slurm_submit FILE={folder / RERUN_FILE}"
    return write_fleet(_page(fleet, title, rerun), folder / PAGE)


def table(fleet: Fleet) -> str:
    """The cells as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADS)
    columns = {column.workload: column for column in fleet.columns}
    for cell in fleet.cells:
        column = columns[cell.workload]
        causes = "; ".join(f"{kind}: {words}" for kind, words in cell.causes)
        numbers = (cell.value, column.unit, column.median, cell.z, cell.difference, cell.spread)
        writer.writerow(
            (cell.node, cell.workload, cell.verdict, *numbers, "; ".join(cell.reasons), causes, "; ".join(cell.folders))
        )
    return out.getvalue()


def campaign(plan: Plan, again: list[Cell]) -> str:
    """A campaign file of the workloads that did not pass, on the nodes where they did not."""
    nodes = list(dict.fromkeys(cell.node for cell in again))
    workloads = {cell.workload for cell in again}
    found: dict[str, list[PlannedRun]] = {}
    for one in plan.runs:
        if workload_of(one) in workloads:
            found.setdefault(workload_of(one), []).append(one)
    head = ["# Written by `make fleet`: what did not pass.", f"name = {json.dumps(_next_name(plan.name))}"]
    lines = [*head, f"nodes = {json.dumps(nodes)}", f"attempts = {plan.attempts}", ""]
    for repeats in found.values():
        lines += _workload(repeats[0], len(repeats))
    return "\n".join([*lines, "[accept]", *_accept(plan), ""])


def _next_name(name: str) -> str:
    """'rack-again', then 'rack-again2': a campaign of its own, whose runs are new."""
    number = re.search(r"-again(\d*)$", name)
    return f"{name[: number.start()]}-again{int(number[1] or 1) + 1}" if number else f"{name}-again"


def _workload(one: PlannedRun, repeats: int) -> Iterator[str]:
    benchmarks, scenarios, *rest = one.words
    yield "[[workload]]"
    yield f"benchmarks = [{json.dumps(benchmarks.partition('=')[2])}]"
    yield f"scenarios = [{json.dumps(scenarios.partition('=')[2])}]"
    if one.system:
        yield f"systems = [{json.dumps(one.system)}]"
    yield f"args = {json.dumps(shlex.join(word for word in rest if word != f'--system={one.system}'))}"
    yield from (f"repeats = {repeats}", "")


def _accept(plan: Plan) -> Iterator[str]:
    rules = plan.acceptance
    for name in ("robust_z", "least_difference", "most_spread"):
        yield f"{name} = {getattr(rules, name)}"
    for name, word in rules.severities.items():
        yield f"{name} = {json.dumps(word)}"
    if rules.least:
        yield "[accept.least]"
        yield from (f"{json.dumps(name)} = {value}" for name, value in rules.least.items())


def _page(fleet: Fleet, title: str, rerun: str) -> FleetPage:
    columns = {column.workload: column for column in fleet.columns}
    points = [
        Point(
            *(cell.node, cell.workload, cell.value),
            f"{cell.value:,.6g} {columns[cell.workload].unit}" if cell.value is not None else "none",
            f"{round(cell.z, 1) + 0.0:.1f}" if cell.z is not None else "",
            cell.verdict,
            (*cell.reasons, *(words for _, words in cell.causes if words not in cell.reasons)),
        )
        for cell in fleet.cells
    ]
    workloads = [Workload(one.workload, one.unit, one.median, one.sigma) for one in fleet.columns]
    verdicts = [(node, fleet.verdict(node)) for node in fleet.nodes]
    return FleetPage(title, summary(fleet), fleet.accepted, verdicts, workloads, points, rerun, fleet.simulated)


def summary(fleet: Fleet) -> str:
    """'40 nodes: 37 pass, 3 fail; 2 have not begun'."""
    counts = ", ".join(f"{len(found)} {word}" for word in ("pass", "rerun", "fail") if (found := fleet.with_verdict(word)))
    return f"{len(fleet.nodes)} nodes: {counts}" + (f"; {fleet.absent} have not begun" if fleet.absent else "")
