"""Values out of range: exit 2 before anything starts, with the range, wherever they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.conftest import DropIn, drop_in  # noqa: F401 a fixture
from tests.faults.rows import Fault, tried
from tests.faults.values import CLASS_HEAD, CLASSES, COMMAND_LINE, ENVIRONMENT, OFFLINE, TOGETHER


@pytest.mark.parametrize("fault", [*COMMAND_LINE, *ENVIRONMENT, *TOGETHER], ids=str)
def test_a_value_out_of_range(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried(fault, tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(("name", "source"), CLASSES)
def test_a_value_that_a_config_class_cannot_have(
    name: str,
    source: str,
    drop_in: DropIn,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = drop_in.write("bert/Offline/__init__.py", f"{CLASS_HEAD}    {name} = {source}\n")
    fault = Fault("", OFFLINE, 2, (f"{name} cannot be", f"{path}:{len(CLASS_HEAD.splitlines()) + 1}"))
    tried(fault, tmp_path, monkeypatch, capsys)
