"""Accuracy metrics against their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class AccuracyResult:
    """One metric of an accuracy run.

    Args:
        name: as the benchmark's rules call it: 'F1', 'ROUGE1', 'DICE'.
        value: what was measured, in the metric's own unit.
        threshold: the target, reference × 0.99 or × 0.999; the value itself still passes.
        higher_is_better: False where the target is the most that is allowed.
    """

    name: str
    value: float
    threshold: float
    higher_is_better: bool = True

    @property
    def passed(self) -> bool:
        """Whether the target is met; a value that is not a number never does."""
        return self.value >= self.threshold if self.higher_is_better else self.value <= self.threshold

    @property
    def word(self) -> str:
        """'PASSED' or 'FAILED'."""
        return "PASSED" if self.passed else "FAILED"

    def summary(self) -> str:
        """'[PASSED] F1: 90.215 (Threshold=89.965)'."""
        return f"[{self.word}] {self.name}: {self.value:.3f} (Threshold={self.threshold:.3f})"

    def as_json(self) -> dict[str, object]:
        """The entry of metadata.json's `accuracy` list."""
        return {"name": self.name, "pass": self.passed, "threshold": self.threshold, "value": self.value}


def accuracy_pass(results: Sequence[AccuracyResult]) -> bool:
    """Whether every metric meets its target; no metric at all is no pass."""
    return bool(results) and all(one.passed for one in results)


def accuracy_summary(results: Sequence[AccuracyResult]) -> str:
    """The metrics of a run in one line, joined with ' | '."""
    return " | ".join(one.summary() for one in results)
