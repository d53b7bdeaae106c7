"""The summary of a tree: its rows, and that summary.csv opens in a spreadsheet without running anything."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from code.rules.rounds import round_named
from code.submission.check import report_columns
from code.submission.check.report_columns import COLUMNS, as_csv
from code.submission.stage.layout import LAYOUTS, Place
from tests.unit.logs import log_of


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_would_be_a_formula_gets_an_apostrophe(text: str) -> None:
    name = next(iter(COLUMNS))
    (row,) = csv.DictReader(io.StringIO(as_csv([{name: text}]), newline=""))
    assert row[name] == f"'{text}"


def test_numbers_and_other_texts_stay() -> None:
    first, second = list(COLUMNS)[:2]
    (row,) = csv.DictReader(io.StringIO(as_csv([{first: -1.5, second: "NVIDIA A100"}])))
    assert row[first] == "-1.5" and row[second] == "NVIDIA A100"


@pytest.mark.parametrize(
    ("round_", "only", "results"),
    [
        ("v6.1", "", [(12.5, "Samples/s"), (150.0, "Watts")]),
        ("v6.1", "true", [(12.5, "Samples/s"), (150.0, "Watts")]),
        ("v4.1", "", [(12.5, "Samples/s"), (150.0, "Watts")]),
        ("v4.1", "True", [(150.0, "Watts")]),
    ],
)
def test_a_result_with_power_has_a_row_of_its_own_for_it(
    round_: str, only: str, results: list[tuple[float, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before v6.0 a system may be there for its power alone."""
    place = Place("closed", "Example", "DGX", "bert-99", "Offline")
    shape = LAYOUTS[round_named(round_).layout]
    shape.system_json(tmp_path, place).parent.mkdir(parents=True)
    shape.system_json(tmp_path, place).write_text(json.dumps({"system_power_only": only, "status": "available"}))
    log = log_of("Offline", result_samples_per_second=12.5)
    monkeypatch.setattr(report_columns.loadgen_log, "read_detail", lambda _: log)
    monkeypatch.setattr(report_columns.power_checks, "figure", lambda *_: 150.0)
    assert len(report_columns._rows(tmp_path, round_named(round_), place)) == 1
    (shape.results_dir(tmp_path, place) / "performance" / "power").mkdir(parents=True)
    found = report_columns._rows(tmp_path, round_named(round_), place)
    assert [(row["Result"], row["Units"]) for row in found] == results
    assert all(row["has_power"] and row["Availability"] == "available" and row["Platform"] == "DGX" for row in found)


def test_the_json_of_a_summary_has_its_keys_in_order(tmp_path: Path) -> None:
    _, data = report_columns.write(tmp_path, [dict.fromkeys(reversed(list(COLUMNS)), "")])
    assert list(json.loads(data.read_text())[0]) == sorted(COLUMNS)
