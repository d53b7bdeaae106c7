"""systems/*.json: one for each known system that has configs, true to the tables, complete but for what an owner knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.systems import known_descriptions
from code.systems.data.description_fields import MEANINGFUL, REQUIRED
from code.systems.description import TODO, unfinished
from code.systems.known_descriptions import template
from code.systems.system_list import KnownSystem
from scripts.write_systems import configured

ROOT = Path(__file__).resolve().parents[3]
OWNERS = {
    *("division", "submitter", "status", "system_type", "cooling", "framework", "operating_system", "other_software_stack"),
    *("host_memory_capacity", "host_memory_configuration", "host_storage_capacity", "host_storage_type"),
    *("host_networking", "host_network_card_count", "host_processors_per_node"),
}
"""Fields that differ from owner to owner of one known system."""
PROCESSOR = {"host_processor_model_name", "host_processor_core_count"}
"""Known where a system has one exact processor."""


@pytest.mark.parametrize("name", configured())
def test_each_configured_system_is_described_as_the_tables_have_it(name: str) -> None:
    path = ROOT / "systems" / f"{name}.json"
    assert path.is_file(), "run `make describe_systems`"
    content = json.loads(path.read_text(encoding="utf-8"))
    known = {field: value for field, value in template(KnownSystem[name]).items() if value not in ("", None) and field != TODO}
    assert {field: content.get(field) for field in known} == known, "run `make describe_systems`"
    assert set(REQUIRED) <= set(content) and content[TODO] == unfinished(content)


@pytest.mark.parametrize("name", configured())
def test_only_what_an_owner_knows_is_open(name: str) -> None:
    content = template(KnownSystem[name])
    left = {line.partition(":")[0] for line in unfinished(content)}
    assert left <= OWNERS | PROCESSOR
    assert {field for field in MEANINGFUL if field.startswith("accelerator")} & left == set()


def test_no_description_is_of_an_unknown_system() -> None:
    assert {path.stem for path in (ROOT / "systems").glob("*.json")} <= {system.name for system in KnownSystem}


def test_what_an_owner_filled_in_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_descriptions, "description_path", lambda name: tmp_path / f"{name}.json")
    (path,) = known_descriptions.write(["ND_H100_v5"])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "cooling": "Liquid"}))
    known_descriptions.write(["ND_H100_v5"])
    again = json.loads(path.read_text())
    assert again["cooling"] == "Liquid" and not any(line.startswith("cooling") for line in again[TODO])
    assert again["host_processor_model_name"] == "Intel(R) Xeon(R) Platinum 8480C" and again["host_processor_core_count"] == 56
