"""Columns of the page that puts runs side by side: what each run reached, on what, and with which power."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.common.errors import UsageError
from code.results.page.compare import Column
from code.submission.audit import side_by_side
from code.submission.stage.runs import ACCURACY
from tests.unit.submission import light

RESULT = {"result_validity": "VALID", "result_samples_per_second": 1234.5}


def column(folder: Path, mode: str = light.PERFORMANCE, **given: Any) -> Column:
    light.write_run(folder / "run", mode, **given)
    light.write_run(folder / "other")
    found, other = side_by_side.columns([str(folder / "run"), str(folder / "other")])
    assert other.title.startswith("bert-99 Offline ")
    return found


def test_a_run_with_its_result_and_system(tmp_path: Path) -> None:
    found = column(tmp_path, **RESULT, detected_summary="2 × H100")
    assert found.title == "bert-99 Offline 2026-01-01T00:00:00Z" and (found.value, found.unit) == (1234.5, "samples/s")
    assert found.results == {"result": "1,234.5 samples/s", "per device": "1,234.5 samples/s", "verdict": "VALID"}
    assert (found.machine["system"], found.machine["detected"], found.machine["devices"]) == ("DGX_openvino", "2 × H100", 1)
    assert found.link.endswith("_DGX_openvino_run.html")
    older = column(tmp_path / "older", **RESULT, detected_system="a machine")
    assert older.machine["detected"] == "a machine"


def test_power_and_telemetry_where_they_were_measured(tmp_path: Path) -> None:
    telemetry = {"verdict": "quiet", "energy_j": 10.0, "seconds": 5}
    found = column(tmp_path, **RESULT, power={"watts": 150.0, "joules": 1.0}, telemetry=telemetry)
    assert {name: found.results[name] for name in list(found.results)[3:]} == {
        "watts": 150.0,
        "disturbed by": "quiet",
        "energy (J)": 10.0,
    }
    more = column(tmp_path / "more", **RESULT, power={"samples_per_joule": 2.0}, telemetry={"energy_per_sample_j": 0.5})
    assert list(more.results.items())[3:] == [("samples per joule", 2.0), ("energy of a sample (J)", 0.5)]


def test_latencies_have_no_share_of_a_device_and_accuracy_its_scores(tmp_path: Path) -> None:
    single = column(tmp_path, scenario="SingleStream", result_validity="VALID", **{"result_90.00_percentile_latency_ns": 2e6})
    assert single.results["per device"] is None and single.unit.startswith("ms")
    scores = [{"name": "F1", "value": 90.123456789, "threshold": 90.0, "pass": True}]
    accuracy = column(tmp_path / "accuracy", ACCURACY, accuracy=scores)
    assert accuracy.results["F1"] == "90.1235" and accuracy.results["verdict"] == "PASSED"
    assert accuracy.results["per device"] is None and accuracy.value is None


def test_a_run_that_has_not_ended_has_no_page(tmp_path: Path) -> None:
    light.write_run(tmp_path / "run", **RESULT)
    light.write_run(tmp_path / "other", **RESULT)
    (tmp_path / "run/INCOMPLETE").touch()
    first, second = side_by_side.columns([str(tmp_path / "run"), str(tmp_path / "other")])
    assert first.link == "" != second.link


def test_two_run_folders_are_needed(tmp_path: Path) -> None:
    light.write_run(tmp_path / "run", **RESULT)
    for names in ([], [str(tmp_path / "run")]):
        with pytest.raises(UsageError, match="two or more runs are compared") as caught:
            side_by_side.columns(names)
        assert f"names {len(names)}" in caught.value.why
    with pytest.raises(UsageError, match="is not a run folder") as caught:
        side_by_side.columns([str(tmp_path / "run"), str(tmp_path)])
    assert "metadata.json" in caught.value.why
