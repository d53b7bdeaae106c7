"""What lies in a staged tree: the code, the record of where results come from, and notes on what was left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.common.errors import UsageError
from code.common.paths import project_root
from code.rules.rounds import round_named
from code.submission.audit import comparison
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates, lay_out, record, staging
from code.submission.stage.layout import LAYOUTS, Place
from tests.unit.submission import made

BY_HAND = ("submitter", "division", "category")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of a submission of two benchmarks."""
    target = tmp_path_factory.mktemp("submission") / "src"
    lay_out.copy_source(target, ["bert-99", "gptj-99"])
    return target


def test_the_code_is_in_the_tree(source: Path) -> None:
    """All that a reader needs to run it: the rules ask for the code of a result."""
    copied = {path.relative_to(source / "harness").as_posix() for path in (source / "harness").rglob("*") if path.is_file()}
    for name in (
        "Makefile",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "code/main.py",
        "code/rules/rounds.py",
        "configs/bert/__init__.py",
    ):
        assert name in copied
        assert (source / "harness" / name).read_bytes() == (project_root() / name).read_bytes()
    assert {name.split("/")[0] for name in copied} >= {"code", "configs", "docker", "scripts", "systems", "requirements"}
    cpp = {path.name for path in (project_root() / "code/harness/cpp").rglob("*.cc")}
    assert cpp <= {name.rpartition("/")[2] for name in copied}


def test_nothing_else_is_in_it(source: Path) -> None:
    every = list(source.rglob("*"))
    assert not [path for path in every if path.name == "__pycache__" or path.suffix == ".pyc" or path.name.startswith(".")]
    assert not [path for path in every if path.is_dir() and not any(path.iterdir())], "the official checker rejects empty folders"
    assert {path.name for path in source.iterdir()} == {"harness", "bert-99", "gptj-99"}
    for benchmark in ("bert-99", "gptj-99"):
        assert (source / benchmark / "README.md").read_text().startswith(f"# {benchmark}\n")


def test_the_record_says_where_each_result_comes_from(staged: Path, logs: Path) -> None:
    content = record.read_record(staged)
    assert {name: content[name] for name in BY_HAND} == {"submitter": "Example", "division": "open", "category": "edge"}
    by_scenario = {entry["scenario"]: entry for entry in content["results"]}
    assert set(by_scenario) == set(made.SETTINGS)
    for scenario, entry in by_scenario.items():
        assert entry["performance_run"] == str(made.run_folder(logs, scenario))
        assert entry["accuracy_run"] == str(made.run_folder(logs, scenario, "AccuracyOnly"))
        assert (entry["round"], entry["tiny"], entry["inferred"]) == ("v6.1", True, "")
        assert (entry["system"], entry["benchmark"], entry["submitter"]) == (made.SYSTEM, "bert-99", "Example")
    recorded = set(content["files"])
    wanted = {path.relative_to(staged).as_posix() for path in staged.glob("open/Example/results/**/*") if path.is_file()}
    assert recorded == {name for name in wanted if not name.endswith("README.md")}
    assert list(record.changed(staged)) == []


@pytest.mark.parametrize("division", ["open", "closed"])
def test_audits_that_are_missing_are_an_error_in_closed_only(logs: Path, tmp_path: Path, division: str) -> None:
    found, _ = candidates.from_logs(logs)
    one = next(one for one in found if one.scenario == "Offline")
    claim = Claim("bert-99", "Offline", division, "edge", round_named("v6.1"))
    place = Place(division, "Example", one.system, one.benchmark, one.scenario)
    (finding,) = lay_out._tests(tmp_path, LAYOUTS["inside"], place, one, claim)
    assert finding.error is (division == "closed") and finding.check == "audit"
    assert finding.what == "TEST01 missing" + (" (not required in open)" if division == "open" else "")
    assert "--benchmarks=bert --scenarios=Offline" in finding.next_step and "ROUND=v6.1" in finding.next_step


def test_only_what_was_left_out_is_noted(logs: Path) -> None:
    found, findings = candidates.from_logs(logs)
    done = staging.stage(found, findings, made.who(), staging.submission_dir())
    assert [one for one in done.findings if one.error] == []
    assert not [one.what for one in done.findings if "left out" in one.what or "passed over" in one.what]
    assert {(place.scenario, one.scenario) for place, _, one in done.results} == {(name, name) for name in made.SETTINGS}


def test_another_round_is_left_out_with_a_note(logs: Path) -> None:
    spec = made.run_folder(logs, "Offline") / "run.json"
    for mode in ("PerformanceOnly", "AccuracyOnly"):
        spec = made.run_folder(logs, "Offline", mode) / "run.json"
        spec.write_text(json.dumps({**json.loads(spec.read_text()), "seeds": dict(round_named("v5.0").seeds)}))
    found, findings = candidates.from_logs(logs, round_=round_named("v6.1"))
    assert {one.scenario for one in found} == set(made.SETTINGS) - {"Offline"}
    assert [(one.check, one.error, one.path) for one in findings] == [("round", False, made.run_folder(logs, "Offline"))]
    assert "it was run for v5.0, not for v6.1" in findings[0].what
    kept, notes = candidates.from_logs(logs, [str(made.run_folder(logs, "Offline"))], round_named("v6.1"))
    assert {one.scenario for one in kept} == set(made.SETTINGS) - {"Offline"} or not notes


def test_runs_of_different_workloads_are_not_compared(logs: Path) -> None:
    offline, server = made.run_folder(logs, "Offline"), made.run_folder(logs, "Server")
    with pytest.raises(UsageError, match="different workloads"):
        comparison.read_pair(str(offline), str(server))
    made.sealed(server, benchmark_full="gptj-99", scenario="Offline")
    with pytest.raises(UsageError, match="different workloads") as caught:
        comparison.read_pair(str(offline), str(server))
    assert "bert-99 Offline and gptj-99 Offline" in caught.value.why
    made.sealed(server, benchmark_full="bert-99.9")
    a, b = comparison.read_pair(str(offline), str(server))
    assert comparison.obstacles(a, b) == ["accuracy target: A is bert-99, B is bert-99.9"]


def test_a_setting_that_only_one_run_has_is_a_difference(logs: Path) -> None:
    offline, other = made.run_folder(logs, "Offline"), made.run_folder(logs, "Server")
    made.sealed(other, scenario="Offline")
    for folder, more in ((offline, {"a_only": 1, "both": 3}), (other, {"b_only": 2, "both": 4})):
        content = json.loads((folder / "provenance.json").read_text())
        content["plan"]["values"].update({name: {"value": value, "origin": "x"} for name, value in more.items()})
        (folder / "provenance.json").write_text(json.dumps(content))
    a, b = comparison.read_pair(str(offline), str(other))
    assert comparison.differences(a, b) == [("a_only", 1, None), ("b_only", None, 2), ("both", 3, 4)]
    assert comparison.differences(a, a) == []
