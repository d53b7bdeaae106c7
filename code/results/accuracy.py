"""Accuracy metrics against their targets, of whole runs and of those under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class AccuracyResult:
    """One metric of an accuracy run.

    Args:
        name: as in the benchmark's rules: 'F1', 'ROUGE1', 'DICE'.
        value: the measured value, in the metric's unit.
        threshold: the target, reference × 0.99 or × 0.999; a value equal to it passes.
        higher_is_better: False if the target is an upper bound.
    """

    name: str
    value: float
    threshold: float
    higher_is_better: bool = True

    @property
    def passed(self) -> bool:
        """Whether the target is met; NaN never meets it."""
        return self.value >= self.threshold if self.higher_is_better else self.value <= self.threshold

    @property
    def word(self) -> str:
        """'PASSED' or 'FAILED'."""
        return "PASSED" if self.passed else "FAILED"

    def summary(self) -> str:
        """The form used in summary_string: '[PASSED] F1: 90.215 (Threshold=89.965)'."""
        return f"[{self.word}] {self.name}: {self.value:.3f} (Threshold={self.threshold:.3f})"

    def as_json(self) -> dict[str, object]:
        """The entry of metadata.json's `accuracy` list."""
        bound = {} if self.higher_is_better else {"most": True}
        return {"name": self.name, "pass": self.passed, "threshold": self.threshold, "value": self.value, **bound}


class AccuracyBound(Protocol):
    """What a run can still score, from its accuracy log so far.

    It must never be worse than what the run scores in the end: a run that would pass is never ended.
    """

    def add(self, log_dir: Path) -> None:
        """Score the responses of the accuracy log in `log_dir`, which has only those since the last call.

        Raises what the benchmark's check of a log raises.
        """

    def best(self, repeated: int) -> tuple[list[AccuracyResult], str]:
        """The best scores against their targets, and where they come from: '3 of 43 cases are answered, with DICE 0.812'.

        Args:
            repeated: answered samples that may be answered once more, with the last answer counting.
        """


def accuracy_pass(results: Sequence[AccuracyResult]) -> bool:
    """Whether every metric meets its target; False without metrics."""
    return bool(results) and all(one.passed for one in results)


def accuracy_summary(results: Sequence[AccuracyResult]) -> str:
    """One line with all metrics, joined with ' | '."""
    return " | ".join(one.summary() for one in results)
