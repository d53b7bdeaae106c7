"""Folders under results/ that are not a system, a benchmark or a scenario: the official checkers take each of them for one, and fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from code.common import jsonfile
from code.common.errors import nearest
from code.rules.official_names import known_names, official_name
from code.rules.rounds import Round
from code.submission.check.finding import Finding
from code.submission.check.tree_structure import Tree
from code.submission.stage import endpoint
from code.submission.stage.layout import SCENARIOS

MAPPING = "model_mapping.json"
IN_SCENARIO = frozenset(("accuracy", "performance"))
IN_PERFORMANCE = frozenset(("run_1", "power", "ranging"))
STEP = "move it out of results/"


def check(tree: Tree) -> Iterator[Finding]:
    """One finding for each stray folder."""
    for submitter in tree.submitters():
        mapping, problem = read_mapping(submitter)
        if problem:
            yield problem
        for system in _folders(submitter / "results"):
            if not (submitter / "systems" / f"{system.name}.json").is_file():
                what = f"not a system: there is no systems/{system.name}.json"
                yield Finding(system, what, f"{STEP}, or describe the system", check="stray")
            for benchmark in _folders(system):
                yield from _benchmark(benchmark, tree.round, mapping, submitter.parent.name == "open")


def read_mapping(submitter: Path) -> tuple[dict[str, str], Finding | None]:
    """A submitter's model_mapping.json: name in results → official name; a finding where the official checker cannot use it."""
    path = submitter / MAPPING
    if not path.is_file() or submitter.parent.name != "open":
        return {}, None
    step = 'write {"name of yours": "official name"}, or remove the file'
    try:
        content = jsonfile.read(path)
    except (OSError, ValueError) as error:
        return {}, Finding(path, f"cannot be read: {error}", step, check="mapping")
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        return {}, Finding(path, "not a JSON object of names", step, check="mapping")
    return content, None


def _benchmark(folder: Path, round_: Round, mapping: Mapping[str, str], may_map: bool) -> Iterator[Finding]:
    if official_name(round_, folder.name, mapping) is None:
        yield _unknown_benchmark(folder, round_, may_map)
        return
    for scenario in _folders(folder):
        if scenario.name not in SCENARIOS:
            near = nearest(scenario.name, SCENARIOS)
            what = "not a scenario" + (f"; the nearest name is {near}" if near else "")
            yield Finding(scenario, what, STEP, check="stray")
            continue
        audits = (endpoint.AUDITS,) if endpoint.is_endpoint(scenario) else ()
        allowed = {*IN_SCENARIO, *audits, *(path.name for path in scenario.glob("TEST[0-9][0-9]"))}
        inside = [path for path in _folders(scenario) if path.name not in allowed]
        inside += [path for path in _folders(scenario / "performance") if path.name not in IN_PERFORMANCE]
        for path in inside:
            yield Finding(path, "not a folder that a result has; nothing reads it", STEP, check="stray", own=True)


def _unknown_benchmark(folder: Path, round_: Round, may_map: bool) -> Finding:
    near = nearest(folder.name, known_names(round_))
    what = f"{round_.name} has no benchmark {folder.name}" + (f"; the nearest name is {near}" if near else "")
    step = f"rename it, or map it in {MAPPING}" if may_map else "rename it, choose another ROUND, or remove it"
    # The checkers since v6.0 pass over one in open that has no scenario in it.
    return Finding(folder, what, step, check="round", own=may_map and round_.modern and not _folders(folder))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
