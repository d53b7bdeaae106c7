"""The description of a result's system: whose words go before whose, what is missing is named, several machines are counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.common.errors import MissingError, UsageError
from code.machine.detect import detect
from code.rules.rounds import round_named
from code.submission.stage import system_file
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.systems.description import unfinished
from code.systems.matching import match
from tests.unit.submission import made

SYSTEM_ID = "Elsewhere_CPUx1"
SYSTEM = f"{SYSTEM_ID}_OpenVINO"
WHO = Identity("Example", "open", "edge", "available", round_named("v6.1"))


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of descriptions."""
    monkeypatch.setattr(system_file, "description_path", lambda name: tmp_path / f"{name}.json")
    return tmp_path


def candidate(system_id: str = SYSTEM_ID, open_only: str = "", **metadata: Any) -> Candidate:
    run = SimpleNamespace(system_id=system_id, metadata={"openvino_version": "2026.1", **metadata}, folder=Path("/none"))
    found = SimpleNamespace(system=f"{system_id}_OpenVINO", performance_run=run, tree_files={}, open_only=open_only)
    return cast(Candidate, found)


def from_tree(path: Path, **fields: Any) -> Candidate:
    path.write_text(json.dumps({**described(), **fields}))
    found = SimpleNamespace(system=SYSTEM, performance_run=None, tree_files={"system": path}, open_only="")
    return cast(Candidate, found)


def described(**fields: Any) -> dict[str, Any]:
    return {**made.description(), "todo": ["a note"], **fields}


def written(systems: Path, name: str = SYSTEM_ID, **fields: Any) -> None:
    (systems / f"{name}.json").write_text(json.dumps(described(**fields)))


def test_who_submits_stands_in_it_whatever_was_written(systems: Path) -> None:
    written(systems, submitter="Somebody", division="closed", system_type="datacenter", status="rdi")
    content = system_file.compose(candidate(), WHO)
    assert [content[name] for name in ("submitter", "division", "system_type", "status")] == [
        "Example",
        "open",
        "edge",
        "available",
    ]
    assert "todo" not in content and unfinished(content) == [] and list(content) == sorted(content)
    assert content["number_of_nodes"] == 1


def test_submission_toml_goes_before_the_description_and_its_own_table_before_the_common_one(systems: Path) -> None:
    written(systems, cooling="Air", hw_notes="from the file")
    tables = {"cooling": "Liquid", "sw_notes": "common", SYSTEM: {"sw_notes": "own"}, "Another": {"sw_notes": "not this"}}
    content = system_file.compose(candidate(), replace(WHO, system_fields=tables))
    assert (content["cooling"], content["sw_notes"], content["hw_notes"]) == ("Liquid", "own", "from the file")
    assert SYSTEM not in content and "Another" not in content


def test_a_field_that_is_empty_is_named_with_an_example(systems: Path) -> None:
    written(systems, cooling="", host_networking="")
    with pytest.raises(MissingError) as caught:
        system_file.compose(candidate(), WHO)
    error = caught.value
    assert error.what == f"the description of {SYSTEM} lacks host_networking, cooling"
    assert "cannot be detected: host_networking: " in error.why and "; cooling: " in error.why
    assert "[system] table of submission.toml, for example: host_networking = " in error.next_step
    example = error.next_step.partition("for example: ")[2]
    assert example.endswith('"') and "such as" not in example and " or " not in example and "," not in example


@pytest.mark.parametrize(
    ("nodes", "counted"),
    [
        ({"number_of_nodes": 4}, 4),
        ({"number_of_nodes": 2}, 2),
        ({"number_of_nodes": 1}, 3),
        ({"number_of_nodes": 99_999}, 99_999),
        ({"number_of_nodes": 100_000}, 3),
        ({"number_of_nodes": "4"}, 3),
        ([4], 3),
        (None, 3),
    ],
)
def test_the_machines_of_a_run_over_several_are_counted(systems: Path, nodes: Any, counted: int) -> None:
    """What the run counted goes before what somebody wrote; one machine, and what is no count, leaves that as it is."""
    written(systems, number_of_nodes=3)
    assert system_file.compose(candidate(nodes=nodes), WHO)["number_of_nodes"] == counted


def test_why_a_result_is_for_open_only_stands_in_the_notes_once(systems: Path) -> None:
    written(systems, sw_notes="")
    assert system_file.compose(candidate(open_only="tiny model"), WHO)["sw_notes"] == "tiny model"
    written(systems, sw_notes="BIOS 3")
    assert system_file.compose(candidate(open_only="tiny model"), WHO)["sw_notes"] == "BIOS 3; tiny model"
    written(systems, sw_notes="the tiny model here")
    assert system_file.compose(candidate(open_only="tiny model"), WHO)["sw_notes"] == "the tiny model here"
    written(systems, sw_notes="BIOS 3")
    assert system_file.compose(candidate(), WHO)["sw_notes"] == "BIOS 3"


def test_a_result_of_another_machine_needs_a_description(systems: Path) -> None:
    with pytest.raises(UsageError) as caught:
        system_file.compose(candidate(), WHO)
    assert caught.value.what == f"no description of system {SYSTEM_ID}" and f"{SYSTEM_ID}.json does not exist" in caught.value.why
    written(systems, cooling="")
    with pytest.raises(MissingError, match="lacks cooling"):
        system_file.compose(candidate(), WHO)  # nothing of this machine is filled in
    written(systems, SYSTEM, cooling="the one with the runtime in its name")
    assert system_file.compose(candidate(), WHO)["cooling"] == "the one with the runtime in its name"


def test_a_result_of_this_machine_is_described_by_detection(systems: Path) -> None:
    here = match(detect()).system_id
    one = candidate(here, harness_version="9", loadgen_version="5")
    assert system_file._base(one)["framework"] == "openvino 2026.1"
    assert system_file._base(one)["system_name"] == one.system
    written(systems, here, cooling="")
    assert system_file._base(one)["cooling"] == ""
    written(systems, here, cooling="", framework="mine", host_memory_capacity=None)
    found = system_file._base(one)
    assert found["framework"] == "mine" and found["host_memory_capacity"]
    written(systems, here, host_processor_model_name="another one")
    assert system_file._base(one)["host_processor_model_name"] == "another one", "a whole description is taken as it is"


def test_the_category_is_that_of_the_tree_where_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "system.json"
    assert system_file.category_of(from_tree(path, system_type="datacenter, edge"), WHO) == "datacenter,edge"
    assert system_file.category_of(from_tree(path, system_type="datacenter"), WHO) == "datacenter"
    assert system_file.category_of(from_tree(path, system_type="cloud"), WHO) == "edge"
    assert system_file.category_of(candidate(), WHO) == "edge"
    assert system_file.compose(from_tree(path, system_type="datacenter"), WHO)["system_type"] == "datacenter"


def test_the_file_to_edit_and_the_one_that_is_written(systems: Path, tmp_path: Path) -> None:
    assert system_file.path_shown(candidate()).name == f"{SYSTEM_ID}.json"
    assert system_file.path_shown(from_tree(tmp_path / "x.json")).name == f"{SYSTEM}.json"
    written(systems)
    target = tmp_path / "tree" / "systems" / f"{SYSTEM}.json"
    target.parent.mkdir(parents=True)
    system_file.write(target, candidate(), WHO)
    assert json.loads(target.read_text()) == system_file.compose(candidate(), WHO)
