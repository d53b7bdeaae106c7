"""metadata.json holds the keys and formats that automation parses, for every scenario and for both modes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import RunError
from code.results.accuracy import AccuracyResult, accuracy_pass, accuracy_summary
from code.results.loadgen_log import read_detail
from code.results.metadata import (
    RunIdentity,
    accuracy_metadata,
    performance_metadata,
    satisfies_query_constraint,
    write_metadata,
)
from code.results.verdict import judge

IDENTITY = RunIdentity(
    benchmark_full="bert-99",
    benchmark_short="bert",
    config_name="CPU_x86_64_OpenVINO-custom_k_99_MaxP-Offline",
    system_name="CPU_x86_64_OpenVINO",
    detected_system="one CPU of 2 cores",
    scenario="Offline",
    test_mode="PerformanceOnly",
    runtime_key="openvino_version",
    runtime_version="2025.4",
    model_variant="tiny",
    extras={"precision": "fp32"},
)
F1 = AccuracyResult("F1", 90.2147015680108, 89.96526)
HEAD = {
    "benchmark_full",
    "benchmark_short",
    "config_name",
    "detected_system",
    "effective_min_duration_ms",
    "satisfies_query_constraint",
    "scenario",
    "scenario_key",
    "summary_string",
    "system_name",
    "test_mode",
    "openvino_version",
}
VALUE_KEYS = {
    "Offline": "result_samples_per_second",
    "Server": "result_completed_samples_per_sec",
    "SingleStream": "result_90.00_percentile_latency_ns",
    "MultiStream": "result_99.00_percentile_per_query_latency_ns",
}
COUNT_KEYS = {"Offline": "effective_samples_per_query"}


def parsed_as_automation_does(path: Path) -> tuple[float, str, bool]:
    """Value, validity and the ten minutes out of the summary string alone."""
    content = json.loads(path.read_text())
    words = content["summary_string"].split()
    assert words[0] == content["scenario_key"] + ":" and words[1].endswith(",")
    match = re.fullmatch(
        r"(\S+): (\S+), Result is (VALID|INVALID), 10-min runtime requirement met: (True|False)", content["summary_string"]
    )
    assert match is not None
    return float(words[1][:-1]), match.group(3), match.group(4) == "True"


@pytest.mark.parametrize(
    "name", ["offline_valid", "offline_short", "server_valid", "server_slow", "single_valid", "multi_valid", "multi_too_few"]
)
def test_performance_round_trip(name: str, loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    run = loadgen_run(name)
    identity = replace(IDENTITY, scenario=run.scenario)
    verdict = judge(run.log)
    path = write_metadata(tmp_path, performance_metadata(identity, run.log, verdict))
    assert path == tmp_path / "metadata.json"
    content = json.loads(path.read_text())
    count_key = COUNT_KEYS.get(run.scenario, "effective_min_query_count")
    assert set(content) >= HEAD | {"early_stopping_met", "result_validity", count_key, VALUE_KEYS[run.scenario]}
    assert "accuracy" not in content and "accuracy_pass" not in content
    assert content["scenario_key"] == VALUE_KEYS[run.scenario]
    value, validity, ten_minutes = parsed_as_automation_does(path)
    assert value == content[content["scenario_key"]] == run.log.value
    assert validity == content["result_validity"] == run.log.get("result_validity")
    assert ten_minutes is False
    assert content["early_stopping_met"] is run.log.get("early_stopping_met")
    assert content["satisfies_query_constraint"] is (name in ("offline_valid", "offline_short", "multi_valid"))
    assert content[count_key] == run.log.get(count_key)
    assert content[content["submission_key"]] == run.log.get(run.log.metric.submission_key)
    assert [reason["what"] for reason in content["reasons"]] == [reason.what for reason in verdict.reasons]
    assert content["model_variant"] == "tiny" and content["precision"] == "fp32"


def test_errors_turn_the_written_validity(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("offline_two_confs").log
    content = performance_metadata(IDENTITY, log, judge(log))
    assert content["result_validity"] == "INVALID" and "Result is INVALID" in content["summary_string"]
    assert content["loadgen_result_validity"] == "VALID"


def test_public_result_gives_the_published_summary(shared: Path) -> None:
    results = shared / "data" / "mlperf_logs" / "closed" / "NVIDIA" / "results" / "H200-SXM-141GBx8_TRT" / "bert-99"
    log = read_detail(results / "Offline" / "performance" / "run_1")
    identity = replace(IDENTITY, runtime_key="tensorrt_version", runtime_version="10.2.0", model_variant="reference")
    content = performance_metadata(identity, log, judge(log))
    assert content["summary_string"] == (
        "result_samples_per_second: 73309.5, Result is VALID, 10-min runtime requirement met: True"
    )
    assert content["satisfies_query_constraint"] is True and content["effective_min_duration_ms"] == 600000
    assert content["tensorrt_version"] == "10.2.0"
    accuracy = read_detail(results / "Server" / "accuracy")
    content = accuracy_metadata(replace(identity, scenario="Server"), accuracy, [F1], judge(accuracy))
    assert content["accuracy_pass"] is True and content["satisfies_query_constraint"] is False


@pytest.mark.parametrize("scenario", list(VALUE_KEYS))
def test_accuracy_round_trip(scenario: str, loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    log = loadgen_run(f"accuracy_{scenario}").log
    identity = replace(IDENTITY, scenario=scenario, test_mode="AccuracyOnly")
    content = json.loads(write_metadata(tmp_path, accuracy_metadata(identity, log, [F1], judge(log))).read_text())
    assert set(content) >= HEAD | {"accuracy", "accuracy_pass", COUNT_KEYS.get(scenario, "effective_min_query_count")}
    assert content["accuracy"] == [{"name": "F1", "pass": True, "threshold": 89.96526, "value": 90.2147015680108}]
    assert content["accuracy_pass"] is True
    assert content["summary_string"] == "[PASSED] F1: 90.215 (Threshold=89.965)"
    assert content["scenario_key"] == VALUE_KEYS[scenario]
    assert "result_validity" not in content and content["scenario_key"] not in content


def test_several_metrics_are_joined_and_all_must_pass(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("accuracy_Offline").log
    results = [AccuracyResult("ROUGE1", 43.0, 42.556635), AccuracyResult("GEN_LEN", 4e6, 3615190.2), replace(F1, value=80.0)]
    content = accuracy_metadata(IDENTITY, log, results, judge(log))
    assert content["summary_string"] == (
        "[PASSED] ROUGE1: 43.000 (Threshold=42.557) | [PASSED] GEN_LEN: 4000000.000 (Threshold=3615190.200)"
        " | [FAILED] F1: 80.000 (Threshold=89.965)"
    )
    assert content["accuracy_pass"] is False
    assert [one["pass"] for one in content["accuracy"]] == [True, True, False]


def test_good_accuracy_of_an_unfinished_run_does_not_pass(loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    text = (loadgen_run("accuracy_Offline").folder / "mlperf_log_detail.txt").read_bytes()
    (tmp_path / "mlperf_log_detail.txt").write_bytes(text[:-50])
    log = read_detail(tmp_path)
    content = accuracy_metadata(IDENTITY, log, [F1], judge(log))
    assert content["accuracy_pass"] is False
    assert content["summary_string"].startswith("[PASSED] F1") and "the log is not complete" in content["summary_string"]


def test_file_is_sorted_indented_and_atomic(loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    log = loadgen_run("offline_valid").log
    content = performance_metadata(IDENTITY, log, judge(log))
    path = write_metadata(tmp_path, content)
    written = json.loads(path.read_text())
    assert path.read_text() == json.dumps(written, indent=4, sort_keys=True) + "\n"
    assert written["files"] == {} and content.items() <= written.items()
    with pytest.raises(TypeError):
        write_metadata(tmp_path, {**content, "precision": object()})
    assert json.loads(path.read_text()) == written, "a failed write leaves the older file"
    assert [one.name for one in tmp_path.iterdir()] == ["metadata.json"]


@pytest.mark.parametrize("name", ["killed", "single_one"])
def test_no_result_is_an_error_not_a_file(name: str, loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    run = loadgen_run(name)
    log = run.log
    if name == "single_one":  # LoadGen logs NaN where it divides by zero; as a result it must not be written
        text = log.path.read_text().replace(f'"{log.metric.key}", "value": {log.value}', f'"{log.metric.key}", "value": NaN')
        (tmp_path / "mlperf_log_detail.txt").write_text(text)
        log = read_detail(tmp_path)
        assert log.complete
    with pytest.raises(RunError, match="has no result"):
        performance_metadata(replace(IDENTITY, scenario=run.scenario), log, judge(log))


def test_other_scenario_is_an_error(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("offline_valid").log
    with pytest.raises(RunError, match="different scenario"):
        performance_metadata(replace(IDENTITY, scenario="Server"), log, judge(log))


def test_an_accuracy_run_of_another_scenario_is_an_error(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("accuracy_Offline").log
    with pytest.raises(RunError, match="different scenario") as caught:
        accuracy_metadata(replace(IDENTITY, scenario="Server", test_mode="AccuracyOnly"), log, [F1], judge(log))
    assert caught.value.why == "it is Offline, the run was Server"


def test_errors_of_loadgen_fail_an_accuracy_run(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("accuracy_Offline").log
    assert judge(log).valid
    last = replace(log.entries[-1], key="error_runtime", value="No luck", is_error=True)
    harmed = replace(log, entries=(*log.entries, last))
    verdict = judge(harmed)
    assert not verdict.valid and any("No luck" in reason.what for reason in verdict.reasons)
    content = accuracy_metadata(replace(IDENTITY, test_mode="AccuracyOnly"), harmed, [F1], verdict)
    assert content["accuracy"][0]["pass"] is True and content["accuracy_pass"] is False
    assert "[FAILED] the run is not valid" in content["summary_string"]


@pytest.mark.parametrize("results", [[], [replace(F1, value=float("nan"))]])
def test_accuracy_without_a_number_is_an_error(results: list[AccuracyResult], loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("accuracy_Offline").log
    with pytest.raises(RunError, match="could not be measured"):
        accuracy_metadata(IDENTITY, log, results, judge(log))


def test_extras_cannot_replace_a_named_key(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("offline_valid").log
    with pytest.raises(ValueError, match="result_validity"):
        performance_metadata(replace(IDENTITY, extras={"result_validity": "VALID"}), log, judge(log))


def test_query_constraint_follows_the_data_set(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("offline_short").log
    assert log.get("effective_samples_per_query") == 100
    assert satisfies_query_constraint(log, 100) and not satisfies_query_constraint(log, 101)
    assert not satisfies_query_constraint(log, 1_000_000)


def test_threshold_itself_passes_and_direction_counts() -> None:
    assert AccuracyResult("F1", 89.96526, 89.96526).passed
    assert not AccuracyResult("F1", 89.96525, 89.96526).passed
    assert AccuracyResult("WER", 7.0, 7.5, higher_is_better=False).passed
    assert not AccuracyResult("WER", 7.6, 7.5, higher_is_better=False).passed
    assert not AccuracyResult("F1", float("nan"), 1.0).passed
    assert not accuracy_pass([]) and accuracy_pass([F1]) and not accuracy_pass([F1, replace(F1, value=1.0)])
    assert accuracy_summary([F1, replace(F1, name="EM", value=83.1)]) == (
        "[PASSED] F1: 90.215 (Threshold=89.965) | [FAILED] EM: 83.100 (Threshold=89.965)"
    )
