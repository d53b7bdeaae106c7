"""Results that stand for others, as the rules and the official preprocess_submission.py allow.

- A result that meets the 99.9 % target also meets the 99 % one.
- On an edge system a SingleStream result may stand for Offline (its queries per second without LoadGen's overhead count).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from code.submission.candidates import Candidate
from code.submission.rounds import Round


def inferred(
    candidates: Iterable[Candidate], round_of: dict[str, Round], category_of: Callable[[Candidate], str]
) -> list[Candidate]:
    """The candidates and those that they may stand for where nothing was measured.

    Args:
        round_of: benchmark → the round it is staged for.
        category_of: gives the category of a candidate's system.
    """
    out = list(candidates)
    present = {one.key for one in out}
    for one in list(out):
        low = one.benchmark.removesuffix(".9")
        if one.benchmark.endswith("-99.9") and low in round_of and (one.system, low) not in {key[:2] for key in present}:
            out.append(replace(one, benchmark=low, stands_for=one.benchmark))
    present = {one.key for one in out}
    for one in list(out):
        category = category_of(one)
        wanted = round_of[one.benchmark].scenarios(one.benchmark, category)
        key = (one.system, one.benchmark, "Offline")
        if one.scenario == "SingleStream" and "edge" in category and "Offline" in wanted and key not in present:
            out.append(replace(one, scenario="Offline", measured="SingleStream"))
    return sorted(out, key=lambda one: one.key)


def note(one: Candidate) -> str:
    """What the staged tree says about it; '' for a measured result."""
    parts = []
    if one.stands_for:
        parts.append(f"the {one.stands_for} result stands for {one.benchmark}, whose accuracy target is lower")
    if one.measured:
        parts.append(f"the {one.measured} run stands for {one.scenario}")
    return "; ".join(parts)
