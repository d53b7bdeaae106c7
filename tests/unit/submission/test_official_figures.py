"""The figures of summary.csv by the official formulas, and the scores that the official checker reads in accuracy.txt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.rules.rounds import round_named
from code.submission.check import accuracy_text, report_columns
from code.submission.stage.layout import Place
from tests.unit.logs import log_of
from tests.unit.submission import made

V61, V50 = round_named("v6.1"), round_named("v5.0")
SINGLE = {
    "result_qps_without_loadgen_overhead": 640.5,
    "early_stopping_latency_ss": 1_600_000,
    "early_stopping_latency_ms": 2_000_000,
}
MULTI = {"result_mean_query_latency_ns": 4_000_000, "effective_samples_per_query": 8, "early_stopping_latency_ms": 5_000_000}


def place(scenario: str, benchmark: str = "bert-99") -> Place:
    return Place("closed", "Example", "s", benchmark, scenario)


@pytest.mark.parametrize(
    ("measured", "values", "submitted", "figure"),
    [
        ("Offline", {"result_samples_per_second": 1234.5}, "Offline", 1234.5),
        ("Server", {"result_completed_samples_per_sec": 99.5}, "Server", 99.5),
        ("SingleStream", SINGLE, "SingleStream", 1.6),
        ("MultiStream", MULTI, "MultiStream", 5.0),
        ("SingleStream", SINGLE, "Offline", 640.5),
        ("MultiStream", MULTI, "Offline", 2000.0),
        ("SingleStream", SINGLE, "MultiStream", 16.0),
        ("Offline", {}, "Offline", None),
        ("MultiStream", {}, "Offline", None),
        ("SingleStream", {}, "MultiStream", None),
    ],
)
def test_figure(measured: str, values: dict[str, Any], submitted: str, figure: float | None) -> None:
    found = report_columns.result(log_of(measured, **values), place(submitted), V61)
    assert found == (None if figure is None else pytest.approx(figure))


@pytest.mark.parametrize(
    ("scenario", "key", "unit"),
    [
        ("Offline", "result_inferred_tokens_per_second", "Tokens/s"),
        ("Server", "result_inferred_completed_tokens_per_second", "Tokens/s"),
        ("SingleStream", "early_stopping_latency_ss", "Latency (ms)"),
    ],
)
def test_gptj_counts_tokens_but_for_latencies(scenario: str, key: str, unit: str) -> None:
    log = log_of(scenario, **{"result_samples_per_second": 1.0, "result_completed_samples_per_sec": 1.0, key: 7_000_000.0})
    assert report_columns.result(log, place(scenario, "gptj-99"), V50) == pytest.approx(7.0 if "ms" in unit else 7e6)
    assert report_columns._unit(place(scenario, "gptj-99"), V50, log) == unit
    assert report_columns._unit(place("Offline"), V50, log) == "Samples/s"


@pytest.mark.parametrize(
    ("scenario", "measured", "key", "unit"),
    [
        ("Offline", "Offline", "result_tokens_per_second", "Tokens/s"),
        ("Server", "Server", "result_completed_tokens_per_second", "Tokens/s"),
        ("Interactive", "Server", "result_completed_samples_per_sec", "Queries/s"),
    ],
)
def test_llamas_tokens_are_counted_by_loadgen(scenario: str, measured: str, key: str, unit: str) -> None:
    log = log_of(measured, **{"result_samples_per_second": 1.0, "requested_use_token_latencies": True, key: 7e6})
    assert report_columns.result(log, place(scenario, "llama3.1-8b"), V61) == pytest.approx(7e6)
    assert report_columns._unit(place(scenario, "llama3.1-8b"), V61, log) == unit


def test_columns(foreign: Path) -> None:
    system = foreign / "open/Example/systems" / f"{made.SYSTEM}.json"
    content = {**json.loads(system.read_text()), "number_of_nodes": "2", "accelerators_per_node": "4"}
    system.write_text(json.dumps({**content, "hw_notes": "=1+1", "sw_notes": "soft", "system_power_capacity": "1000"}))
    row = next(row for row in report_columns.rows(foreign, V61) if row["Scenario"] == "Offline")
    wanted = {
        "Organization": "Example",
        "Availability": "available",
        "Division": "open",
        "SystemType": "edge",
        "SystemName": made.SYSTEM_ID,
        "Platform": made.SYSTEM,
        "Model": "bert-99",
        "MlperfModel": "bert-99",
        "total_accelerators": 8,
        "notes": "=1+1. soft",
        "compliance": "open",
        "errors": 0,
        "version": "v6.1",
        "inferred": 0,
        "has_power": False,
        "Units": "Samples/s",
        "weight_data_types": "fp32",
        "design_power_watts": "1000",
        "PrivateID": "",
        "Accuracy": f"F1: {made.F1}",
        "framework": "filled in by the test",
        "Location": f"open/Example/results/{made.SYSTEM}/bert-99/Offline/performance/run_1",
    }
    assert {name: row[name] for name in wanted} == wanted and set(row) == set(report_columns.COLUMNS)
    lines = report_columns.as_csv([row]).splitlines()
    assert lines[0] == ",".join(f'"{name}"' for name in report_columns.COLUMNS) and '"\'=1+1. soft"' in lines[1]
    system.write_text(json.dumps({**content, "accelerators_per_node": "many"}))
    assert next(iter(report_columns.rows(foreign, V61)))["total_accelerators"] == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"exact_match": 83.1, "f1": 90.5}', {"F1": 90.5}),
        ("{'exact_match': 83.1, 'f1': 90.25}\nhash=abc", {"F1": 90.25}),
        ('x {"exact_match": 83.1, "f1": 90.5}', {"F1": None}),
        ('{"f1": 90.5}', {"F1": None}),
        ("Accuracy: mean = 0.86123, kidney = 0.9, tumor = 0.8", {"DICE": 0.86123}),
        (
            "{'rouge1': '43.1', 'rouge2': 20.5, 'rougeL': 30.25, 'rougeLsum': 40.0, 'gen_len': 4016878, 'gen_num': 13368}",
            {"ROUGE1": 43.1, "ROUGE2": 20.5, "ROUGEL": 30.25, "GEN_LEN": 4016878.0},
        ),
        ("", {"F1": None, "DICE": None, "ROUGE1": None}),
    ],
)
def test_scores(tmp_path: Path, text: str, found: dict[str, float | None]) -> None:
    (tmp_path / "accuracy.txt").write_text(text + "\n")
    assert accuracy_text.scores(tmp_path / "accuracy.txt", tuple(found)) == found


def test_rounding_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    path.write_text('{"exact_match": 83.1, "f1": 90.512}\nhash=12ab\n')
    assert accuracy_text.resolution(path, "F1") == pytest.approx(0.0005) and accuracy_text.resolution(path, "DICE") == 0.0
    assert accuracy_text.hash_of(path) == "12ab"
    path.write_text('{"exact_match": 83.1, "f1": 90}\nx hash=12ab\n')
    assert accuracy_text.resolution(path, "F1") == pytest.approx(0.5) and accuracy_text.hash_of(path) == ""
