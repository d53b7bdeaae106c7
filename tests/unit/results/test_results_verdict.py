"""Every way a run can be INVALID is told apart, measured, and answered with a knob that exists and a value that helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.fields import table as fields
from code.results.loadgen_log import LoadGenLog, read_detail
from code.results.reason import number, round_down, round_up
from code.results.verdict import Verdict, judge
from tests.empty import some
from tests.unit.logs import log_of


@pytest.fixture
def verdict_of(loadgen_run: Callable[[str], Any]) -> Callable[[str], Verdict]:
    return lambda name: judge(loadgen_run(name).log)


def first_number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


@pytest.mark.parametrize("name", ["offline_valid", "server_valid", "single_valid", "multi_valid"])
def test_valid_runs(name: str, verdict_of: Callable[[str], Verdict]) -> None:
    verdict = verdict_of(name)
    assert verdict.valid and verdict.word == "VALID" and verdict.reasons == ()
    assert verdict.early_stopping_met
    assert not verdict.ten_minutes_met
    assert [note.field for note in verdict.notes] == ["min_duration"], "a short run is told that it cannot be submitted"


@pytest.mark.parametrize("scenario", ["Offline", "Server", "SingleStream", "MultiStream"])
def test_whole_accuracy_runs_are_valid(scenario: str, verdict_of: Callable[[str], Verdict]) -> None:
    verdict = verdict_of(f"accuracy_{scenario}")
    assert verdict.valid and not verdict.notes and verdict.early_stopping_met is None


def test_public_results_are_valid_and_meet_ten_minutes(shared: Path) -> None:
    for path in sorted(some((shared / "data" / "mlperf_logs").rglob("mlperf_log_detail.txt"))):
        verdict = judge(read_detail(path))
        assert verdict.valid, path
        assert verdict.ten_minutes_met is ("performance" in path.parts)
        assert bool(verdict.notes) is ("compliance" in path.parts)


def test_offline_too_short_names_the_rate_to_expect(verdict_of: Callable[[str], Verdict], loadgen_run: Any) -> None:
    (reason,) = verdict_of("offline_short").reasons
    log = loadgen_run("offline_short").log
    assert reason.field == "offline_expected_qps"
    rate = first_number(reason.suggestion)
    assert log.value * 1.1 <= rate <= log.value * 1.12
    assert "100 samples" in reason.what and "60 s" in reason.what


@pytest.mark.parametrize(
    ("name", "field"),
    [("single_too_few", "single_stream_expected_latency_ns"), ("multi_too_few", "multi_stream_expected_latency_ns")],
)
def test_stream_that_ran_out_of_queries_names_the_latency_to_expect(
    name: str, field: str, verdict_of: Callable[[str], Verdict], loadgen_run: Any
) -> None:
    log = loadgen_run(name).log
    first, *rest = verdict_of(name).reasons
    assert first.field == field
    mean = log.get("result_mean_query_latency_ns") or log.get("result_mean_latency_ns")
    assert mean * 0.9 <= first_number(first.suggestion) <= mean
    assert "on average, 10,000 ms were expected" in first.what
    assert [reason.field for reason in rest] == ["min_query_count"], "early stopping; LoadGen's error is not told twice"


@pytest.mark.parametrize(("name", "least"), [("single_early_stop", 64), ("multi_early_stop", 662)])
def test_stream_early_stopping_says_how_many_queries(name: str, least: int, verdict_of: Callable[[str], Verdict]) -> None:
    (reason,) = verdict_of(name).reasons
    assert reason.field == "min_query_count"
    assert first_number(reason.suggestion) == least
    assert f"5 queries are too few, {least} are needed" in reason.what


def test_server_early_stopping_says_how_many_more_queries(verdict_of: Callable[[str], Verdict]) -> None:
    (reason,) = verdict_of("server_early_stop").reasons
    assert "after 100 queries, 0 of them late, 359 more are needed" in reason.what
    assert reason.field == "min_query_count" and first_number(reason.suggestion) == 459


def test_server_slower_than_the_bound_is_not_sent_to_the_rate(verdict_of: Callable[[str], Verdict]) -> None:
    latency, early = verdict_of("server_slow").reasons
    assert "the bound is 1 ms: missed by" in latency.what and "100 of 100 queries were late" in latency.what
    assert "even the fastest query" in latency.suggestion and not latency.field
    assert early.what.startswith("early stopping") and not early.field


def test_saturated_server_is_told_a_rate_below_what_it_answered(verdict_of: Callable[[str], Verdict], loadgen_run: Any) -> None:
    latency = verdict_of("server_saturated").reasons[0]
    log = loadgen_run("server_saturated").log
    answered = log.get("result_completed_samples_per_sec")
    assert latency.field == "server_target_qps"
    assert 0.88 * answered <= first_number(latency.suggestion) <= 0.9 * answered
    assert "the 99 % latency was" in latency.what and "times the bound" in latency.what


def test_token_bounds_are_judged_apart(verdict_of: Callable[[str], Verdict]) -> None:
    verdict = verdict_of("server_tokens")
    assert not verdict.valid
    assert verdict.reasons[0].what.startswith("the 99 % time per output token was")
    assert not any("first token" in reason.what for reason in verdict.reasons), "5 s to the first token were met"


def changed(log: LoadGenLog, tmp_path: Path, **values: Any) -> LoadGenLog:
    """The same log with other values, written and read again."""
    lines = []
    for line in log.path.read_text().splitlines():
        event = json.loads(line[len(":::MLLOG ") :])
        event["value"] = values.get(event["key"], event["value"])
        lines.append(":::MLLOG " + json.dumps(event))
    (tmp_path / "mlperf_log_detail.txt").write_text("\n".join(lines) + "\n")
    return read_detail(tmp_path)


@pytest.mark.parametrize(("p99", "rate"), [(11_000_000_000, "950"), (15_000_000_000, "900")])
def test_server_that_keeps_up_but_is_late_is_told_a_lower_rate(p99: int, rate: str, loadgen_run: Any, tmp_path: Path) -> None:
    log = changed(
        loadgen_run("server_valid").log,
        tmp_path,
        **{
            "result_validity": "INVALID",
            "result_perf_constraints_met": False,
            "result_99.00_percentile_latency_ns": p99,
            "result_completed_samples_per_sec": 999.5,
        },
    )
    (reason,) = judge(log).reasons
    assert reason.field == "server_target_qps" and reason.suggestion.startswith(f"{rate} (")


def test_too_few_samples_without_a_limit(loadgen_run: Any, tmp_path: Path) -> None:
    log = changed(
        loadgen_run("single_valid").log,
        tmp_path,
        result_validity="INVALID",
        result_min_queries_met=False,
        result_query_count=3,
    )
    (reason,) = judge(log).reasons
    assert reason.what == "3 queries were issued, the minimum is 64" and reason.field == "min_query_count"


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("single_max_count", "max_query_count", "Max query count reached"),
        ("single_max_duration", "max_duration", "Max test duration reached"),
        ("server_outstanding", "server_target_qps", "Too many outstanding queries"),
    ],
)
def test_limit_that_ended_the_run_is_the_reason(name: str, field: str, words: str, verdict_of: Callable[[str], Verdict]) -> None:
    reasons = [reason for reason in verdict_of(name).reasons if not reason.what.startswith("early stopping")]
    assert [reason.field for reason in reasons] == [field], "LoadGen's own advice would be another, wrong one"
    assert words in reasons[0].what and "issue_query_controller.cc:" in reasons[0].what


def test_errors_make_a_run_invalid_that_loadgen_calls_valid(verdict_of: Callable[[str], Verdict], loadgen_run: Any) -> None:
    assert loadgen_run("offline_two_confs").log.is_valid
    verdict = verdict_of("offline_two_confs")
    assert not verdict.valid
    (reason,) = verdict.reasons
    assert "Multiple conf files are used" in reason.what and "line 1 " in reason.what


def test_errors_of_loadgen_make_an_accuracy_run_invalid() -> None:
    """LoadGen logs no validity of an accuracy run; an error in it is the only sign."""
    keys = {
        "effective_min_duration_ms": 600_000,
        "effective_accuracy_sample_count": 2,
        "loaded_qsl_set": [0, 1],
        "power_end": "11-29-2026 10:00:00.000",
    }
    log = log_of(mode="AccuracyOnly", more=keys)
    assert judge(log).valid and judge(log).reasons == ()
    error = type(log.entries[0])("error", "No luck", 0.0, True, False, "x.cc", 1, 9)
    failed = judge(LoadGenLog(log.path, (*log.entries, error)))
    assert not failed.valid and any("No luck" in reason.what for reason in failed.reasons)


def test_only_the_first_errors_are_quoted(loadgen_run: Any, tmp_path: Path) -> None:
    run = loadgen_run("single_max_count")
    lines = (run.folder / "mlperf_log_detail.txt").read_text().splitlines(keepends=True)
    error = next(line for line in lines if '"is_error": true' in line)
    (tmp_path / "mlperf_log_detail.txt").write_text("".join([error] * 9 + lines))
    reasons = [reason for reason in judge(read_detail(tmp_path)).reasons if "error" in reason.what]
    assert len(reasons) == 4 and reasons[-1].what == "and 7 more errors"


def test_killed_run_is_invalid_because_incomplete(verdict_of: Callable[[str], Verdict]) -> None:
    verdict = verdict_of("killed")
    assert not verdict.valid and not verdict.ten_minutes_met
    assert verdict.reasons[0].what.startswith("the log is not complete")


def test_accuracy_run_that_lost_samples_is_invalid(loadgen_run: Any, tmp_path: Path) -> None:
    text = (loadgen_run("accuracy_Offline").folder / "mlperf_log_detail.txt").read_text()
    lines = text.splitlines(keepends=True)
    second = [row for row, line in enumerate(lines) if '"loaded_qsl_set"' in line][1]
    (tmp_path / "mlperf_log_detail.txt").write_text("".join(lines[:second]))
    verdict = judge(read_detail(tmp_path))
    assert not verdict.valid
    assert "after 40 of 100 samples" in verdict.reasons[0].what


def test_audit_config_is_noted(verdict_of: Callable[[str], Verdict]) -> None:
    verdict = verdict_of("offline_audit")
    assert verdict.valid
    assert any("audit.config" in note.what for note in verdict.notes)


def test_ten_minutes_must_be_asked_for_and_met(loadgen_run: Any, tmp_path: Path) -> None:
    log = loadgen_run("offline_valid").log
    assert judge(changed(log, tmp_path, effective_min_duration_ms=600_000)).ten_minutes_met
    assert not judge(changed(log, tmp_path, effective_min_duration_ms=599_999)).ten_minutes_met
    missed = changed(log, tmp_path, effective_min_duration_ms=600_000, result_min_duration_met=False)
    assert not judge(missed).ten_minutes_met


def test_every_knob_is_a_field_of_the_table(loadgen_run: Callable[[str], Any], run_names: list[str]) -> None:
    named = {reason.field for name in run_names for reason in judge(loadgen_run(name).log).reasons}
    assert named - {""} <= set(fields.field_table())
    assert len(named) > 6


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [(8766.09 * 1.1, "9650", "9600"), (1322835, "1330000", "1300000"), (0.01234, "0.0124", "0.012"), (5000, "5000", "5000")],
)
def test_suggested_numbers_are_round_and_written_plainly(value: float, up: str, down: str) -> None:
    assert number(round_up(value)) == up
    assert number(round_down(value)) == down
