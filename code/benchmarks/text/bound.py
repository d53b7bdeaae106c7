"""The best scores that an accuracy run of a text generator can still reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from code.benchmarks.text import rouge
from code.benchmarks.text.sentences import Splitter
from code.results.accuracy import AccuracyResult
from code.results.accuracy_bound import best_mean, mean

Texts = Mapping[int, tuple[str, str]]
"""Sample index → its generated summary and its reference."""


class RougeBound:
    """ROUGE if every summary left were its reference, and GEN_LEN if every one left were empty.

    Where GEN_LEN has a least value, that is not bounded: the summaries left may have any length.

    Args:
        texts: reads the summaries of an accuracy log in a directory.
        count: samples of the data set.
        least, most: metric → the values that pass.
    """

    def __init__(
        self,
        texts: Callable[[Path], Texts],
        split: Splitter,
        count: int,
        least: Mapping[str, float],
        most: Mapping[str, float],
    ) -> None:
        self._texts, self._split, self._count = texts, split, count
        self._least = {name: value for name, value in least.items() if name in rouge.NAMES.values()}
        self._most = {name: value for name, value in most.items() if name == rouge.LENGTH}
        self._scores: dict[int, dict[str, float]] = {}
        self._lengths: dict[int, int] = {}

    def add(self, log_dir: Path) -> None:
        """Score the summaries of more of the log; the first response to a sample counts."""
        new = {index: pair for index, pair in self._texts(log_dir).items() if index not in self._scores}
        found = rouge.each([summary for summary, _ in new.values()], [reference for _, reference in new.values()], self._split)
        for place, index in enumerate(new):
            self._scores[index] = {name: 100.0 * values[place] for name, values in found.scores.items()}
            self._lengths[index] = found.lengths[place]

    def best(self, repeated: int) -> tuple[list[AccuracyResult], str]:
        """Scores rounded as the reference's evaluation prints them; no answer is replaced by a later one."""
        of = {name: [one[name] for one in self._scores.values()] for name in self._least}
        bounds = [AccuracyResult(name, round(best_mean(of[name], self._count, 100.0), 4), self._least[name]) for name in of]
        length = float(sum(self._lengths.values()))
        bounds += [AccuracyResult(name, length, most, higher_is_better=False) for name, most in self._most.items()]
        so_far = ", ".join(f"{name} {mean(values):.4f}" for name, values in of.items())
        words = f"{len(self._scores):,} of {self._count:,} summaries are there, with {so_far} and {length:,.0f} characters"
        return bounds, words
