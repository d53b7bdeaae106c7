"""Metrics, queries, rounds and names of the rules, as people and the official checker write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from code.common.errors import UsageError
from code.fields.field import Field
from code.fields.table import lookup
from code.rules import metrics
from code.rules.benchmark_facts import PublishedFile, RoundRules, Space
from code.rules.benchmarks import facts_of, newest_with, required_audits, required_scenarios, result_named, rules_in, short_name
from code.rules.official_names import known_names, official_name
from code.rules.rounds import ROUNDS, Round, round_named

# ── rules ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scenario", "value", "shown"),
    [
        ("Offline", 12_345.6, "12,346 samples/s"),
        ("Offline", 9_999.44, "9,999.4 samples/s"),
        ("Offline", 10_000, "10,000 samples/s"),
        ("Server", 999.94, "999.9 queries/s"),
        ("Server", 1000.0, "1,000.0 queries/s"),
        ("SingleStream", 1_553_400, "1.553 ms (90 %)"),
        ("MultiStream", 25_000_000, "25 ms (99 %)"),
    ],
)
def test_a_metric_as_people_read_it(scenario: str, value: float, shown: str) -> None:
    assert metrics.METRICS[scenario].shown(value) == shown


def test_queries_of_early_stopping() -> None:
    assert [metrics.queries_for_estimate(share) for share in (0.9, 0.99)] == [64, 662]
    assert [metrics.queries_without_late(share) for share in (0.9, 0.99)] == [44, 459]


@pytest.mark.parametrize(("name", "found"), [("v6.1", "v6.1"), ("6.1", "v6.1"), ("v4.1", "v4.1")])
def test_a_round_with_and_without_v(name: str, found: str) -> None:
    assert round_named(name).name == found


def test_facts_by_full_and_short_names() -> None:
    high = result_named("bert-99.9")
    low = result_named("bert-99")
    assert high is not None and low is not None
    assert (high.name, high.below, low.below) == ("bert", "bert-99", "") and high.target.full_name == "bert-99.9"
    assert result_named("bert") is None and short_name("bert-99.9") == "bert" and short_name("other-99.9") == "other"
    assert short_name("other-99") == "other" and short_name("other-98") == "other-98"
    rounds = list(facts_of("bert").rounds)
    assert newest_with("bert") is ROUNDS[[name for name in ROUNDS if name in rounds][-1]]
    for name, round_ in ROUNDS.items():
        rules = rules_in(round_, "bert-99")
        assert (rules is not None) == (name in rounds)
        assert required_scenarios(round_, "bert-99", "edge") == (rules.scenarios("edge") if rules else ())
        assert required_audits(round_, "bert") == (rules.audits if rules else ())
    assert rules_in(round_named("v6.1"), "other") is None and required_scenarios(round_named("v6.1"), "other", "edge") == ()
    with pytest.raises(UsageError, match="no round includes the benchmark other"):
        newest_with("other")


def test_what_a_category_requires() -> None:
    rules = RoundRules({"edge": ("A",), "datacenter,edge": ("A", "B")}, required_at={"x-99.9": {"edge": ("C",)}})
    assert rules.scenarios("edge") == ("A",) and rules.scenarios("datacenter") == ()
    assert rules.scenarios("edge, datacenter") == ("A", "B") == rules.scenarios("datacenter,edge")
    assert rules.scenarios("edge", "x-99.9") == ("C",) and rules.scenarios("edge", "x-99") == ("A",)
    assert Space(1, 2, 3, 4).total == 10
    assert PublishedFile("p", "u", also=("v",)).urls == ("u", "v") and PublishedFile("p", also=("v",)).urls == ("v",)
    assert PublishedFile("p", megabytes=2).about == 2_000_000 and PublishedFile("p", size=5, megabytes=2).about == 5


@pytest.mark.parametrize(
    ("name", "mapping", "found"),
    [
        ("bert-99", {}, "bert-99"),
        ("resnet50", {}, "resnet"),
        ("my-mobilenet-v2", {}, "resnet"),
        ("ssd-resnet34", {}, "retinanet"),
        ("mine", {"mine": "resnet"}, "resnet"),
        ("mine", {"mine": "nothing"}, None),
        ("mine", {}, None),
    ],
)
def test_names_as_the_official_checker_takes_them(name: str, mapping: dict[str, str], found: str | None) -> None:
    round_: Round = ROUNDS["v5.0"]
    assert official_name(round_, name, mapping) == found
    assert found is None or found in known_names(round_)


def test_lookup_of_an_unknown_option_names_the_nearest() -> None:
    call: Callable[..., Field] = lookup
    with pytest.raises(UsageError) as caught:
        call("precisio", kind="flag")
    assert "--precision" in caught.value.next_step or "precision" in caught.value.why
