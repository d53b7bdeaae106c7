"""Inferred results: a result submitted for another target or scenario, as the rules and preprocess_submission.py allow.

- A result that meets the 99.9 % target also meets the 99 % one.
- On an edge system a SingleStream result may be used for Offline (scored in queries per second without LoadGen overhead). This is done
  if Offline was not measured, or if a bug in the round's official checker makes it reject the measured result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from code.rules.benchmarks import required_scenarios, result_named
from code.rules.rounds import Round
from code.submission.stage.candidates import Candidate


def inferred(
    candidates: Iterable[Candidate], round_of: dict[str, Round], category_of: Callable[[Candidate], str]
) -> list[Candidate]:
    """The candidates, plus inferred ones for results that were not measured.

    Args:
        round_of: maps a benchmark to the round it is staged for.
        category_of: returns the category of a candidate's system.
    """
    every = list(candidates)
    out = [one for one in every if not replaced(one, every, round_of, category_of)]
    present = {one.key for one in out}
    for one in list(out):
        result = result_named(one.benchmark)
        low = result.below if result else ""
        if low in round_of and (one.system, low) not in {key[:2] for key in present}:
            out.append(replace(one, benchmark=low, stands_for=one.benchmark))
    present = {one.key for one in out}
    for one in list(out):
        key = (one.system, one.benchmark, "Offline")
        if key not in present and _may_be_offline(one, round_of[one.benchmark], category_of(one)):
            out.append(replace(one, scenario="Offline", measured="SingleStream"))
    return sorted(out, key=lambda one: one.key)


def _may_be_offline(one: Candidate, round_: Round, category: str) -> bool:
    """Whether a result may stand for the Offline one that its round wants: only LoadGen's logs have the figure for it."""
    wanted = required_scenarios(round_, one.benchmark, category)
    return one.endpoint is None and one.scenario == "SingleStream" and "edge" in category and "Offline" in wanted


def replaced(
    one: Candidate, every: Iterable[Candidate], round_of: dict[str, Round], category_of: Callable[[Candidate], str]
) -> bool:
    """Whether an inferred result replaces this one of the harness, because of a bug in the official checker."""
    round_ = round_of[one.benchmark]
    result = result_named(one.benchmark)
    refused = result is not None and one.scenario in result.facts.checker_faults.get(round_.checkers[0].commit, ())
    single = any(other.key == (one.system, one.benchmark, "SingleStream") for other in every)
    own = one.performance_run is not None
    return own and refused and one.scenario == "Offline" and single and "edge" in category_of(one)


def note(one: Candidate) -> str:
    """Explanation for the staged tree; '' for a measured result."""
    parts = []
    if one.stands_for:
        parts.append(f"the {one.stands_for} result is also used for {one.benchmark}, whose accuracy target is lower")
    if one.measured:
        parts.append(f"the {one.measured} run is used for {one.scenario}")
    return "; ".join(parts)
