"""Grouping of samples into batches.

Samples of a batch have similar lengths, because computation on padding is wasted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Samples that are computed in one engine call.

    Args:
        ids: LoadGen's response ids.
        indices: the samples' indices, int64 [n].
        arrived: when each was issued, monotonic seconds; empty where all come with one query.
    """

    ids: Sequence[int]
    indices: NDArray[np.int64]
    arrived: Sequence[float] = ()


def by_length(
    ids: Sequence[int], indices: Sequence[int], lengths: NDArray[np.int32], limit: int, padding: float
) -> Iterator[Batch]:
    """Cut one large query into batches of at most `limit` samples of similar length, longest first so that the tail is short.

    Args:
        lengths: length of every sample of the data set, int32 [N].
        padding: a sample joins a batch when it is at most this share shorter than the batch's longest.
    """
    wanted = np.asarray(indices, dtype=np.int64)
    response = np.asarray(ids, dtype=np.uint64)
    of_wanted = lengths[wanted]
    order = np.argsort(-of_wanted, kind="stable")
    wanted, response, of_wanted = wanted[order], response[order], of_wanted[order]
    start, total = 0, len(wanted)
    while start < total:
        end = min(start + limit, total)
        least = int(of_wanted[start] * (1.0 - padding))
        if of_wanted[end - 1] < least:
            end = start + int(np.searchsorted(-of_wanted[start:end], -least, side="right"))
        yield Batch(response[start:end].tolist(), wanted[start:end])
        start = end


class ArrivalQueue:
    """The Server scenario's queue: workers take the oldest query and others of similar length.

    Args:
        lengths: length of every sample of the data set, int32 [N].
        limit: most samples in a batch.
        padding: as in `by_length`.
        timeout_s: how long an idle worker waits for a batch to fill, in seconds; 0: it takes what is queued.
    """

    def __init__(self, lengths: NDArray[np.int32], limit: int, padding: float, timeout_s: float) -> None:
        self._lengths = lengths
        self._limit = limit
        self._padding = padding
        self._timeout_s = timeout_s
        self._waiting: deque[tuple[int, int, float]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """Add queries that arrived just now."""
        now = time.monotonic()
        with self._changed:
            self._waiting.extend((i, s, now) for i, s in zip(ids, indices, strict=True))
            self._changed.notify(len(ids))

    def close(self) -> None:
        """Declare that nothing more will arrive; `take` returns None once the queue is empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> Batch | None:
        """The next batch; None when the queue is closed and empty."""
        with self._changed:
            while True:
                if self._waiting:
                    wait = self._waiting[0][2] + self._timeout_s - time.monotonic()
                    if wait <= 0 or len(self._waiting) >= self._limit or self._closed:
                        return self._cut()
                    self._changed.wait(wait)
                elif self._closed:
                    return None
                else:
                    self._changed.wait()

    def _cut(self) -> Batch:
        first_id, first, since = self._waiting.popleft()
        ids, indices, arrived = [first_id], [first], [since]
        if self._limit > 1 and self._waiting:
            length = int(self._lengths[first])
            passed: list[tuple[int, int, float]] = []
            while self._waiting and len(ids) < self._limit:
                item = self._waiting.popleft()
                if abs(int(self._lengths[item[1]]) - length) <= self._padding * length:
                    ids.append(item[0])
                    indices.append(item[1])
                    arrived.append(item[2])
                else:
                    passed.append(item)
            self._waiting.extendleft(reversed(passed))
        return Batch(ids, np.asarray(indices, dtype=np.int64), arrived)
