"""Captured machines, and a place of their own for systems that tests add."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from code.machine import detect
from code.machine.detect import DetectedSystem
from code.machine.sources import CapturedMachine
from code.systems import custom, description
from code.systems.system_list import KnownSystem

CAPTURES = Path(__file__).resolve().parents[2] / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.json"))

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def captures() -> Path:
    """The folder of captures."""
    return CAPTURES


@pytest.fixture
def machine() -> Callable[..., DetectedSystem]:
    """A captured machine by name, after an edit of its capture."""

    def detected(name: str, edit: Edit | None = None) -> DetectedSystem:
        content = copy.deepcopy(json.loads((CAPTURES / f"{name}.json").read_text(encoding="utf-8")))
        if edit is not None:
            edit(content)
        return detect.examine(CapturedMachine(content, name))

    return detected


@pytest.fixture
def facts(shared: Path) -> dict[str, Any]:
    """The facts about public systems that lie beside the project."""
    content: dict[str, Any] = json.loads((shared / "facts" / "systems.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of definitions, in which and beside which everything that is added goes."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    monkeypatch.setenv(custom.DEFINITION_PATH, str(folder))
    monkeypatch.setattr(custom, "project_list", lambda: tmp_path / "no_custom_list.py")
    monkeypatch.setattr(description, "project_root", lambda: tmp_path)
    KnownSystem.forget()
    yield folder
    KnownSystem.forget()
