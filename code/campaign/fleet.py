"""A fleet of equal nodes that each ran the same workloads: each node against the fleet's median and spread.

Robust z: distance from the median over 1.4826 times the median absolute deviation, which is the standard deviation of normal values and
which outliers hardly move (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993, also for the threshold of 3.5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from code.campaign.acceptance import FAIL, RERUN, Acceptance
from code.campaign.measures import Measure, NodeFacts
from code.results.spread import Spread
from code.rules.benchmarks import short_name

MAD_TO_SIGMA = 1.4826
LEAST_SIGMA = 1e-4
"""Of the median: a fleet whose nodes agree to the last digit still has noise."""
LEAST_NODES = 4
"""With fewer a median tells nothing of who is the outlier."""
PASS = "pass"
LINKS = {
    "pcie_generation": "PCIe generation",
    "pcie_width": "PCIe lanes",
    "pcie_width_now": "PCIe lanes in use",
    "nvlinks": "NVLinks",
}


@dataclass(frozen=True)
class Cell:
    """One workload on one node.

    Args:
        value: the median of its VALID repeats, in the unit of reports; None without one.
        spread: highest less lowest of them, as a share of the median.
        z: robust z, negative for worse than the fleet; None where the fleet is too small or there is no value.
        difference: from the fleet's median as a share of it, negative for worse.
        verdict: 'pass', 'fail' or 'rerun'.
        reasons: why it does not pass.
        causes: what telemetry says, as (kind, words).
        folders: of its runs.
    """

    node: str
    workload: str
    value: float | None
    spread: float
    z: float | None
    difference: float | None
    verdict: str
    reasons: tuple[str, ...]
    causes: tuple[tuple[str, str], ...]
    folders: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """It as an object."""
        return {
            **vars(self),
            "reasons": list(self.reasons),
            "causes": [list(one) for one in self.causes],
            "folders": list(self.folders),
        }


@dataclass(frozen=True)
class Column:
    """One workload over the fleet: nodes that have a value, their median and robust standard deviation, and the unit."""

    workload: str
    nodes: int
    median: float | None
    sigma: float | None
    unit: str
    higher_is_better: bool


@dataclass(frozen=True)
class Fleet:
    """What a fleet came to.

    Args:
        columns: by workload.
        cells: of every node and workload.
        simulated: some of it was simulated, and is no measurement.
    """

    nodes: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: tuple[Cell, ...]
    absent: int
    simulated: bool

    def verdict(self, node: str) -> str:
        """'fail' where one workload fails, else 'rerun' where one is to be run again, else 'pass'."""
        found = {cell.verdict for cell in self.cells if cell.node == node}
        return next((word for word in (FAIL, RERUN) if word in found), PASS)

    def with_verdict(self, word: str) -> list[str]:
        """The nodes with a verdict."""
        return [node for node in self.nodes if self.verdict(node) == word]

    @property
    def accepted(self) -> bool:
        """Whether every node passes and none is absent."""
        return not self.absent and len(self.with_verdict(PASS)) == len(self.nodes) > 0

    def as_json(self) -> dict[str, Any]:
        """It as an object."""
        return {
            "accepted": self.accepted,
            "simulated": self.simulated,
            "nodes_absent": self.absent,
            "nodes": [{"node": node, "verdict": self.verdict(node)} for node in self.nodes],
            "workloads": [vars(column) for column in self.columns],
            "cells": [cell.as_json() for cell in self.cells],
            "rerun": [{"node": cell.node, "workload": cell.workload} for cell in self.cells if cell.verdict != PASS],
        }


def judge(
    nodes: Sequence[str],
    workloads: Sequence[str],
    measures: Sequence[Measure],
    rules: Acceptance,
    facts: Mapping[str, NodeFacts] | None = None,
    absent: int = 0,
) -> Fleet:
    """Judge every workload of every node.

    Args:
        nodes: that are expected or were found.
        workloads: that each node has to have.
        facts: what is known of each node's links.
        absent: nodes that are expected and are not among `nodes`.
    """
    links = _slow_links(facts or {})
    columns, cells = [], []
    for workload in workloads:
        mine = {node: [one for one in measures if (one.node, one.workload) == (node, workload)] for node in nodes}
        column = _column(workload, mine)
        columns.append(column)
        cells += [_cell(node, column, found, rules, links.get(node, [])) for node, found in mine.items()]
    return Fleet(tuple(nodes), tuple(columns), tuple(cells), absent, any(one.simulated for one in measures))


def _good(found: Sequence[Measure]) -> list[float]:
    return [one.value for one in found if one.valid and one.value is not None]


def _column(workload: str, mine: Mapping[str, Sequence[Measure]]) -> Column:
    values = [median(_good(found)) for found in mine.values() if _good(found)]
    every = [one for found in mine.values() for one in found]
    unit, higher = (every[0].unit, every[0].higher_is_better) if every else ("", True)
    if not values:
        return Column(workload, 0, None, None, unit, higher)
    middle = median(values)
    sigma = max(MAD_TO_SIGMA * median(abs(value - middle) for value in values), LEAST_SIGMA * abs(middle))
    return Column(workload, len(values), middle, sigma, unit, higher)


def _cell(node: str, column: Column, found: Sequence[Measure], rules: Acceptance, links: Sequence[tuple[str, str]]) -> Cell:
    good = _good(found)
    value = median(good) if good else None
    spread = Spread(tuple(good)).share if good else 0.0
    causes = tuple(dict.fromkeys([*(cause for one in found for cause in one.causes), *links]))
    z, difference = _distance(value, column)
    slow = [*_outlier(z, difference, rules), *_below(column, value, rules)]
    again = list(_reasons(found, value, spread, rules))
    failing = [words for kind, words in causes if rules.severities[kind] == FAIL]
    failed = bool(failing) or any(one.failed for one in found)
    verdict = FAIL if failed else _verdict(slow, again, {rules.severities[kind] for kind, _ in causes})
    folders = tuple(one.folder for one in found if one.folder)
    return Cell(node, column.workload, value, spread, z, difference, verdict, (*slow, *again, *failing), causes, folders)


def _verdict(slow: Sequence[str], again: Sequence[str], severities: set[str]) -> str:
    """Of a node where nothing failed: a slow one that was disturbed is measured again."""
    if slow:
        return RERUN if RERUN in severities else FAIL
    return RERUN if again else PASS


def _outlier(z: float | None, difference: float | None, rules: Acceptance) -> Iterator[str]:
    """That a node is worse than the fleet; nothing where it is not."""
    if z is not None and difference is not None and z <= -rules.robust_z and -difference >= rules.least_difference:
        yield f"{-difference * 100:.1f} % worse than the fleet's median (robust z {z:.1f})"


def _distance(value: float | None, column: Column) -> tuple[float | None, float | None]:
    """(robust z, difference as a share), both negative for worse."""
    if value is None or not column.median or column.sigma is None:
        return None, None
    sign = 1 if column.higher_is_better else -1
    difference = sign * (value - column.median) / column.median
    return (sign * (value - column.median) / column.sigma if column.nodes >= LEAST_NODES else None), difference


def _below(column: Column, value: float | None, rules: Acceptance) -> list[str]:
    limit = next((least for name, least in rules.least.items() if _is_of(name, column.workload)), None)
    if limit is None or value is None:
        return []
    worse = value < limit if column.higher_is_better else value > limit
    return [f"{value:,.6g} {column.unit} is worse than the {limit:,.6g} that are required"] if worse else []


def _reasons(found: Sequence[Measure], value: float | None, spread: float, rules: Acceptance) -> Iterator[str]:
    """Why a node has to run a workload again."""
    if not found:
        yield "it has not run"
    for one in found:
        if one.failed:
            yield f"a run failed: {one.failed}"
        elif not one.valid:
            yield f"a run is {one.verdict}"
    if found and value is None and not any(one.failed for one in found):
        yield "it has no VALID result"
    if spread > rules.most_spread:
        yield f"its runs spread by {spread * 100:.1f} % (at most {rules.most_spread * 100:.1f} %)"


def _slow_links(facts: Mapping[str, NodeFacts]) -> dict[str, list[tuple[str, str]]]:
    """Node → causes, of each whose GPUs have fewer lanes or links than most GPUs of the fleet."""
    found: dict[str, list[tuple[str, str]]] = {}
    for key, name in LINKS.items():
        every = [gpu[key] for node in facts.values() for gpu in node if gpu.get(key)]
        if not every:
            continue
        usual = Counter(every).most_common(1)[0][0]
        for node, gpus in facts.items():
            low = [place for place, gpu in enumerate(gpus) if gpu.get(key, usual) < usual]
            if low:
                words = (
                    f"{name} of GPU {', '.join(map(str, low))}: {min(gpus[place][key] for place in low)}, of the fleet {usual}"
                )
                found.setdefault(node, []).append(("slow_link", words))
    return found


def _is_of(name: str, workload: str) -> bool:
    """Whether 'bert-99 Offline' or 'bert Offline' means a workload."""
    benchmark, _, scenario = name.rpartition(" ")
    mine, its = workload.split(" ")[:2]
    return scenario == its and (benchmark in (mine, short_name(mine)) or mine == short_name(benchmark))
