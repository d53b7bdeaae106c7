"""The preflight of a tree: the official checker's checks and further ones, each with cause and remedy.

In a tree that this harness staged every finding counts. In a tree of others only what the official checks refuse is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.common.errors import MissingError
from code.rules.benchmarks import allowed_scenarios, required_scenarios, rules_in, short_name
from code.rules.official_names import official_name
from code.rules.rounds import STRICT_DIVISIONS, Round
from code.submission.check import (
    audit_checks,
    endpoint_checks,
    log_checks,
    power_checks,
    result_files,
    stray_folders,
    system_checks,
    tree_structure,
)
from code.submission.check.finding import Finding, softened
from code.submission.check.log_checks import Claim
from code.submission.check.tree_structure import Tree
from code.submission.stage import record
from code.submission.stage.layout import Place

STAGE = "make stage_results"


def preflight(root: Path, round_: Round, submitter: str = "") -> list[Finding]:
    """Every finding on a tree for a round. MissingError if there is no tree, or no result in it."""
    tree = Tree(root, round_, submitter)
    places = [place for place in tree.shape.places(root) if not submitter or place.submitter == submitter]
    if not places:
        raise MissingError(f"no results in {root}", f"submitter {submitter}" if submitter else "", f"run `{STAGE}`")
    found = [*tree_structure.check(tree), *stray_folders.check(tree), *_unchanged(root)]
    for place in places:
        found += _result(tree, place)
    found += _required_scenarios(tree, places)
    found = list(dict.fromkeys(found))
    return found if record.read_record(root) else softened(found)


def _unchanged(root: Path) -> Iterator[Finding]:
    """Logs, settings and scores must be unchanged since staging."""
    for path, what in record.changed(root):
        yield Finding(path, what, STAGE, check="unchanged")


def official(tree: Tree, place: Place) -> str:
    """The name that the official checker knows a result's benchmark by; '' for none."""
    mapping, _ = stray_folders.read_mapping(tree.root / place.division / place.submitter)
    return official_name(tree.round, place.benchmark, mapping) or ""


def _result(tree: Tree, place: Place) -> Iterator[Finding]:
    root, shape, name = tree.root, tree.shape, official(tree, place)
    if not name:
        return  # stray_folders names it
    system, problem = system_checks.read_object(shape.system_json(root, place), f"the description of {place.system}")
    measured_file = shape.find_measurements_json(root, place) or shape.measurements_json(root, place, "custom")
    measured, trouble = system_checks.read_object(measured_file, f"how {place.label} was made")
    yield from (one for one in (problem, trouble) if one)
    if system:
        yield from system_checks.check(shape.system_json(root, place), system, place, tree.round)
    if rules_in(tree.round, name) is None:
        where = shape.results_dir(root, place).parent
        what = f"this harness does not have {name}: only the official checker looks at its logs, scores and audits"
        yield Finding(where, what, error=False, check="round")
        yield from power_checks.check(tree, place)
        return
    claim = Claim(
        name,
        place.scenario,
        place.division,
        str(system.get("system_type", "")),
        tree.round,
        tiny=measured.get("model_variant") == "tiny",
        network=system_checks.is_network(system),
    )
    if tree.at_endpoint(place):
        yield from endpoint_checks.check(shape.results_dir(root, place), claim)
        yield from result_files.described(shape.measurements_dir(root, place), measured_file, measured, claim, ("README.md",))
        return
    yield from log_checks.performance(shape.performance_dir(root, place), claim)
    yield from log_checks.accuracy(shape.accuracy_dir(root, place), claim)
    yield from result_files.truncated(shape.accuracy_dir(root, place))
    yield from result_files.measured(
        shape.measurements_dir(root, place), measured_file, measured, claim, shape.accuracy_dir(root, place)
    )
    yield from power_checks.check(tree, place)
    if claim.closed:
        yield from audit_checks.check(shape.compliance_dir(root, place), claim, shape.performance_dir(root, place))


def _required_scenarios(tree: Tree, places: list[Place]) -> Iterator[Finding]:
    strict = [place for place in places if place.division in STRICT_DIVISIONS]
    groups: dict[tuple[str, str, str, str], list[Place]] = {}
    for place in strict:
        groups.setdefault((place.division, place.submitter, place.system, place.benchmark), []).append(place)
    for same in groups.values():
        yield from _scenarios_of(tree, same)


def _scenarios_of(tree: Tree, same: list[Place]) -> Iterator[Finding]:
    """Findings on the scenarios of one benchmark on one system."""
    shape, round_, division = tree.shape, tree.round, same[0].division
    content, _ = system_checks.read_object(shape.system_json(tree.root, same[0]), same[0].system)
    name, category = official(tree, same[0]), str(content.get("system_type", ""))
    wanted = required_scenarios(round_, name, category)
    where = shape.results_dir(tree.root, same[0]).parent
    if not category:
        return  # the system's description, where it belongs, is missing or lacks it, which is a finding of its own
    if not wanted and rules_in(round_, name) is not None:
        yield Finding(
            where, f"{round_.name} has no {name} in {division} {category}", "choose another CATEGORY", check="scenarios"
        )
    for scenario in wanted:
        if scenario not in {p.scenario for p in same}:
            step = f'make run RUN_ARGS="--benchmarks={short_name(name)} --scenarios={scenario} --test_mode=SubmissionRun"'
            yield Finding(where, f"{division} {category} also requires {scenario}", f"{step}, then {STAGE}", check="scenarios")
    for place in same:
        if wanted and place.scenario not in allowed_scenarios(round_, name, category):
            what = f"{round_.name} has no {place.scenario} for it in {division} {category}"
            yield Finding(shape.results_dir(tree.root, place), what, "leave it out with --scenarios", check="scenarios")
