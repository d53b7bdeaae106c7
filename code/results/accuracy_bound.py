"""Bounds of means of which some samples are not known yet (code/results/accuracy.py, AccuracyBound)."""

from __future__ import annotations

from collections.abc import Iterable

SLACK = 1e-9
"""Added to a bound: sums of the same numbers in another order differ by less."""


def best_mean(scores: Iterable[float], count: int, most: float, repeated: int = 0) -> float:
    """The highest mean that `count` samples can have.

    Args:
        scores: of those that are known.
        most: the highest score of a sample, which all others may have.
        repeated: known ones that may be replaced; the lowest are.
    """
    kept = sorted(scores)[repeated:]
    return min((sum(kept) + most * (count - len(kept))) / count + SLACK, most)


def mean(scores: Iterable[float]) -> float:
    """The mean; 0 of none."""
    known = list(scores)
    return sum(known) / len(known) if known else 0.0
