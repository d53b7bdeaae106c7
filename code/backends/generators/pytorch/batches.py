"""Which of the waiting requests form the next batch: the oldest one, and those nearest to it in length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Request:
    """A request: the caller's number and the prompt's token ids, int32 [length]."""

    number: int
    prompt: NDArray[np.int32]


def taken(waiting: list[Request], most: int) -> list[Request]:
    """Take up to `most` requests out of `waiting`, the oldest always among them, longest first.

    Prompts of a batch are padded to the longest, so equal lengths waste nothing. The oldest is always taken, so that none waits for ever.
    """
    if not waiting:
        return []
    wanted = len(waiting[0].prompt)
    nearest = sorted(range(1, len(waiting)), key=lambda i: (abs(len(waiting[i].prompt) - wanted), i))[: most - 1]
    chosen = {0, *nearest}
    batch = [request for i, request in enumerate(waiting) if i in chosen]
    waiting[:] = [request for i, request in enumerate(waiting) if i not in chosen]
    return sorted(batch, key=lambda request: -len(request.prompt))


def padded(batch: list[Request], pad: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, int64 [rows, longest], padded on the left; rows beyond the batch repeat its last prompt."""
    longest = max(len(request.prompt) for request in batch)
    ids = np.full((rows, longest), pad, dtype=np.int64)
    mask = np.zeros((rows, longest), dtype=np.int64)
    for row in range(rows):
        prompt = batch[min(row, len(batch) - 1)].prompt
        ids[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def rounded(count: int, most: int) -> int:
    """Rows of a batch whose shape is compiled: the next power of two, at most `most`."""
    return min(most, 1 << (count - 1).bit_length())
