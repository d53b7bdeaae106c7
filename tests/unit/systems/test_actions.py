"""The verbs about systems, as `make` calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.actions import Context, add_system, capture_system, doctor, list_systems, remove_system
from code.common.errors import MissingError, UsageError
from code.plan.request import Request, Value


def asked(**given: Any) -> Context:
    """A request with these options; the others are not given."""
    options: dict[str, Any] = {
        "name": None,
        "capture": None,
        "yes": False,
        "json": False,
        "benchmarks": None,
        "scenarios": None,
        **given,
    }
    return Context(Request({name: Value(value, "command line") for name, value in options.items()}))


def test_a_machine_is_added_listed_and_removed_without_a_terminal(
    definitions: Path, captures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = str(captures / "l40sx4.json")
    with pytest.raises(UsageError, match="nothing was written"):
        add_system.run(asked(name="rack_7", capture=capture, benchmarks=["bert"]))
    assert list(definitions.rglob("*.py")) == []
    assert add_system.run(asked(name="rack_7", capture=capture, benchmarks=["bert"], yes=True)) == 0
    assert "KnownSystem" not in capsys.readouterr().err
    assert list_systems.run(asked(capture=capture, json=True)) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["this_machine"] == {"system": "rack_7", "system_id": "rack_7"}
    assert "L40Sx4" in [system["name"] for system in content["systems"]]
    with pytest.raises(UsageError, match="nothing was removed"):
        remove_system.run(asked(name="rack_7"))
    assert remove_system.run(asked(name="rack_7", yes=True)) == 0
    with pytest.raises(MissingError):
        remove_system.run(asked(name="rack_7", yes=True))


def test_what_was_written_is_told_to_automation(definitions: Path, captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = str(captures / "gh200_96gb.json")
    add_system.run(asked(name="grace", capture=capture, benchmarks=["bert"], scenarios=["offline"], yes=True, json=True))
    content = json.loads(capsys.readouterr().out)
    assert content["name"] == "grace"
    assert [Path(path).name for path in content["written"]] == ["custom_list.py", "custom.py"]
    assert any(line.startswith("submitter") for line in content["todo"])


def test_unknown_words_are_refused(definitions: Path, captures: Path) -> None:
    capture = str(captures / "l40sx4.json")
    with pytest.raises(UsageError, match="brt"):
        add_system.run(asked(name="x1", capture=capture, benchmarks=["brt"], yes=True))
    with pytest.raises(UsageError, match="ofline"):
        add_system.run(asked(name="x1", capture=capture, benchmarks=["bert"], scenarios=["ofline"], yes=True))


def test_the_list_names_this_machine(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_systems.run(asked(capture=str(captures / "nd_h100_v5.json"))) == 0
    text = capsys.readouterr().out
    assert "This machine is ND_H100_v5; its results go under ND_H100_v5." in text
    assert "retired" in text


def test_a_capture_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "here.json"
    assert capture_system.run(asked(capture=str(path))) == 0
    assert list_systems.run(asked(capture=str(path), json=True)) == 0
    with pytest.raises(UsageError, match="no capture file given"):
        capture_system.run(asked())


def test_the_doctor_takes_its_request(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor.run(asked(capture=str(captures / "standard_nd96asr_v4.json"), json=True))
    assert status == doctor.FAULTY_STATUS
    assert json.loads(capsys.readouterr().out)["source"].endswith("standard_nd96asr_v4.json")
