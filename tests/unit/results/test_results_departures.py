"""Settings that are not the benchmark's own rule are named, with the field and the rule's value."""

from __future__ import annotations

from typing import Any

import pytest

from code.results.departures import departures
from code.rules.rounds import round_named
from tests.unit.logs import log_of

V41, V61 = round_named("v4.1"), round_named("v6.1")
RULES: dict[str, Any] = {
    "effective_performance_sample_count": 10_833,
    **{f"effective_{name}": seed for name, seed in V61.seeds.items()},
}


@pytest.mark.parametrize(
    ("scenario", "changed", "field", "rule", "words"),
    [
        ("SingleStream", {"effective_target_latency_percentile": 0.5}, "single_stream_target_latency_percentile", "90", "is 50"),
        ("MultiStream", {"effective_target_latency_percentile": 0.9}, "multi_stream_target_latency_percentile", "99", "is 90"),
        ("Server", {"effective_target_latency_percentile": 0.97}, "server_target_latency_percentile", "99", "is 97"),
        ("Server", {"effective_target_latency_ns": 130_000_001}, "server_target_latency_ns", "130000000", "of v4.1"),
        ("Server", {"effective_target_latency_ns": 129_000_000}, "server_target_latency_ns", "130000000", "129 ms"),
        (
            "Offline",
            {"effective_performance_sample_count": 10_832},
            "performance_sample_count_override",
            "10833",
            "10,832 samples",
        ),
        ("MultiStream", {"effective_samples_per_query": 4}, "multi_stream_samples_per_query", "8", "a query has 4 samples"),
        ("Offline", {"effective_qsl_rng_seed": 1}, "qsl_rng_seed", str(V61.seeds["qsl_rng_seed"]), "is 1, not the rule's"),
        ("Offline", {"effective_schedule_rng_seed": 2}, "schedule_rng_seed", str(V61.seeds["schedule_rng_seed"]), "of v6.1"),
    ],
)
def test_it_is_named(scenario: str, changed: dict[str, Any], field: str, rule: str, words: str) -> None:
    (one,) = departures(log_of(scenario, **{**RULES, **changed}), "bert-99", V61)
    assert (one.field, one.suggestion) == (field, rule) and words in one.what


@pytest.mark.parametrize(
    ("scenario", "kept"),
    [
        ("SingleStream", {"effective_target_latency_percentile": 0.9}),
        ("MultiStream", {"effective_target_latency_percentile": 0.99, "effective_samples_per_query": 8}),
        ("Server", {"effective_target_latency_percentile": 0.99, "effective_target_latency_ns": 130_000_000}),
        (
            "Offline",
            {"effective_target_latency_percentile": 0.5, "effective_target_latency_ns": 1, "effective_samples_per_query": 5},
        ),
        ("Offline", {"effective_performance_sample_count": 20_000}),
    ],
)
def test_the_rules_own_values_are_not(scenario: str, kept: dict[str, Any]) -> None:
    assert departures(log_of(scenario, **{**RULES, **kept}), "bert-99", V61) == ()


def test_what_cannot_be_compared_is_left() -> None:
    wrong = log_of("Server", **{**RULES, "effective_qsl_rng_seed": 1, "effective_target_latency_ns": 1})
    assert departures(wrong, "resnet", V61) == ()
    assert departures(wrong, "bert-99", None) == (), "no round, so neither seeds nor bounds"
    assert departures(log_of("Server"), "bert-99", V61) == (), "nothing was logged"
    accuracy = log_of("Offline", "AccuracyOnly", **{**RULES, "effective_performance_sample_count": 64})
    assert departures(accuracy, "bert-99", V61) == (), "an accuracy run covers all samples in parts"


def test_the_bound_is_that_of_the_round_where_it_has_one() -> None:
    values = {**RULES, **{f"effective_{name}": seed for name, seed in V41.seeds.items()}}
    (one,) = departures(log_of("Server", **{**values, "effective_target_latency_ns": 10**9}), "bert-99", V41)
    assert one.what.endswith("of v4.1") and one.suggestion == "130000000"
