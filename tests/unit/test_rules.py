"""Rules: figures for people, query counts, rounds by name, and what a round asks of a benchmark."""

from __future__ import annotations

import math

import pytest

from code.common.errors import UsageError
from code.rules.benchmark_facts import Audits, BenchmarkFacts, PublishedFile, RoundRules, Space
from code.rules.benchmarks import (
    allowed_scenarios,
    every_facts,
    facts_of,
    newest_with,
    of_family,
    required_audits,
    required_scenarios,
    result_named,
    rules_in,
    short_name,
)
from code.rules.metrics import METRICS, TOKEN_METRICS, Metric, metric_with, queries_for_estimate, queries_without_late
from code.rules.official_names import official_name
from code.rules.rounds import NEWEST, ROUNDS, round_named

RATE = Metric("key", "x/s", 1.0, True, "key")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123462, "0.01235 x/s"),
        (999.94, "999.9 x/s"),
        (999.96, "1,000 x/s"),
        (1000.0, "1,000.0 x/s"),
        (9999.94, "9,999.9 x/s"),
        (10_000.0, "10,000 x/s"),
        (123_456.7, "123,457 x/s"),
    ],
)
def test_four_digits_are_shown_and_no_fraction_of_large_numbers(value: float, shown: str) -> None:
    assert RATE.shown(value) == shown


def test_latencies_are_logged_in_ns_and_shown_in_ms() -> None:
    assert METRICS["SingleStream"].shown(12_345_678_901) == "12,346 ms (90 %)"
    assert METRICS["MultiStream"].shown(1_500_000) == "1.5 ms (99 %)"
    assert METRICS["Offline"].shown(1234.5) == "1,234.5 samples/s" and METRICS["Server"].shown(98.5) == "98.5 queries/s"
    assert {name: metric.higher_is_better for name, metric in METRICS.items()} == {
        "Offline": True,
        "Server": True,
        "SingleStream": False,
        "MultiStream": False,
    }


@pytest.mark.parametrize(("percentile", "queries"), [(0.9, 44), (0.99, 459), (0.999, 4603), (0.5, 7)])
def test_queries_that_early_stopping_needs(percentile: float, queries: int) -> None:
    assert queries_without_late(percentile) == queries
    assert percentile**queries <= 0.01 < percentile ** (queries - 1)


@pytest.mark.parametrize(("percentile", "queries"), [(0.9, 64), (0.99, 662), (0.5, 11)])
def test_queries_that_an_estimate_needs(percentile: float, queries: int) -> None:
    """At most one late query of them would be seen by chance with 1 % at most."""

    def chance(count: int) -> float:
        return percentile**count + count * percentile ** (count - 1) * (1 - percentile)

    assert queries_for_estimate(percentile) == queries and chance(queries) <= 0.01 < chance(queries - 1)


def test_tokens_are_counted_in_their_own_metric() -> None:
    for scenario in ("Offline", "Server", "Interactive"):
        tokens = TOKEN_METRICS["Offline" if scenario == "Offline" else "Server"]
        assert metric_with(scenario, tokens.key) is tokens and tokens.unit == "tokens/s" and tokens.higher_is_better
        assert tokens.shown(1234.5) == "1,234.5 tokens/s" and tokens.submission_key == tokens.key
        assert metric_with(scenario, "another key") is METRICS["Offline" if scenario == "Offline" else "Server"]
    assert metric_with("SingleStream", TOKEN_METRICS["Offline"].key) is METRICS["SingleStream"]


def test_rounds_by_name() -> None:
    assert round_named("6.1") is round_named("v6.1") is ROUNDS["v6.1"]
    with pytest.raises(UsageError, match="unknown round"):
        round_named("6.2")
    assert [name for name, round_ in ROUNDS.items() if round_.nameplate] == [NEWEST]
    assert {name: round_.layout for name, round_ in ROUNDS.items() if name >= "v6.0"} == {"v6.0": "inside", "v6.1": "inside"}
    assert {round_.layout for name, round_ in ROUNDS.items() if name < "v6.0"} == {"beside"}
    assert all(round_.modern == round_.checkers[0].modern for round_ in ROUNDS.values())


def test_categories_in_either_order() -> None:
    rules = RoundRules(
        {"datacenter": ("Server",), "edge": ("Offline",), "datacenter,edge": ("Server", "Offline")},
        required_at={"bert-99.9": {"datacenter": ("Offline",)}},
    )
    for both in ("datacenter,edge", "edge,datacenter", "edge, datacenter"):
        assert rules.scenarios(both) == ("Server", "Offline")
    assert rules.scenarios("edge") == ("Offline",) and rules.scenarios("datacenter") == ("Server",)
    assert rules.scenarios("") == rules.scenarios("cloud") == ()
    assert rules.scenarios("datacenter", "bert-99.9") == ("Offline",) and rules.scenarios("edge", "bert-99.9") == ()
    assert rules.scenarios("datacenter", "bert-99") == ("Server",)


def test_space_is_the_sum_of_its_parts() -> None:
    assert Space(data=1, model=20, preprocessed=300, engines=4000).total == 4321


def test_families_and_fields_of_a_users_own_files() -> None:
    assert {"bert", "gptj", "3d-unet"} <= {facts.name for facts in every_facts()}
    assert "bert" in of_family("encoder") and "gptj" in of_family("text") and of_family("volume") == ("3d-unet",)
    assert facts_of("bert").source_fields == ("model_path", "data_path")
    assert facts_of("gptj").source_fields == ("model_path", "data_path", "cnndm_source")
    assert (short_name("bert-99.9"), short_name("dlrm-v2-99"), short_name("x-99.9"), short_name("retinanet")) == (
        "bert",
        "dlrm-v2",
        "x",
        "retinanet",
    )
    assert required_scenarios(round_named("v6.1"), "resnet", "edge") == ()


def test_names_that_the_official_checker_maps() -> None:
    v61, v60 = round_named("v6.1"), round_named("v6.0")
    assert official_name(v61, "bert-99", {"bert-99": "resnet"}) == "bert-99", "a known name is not mapped"
    assert official_name(v61, "mine", {"mine": "bert-99"}) == "bert-99"
    assert official_name(v61, "mine", {"mine": "nothing"}) is None
    assert official_name(v60, "my-mobilenet-v3", {}) == "resnet" and official_name(v60, "ssd-resnet34", {}) == "retinanet"
    assert official_name(v60, "mobilenet", {"mobilenet": "bert-99"}) == "resnet", "an alias goes before the mapping"
    assert official_name(v61, "tiny-bert-99.9-int8", {}) == "bert-99.9", "the longest name within it"
    parts = {"my-efficientnet": "resnet", "my-resnet50": "resnet", "my-llama3_1-405b": "llama3.1-405b"}
    assert {name: official_name(v60, name, {}) for name in parts} == parts


def test_a_results_name_is_a_benchmark_at_a_target() -> None:
    low, high = result_named("bert-99"), result_named("bert-99.9")
    assert low is not None and high is not None and low.facts is high.facts is facts_of("bert")
    assert (low.name, low.target.full_name, low.below) == ("bert", "bert-99", "")
    assert (high.name, high.target.full_name, high.below) == ("bert", "bert-99.9", "bert-99")
    unet = result_named("3d-unet-99")
    assert unet is not None and (unet.name, unet.below) == ("3d-unet", ""), "another benchmark's targets are not below its own"
    assert result_named("bert") is None is result_named("retinanet") is result_named("bert-99.99")
    for facts in every_facts():
        for target in facts.targets.values():
            found = result_named(target.full_name)
            assert found is not None and found.facts is facts and found.target is target
    with pytest.raises(UsageError, match="unknown benchmark 'brt'") as caught:
        facts_of("brt")
    assert "bert" in caught.value.next_step


def test_what_a_round_asks_of_a_result() -> None:
    v41, v61 = round_named("v4.1"), round_named("v6.1")
    assert rules_in(v61, "bert-99") is facts_of("bert").rounds["v6.1"]
    assert rules_in(v61, "gptj-99") is None is rules_in(v61, "retinanet")
    assert required_scenarios(v61, "bert-99", "edge") == ("SingleStream", "Offline")
    assert required_scenarios(v61, "bert-99", "datacenter") == () == required_scenarios(v61, "gptj-99", "edge")
    assert set(required_scenarios(v41, "bert-99.9", "datacenter")) == {"Server", "Offline"}
    assert required_scenarios(v41, "bert-99.9", "edge") == ()
    assert set(allowed_scenarios(v61, "bert-99", "edge")) >= {"SingleStream", "Offline"}
    assert allowed_scenarios(v61, "retinanet", "edge") == ()
    rules = RoundRules({"edge": ("Offline",)}, optional={"edge": ("MultiStream",)})
    assert rules.allowed("edge") == ("Offline", "MultiStream") and rules.scenarios("edge") == ("Offline",)
    assert required_audits(v41, "bert") == ("TEST01", "TEST05") and required_audits(v61, "bert") == ("TEST01",)
    assert required_audits(v61, "gptj") == ()


def test_the_newest_round_of_a_benchmark() -> None:
    assert newest_with("bert") is round_named("v6.1")
    for facts in every_facts():
        assert newest_with(facts.name).name == max(facts.rounds)
    with pytest.raises(UsageError, match="no round includes the benchmark dlrm") as caught:
        newest_with("dlrm")
    assert "v4.1, v5.0, v5.1, v6.0, v6.1" in caught.value.why


def test_facts_that_follow_from_others() -> None:
    both = PublishedFile("a", "https://one", also=("https://two",), megabytes=3)
    assert both.urls == ("https://one", "https://two") and both.about == 3_000_000
    assert PublishedFile("a", also=("https://two",), size=7, megabytes=3).urls == ("https://two",)
    assert PublishedFile("a", size=7, megabytes=3).about == 7
    assert PublishedFile("a").urls == () and PublishedFile("a").about == 0
    bert, llama = facts_of("bert"), facts_of("llama3.1-8b")
    assert bert.loadgen_model("Offline") == "bert"
    assert llama.loadgen_model("Interactive") == f"{llama.loadgen_model('Server')}-interactive"
    assert llama.loadgen_model("Server") == (llama.loadgen_name or llama.name)


def test_a_benchmark_that_says_no_more_has_no_traits() -> None:
    """What a new benchmark leaves out: no whole passes, no list, no bound of its own, and LoadGen's name is its own."""
    plain = BenchmarkFacts(
        "x", "encoder", ("Offline",), 1, {}, {"v6.1": RoundRules({})}, Audits(("TEST01",), "float32"), {"tiny": Space(1, 2, 3, 4)}
    )
    assert not plain.whole_passes and not plain.named_within and plain.files == () == plain.length_spread
    assert (plain.lone_sample, plain.lone_seconds, plain.longest_input, plain.text) == (1.0, math.inf, None, None)
    assert plain.loadgen_model("Server") == "x" and plain.source_fields == ("model_path", "data_path")
    rules = plain.rounds["v6.1"]
    assert not rules.counts_tokens and rules.server_latency_ns is None and rules.audits == () == rules.allowed("edge")
