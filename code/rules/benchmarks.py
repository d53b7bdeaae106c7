"""The benchmarks and their facts, by short name or result name; imports only the facts of a benchmark."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from code.common.errors import UsageError, unknown
from code.rules.benchmark_facts import BenchmarkFacts, Family, RoundRules, Target
from code.rules.rounds import ROUNDS, Round

BENCHMARKS: dict[str, str] = {
    "bert": "code.benchmarks.bert",
    "gptj": "code.benchmarks.gptj",
    "3d-unet": "code.benchmarks.unet3d",
    "llama3.1-8b": "code.benchmarks.llama3_1_8b",
    "llama3.1-8b-edge": "code.benchmarks.llama3_1_8b_edge",
}
"""Benchmark name → its package."""


def facts_of(name: str) -> BenchmarkFacts:
    """The facts of the benchmark called `name` ('bert'); UsageError for an unknown one."""
    package = BENCHMARKS.get(name)
    if package is None:
        raise unknown("benchmark", name, BENCHMARKS)
    return cast(BenchmarkFacts, importlib.import_module(f"{package}.facts").FACTS)


def every_facts() -> Iterator[BenchmarkFacts]:
    """The facts of every benchmark, in the order of BENCHMARKS."""
    return map(facts_of, BENCHMARKS)


def of_family(family: Family) -> tuple[str, ...]:
    """The names of a family's benchmarks."""
    return tuple(facts.name for facts in every_facts() if facts.family == family)


@dataclass(frozen=True)
class ResultFacts:
    """A parsed result name: a benchmark at one of its accuracy targets.

    Args:
        below: the full name of the next lower target, which a result that meets this one meets too; '' for the lowest.
    """

    facts: BenchmarkFacts
    target: Target
    below: str = ""

    @property
    def name(self) -> str:
        """The benchmark's short name."""
        return self.facts.name


def result_named(full_name: str) -> ResultFacts | None:
    """The benchmark and target of a result's name ('bert-99.9'); None for an unknown one, as in other submitters' trees."""
    for facts in every_facts():
        below = ""
        for target in facts.targets.values():
            if target.full_name == full_name:
                return ResultFacts(facts, target, below)
            below = target.full_name
    return None


def short_name(full_name: str) -> str:
    """'bert' for 'bert-99.9'. For an unknown benchmark the accuracy target is stripped."""
    found = result_named(full_name)
    return found.name if found else re.sub(r"-99(\.9)?$", "", full_name)


def rules_in(round_: Round, full_name: str) -> RoundRules | None:
    """A round's rules for a result's benchmark; None if the round does not have it."""
    found = result_named(full_name)
    return found.facts.rounds.get(round_.name) if found else None


def required_scenarios(round_: Round, full_name: str, category: str) -> tuple[str, ...]:
    """The scenarios that a closed submission must have; () if the round or the category does not have the benchmark."""
    rules = rules_in(round_, full_name)
    return rules.scenarios(category, full_name) if rules else ()


def allowed_scenarios(round_: Round, full_name: str, category: str) -> tuple[str, ...]:
    """The scenarios that a submission may have: the required and the optional ones; () as for `required_scenarios`."""
    rules = rules_in(round_, full_name)
    return rules.allowed(category, full_name) if rules else ()


def required_audits(round_: Round, name: str) -> tuple[str, ...]:
    """The audit tests that a round requires for a benchmark, by its short name."""
    rules = facts_of(name).rounds.get(round_.name)
    return rules.audits if rules else ()


def newest_with(name: str) -> Round:
    """The newest round that has the benchmark called `name`; UsageError if none has."""
    has = facts_of(name).rounds if name in BENCHMARKS else {}
    for round_ in reversed(ROUNDS.values()):
        if round_.name in has:
            return round_
    raise UsageError(f"no round includes the benchmark {name}", f"known rounds: {', '.join(ROUNDS)}", "stage another benchmark")
