"""What the preflight asks of a whole tree: the scenarios of each system, by division and category, and whose tree it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.rules.rounds import round_named
from code.submission.check import tree_checks
from code.submission.check.finding import Finding
from code.submission.check.tree_structure import Tree
from code.submission.stage.layout import Place
from code.submission.stage.record import record_path

V41, V60, V61 = round_named("v4.1"), round_named("v6.0"), round_named("v6.1")


def tree(root: Path, category: str, scenarios: tuple[str, ...], division: str = "closed", name: str = "bert-99") -> list[Place]:
    """The folders of a system's results, and its description."""
    description = root / division / "Example/systems/DGX.json"
    description.parent.mkdir(parents=True, exist_ok=True)
    description.write_text(json.dumps({"system_type": category} if category else {}))
    for scenario in scenarios:
        (root / division / "Example/results/DGX" / name / scenario).mkdir(parents=True)
    return [Place(division, "Example", "DGX", name, scenario) for scenario in scenarios]


def said(root: Path, places: list[Place], round_: object = V61) -> list[tuple[str, str]]:
    found = list(tree_checks._required_scenarios(Tree(root, round_), places))  # type: ignore[arg-type]
    assert all(one.check == "scenarios" and one.error and one.next_step for one in found)
    return [(one.what, one.path.name) for one in found]


def test_every_required_scenario_must_be_there(tmp_path: Path) -> None:
    places = tree(tmp_path, "edge", ("Offline", "SingleStream"))
    assert said(tmp_path, places) == []
    assert said(tmp_path, places[:1]) == [("closed edge also requires SingleStream", "bert-99")]
    (one,) = tree_checks._required_scenarios(Tree(tmp_path, V61), places[1:])
    assert one.what == "closed edge also requires Offline"
    command = 'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --test_mode=SubmissionRun"'
    assert one.next_step == f"{command}, then make stage_results"


def test_the_network_division_is_as_strict_and_open_is_not(tmp_path: Path) -> None:
    network = tree(tmp_path, "edge", ("Offline",), "network")
    assert said(tmp_path, network) == [("network edge also requires SingleStream", "bert-99")]
    assert said(tmp_path, tree(tmp_path, "edge", ("Offline",), "open")) == []


def test_a_scenario_that_the_category_does_not_have(tmp_path: Path) -> None:
    places = tree(tmp_path, "edge", ("Offline", "SingleStream", "Server"))
    assert said(tmp_path, places) == [("v6.1 has no Server for it in closed edge", "Server")]
    assert said(tmp_path / "old", tree(tmp_path / "old", "datacenter", ("Offline", "Server")), V41) == []


def test_a_category_that_does_not_have_the_benchmark(tmp_path: Path) -> None:
    places = tree(tmp_path, "datacenter", ("Offline", "SingleStream"))
    assert said(tmp_path, places) == [("v6.1 has no bert-99 in closed datacenter", "bert-99")]


def test_systems_and_targets_are_judged_apart(tmp_path: Path) -> None:
    one = tree(tmp_path, "edge", ("Offline",))
    other = [Place("closed", "Example", "Other", "bert-99", "SingleStream")]
    (tmp_path / "closed/Example/systems/Other.json").write_text('{"system_type": "edge"}')
    assert {what for what, _ in said(tmp_path, [*one, *other])} == {
        "closed edge also requires SingleStream",
        "closed edge also requires Offline",
    }


@pytest.mark.parametrize("name", ["retinanet", "my-own"])
def test_benchmarks_of_others_are_left_to_the_official_checker(tmp_path: Path, name: str) -> None:
    places = tree(tmp_path, "edge", ("Offline",), name=name)
    assert said(tmp_path, places, V60) == []


def test_without_a_category_nothing_is_asked(tmp_path: Path) -> None:
    """That it is missing is a finding of its own."""
    assert said(tmp_path, tree(tmp_path, "", ("Offline",))) == []


def test_names_that_the_official_checker_maps_or_not(tmp_path: Path) -> None:
    (place,) = tree(tmp_path, "edge", ("Offline",), "open", "mine")
    assert tree_checks.official(Tree(tmp_path, V61), place) == ""
    (tmp_path / "open/Example/model_mapping.json").write_text('{"mine": "bert-99"}')
    assert tree_checks.official(Tree(tmp_path, V61), place) == "bert-99"
    (closed,) = tree(tmp_path, "edge", ("Offline",), "closed", "bert-99")
    assert tree_checks.official(Tree(tmp_path, V61), closed) == "bert-99"


def test_a_tree_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no results in") as caught:
        tree_checks.preflight(tmp_path, V61)
    assert caught.value.why == "" and "make stage_results" in caught.value.next_step
    tree(tmp_path, "edge", ("Offline",))
    with pytest.raises(MissingError) as named:
        tree_checks.preflight(tmp_path, V61, "Another")
    assert named.value.why == "submitter Another"
    assert tree_checks.preflight(tmp_path, V61, "Example")


def findings(root: Path, submitter: str = "") -> dict[str, Finding]:
    return {f"{one.check} {one.path.relative_to(root)}": one for one in tree_checks.preflight(root, V61, submitter)}


def test_only_in_a_tree_of_this_harness_does_each_convention_count(tmp_path: Path) -> None:
    """In somebody else's an error is what the official checks refuse."""
    root = tmp_path / "tree"
    tree(root, "edge", ("Offline",))
    (root / "closed/Example/Makefile").write_text("x")
    theirs = findings(root)
    assert not theirs["structure closed/Example/Makefile"].error and theirs["structure closed/Example/src"].error
    record_path(root).write_text(json.dumps({"submitter": "Example", "files": {"closed/Example/results/gone": "0"}}))
    ours = findings(root)
    assert ours["structure closed/Example/Makefile"].error
    assert "deleted after staging" in ours["unchanged closed/Example/results/gone"].what
    assert ours.keys() - theirs.keys() == {"unchanged closed/Example/results/gone"}


def test_each_result_is_checked_with_its_logs_files_and_scenarios(tmp_path: Path) -> None:
    tree(tmp_path, "edge", ("Offline",))
    found = findings(tmp_path)
    base = "closed/Example/results/DGX/bert-99"
    for name in (
        f"files {base}/Offline/performance/run_1/mlperf_log_detail.txt",
        f"files {base}/Offline/accuracy/accuracy.txt",
        f"files {base}/Offline/measurements.json",
        f"files {base}/Offline/README.md",
        f"audit {base}/Offline/TEST01/verify_performance.txt",
        f"scenarios {base}",
        "system closed/Example/systems/DGX.json",
    ):
        assert found[name].error, name
    tree(tmp_path, "edge", ("Offline",), "open", "bert-99.9")
    assert not [name for name in findings(tmp_path) if name.startswith("audit open/")], "audits are asked for in closed"


def test_results_of_another_benchmark_are_named_and_not_judged(tmp_path: Path) -> None:
    tree(tmp_path, "edge", ("Offline",), "open", "retinanet")
    found = [one for one in tree_checks.preflight(tmp_path, V60) if one.check == "round"]
    assert [one.what for one in found] == [
        "this harness does not have retinanet: only the official checker looks at its logs, scores and audits"
    ]
    assert not found[0].error and not any("performance" in str(one.path) for one in tree_checks.preflight(tmp_path, V60))


def test_a_name_that_no_checker_knows_has_that_finding_alone(tmp_path: Path) -> None:
    tree(tmp_path, "edge", ("Offline",), "open", "my-own")
    found = tree_checks.preflight(tmp_path, V61)
    assert "v6.1 has no benchmark my-own" in [one.what for one in found if one.check == "round"]
    assert {one.check for one in found} == {"round", "structure"}


@pytest.mark.parametrize("name", ["bert-99", "retinanet"])
def test_power_is_checked_wherever_it_is_claimed(tmp_path: Path, name: str) -> None:
    """Also of a benchmark whose logs are left to the official checker."""
    (place,) = tree(tmp_path, "edge", ("Offline",), "open", name)
    checks = [one.check for one in tree_checks.preflight(tmp_path, V60)]
    assert "power" not in checks
    (Tree(tmp_path, V60).shape.results_dir(tmp_path, place) / "performance/power").mkdir(parents=True)
    assert "power" in [one.check for one in tree_checks.preflight(tmp_path, V60)]
