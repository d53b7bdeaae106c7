"""Endless training samples: articles written on the fly, as prompt and summary, sorted into batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from code.benchmarks.text.tiny.articles import Article, article
from code.benchmarks.words import Dice

if TYPE_CHECKING:
    from numpy.typing import NDArray

POOL = 600

Encode = Callable[[Sequence[Article]], list[tuple[list[int], list[int]]]]
"""Articles → the token ids of each one's prompt, and those of its summary with the end of text."""


@dataclass(frozen=True)
class Batch:
    """Padded at the right, where a causal model does not look.

    Args:
        ids: int64 [samples, longest]: prompt, summary, end of text.
        summary: bool [samples, longest]: the tokens that the model learns to give, the end of text among them.
    """

    ids: NDArray[np.int64]
    summary: NDArray[np.bool_]


class Stream:
    """Batches without end; the same seed and the same calls give the same batches."""

    def __init__(self, seed: str, encode: Encode, end: int) -> None:
        self._seed, self._encode, self._end = seed, encode, end
        self._dice = Dice(f"{seed}/batches")
        self._next = 0
        self._kind: tuple[int, int | None] = (0, None)
        self._ready: list[list[tuple[list[int], int]]] = []

    def batch(self, tokens: int, longest: int | None = None) -> Batch:
        """The next batch, of about `tokens` tokens; `longest` bounds an article's words."""
        if not self._ready or self._kind != (tokens, longest):
            self._kind = (tokens, longest)
            self._refill(tokens, longest)
        return self._collate(self._ready.pop())

    def _refill(self, tokens: int, longest: int | None) -> None:
        written = [article(self._seed, self._next + i, longest) for i in range(POOL)]
        self._next += POOL
        samples = [([*prompt, *summary], len(prompt)) for prompt, summary in self._encode(written)]
        samples.sort(key=lambda sample: len(sample[0]))
        batches, current = [], [samples[0]]
        for sample in samples[1:]:
            if (len(current) + 1) * len(sample[0]) > tokens:
                batches.append(current)
                current = []
            current.append(sample)
        self._ready = self._dice.shuffled([*batches, current])

    def _collate(self, samples: list[tuple[list[int], int]]) -> Batch:
        longest = max(len(ids) for ids, _ in samples)
        ids = np.full((len(samples), longest), self._end, dtype=np.int64)
        summary = np.zeros((len(samples), longest), dtype=np.bool_)
        for row, (sample, prompt_length) in enumerate(samples):
            ids[row, : len(sample)] = sample
            summary[row, prompt_length : len(sample)] = True
        return Batch(ids, summary)
