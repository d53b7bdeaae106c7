"""A half-filled systems/<name>.json: what is written in it stands, what is empty is detected where the machine is the run's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.machine.detect import detect
from code.submission.stage import system_file
from code.submission.stage.candidates import Candidate
from code.systems.adding import plan_removal
from code.systems.matching import match
from code.systems.system_list import KnownSystem


def candidate(system_id: str) -> Candidate:
    run = SimpleNamespace(system_id=system_id, metadata={"openvino_version": "1"})
    return cast(Candidate, SimpleNamespace(system=f"{system_id}_OpenVINO", performance_run=run, tree_files={}))


def base(monkeypatch: pytest.MonkeyPatch, folder: Path, system_id: str, name: str, **filled: str) -> dict[str, Any]:
    (folder / f"{name}.json").write_text(json.dumps({"host_memory_capacity": "", **filled}))
    monkeypatch.setattr(system_file, "description_path", lambda name: folder / f"{name}.json")
    return system_file._base(candidate(system_id))


def test_what_a_description_leaves_empty_is_detected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = match(detect()).system_id
    content = base(monkeypatch, tmp_path, here, here, cooling="Liquid", host_processor_model_name="my own words")
    assert content["cooling"] == "Liquid" and content["host_processor_model_name"] == "my own words"
    assert content["host_memory_capacity"] and content["host_processors_per_node"]


def test_a_known_systems_description_is_found_by_its_system_id(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = base(monkeypatch, tmp_path, "DGX-A100_A100-SXM4-40GBx8", "A100_SXM4_40GBx8", cooling="Air")
    assert content == {"host_memory_capacity": "", "cooling": "Air"}, "nothing of this machine goes into another's description"


def test_removing_the_configs_of_a_known_system_keeps_its_description(project: Path) -> None:
    name = "L40x1"
    assert (project / "systems" / f"{name}.json").is_file() and not KnownSystem[name].custom
    with pytest.raises(Exception, match="nothing was added"):
        plan_removal(name)
