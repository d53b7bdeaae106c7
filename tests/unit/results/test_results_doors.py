"""What LoadGen wrote, read again: every entry of the two logs, its types, and the settings that took effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, RunError
from code.results import accuracy_log, settings_check
from code.results.loadgen_log import LoadGenLog, LogEntry, read_detail
from code.results.log_types import misfit
from tests.unit.logs import log_of

# ── the accuracy log ───────────────────────────────────────────────────


def accuracy(folder: Path, text: str) -> Path:
    path = folder / "mlperf_log_accuracy.json"
    path.write_text(text)
    return path


ONE, TWO = '{"seq_id": 0, "qsl_idx": 7, "data": "00ff"}', '{"seq_id": 1, "qsl_idx": 3, "data": ""}'


@pytest.mark.parametrize("text", [f"[\n{ONE},\n{TWO}\n]\n", f"[{ONE},{TWO}]", f"[\n{ONE},\n\n{TWO} ]", f"[{ONE},\n{TWO},\n]"])
def test_every_response_is_read_in_order(tmp_path: Path, text: str) -> None:
    found = list(accuracy_log.entries(accuracy(tmp_path, text)))
    assert [(index, data) for _, index, data in found] == [(7, b"\x00\xff"), (3, b"")]
    assert [entry["seq_id"] for _, entry in accuracy_log.records(tmp_path / "mlperf_log_accuracy.json")] == [0, 1]
    lines = [number for number, *_ in found]
    assert lines == sorted(lines) and lines[0] in (1, 2)


def test_the_line_of_a_response_is_the_files(tmp_path: Path) -> None:
    assert [number for number, *_ in accuracy_log.entries(accuracy(tmp_path, f"[\n{ONE},\n{TWO}\n]"))] == [2, 3]
    assert list(accuracy_log.entries(accuracy(tmp_path, "[]"))) == []


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("", "is incomplete", 0),
        (f"[\n{ONE},\n", "is incomplete", 0),
        (f"{ONE}\n]", "this is not an accuracy log", 1),
        (f"[\n{ONE},\n{{]\n", "the line is not a response", 3),
        ('[\n{"qsl_idx": 1}\n]', "the line is not a response", 2),
        ('[\n{"data": ""}\n]', "the line is not a response", 2),
        ("[\n5\n]", "the line is not a response", 2),
        ('[\n{"qsl_idx": true, "data": ""}\n]', "the line is not a response", 2),
        ('[\n{"qsl_idx": "1", "data": ""}\n]', "the line is not a response", 2),
        ('[\n{"qsl_idx": 1, "data": "0"}\n]', "the line is not a response", 2),
        ('[\n{"qsl_idx": 1, "data": 5}\n]', "the line is not a response", 2),
    ],
)
def test_a_damaged_accuracy_log_is_named_with_its_line(tmp_path: Path, text: str, what: str, line: int) -> None:
    path = accuracy(tmp_path, text)
    with pytest.raises(RunError) as caught:
        list(accuracy_log.entries(path))
    assert what in caught.value.what and "AccuracyOnly again" in caught.value.next_step
    assert caught.value.where == (f"{path}:{line}" if line else "")


def test_an_absent_log_and_absent_samples(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no accuracy log at"):
        list(accuracy_log.entries(tmp_path / "none"))
    with pytest.raises(MissingError, match="cannot read"):
        list(accuracy_log.entries(tmp_path))
    assert accuracy_log.incomplete(tmp_path, [1, 2, 3, 4, 5], 1000).what == f"{tmp_path} lacks 5 of 1,000 samples: 1, 2, 3, 4, 5"
    assert accuracy_log.incomplete(tmp_path, range(6), 10).what.endswith("lacks 6 of 10 samples: 0, 1, 2, 3, 4, …")


# ── types ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("effective_scenario", "Offline", "offline"),
        ("requested_test_mode", "AccuracyOnly", "Accuracy"),
        ("effective_performance_issue_same", True, 1),
        ("effective_server_coalesce_queries", False, 0),
        ("result_min_duration_met", True, "true"),
        ("early_stopping_ttft_met", False, 0),
        ("result_validity", "VALID", 1),
        ("early_stopping_result", "", None),
        ("loaded_qsl_set", [0, 1], [0, -1]),
        ("loaded_qsl_set", [], "0"),
        ("loaded_qsl_set", [0], [True]),
        ("effective_min_duration_ms", 0, -1),
        ("effective_min_duration_ms", 2**64 - 1, 2**64),
        ("effective_min_query_count", 5, 5.0),
        ("effective_qsl_rng_seed", 1, True),
        ("qsl_reported_total_count", 1, "1"),
        ("result_overlatency_query_count", 0, 0.5),
        ("generated_samples_per_query", 1, None),
        ("effective_target_qps", 0.5, "0.5"),
        ("effective_target_qps", 5, True),
        ("result_samples_per_second", -1.5, [1]),
        ("early_stopping_latency_ss", 5, 2**64),
    ],
)
def test_each_key_has_its_type(key: str, good: object, bad: object) -> None:
    assert misfit(key, good) == ""
    assert misfit(key, bad).startswith(f"{key} is {str(bad)[:40]!r}, not ")
    assert misfit("power_begin", bad) == "", "other keys hold anything"


# ── the detail log ─────────────────────────────────────────────────────


def line(key: str, value: object, **metadata: object) -> str:
    content = {"is_error": False, "is_warning": False, "file": "/build/loadgen/logging.cc", "line_no": 12, **metadata}
    return ":::MLLOG " + json.dumps({"key": key, "value": value, "time_ms": 1.5, "metadata": content}) + "\n"


def detail(folder: Path, text: str | bytes) -> Path:
    path = folder / "mlperf_log_detail.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_every_event_is_read_with_its_place(tmp_path: Path) -> None:
    text = line("loadgen_version", "6") + "\n" + line("a", 1, is_error=True) + line("a", 2, is_warning=True)
    log = read_detail(detail(tmp_path, text).parent)
    assert log.keys() == ["loadgen_version", "a"] and log.all("a") == [1, 2] and log.all("b") == [] and log.get("a") == 2
    first = log.entries[0]
    assert (first.row, first.time_ms, first.source, first.is_error, first.is_warning) == (1, 1.5, "logging.cc:12", False, False)
    assert [entry.row for entry in log.errors] == [3] and [entry.row for entry in log.warnings] == [4]
    assert not log.truncated and log.version == "6" and "a" in log and "b" not in log and log.get("b", 7) == 7
    marked = read_detail(detail(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert marked.entries == log.entries


@pytest.mark.parametrize("end", [":::MLLOG {", ":::MLL", "x", ':::MLLOG {"key": "a"}'])
def test_a_cut_last_line_is_left_out_and_one_before_is_an_error(tmp_path: Path, end: str) -> None:
    log = read_detail(detail(tmp_path, line("a", 1) + end))
    assert log.truncated and log.keys() == ["a"]
    with pytest.raises(RunError) as caught:
        read_detail(detail(tmp_path, line("a", 1) + end + "\n" + line("b", 1)))
    assert caught.value.where.endswith("mlperf_log_detail.txt:2") and "not a line of LoadGen's detail log" in caught.value.what
    with pytest.raises(RunError):
        read_detail(detail(tmp_path, end))


def test_a_value_of_another_type_is_told_from_a_cut_line(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        read_detail(detail(tmp_path, line("effective_min_duration_ms", "ten") + line("b", 1)))
    assert "effective_min_duration_ms is 'ten', not a whole number; the file was damaged or edited" in caught.value.why
    cut = read_detail(detail(tmp_path, line("a", 1) + line("effective_min_duration_ms", "ten")))
    assert cut.truncated


def test_numbers_that_are_none_are_read_as_cpp_writes_them(tmp_path: Path) -> None:
    text = line("result_samples_per_second", "x").replace('"x"', "-nan") + line("result_max_latency_ns", "x").replace(
        '"x"', "inf"
    )
    log = read_detail(detail(tmp_path, text))
    assert log.get("result_samples_per_second") != log.get("result_samples_per_second") and log.get(
        "result_max_latency_ns"
    ) == float("inf")


def test_groups_and_numbers() -> None:
    log = log_of("Offline", requested_a=1, effective_b=2, result_c=3.5, result_d=True)
    assert log.requested == {"a": 1} and log.effective["b"] == 2 and log.results == {"c": 3.5, "d": True}
    assert log.number("result_c") == 3.5 and log.number("result_d") is None and log.number("none") is None
    with pytest.raises(RunError) as caught:
        log.need("absent")
    assert "has no absent" in caught.value.what and "the run ended before" in caught.value.why


def complete(scenario: str = "Offline", **values: Any) -> LoadGenLog:
    more = {"result_99.90_percentile_latency_ns": 1}
    return log_of(scenario, **{"result_samples_per_second": 1.0, "result_validity": "VALID", "more": more, **values})


def test_a_performance_log_is_complete_with_its_last_keys() -> None:
    assert complete().complete and complete().is_valid and complete().has_performance and complete().value == 1.0
    for absent in ("result_samples_per_second", "result_validity"):
        entries = tuple(entry for entry in complete().entries if entry.key != absent)
        assert not LoadGenLog(Path("x"), entries).complete
    assert not complete(more={}).complete and not complete(result_validity="INVALID").is_valid
    assert not LoadGenLog(Path("x"), complete().entries, truncated=True).complete
    assert not LoadGenLog(Path("x"), tuple(e for e in complete().entries if e.key != "effective_test_mode")).complete
    with pytest.raises(RunError, match="has no absent") as caught:
        complete().need("absent")
    assert "does not log it" in caught.value.why
    assert complete(result_samples_per_second="x").value is None


def test_an_accuracy_log_is_complete_with_all_samples() -> None:
    def log(sets: list[list[int]], ends: int, count: int | None = 4, mode: str = "AccuracyOnly", **more: Any) -> LoadGenLog:
        counted = {} if count is None else {"qsl_reported_total_count": count}
        entries = list(log_of(more.pop("scenario", "Offline"), mode, **counted, **more).entries)
        pairs = [*(("loaded_qsl_set", one) for one in sets), *(("power_end", "x") for _ in range(ends))]
        entries += [LogEntry(key, value, 0.0, False, False, "", 0, 0) for key, value in pairs]
        return LoadGenLog(Path("x"), tuple(entries))

    assert log([[0, 1], [2, 3]], 2).complete and log([[0, 1, 2, 3]], 1).complete
    assert not log([[0, 1], [2, 3]], 1).complete and not log([[0, 1], [2]], 2).complete
    assert not log([], 0, 0).complete and not log([[0, 1, 2, 3]], 1, None).complete
    assert log([[0, 1]], 1, effective_accuracy_sample_count=2).complete, "a newer LoadGen covers fewer where it says so"
    padded = log([[0, 1, 2, 3] + [0] * 7], 1, scenario="MultiStream", effective_samples_per_query=8)
    assert padded.samples_loaded == 4 and padded.complete
    both = log([[0, 1, 2, 3], [0, 1]], 2, mode="SubmissionRun")
    assert both.samples_loaded == 4, "the last set of a SubmissionRun is the performance part's"
    assert log([[0, 1]], 1, mode="SubmissionRun").samples_loaded == 2
    assert log([], 0, None).accuracy_sample_count is None


def test_counts_and_audits() -> None:
    assert log_of("Offline").query_count is None and log_of("Offline").sample_count is None
    assert log_of("MultiStream", result_query_count=5, generated_samples_per_query=8).sample_count == 40
    assert log_of("Server", result_query_count=5).sample_count == 5 and log_of("Server", result_query_count=0).query_count == 0
    entry = LogEntry("generic_message", "Found Audit Config file (audit.config).", 0.0, False, True, "", 0, 0)
    assert LoadGenLog(Path("x"), (entry,)).audited and not log_of("Server").audited


# ── settings ───────────────────────────────────────────────────────────

TOOK: dict[str, Any] = {
    "requested_offline_expected_qps": 100.0,
    "effective_target_qps": 100.0,
    "requested_min_duration_ms": 600_000,
    "effective_min_duration_ms": 600_000,
    "requested_min_query_count": 10,
    "effective_min_query_count": 1,
    "effective_samples_per_query": 66_000,
    "requested_scenario": "Offline",
    "requested_test_mode": "PerformanceOnly",
}
ASKED = {"target_qps": 100.0, "min_duration": 600_000, "min_query_count": 10}


def differing(asked: dict[str, Any], scenario: str = "Offline", **changed: Any) -> list[str]:
    log = log_of(scenario, **{**TOOK, **changed})
    return [str(one) for one in settings_check.compare_settings(asked, log)]


def test_settings_that_took_effect() -> None:
    assert differing(ASKED) == []
    log = log_of("Offline", **TOOK)
    assert settings_check.compare_settings({}, log, scenario="Offline", mode="PerformanceOnly") == []
    [one, two] = settings_check.compare_settings({}, log, scenario="Server", mode="AccuracyOnly")
    assert one.log_key == "requested_scenario" and two.found == "PerformanceOnly"
    settings_check.require_settings(ASKED, log)
    with pytest.raises(RunError, match="different settings than requested: target_qps, min_duration"):
        settings_check.require_settings({**ASKED, "target_qps": 1.0, "min_duration": 1}, log)


@pytest.mark.parametrize(
    ("asked", "changed", "words"),
    [
        ({"target_qps": 101.0}, {}, "target_qps = 101: requested_offline_expected_qps is 100, not 101"),
        ({"target_qps": 100.0}, {"effective_target_qps": 99.0}, "effective_target_qps is 99, not 100"),
        ({"target_qps": 100.0}, {"requested_offline_expected_qps": 100.0005}, ""),
        ({"target_qps": 100.0}, {"requested_offline_expected_qps": 100.01}, "is 100.01, not 100"),
        ({"min_duration": 600_000}, {"effective_min_duration_ms": 5}, "effective_min_duration_ms is 5, not 600000"),
        ({"min_duration": 600_000}, {"requested_min_duration_ms": None}, "requested_min_duration_ms is nothing, not 600000"),
        ({"min_duration": 2.5}, {}, "LoadGen reads this key as an integer"),
        ({"min_query_count": 10}, {"effective_samples_per_query": 65_990}, "effective_samples_per_query is 65990, not 66000"),
        ({"min_query_count": 10}, {"effective_min_query_count": 2}, "effective_min_query_count is 2, not 1"),
        ({"min_query_count": 70_000}, {"requested_min_query_count": 70_000}, "is 66000, not 70000"),
        ({"coalesce_queries": 1}, {}, "LoadGen does not read this key in Offline"),
        ({"target_latency": 1.0}, {}, "LoadGen does not read this key in Offline"),
        ({"target_qp": 1.0}, {}, "LoadGen has no such key; the nearest is target_qps"),
        ({"qsl_rng_seed": 1}, {"requested_qsl_rng_seed": 2}, "set it through TestSettings instead"),
        ({"mode": 2}, {}, ""),
        ({"mode": 1}, {}, "requested_test_mode is PerformanceOnly, not AccuracyOnly"),
        ({"mode": 9}, {}, "not one of 0 to 3"),
        ({"infer_token_latencies": 1}, {}, ""),
        ({"performance_issue_same": 1}, {"requested_performance_issue_same": True}, ""),
        (
            {"performance_issue_same": 1},
            {"requested_performance_issue_same": 1},
            "requested_performance_issue_same is 1, not True",
        ),
        (
            {"performance_issue_same": 0},
            {"requested_performance_issue_same": False, "effective_performance_issue_same": True},
            "not False",
        ),
    ],
)
def test_a_setting_that_did_not_is_named_with_its_cause(asked: dict[str, Any], changed: dict[str, Any], words: str) -> None:
    found = differing(asked, **changed)
    assert len(found) == bool(words) and all(words in one for one in found), found


def test_settings_in_other_units_and_other_defaults() -> None:
    stream = {
        "requested_single_stream_expected_latency_ns": 2_000_000,
        "effective_target_qps": 500.0,
        "requested_single_stream_target_latency_percentile": 0.9,
        "effective_target_latency_percentile": 0.9,
    }
    asked = {"target_latency": 2.0, "target_latency_percentile": 90.0}
    assert differing(asked, "SingleStream", **stream) == []
    assert differing(asked, "SingleStream", **{**stream, "effective_target_qps": 501.0})
    assert differing(asked, "SingleStream", **{**stream, "effective_target_latency_percentile": 0.99})
    server = {"requested_server_target_latency_ns": 130_000_000, "effective_target_latency_ns": 130_000_000}
    assert differing({"target_latency": 130}, "Server", **server) == []
    assert differing({"target_latency": 130}, "Server", **{**server, "effective_target_latency_ns": 131_000_000})
    counts = {
        "requested_performance_sample_count_override": 0,
        "effective_performance_sample_count": 64,
        "qsl_reported_performance_count": 64,
    }
    assert differing({"performance_sample_count_override": 0}, **counts) == []
    assert differing({"performance_sample_count_override": 0}, **{**counts, "effective_performance_sample_count": 63})
    tokens = {"requested_use_token_latencies": True, "requested_server_ttft_latency": 2_000_000_000}
    assert differing({"use_token_latencies": 1, "ttft_latency": 2000}, "Server", **tokens) == []
    assert differing({"use_token_latencies": 0}, "Server") == [], "logged only where it is on"
    assert differing({"use_token_latencies": 1}, "Server")


def test_query_counts_of_streams() -> None:
    passes = {
        "requested_min_query_count": 100,
        "effective_sample_concatenate_permutation": True,
        "qsl_reported_performance_count": 64,
        "effective_target_qps": 0.1,
        "effective_min_duration_ms": 0,
    }
    assert differing({"min_query_count": 100}, "SingleStream", **passes, effective_min_query_count=128) == []
    assert differing({"min_query_count": 100}, "SingleStream", **passes, effective_min_query_count=100)
    plain = {**passes, "effective_sample_concatenate_permutation": False}
    assert differing({"min_query_count": 100}, "SingleStream", **plain, effective_min_query_count=100) == []
    assert differing({"min_query_count": 100}, "Server", **plain, effective_min_query_count=128)
    long = {**passes, "effective_target_qps": 10.0, "effective_min_duration_ms": 10_000}
    assert differing({"min_query_count": 100}, "SingleStream", **long, effective_min_query_count=256) == [], (
        "200 queries in whole passes"
    )
    assert differing({"min_query_count": 100}, "SingleStream", **long, effective_min_query_count=128)
    unique = {"effective_performance_issue_unique": True, "effective_performance_sample_count": 64}
    assert differing({"min_query_count": 10}, **unique, effective_samples_per_query=64) == []
    assert differing({"min_query_count": 10}, **unique, effective_samples_per_query=66_000)
