"""Every key of user.conf in LoadGen's log: its name there, its unit, what of it is effective, and the scenarios that read it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from code.results import settings_check, spread
from code.results.loadgen_log import LoadGenLog
from code.results.settings_check import Difference, compare_settings
from code.results.spread import Spread
from code.rules.metrics import METRICS
from tests.unit.logs import log_of

ALL = ("Offline", "Server", "SingleStream", "MultiStream")
# (key of user.conf, its value there, scenarios, what LoadGen logs as requested and as effective)
ROWS: tuple[tuple[str, Any, tuple[str, ...], dict[str, Any], dict[str, Any]], ...] = (
    ("target_qps", 12.5, ("Offline",), {"requested_offline_expected_qps": 12.5}, {"effective_target_qps": 12.5}),
    ("target_qps", 12.5, ("Server",), {"requested_server_target_qps": 12.5}, {"effective_target_qps": 12.5}),
    (
        "target_latency",
        130,
        ("Server",),
        {"requested_server_target_latency_ns": 130_000_000},
        {"effective_target_latency_ns": 130_000_000},
    ),
    (
        "target_latency",
        2.5,
        ("SingleStream",),
        {"requested_single_stream_expected_latency_ns": 2.5e6},
        {"effective_target_qps": 400.0},
    ),
    (
        "target_latency",
        2.5,
        ("MultiStream",),
        {"requested_multi_stream_expected_latency_ns": 2.5e6},
        {"effective_target_qps": 400.0},
    ),
    (
        "target_latency_percentile",
        99,
        ("Server",),
        {"requested_server_target_latency_percentile": 0.99},
        {"effective_target_latency_percentile": 0.99},
    ),
    (
        "target_latency_percentile",
        90,
        ("SingleStream",),
        {"requested_single_stream_target_latency_percentile": 0.9},
        {"effective_target_latency_percentile": 0.9},
    ),
    (
        "target_latency_percentile",
        99,
        ("MultiStream",),
        {"requested_multi_stream_target_latency_percentile": 0.99},
        {"effective_target_latency_percentile": 0.99},
    ),
    (
        "samples_per_query",
        8,
        ("MultiStream",),
        {"requested_multi_stream_samples_per_query": 8},
        {"effective_samples_per_query": 8},
    ),
    ("coalesce_queries", 1, ("Server",), {"requested_server_coalesce_queries": True}, {}),
    ("coalesce_queries", 0, ("Server",), {"requested_server_coalesce_queries": False}, {}),
    ("max_async_queries", 5, ("Server",), {"requested_server_max_async_queries": 5}, {"effective_max_async_queries": 5}),
    ("min_duration", 600_000, ALL, {"requested_min_duration_ms": 600_000}, {"effective_min_duration_ms": 600_000}),
    ("max_duration", 700_000, ALL, {"requested_max_duration_ms": 700_000}, {"effective_max_duration_ms": 700_000}),
    ("max_query_count", 9, ALL, {"requested_max_query_count": 9}, {"effective_max_query_count": 9}),
    (
        "performance_sample_count_override",
        64,
        ALL,
        {"requested_performance_sample_count_override": 64},
        {"effective_performance_sample_count": 64},
    ),
    (
        "accuracy_sample_count_override",
        64,
        ALL,
        {"requested_accuracy_sample_count_override": 64},
        {"effective_accuracy_sample_count": 64},
    ),
    *(
        (name, value, ALL, {f"requested_{name}": kind(value)}, {f"effective_{name}": kind(value)})
        for name, value, kind in (
            ("sample_concatenate_permutation", 1, bool),
            ("performance_issue_unique", 0, bool),
            ("performance_issue_same", 1, bool),
            ("performance_issue_same_index", 3, int),
            ("print_timestamps", 1, bool),
            ("accuracy_log_rng_seed", 720381539243781796, int),
            ("accuracy_log_sampling_target", 64, int),
            ("qsl_rng_seed", 2085463073848966840, int),
            ("sample_index_rng_seed", 2747215439041700203, int),
            ("schedule_rng_seed", 16159082839903944936, int),
        )
    ),
    (
        "accuracy_log_probability",
        50,
        ALL,
        {"requested_accuracy_log_probability": 0.5},
        {"effective_accuracy_log_probability": 0.5},
    ),
    ("use_token_latencies", 1, ALL, {"requested_use_token_latencies": True}, {}),
    ("ttft_latency", 2000, ("Server",), {"requested_server_ttft_latency": 2_000_000_000}, {}),
    ("tpot_latency", 200, ("Server",), {"requested_server_tpot_latency": 200_000_000}, {}),
    ("server_num_issue_query_threads", 4, ("Server",), {"requested_server_num_issue_query_threads": 4}, {}),
)
EACH = [pytest.param(*row[:2], scenario, *row[3:], id=f"{row[0]}-{row[1]}-{scenario}") for row in ROWS for scenario in row[2]]


def of(asked: dict[str, Any], scenario: str, **logged: Any) -> list[Difference]:
    return compare_settings(asked, log_of(scenario, **logged))


@pytest.mark.parametrize(("key", "value", "scenario", "requested", "effective"), EACH)
def test_what_loadgen_logs_of_a_setting(
    key: str, value: Any, scenario: str, requested: dict[str, Any], effective: dict[str, Any]
) -> None:
    assert of({key: value}, scenario, **requested, **effective) == []
    for name, logged in {**requested, **effective}.items():
        other = (not logged) if isinstance(logged, bool) else logged * 1.01 if isinstance(logged, float) else logged + 1
        [one] = of({key: value}, scenario, **{**requested, **effective, name: other})
        assert (one.key, one.asked, one.log_key, one.found) == (key, value, name, other)
        assert one.expected == pytest.approx(logged) and f"{name} is " in str(one)
    [absent] = of({key: value}, scenario, **effective)
    assert absent.found is None and " is nothing, not " in str(absent)
    if key != "target_latency" or scenario == "Server":  # of a stream's, the rate is what counts
        assert of({key: value}, scenario, **requested) == [], "an older LoadGen logs less of what is effective"


def test_the_table_is_of_every_key() -> None:
    tested = {row[0] for row in ROWS} | {"min_query_count"}
    assert tested == {*settings_check.SETTINGS, *settings_check.SCENARIO_KEYS}


@pytest.mark.parametrize(
    ("key", "scenarios"), sorted({row[0]: {s for other in ROWS if other[0] == row[0] for s in other[2]} for row in ROWS}.items())
)
def test_other_scenarios_do_not_read_it(key: str, scenarios: set[str]) -> None:
    for scenario in set(ALL) - scenarios:
        [one] = of({key: 5}, scenario)
        assert one.log_key == "" and one.why == f"LoadGen does not read this key in {scenario}" and one.expected is None


def test_zero_means_the_data_sets_own_count() -> None:
    for key, name, whole in (
        ("performance_sample_count_override", "performance_sample_count", "qsl_reported_performance_count"),
        ("accuracy_sample_count_override", "accuracy_sample_count", "qsl_reported_total_count"),
    ):
        logged = {f"requested_{key}": 0, f"effective_{name}": 100, whole: 100}
        assert of({key: 0}, "Offline", **logged) == []
        [one] = of({key: 0}, "Offline", **{**logged, whole: 99})
        assert (one.log_key, one.expected, one.found) == (f"effective_{name}", 99, 100)


def test_keys_that_are_never_logged_and_switches_that_are_off() -> None:
    assert of({"infer_token_latencies": 1, "token_latency_scaling_factor": 2, "use_token_latencies": 0}, "Offline") == []
    [one] = of({"use_token_latencies": 1}, "Offline")
    assert one.log_key == "requested_use_token_latencies"


def test_numbers_are_equal_as_far_as_loadgen_prints_them() -> None:
    for logged, same in ((12345.7, True), (12345.67, True), (12346.9, False), (True, False), ("12345.7", False), (None, False)):
        found = of({"target_qps": 12345.678}, "Offline", requested_offline_expected_qps=logged, effective_target_qps=12345.7)
        assert (found == []) is same, logged
    assert len(of({"min_duration": 5}, "Offline", requested_min_duration_ms=5.1)) == 1, "whole numbers are equal or not"
    assert len(of({"coalesce_queries": 1}, "Server", requested_server_coalesce_queries=1)) == 1, "a switch is true or false"


# ── query counts ───────────────────────────────────────────────────────


def counts(log: LoadGenLog, count: int) -> list[tuple[str, Any]]:
    return [(one.log_key, one.expected) for one in compare_settings({"min_query_count": count}, log)]


def test_offline_is_one_query_of_enough_samples() -> None:
    usual = {"requested_min_query_count": 1000, "effective_min_query_count": 1, "effective_min_duration_ms": 600_000}
    sized = {**usual, "effective_target_qps": 10.0, "effective_samples_per_query": 6600}
    assert counts(log_of(**sized), 1000) == []
    assert counts(log_of(**{**sized, "effective_min_query_count": 2}), 1000) == [("effective_min_query_count", 1)]
    for near in (6599, 6601):
        assert counts(log_of(**{**sized, "effective_samples_per_query": near}), 1000) == [], "the logged rate is rounded"
    for far in (6597, 6603, 6000):
        assert counts(log_of(**{**sized, "effective_samples_per_query": far}), 1000) == [("effective_samples_per_query", 6600)]
    slow = {**sized, "effective_target_qps": 1.0, "effective_samples_per_query": 1000}
    assert counts(log_of(**slow), 1000) == [] and counts(log_of(**{**slow, "requested_min_query_count": 5000}), 5000) != []
    unique = {**sized, "effective_performance_issue_unique": True, "effective_performance_sample_count": 50}
    assert counts(log_of(**{**unique, "effective_samples_per_query": 50}), 1000) == []
    assert counts(log_of(**unique), 1000) == [("effective_samples_per_query", 50)]


def test_a_stream_over_whole_passes_of_the_data_set() -> None:
    usual = {"requested_min_query_count": 100, "effective_min_duration_ms": 1000, "effective_target_qps": 10.0}
    whole = {**usual, "effective_sample_concatenate_permutation": True, "qsl_reported_performance_count": 64}
    for count, found in ((100, 128), (128, 192), (10, 64)):  # LoadGen adds a pass where the count is one already
        logged = {**whole, "requested_min_query_count": count, "effective_min_query_count": found}
        assert counts(log_of("SingleStream", **logged), count) == [], (count, found)
        assert counts(log_of("SingleStream", **{**logged, "effective_min_query_count": found + 1}), count) == [
            ("effective_min_query_count", found)
        ]
    long = {**whole, "effective_min_duration_ms": 10_000, "effective_min_query_count": 256}
    assert counts(log_of("SingleStream", **long), 100) == [], "twice what the expected latency allows"
    for scenario in ("SingleStream", "MultiStream", "Server"):
        assert counts(log_of(scenario, **usual, effective_min_query_count=100), 100) == []
        assert counts(log_of(scenario, **usual, effective_min_query_count=99), 100) == [("effective_min_query_count", 100)]
    assert counts(log_of("MultiStream", **whole, effective_min_query_count=100), 100) == [], "of SingleStream only"


# ── words ──────────────────────────────────────────────────────────────


def test_the_likely_cause_is_named() -> None:
    [seed] = of({"qsl_rng_seed": 1}, "Offline", requested_qsl_rng_seed=2)
    [part] = of({"min_duration": 2.5}, "Offline", requested_min_duration_ms=2)
    [line] = of({"min_duration": 3}, "Offline", requested_min_duration_ms=2)
    [key] = of({"zzzz": 3}, "Offline")
    assert (
        "TestSettings" in seed.why
        and part.why == "LoadGen reads this key as an integer"
        and "audit.config overrode it" in line.why
    )
    assert key.why == "LoadGen has no such key" and str(key) == "zzzz = 3: LoadGen has no such key"
    for value, word in ((0, "SubmissionRun"), (1, "AccuracyOnly"), (2, "PerformanceOnly")):
        assert of({"mode": value}, "Offline", requested_test_mode=word) == []
    [mode] = of({"mode": 9}, "Offline", requested_test_mode="PerformanceOnly")
    assert (mode.expected, mode.found) == ("one of 0 to 3", "PerformanceOnly")


# ── spread ─────────────────────────────────────────────────────────────


def test_the_least_difference_that_runs_show() -> None:
    found = Spread((90.0, 100.0, 110.0)).detectable
    assert found == pytest.approx(2.7764451 * 10 * math.sqrt(2 / 3) / 100, rel=1e-6), "t of 4 degrees of freedom"
    two = Spread((99.0, 101.0)).detectable
    assert two == pytest.approx(4.3026527 * math.sqrt(2) / 100, rel=1e-6)
    assert Spread((0.0, 0.0)).detectable is None and Spread((0.0,)).share == 0.0 and Spread((0.0, 0.0)).share == 0.0
    assert Spread((100.0, 130.0, 110.0)).share == pytest.approx(30 / 110) and Spread((1.0, 3.0)).median == 2.0
    words = Spread((990.0, 1000.0, 1020.0)).words(METRICS["Offline"])
    assert words.endswith(" on") and words.split("from ")[1].startswith(
        f"{100 * (Spread((990.0, 1000.0, 1020.0)).detectable or 0):.1f} %"
    )
    assert Spread((1000.0,)).words(METRICS["Offline"]).endswith("1,000.0 samples/s (0.0 %)")


def test_chances_of_noise() -> None:
    assert spread.chance((1.0, 2.0), (5.0,)) is None is spread.chance((1.0,), (1.0, 2.0))
    assert spread.chance((5.0, 5.0), (6.0, 6.0)) == 0.0 and spread.chance((5.0, 5.0), (5.0, 5.0)) == 1.0
    found = spread.chance((1.0, 2.0, 3.0), (2.0, 3.0, 4.0))
    assert found == pytest.approx(0.2878641, rel=1e-5), "Welch's t of -1.2247 with 4 degrees of freedom"
    assert spread.verdict((1.0, 2.0, 3.0), (2.0, 3.0, 4.0)) == "within the noise of 3 and 3 runs (p = 0.29)"
    assert spread.verdict((1.0, 1.1), (9.0, 9.1)).startswith("more than the noise of 2 and 2 runs (p = ")
