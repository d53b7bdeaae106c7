"""Rows of the final table and the keys of metadata.json, from one log."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from code.results import departures, metadata
from code.results.accuracy import AccuracyResult, accuracy_pass, accuracy_summary
from code.results.reason import Reason
from code.results.report import Outcome, accuracy_row, error_row, performance_row, skipped_row, undefined_row
from code.results.verdict import Verdict
from code.rules.metrics import METRICS
from code.rules.rounds import round_named
from tests.unit.logs import log_of

# ── accuracy and rows ──────────────────────────────────────────────────

UP = AccuracyResult("F1", 90.5, 90.0)
LOW = AccuracyResult("F1", 89.5, 90.0)
LONG = AccuracyResult("GEN_LEN", 11.0, 10.0, higher_is_better=False)
GOOD = Verdict(True, (), (), True, True)
BAD = Verdict(False, (), (), True, True)


def identity(**changed: Any) -> metadata.RunIdentity:
    given = {"scenario": "Offline", "test_mode": "PerformanceOnly", **changed}
    return metadata.RunIdentity("bert-99", "bert", "c", "s", "d", runtime_key="openvino_version", runtime_version="1", **given)


def test_scores_pass_in_their_direction() -> None:
    assert AccuracyResult("F1", 90.0, 90.0).passed and not AccuracyResult("F1", 89.9, 90.0).passed
    assert UP.passed and not LOW.passed and not LONG.passed and AccuracyResult("x", 10.0, 10.0, False).passed
    assert not AccuracyResult("x", math.nan, 0.0).passed and not AccuracyResult("x", math.nan, 0.0, False).passed
    assert UP.summary() == "[PASSED] F1: 90.500 (Threshold=90.000)" and LOW.word == "FAILED"
    assert LOW.as_json() == {"name": "F1", "pass": False, "threshold": 90.0, "value": 89.5}
    assert accuracy_pass([UP, UP]) and not accuracy_pass([UP, LOW]) and not accuracy_pass([])
    assert accuracy_summary([UP, LOW]).count(" | ") == 1


def test_a_row_of_a_failed_score_names_the_target_and_its_side() -> None:
    row = accuracy_row(identity(), [UP, LOW, LONG], GOOD)
    assert (row.outcome, row.mode, row.result) == (Outcome.FAILED, "AccuracyOnly", "F1 90.500, F1 89.500, GEN_LEN 11.000")
    assert [reason.what for reason in row.reasons] == [
        "F1 is 89.5, the target is at least 90",
        "GEN_LEN is 11, the target is at most 10",
    ]
    assert row.reasons[0].knob() == "precision: use a higher precision or recalibrate"
    assert accuracy_row(identity(), [UP], GOOD).outcome is Outcome.PASSED
    assert accuracy_row(identity(), [UP], BAD).outcome is Outcome.FAILED


def test_a_row_of_performance_has_value_unit_and_mode() -> None:
    log = log_of("Server", result_completed_samples_per_sec=125.0)
    row = performance_row(identity(scenario="Server"), log, GOOD)
    assert (row.outcome, row.mode, row.value) == (Outcome.VALID, "PerformanceOnly", 125.0)
    assert row.result == METRICS["Server"].shown(125.0)
    assert performance_row(identity(scenario="Server"), log, BAD).outcome is Outcome.INVALID
    assert performance_row(identity(scenario="Server", simulated=True), log, GOOD).result.endswith(" SIMULATED")
    assert performance_row(identity(), log_of("Offline"), GOOD).result == ""


def test_rows_of_what_did_not_run(tmp_path: Path) -> None:
    from code.common.errors import RunError

    failed = error_row("bert-99", "Offline", "run", RunError("what", "why", "next"))
    assert failed.outcome is Outcome.ERROR and failed.error == tuple(RunError("what", "why", "next").lines())
    assert skipped_row("bert-99", "Offline", "run", "late").reasons[0].what == "late"
    assert skipped_row("bert-99", "Offline", "run", "late").outcome is Outcome.SKIPPED
    assert undefined_row("bert", "Offline", "run", "none").outcome is Outcome.UNDEFINED
    assert [outcome for outcome in Outcome if outcome.green] == [Outcome.VALID, Outcome.PASSED]
    whole = failed.as_json()
    assert whole["folder"] == "" and whole["error"] == list(failed.error) and whole["outcome"] == "ERROR"
    assert set(whole) == {"benchmark", "scenario", "mode", "outcome", "result", "reasons", "notes", "error", "folder"}


@pytest.mark.parametrize(
    ("scenario", "values", "samples", "met"),
    [
        ("Offline", {"effective_samples_per_query": 10833}, 10833, True),
        ("Offline", {"effective_samples_per_query": 10832}, 10833, False),
        ("Offline", {"effective_samples_per_query": 24576}, 50_000, True),
        ("Offline", {"effective_samples_per_query": 24575}, 50_000, False),
        ("Offline", {"effective_samples_per_query": 500, "qsl_reported_total_count": 500}, None, True),
        ("Offline", {"effective_samples_per_query": 499, "qsl_reported_total_count": 500}, None, False),
        ("Offline", {"effective_samples_per_query": 24575}, None, False),
        ("Server", {"effective_min_query_count": 270_336}, None, True),
        ("Server", {"effective_min_query_count": 270_335}, None, False),
        ("SingleStream", {"effective_min_query_count": 1024}, None, True),
        ("SingleStream", {"effective_min_query_count": 1023}, None, False),
    ],
)
def test_queries_without_early_stopping(scenario: str, values: dict[str, Any], samples: int | None, met: bool) -> None:
    assert metadata.satisfies_query_constraint(log_of(scenario, **values), samples) is met


def test_departures_are_compared_with_the_round() -> None:
    v61 = round_named("v6.1")
    log = log_of("Server", effective_target_latency_ns=131_000_000, effective_qsl_rng_seed=1)
    assert {one.field for one in departures.departures(log, "bert-99", v61)} == {"server_target_latency_ns", "qsl_rng_seed"}
    assert departures.departures(log, "bert-99", None) == () == departures.departures(log, "nothing-99", v61)


# ── metadata.json ──────────────────────────────────────────────────────

DONE: dict[str, Any] = {
    "result_samples_per_second": 5.5,
    "result_validity": "VALID",
    "result_inferred_tokens_per_second": 7.0,
    "effective_min_duration_ms": 600_000,
    "effective_samples_per_query": 24_576,
    "loadgen_version": "6.0",
    "more": {"result_99.90_percentile_latency_ns": 1},
}


def test_the_metadata_of_a_performance_run() -> None:
    found = metadata.performance_metadata(identity(extras={"precision": "fp8"}), log_of("Offline", **DONE), GOOD)
    wanted = {
        "benchmark_full": "bert-99",
        "scenario": "Offline",
        "scenario_key": "result_samples_per_second",
        "result_samples_per_second": 5.5,
        "submission_key": "result_samples_per_second",
        "summary_string": "result_samples_per_second: 5.5, Result is VALID, 10-min runtime requirement met: True",
        "result_validity": "VALID",
        "loadgen_result_validity": "VALID",
        "early_stopping_met": True,
        "effective_samples_per_query": 24_576,
        "satisfies_query_constraint": True,
        "result_inferred_tokens_per_second": 7.0,
        "openvino_version": "1",
        "precision": "fp8",
        "model_variant": "reference",
        "loadgen_version": "6.0",
    }
    assert {name: found[name] for name in wanted} == wanted
    assert not {"simulated", "result_tokens_per_second", "effective_min_query_count"} & set(found)
    simulated = metadata.performance_metadata(identity(simulated=True), log_of("Offline", **DONE), BAD)
    assert simulated["simulated"] is True and simulated["result_validity"] == "INVALID"
    assert simulated["summary_string"].endswith("10-min runtime requirement met: True, SIMULATED: no engine computed anything")
    server = {**DONE, "result_completed_samples_per_sec": 3.0, "effective_min_query_count": 5}
    other = metadata.performance_metadata(identity(scenario="Server"), log_of("Server", **server), GOOD)
    assert other["effective_min_query_count"] == 5 and "effective_samples_per_query" not in other


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"more": {}}, "the run was interrupted or failed before its end"),
        ({"result_samples_per_second": "x"}, "result_samples_per_second is None"),
        ({"result_samples_per_second": math.inf}, "result_samples_per_second is inf"),
        ({"result_samples_per_second": math.nan}, "result_samples_per_second is nan"),
    ],
)
def test_a_performance_run_without_a_number_has_no_metadata(changed: dict[str, Any], why: str) -> None:
    from code.common.errors import RunError

    with pytest.raises(RunError) as caught:
        metadata.performance_metadata(identity(), log_of("Offline", **{**DONE, **changed}), GOOD)
    assert caught.value.why == why and "has no result" in caught.value.what


def test_the_metadata_of_an_accuracy_run() -> None:
    from code.common.errors import RunError

    log = log_of("Offline", "AccuracyOnly", **DONE)
    found = metadata.accuracy_metadata(identity(), log, [UP], GOOD)
    assert found["accuracy_pass"] is True and found["summary_string"] == UP.summary() and found["accuracy"] == [UP.as_json()]
    assert metadata.accuracy_metadata(identity(), log, [UP, LOW], GOOD)["accuracy_pass"] is False
    bad = metadata.accuracy_metadata(
        identity(), log, [UP], Verdict(False, (Reason("it broke"), Reason("and fell")), (), True, None)
    )
    assert bad["accuracy_pass"] is False and bad["summary_string"].endswith(
        " | [FAILED] the run is not valid: it broke; and fell"
    )
    for results, why in (([], "no metric was computed"), ([UP, AccuracyResult("F1", math.nan, 1.0)], "F1 is not a number")):
        with pytest.raises(RunError) as caught:
            metadata.accuracy_metadata(identity(), log, results, GOOD)
        assert caught.value.why == why
    for make in (
        lambda: metadata.performance_metadata(identity(scenario="Server"), log_of("Offline", **DONE), GOOD),
        lambda: metadata.accuracy_metadata(identity(scenario="Server"), log, [UP], GOOD),
    ):
        with pytest.raises(RunError, match="is for a different scenario"):
            make()
    with pytest.raises(ValueError, match="would hide scenario, test_mode"):
        metadata.accuracy_metadata(identity(extras={"test_mode": 1, "scenario": 2}), log, [UP], GOOD)
