"""The preflight of closed trees: each row of the sabotage table is found, alone, and every check has a row."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from code.rules.rounds import round_named
from code.submission.check import finding, tree_checks
from code.submission.check.finding import Finding
from tests.unit.submission import closed, endpoints
from tests.unit.submission.closed import ClosedTree
from tests.unit.submission.sabotage import NETWORK, Row, system
from tests.unit.submission.sabotage_rows import ROWS
from tests.unit.submission.test_power import measure

CHECKS = Path(tree_checks.__file__).parent
ELSEWHERE = {
    "power_checks._compliance": "runs power-dev's own check: test_checks_apart",
    "official.faults": "asks which checker is there: test_submission_packing",
}
"""Findings that no row of the table makes, and where they are tested."""
Site = tuple[str, int]


@dataclass(frozen=True)
class Outcome:
    """What the preflight found in a harmed tree."""

    tree: ClosedTree
    path: Path
    found: list[Finding]


@pytest.fixture(scope="module")
def bases(good: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ClosedTree]:
    """The trees that rows harm copies of."""
    root = tmp_path_factory.mktemp("bases")
    trees = {name: closed.make(good, root / name, name) for name in ("v6.1", "v4.1")}
    trees["open"] = closed.make(good, root / "open-tree", "v6.1", "open")
    trees["open-v6.0"] = ClosedTree(trees["open"].copy(root / "v6.0").root, round_named("v6.0"), "open")
    trees["network"] = closed.make(good, root / "network-tree", "v6.1", "network")
    system(is_network="true", **NETWORK)(trees["network"])
    for scenario in closed.SCENARIOS:
        for log in trees["network"].result(scenario).rglob("mlperf_log_*.txt"):
            log.write_text(log.read_text().replace("PySUT", "Network SUT"))
    trees["network"].record()
    for name, base in (("power", "v6.1"), ("power-v4.1", "v4.1")):
        trees[name] = trees[base].copy(root / f"{name}-tree")
        measure(trees[name].result() / "performance")
        trees[name].record()
    trees["endpoint"] = endpoints.tree(root / "endpoint-tree")
    trees["endpoint-v6.0"] = endpoints.tree(root / "endpoint-v6.0-tree", "v6.0")
    return trees


@pytest.fixture(scope="module")
def made_at() -> Iterator[set[Site]]:
    """Where findings were made: file and line."""
    sites: set[Site] = set()
    original: Callable[..., None] = Finding.__init__

    def init(self: Finding, *arguments: Any, **named: Any) -> None:
        frame = sys._getframe(1)
        sites.add((Path(frame.f_code.co_filename).stem, frame.f_lineno))
        original(self, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding.Finding, "__init__", init)
        yield sites


def outcome(base: ClosedTree, row: Row, folder: Path) -> Outcome:
    """Harm a copy of a tree, record it as what was staged, and check it."""
    tree = base.copy(folder)
    path = row.harm(tree)
    if row.check != "unchanged":
        tree.record()
    return Outcome(tree, path, tree_checks.preflight(tree.root, tree.round, closed.SUBMITTER))


@pytest.fixture(scope="module")
def outcomes(
    bases: dict[str, ClosedTree], made_at: set[Site], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Outcome]:
    """A function: row → what comes of it, which is found out once in a process."""
    root = tmp_path_factory.mktemp("harmed")
    found: dict[str, Outcome] = {}

    def of(name: str) -> Outcome:
        if name not in found:
            number = len(found)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("BUILD_DIR", str(root / f"build{number}"))
                found[name] = outcome(bases[ROWS[name].base], ROWS[name], root / str(number) / "tree")
        return found[name]

    return of


@pytest.mark.parametrize("name", ["v6.1", "v4.1", "open", "network", "endpoint"])
def test_nothing_is_wrong_before(bases: dict[str, ClosedTree], name: str) -> None:
    tree = bases[name]
    assert tree_checks.preflight(tree.root, tree.round, closed.SUBMITTER) == []
    assert tree_checks.preflight(tree.root, tree.round) == []


@pytest.mark.parametrize("name", ROWS)
def test_it_is_found(outcomes: Callable[[str], Outcome], name: str) -> None:
    row, done = ROWS[name], outcomes(name)
    every = [(one.check, str(one.path.relative_to(done.tree.root)), one.what) for one in done.found]
    hits = [one for one in done.found if one.check == row.check and one.path == done.path and row.words in one.what]
    assert len(hits) == 1, every
    (hit,) = hits
    assert (hit.error, hit.own) == (row.error, row.own), hit
    assert row.step in hit.next_step and (hit.next_step or row.check == "round"), hit.next_step
    others = {one.check for one in done.found if one is not hit and "power-dev's own check was not run" not in one.what}
    assert "*" in row.also or others == set(row.also), every


def test_every_check_has_a_row(outcomes: Callable[[str], Outcome], made_at: set[Site]) -> None:
    for name in ROWS:
        outcomes(name)
    absent = []
    for path in sorted(CHECKS.glob("*.py")):
        for function in [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"]
            for call in calls:
                lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
                if not any(stem == path.stem and line in lines for stem, line in made_at):
                    absent.append((f"{path.stem}.{function.name}", call.lineno))
    unexplained = [site for site in absent if site[0] not in ELSEWHERE]
    assert unexplained == []
