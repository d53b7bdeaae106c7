"""ROUGE of summaries against their references, as the MLCommons references compute it, in parallel.

`rouge-score` with stemming, F-measures averaged over the samples and given in percent, rounded to four digits as its evaluation.py
prints them. ROUGE-LSum expects one sentence per line. GEN_LEN is the number of characters of all summaries.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from code.benchmarks.text.sentences import Splitter

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")
NAMES = {"rouge1": "ROUGE1", "rouge2": "ROUGE2", "rougeL": "ROUGEL", "rougeLsum": "ROUGELSUM"}
LENGTH = "GEN_LEN"
_PART = 128

_TIDY = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"),
         (" 've", "'ve"), (" 're", "'re"))  # fmt: skip
"""The replacements of clean_up_tokenization_spaces in transformers 4, which the references pin, in order."""

Pair = tuple[str, str]


def tidied(text: str) -> str:
    """A decoded summary as the reference's tokeniser returns it, without spaces before punctuation and contractions."""
    for old, new in _TIDY:
        text = text.replace(old, new)
    return text


def prepared(text: str, split: Splitter) -> str:
    """A summary in the reference's input format for ROUGE: stripped, one sentence per line."""
    return "\n".join(split(text.strip()))


def score(
    predictions: Sequence[str], references: Sequence[str], split: Splitter, processes: int | None = None
) -> dict[str, float]:
    """{'ROUGE1', 'ROUGE2', 'ROUGEL', 'ROUGELSUM'} in percent, 'GEN_LEN' in characters and 'GEN_NUM', the number of summaries.

    Args:
        processes: number of worker processes; None for one per core.
    """
    found = each(predictions, references, split, processes)
    means = {name: round(100.0 * _mean(values), 4) for name, values in found.scores.items()}
    return {**means, LENGTH: float(sum(found.lengths)), "GEN_NUM": float(len(found.lengths))}


class Each(NamedTuple):
    """Of each summary, in order.

    Args:
        scores: 'ROUGE1', … → F-measures from 0 to 1.
        lengths: in characters.
    """

    scores: dict[str, list[float]]
    lengths: list[int]


def each(predictions: Sequence[str], references: Sequence[str], split: Splitter, processes: int | None = None) -> Each:
    """The F-measures and the length of each summary; arguments as for `score`."""
    pairs = [(prepared(r, split), prepared(p, split)) for p, r in zip(predictions, references, strict=True)]
    parts = [pairs[first : first + _PART] for first in range(0, len(pairs), _PART)]
    count = min(processes or len(os.sched_getaffinity(0)), len(parts)) if parts else 1
    if count > 1:
        with multiprocessing.get_context("spawn").Pool(count) as pool:
            found = pool.map(f_measures, parts)
    else:
        found = [f_measures(part) for part in parts]
    scores = {NAMES[kind]: [value for part in found for value in part[kind]] for kind in KINDS}
    return Each(scores, [len(p) for _, p in pairs])


def f_measures(pairs: Sequence[Pair]) -> dict[str, list[float]]:
    """The F-measures of (reference, prediction) pairs by kind."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(KINDS), use_stemmer=True)
    found = [scorer.score(reference, prediction) for reference, prediction in pairs]
    return {kind: [one[kind].fmeasure for one in found] for kind in KINDS}


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else float("nan")
