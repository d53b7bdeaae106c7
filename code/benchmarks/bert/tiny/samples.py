"""Endless training samples: articles written on the fly, cut into windows and sorted into batches of like length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.benchmarks.bert.tiny.articles import MAX_QUERY, MAX_SEQUENCE, SPECIAL, STRIDE, Count, paragraph
from code.benchmarks.words import Dice

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """One window: token ids of [CLS] question [SEP] context [SEP], the question's share, and the answer's position.

    `start` and `end` are positions in `ids`; both are 0, the place of [CLS], where the window lacks the answer.
    """

    ids: list[int]
    question: int
    start: int
    end: int


@dataclass(frozen=True)
class Batch:
    """int64 arrays: input_ids, input_mask and segment_ids [samples, longest]; starts and ends [samples]."""

    input_ids: Integers
    input_mask: Integers
    segment_ids: Integers
    starts: Integers
    ends: Integers


def cut(tokenizer: Any, question: str, context: Any, answer: tuple[int, int]) -> Iterator[Sample]:
    """The windows of a question and an encoded context; `answer` is its first and last character (exclusive)."""
    query = tokenizer.encode(question, add_special_tokens=False).ids[:MAX_QUERY]
    first, last = context.char_to_token(answer[0]), context.char_to_token(answer[1] - 1)
    capacity = MAX_SEQUENCE - SPECIAL - len(query)
    mark, separator = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    begin = 0
    while True:
        size = min(capacity, len(context.ids) - begin)
        ids = [mark, *query, separator, *context.ids[begin : begin + size], separator]
        shift = len(query) + 2 - begin
        inside = begin <= first and last < begin + size
        yield Sample(ids, len(query) + 2, first + shift if inside else 0, last + shift if inside else 0)
        if begin + size >= len(context.ids):
            return
        begin += min(size, STRIDE)


def collate(samples: list[Sample]) -> Batch:
    """Pad the samples to the longest of them."""
    longest = max(len(sample.ids) for sample in samples)
    arrays = [np.zeros((len(samples), longest), dtype=np.int64) for _ in range(3)]
    for row, sample in enumerate(samples):
        arrays[0][row, : len(sample.ids)] = sample.ids
        arrays[1][row, : len(sample.ids)] = 1
        arrays[2][row, sample.question : len(sample.ids)] = 1
    starts = np.array([sample.start for sample in samples], dtype=np.int64)
    ends = np.array([sample.end for sample in samples], dtype=np.int64)
    return Batch(arrays[0], arrays[1], arrays[2], starts, ends)


class Stream:
    """Batches without end; the same seed and the same calls give the same batches."""

    def __init__(self, seed: str, tokenizer: Any, count: Count) -> None:
        self._seed, self._tokenizer, self._count = seed, tokenizer, count
        self._dice = Dice(f"{seed}/batches")
        self._next = 0
        self._kind: tuple[int, int | None] = (0, None)
        self._ready: list[list[Sample]] = []

    def batch(self, tokens: int, longest: int | None = None) -> Batch:
        """The next batch, of about `tokens` tokens; `longest` bounds a paragraph's word pieces."""
        if not self._ready or self._kind != (tokens, longest):
            self._kind = (tokens, longest)
            self._refill(tokens, longest)
        return collate(self._ready.pop())

    def _refill(self, tokens: int, longest: int | None) -> None:
        samples: list[Sample] = []
        for _ in range(600):
            samples.extend(self._paragraph(longest))
        samples.sort(key=lambda sample: len(sample.ids))
        batches, current = [], [samples[0]]
        for sample in samples[1:]:
            if (len(current) + 1) * len(sample.ids) > tokens:
                batches.append(current)
                current = []
            current.append(sample)
        self._ready = self._dice.shuffled([*batches, current])

    def _paragraph(self, longest: int | None) -> Iterator[Sample]:
        long = longest is None and self._dice.chance(0.02)
        written = paragraph(self._seed, self._next, self._count, long=long, longest=longest, asked=8)
        self._next += 1
        context = self._tokenizer.encode(written.context, add_special_tokens=False)
        for entry in written.questions:
            answer = entry["answers"][0]
            begin = answer["answer_start"]
            yield from cut(self._tokenizer, entry["question"], context, (begin, begin + len(answer["text"])))
