"""Settings of a run that are not the benchmark's own rule, found in what LoadGen logged.

LoadGen takes any bound, percentile, seed or sample count and reports VALID. The logged settings are compared with the rules, so it
does not matter whether a config class, the environment or the command line set them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from code.results.explain import ms
from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason
from code.rules.benchmarks import ResultFacts, result_named
from code.rules.metrics import PERCENTILES, SAMPLES_PER_QUERY
from code.rules.rounds import Round

FIELDS = {"Server": "server", "SingleStream": "single_stream", "MultiStream": "multi_stream"}
"""Scenario → the beginning of its fields' names."""


def departures(log: LoadGenLog, benchmark_full: str, round_: Round | None, scenario: str = "") -> tuple[Reason, ...]:
    """Every setting of a run that differs from the rules; () for a benchmark that is not known here.

    Args:
        benchmark_full: 'bert-99'.
        round_: the round that the run is for; None compares neither seeds nor latency bounds.
        scenario: of configs and results, whose token latencies are bounded; LoadGen's log calls Interactive Server.
    """
    facts = result_named(benchmark_full)
    if facts is None:
        return ()
    found = [*_percentile(log), *_samples(log, facts)]
    if round_ is not None:
        found += [*_bound(log, facts, round_), *_token_bounds(log, facts, round_, scenario), *_seeds(log, round_)]
    return tuple(found)


def _percentile(log: LoadGenLog) -> Iterator[Reason]:
    rule, given = PERCENTILES.get(log.scenario), log.number("effective_target_latency_percentile")
    if rule is not None and given is not None and not math.isclose(given, rule, rel_tol=1e-5):
        what = f"the latency percentile is {100 * given:g}, not the rule's {100 * rule:g}"
        yield Reason(what, f"{FIELDS[log.scenario]}_target_latency_percentile", f"{100 * rule:g}")


def _bound(log: LoadGenLog, facts: ResultFacts, round_: Round) -> Iterator[Reason]:
    """The bound of the round; of a round without Server for this benchmark, that of the newest round which has it."""
    names = [round_.name, *reversed(list(facts.facts.rounds))]
    bounds = [(rules.server_latency_ns, name) for name in names if (rules := facts.facts.rounds.get(name)) is not None]
    rule, of = next(((bound, name) for bound, name in bounds if bound), (None, ""))
    given = log.number("effective_target_latency_ns")
    if log.scenario == "Server" and rule and given is not None and given != rule:
        yield Reason(
            f"the latency bound is {ms(given)}, not the rule's {ms(rule)} of {of}", "server_target_latency_ns", str(rule)
        )


def _token_bounds(log: LoadGenLog, facts: ResultFacts, round_: Round, scenario: str) -> Iterator[Reason]:
    rules = facts.facts.rounds.get(round_.name)
    bounds = rules.token_bounds.get(scenario) if rules else None
    if bounds is None:
        return
    for words, key, rule in (("first token", "ttft", bounds.first), ("time per token", "tpot", bounds.each)):
        given = log.number(f"requested_server_{key}_latency")
        if given is not None and given != rule:
            yield Reason(
                f"the bound of the {words} is {ms(given)}, not the rule's {ms(rule)} of {round_.name}",
                f"server_{key}_latency",
                f"{rule / 1e6:g}",
            )


def _samples(log: LoadGenLog, facts: ResultFacts) -> Iterator[Reason]:
    count, rule = log.number("effective_performance_sample_count"), facts.facts.samples
    if log.has_performance and count is not None and count < rule:
        what = f"LoadGen drew from {count:,.0f} samples, not the rule's {rule:,}"
        yield Reason(what, "performance_sample_count_override", str(rule))
    size = log.number("effective_samples_per_query")
    if log.scenario == "MultiStream" and size is not None and size != SAMPLES_PER_QUERY:
        what = f"a query has {size:,.0f} samples, not the rule's {SAMPLES_PER_QUERY}"
        yield Reason(what, "multi_stream_samples_per_query", str(SAMPLES_PER_QUERY))


def _seeds(log: LoadGenLog, round_: Round) -> Iterator[Reason]:
    for name, rule in round_.seeds.items():
        given = log.get(f"effective_{name}")
        if given is not None and given != rule:
            yield Reason(f"{name} is {given}, not the rule's {rule} of {round_.name}", name, str(rule))
