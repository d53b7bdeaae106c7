"""The detail log is read whole: every LoadGen of the public results, every scenario and mode of the one that is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import RunError
from code.results.loadgen_log import MARKER, read_detail

SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")


def assert_lossless(path: Path) -> None:
    """Every line of the file is an entry with the same key, value, time and metadata."""
    log = read_detail(path)
    lines = [json.loads(line[len(MARKER) :]) for line in path.read_text().splitlines()]
    assert len(log.entries) == len(lines)
    for entry, event in zip(log.entries, lines, strict=True):
        assert (entry.key, entry.value, entry.time_ms) == (event["key"], event["value"], event["time_ms"])
        assert dict(entry.metadata) == event["metadata"]
    for key in {event["key"] for event in lines}:
        assert log.all(key) == [event["value"] for event in lines if event["key"] == key]


def test_public_logs_are_read_without_loss(shared: Path) -> None:
    paths = sorted((shared / "data" / "mlperf_logs").rglob("mlperf_log_detail.txt"))
    assert len(paths) == 10
    for path in paths:
        assert_lossless(path)
        log = read_detail(path)
        assert log.complete and not log.errors
        assert log.version.startswith("4.")
        assert log.scenario in path.parts
        accuracy = "accuracy" in path.parts
        assert log.mode == ("AccuracyOnly" if accuracy else "PerformanceOnly")
        assert (log.value is None) is accuracy
        assert log.audited is ("compliance" in path.parts)
        if accuracy:
            assert log.samples_loaded == log.accuracy_sample_count


def test_public_values_are_the_published_ones(shared: Path) -> None:
    results = shared / "data" / "mlperf_logs" / "closed" / "NVIDIA" / "results"
    for folder, value in (
        ("H200-SXM-141GBx8_TRT/bert-99/Offline", 73309.5),
        ("H200-SXM-141GBx8_TRT/bert-99/Server", 57609.3),
        ("H200-SXM-141GBx8_TRT/3d-unet-99/Offline", 54.7136),
        ("Orin_TRT/gptj-99/SingleStream", 4149771822),
    ):
        log = read_detail(results / folder / "performance" / "run_1")
        assert log.value == value
        assert log.is_valid
    assert log.get(log.metric.submission_key) == 4176626080
    assert log.query_count == log.sample_count == 13368


@pytest.mark.parametrize(
    "name", ["offline_valid", "server_valid", "server_tokens", "single_valid", "multi_valid", "submission", "single_one"]
)
def test_installed_loadgen_is_read_without_loss(name: str, loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run(name)
    assert_lossless(run.folder / "mlperf_log_detail.txt")
    log = run.log
    assert log.complete
    assert (log.scenario, log.mode) == (run.scenario, run.mode)
    assert log.metric.key in log and log.metric.submission_key in log
    assert log.requested["min_duration_ms"] == run.conf["min_duration"]
    assert log.effective["min_duration_ms"] == run.conf["min_duration"]
    assert log.results["validity"] in ("VALID", "INVALID")


def test_token_latencies_are_kept(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("server_tokens").log
    assert log.get("requested_server_ttft_latency") == 5_000_000_000
    assert log.get("result_first_token_99.00_percentile_latency_ns") > 0
    assert log.get("result_time_per_output_token_99.00_percentile_ns") > 0
    assert log.get("result_completed_tokens_per_second") > 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_accuracy_logs_cover_every_sample(scenario: str, loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run(f"accuracy_{scenario}").log
    assert log.complete
    assert len(log.all("loaded_qsl_set")) == 3, "100 samples in sets of 40"
    assert log.samples_loaded == log.accuracy_sample_count == 100
    assert log.value is None and log.query_count is None and log.results == {}


def test_not_a_number_is_read_as_loadgen_prints_it(loadgen_run: Callable[[str], Any]) -> None:
    run = loadgen_run("server_one")
    assert "nan," in (run.folder / "mlperf_log_detail.txt").read_text(), "C++'s spelling, which is not JSON"
    assert math.isnan(run.log.get("result_scheduled_samples_per_sec"))
    assert run.log.complete


def test_several_values_of_a_key_stay_in_order(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("submission").log
    assert [value for value in log.all("generic_message") if value.startswith("Starting")] == [
        "Starting accuracy mode",
        "Starting performance mode",
    ]
    assert log.samples_loaded == 100
    assert len(log.all("power_end")) == 4 and log.get("power_end") == log.all("power_end")[-1]


def test_errors_carry_loadgens_file_and_line(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("single_max_count").log
    (error,) = log.errors
    assert error.key == "error_runtime" and "Max query count reached" in error.value
    file, line = error.source.split(":")
    assert file == "issue_query_controller.cc" and int(line) > 0
    assert log.get("num_errors") == 1


def test_killed_run_is_not_complete(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("killed").log
    assert log.scenario == "SingleStream" and log.value is None
    assert not log.complete


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_cut_last_line_is_tolerated_and_marked(cut: int, loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    whole = (loadgen_run("offline_valid").folder / "mlperf_log_detail.txt").read_bytes()
    copy = tmp_path / "mlperf_log_detail.txt"
    copy.write_bytes(whole[: -1 - cut])
    log = read_detail(copy)
    assert log.truncated and not log.complete
    assert len(log.entries) == whole.count(b"\n") - 1


def test_log_that_lost_its_end_at_a_line_is_not_complete(loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    for name in ("offline_valid", "accuracy_MultiStream"):
        lines = (loadgen_run(name).folder / "mlperf_log_detail.txt").read_text().splitlines(keepends=True)
        for keep in (20, len(lines) - 2 if name.startswith("accuracy") else len(lines) - 3):
            (tmp_path / "mlperf_log_detail.txt").write_text("".join(lines[:keep]))
            assert not read_detail(tmp_path).complete


def test_a_log_without_the_asked_key_says_so(loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    lines = (loadgen_run("offline_valid").folder / "mlperf_log_detail.txt").read_text().splitlines(keepends=True)
    (tmp_path / "mlperf_log_detail.txt").write_text("".join(lines[:3]))
    with pytest.raises(RunError, match="has no effective_scenario"):
        _ = read_detail(tmp_path).scenario


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no LoadGen log at"),
        (b"", "is empty"),
        (b"\n\0\0\n", "is empty"),
        (b"Hello\n", "not a line of LoadGen's detail log"),
        (b"\xff\xfe\x00garbage\n", "not a line of LoadGen's detail log"),
        (b':::MLLOG {"key": "a"\n', "not a line of LoadGen's detail log"),
        (b':::MLLOG {"key": "a", "value": 1}\n:::MLLOG {}\n', "not a line of LoadGen's detail log"),
    ],
)
def test_unreadable_logs_are_run_errors_with_a_next_step(content: bytes | None, what: str, tmp_path: Path) -> None:
    path = tmp_path / "mlperf_log_detail.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError, match=what) as raised:
        read_detail(path)
    assert raised.value.exit_status == 4
    assert raised.value.why and raised.value.next_step
    assert str(path) in str(raised.value)


def test_garbled_line_is_named(loadgen_run: Callable[[str], Any], tmp_path: Path) -> None:
    lines = (loadgen_run("offline_valid").folder / "mlperf_log_detail.txt").read_text().splitlines(keepends=True)
    lines[11] = lines[11].replace('"value"', '"value')
    path = tmp_path / "mlperf_log_detail.txt"
    path.write_text("".join(lines))
    with pytest.raises(RunError) as raised:
        read_detail(path)
    assert raised.value.where == f"{path}:12"
