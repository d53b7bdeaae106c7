"""What a test leaves beside LoadGen's logs for the report page: batches, load over time, latencies, texts. The C++ harness writes the
same, but for texts (core/batch_log.h, core/intervals.h, core/latencies.h).

    batches.npy    float64 [batches, 5]: begin and end in seconds after the start, samples, longest sample, the device's index in run.json;
                   of a text generator without the device
    intervals.npy  float64 [intervals, 4]: begin and end in seconds after the start, samples that arrived, samples that were answered
    latencies.npy  float64 [buckets, 2]: upper edge in ns, samples; buckets are a sixteenth of a power of two wide
    texts.npy      float64 [texts, 4]: issued, first token (0 where it was not reported) and finished in seconds after the start, tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from code.common.files import atomic_write

BATCHES_FILE = "batches.npy"
INTERVALS_FILE = "intervals.npy"
LATENCIES_FILE = "latencies.npy"
TEXTS_FILE = "texts.npy"
NARROWEST_S = 2**27 / 1e9
MOST_INTERVALS = 4096
STEPS = 16

Floats = NDArray[np.float64]


def rows(numbers: Sequence[float], columns: int, start: float, times: int) -> Floats:
    """Numbers one after the other → [rows, columns]; the first `times` columns become seconds after `start`, but for zeros."""
    found = np.array(numbers, dtype=np.float64).reshape(-1, columns)
    moments = found[:, :times]
    found[:, :times] = np.where(moments > 0, np.maximum(moments - start, 0), 0)
    return found


def intervals(requests: Floats) -> Floats:
    """What arrived and was answered in each of at most MOST_INTERVALS equal intervals.

    Args:
        requests: float64 [samples, 2], when each arrived and was answered, in seconds after the start.
    """
    width = NARROWEST_S
    while requests.max() >= width * MOST_INTERVALS:
        width *= 2
    edges = np.arange(int(requests.min() // width), int(requests.max() // width) + 2) * width
    counts = [np.histogram(requests[:, column], edges)[0] for column in (0, 1)]
    return np.column_stack([edges[:-1], edges[1:], *counts]).astype(np.float64)


def edges_ns() -> Floats:
    """The upper edges of the buckets of latencies, in ns."""
    small = np.arange(1.0, STEPS + 1)
    steps = 1 + np.arange(1.0, STEPS + 1) / STEPS
    return np.concatenate([small, np.ravel(np.ldexp(steps, np.arange(4, 64)[:, None]))])


def latencies(requests: Floats) -> Floats:
    """The buckets that have a request, with their counts."""
    edges = edges_ns()
    taken = np.searchsorted(edges, (requests[:, 1] - requests[:, 0]) * 1e9, side="right")
    buckets, counts = np.unique(np.minimum(taken, len(edges) - 1), return_counts=True)
    return np.column_stack([edges[buckets], counts]).astype(np.float64)


def write(
    folder: Path, start: float, batches: Sequence[float], requests: Sequence[float], texts: Sequence[float] = (), columns: int = 4
) -> None:
    """Write what was recorded; no file for what was not.

    Args:
        start: of the test, monotonic seconds, as all times are.
        batches: of `columns` numbers each.
        requests: (issued, answered) of each sample whose arrival is known.
        texts: (issued, first token or 0, finished, tokens) of each text.
    """
    _save(folder / BATCHES_FILE, rows(batches, columns, start, 2))
    if len(requests):
        known = rows(requests, 2, start, 2)
        _save(folder / INTERVALS_FILE, intervals(known))
        _save(folder / LATENCIES_FILE, latencies(known))
    if len(texts):
        _save(folder / TEXTS_FILE, rows(texts, 4, start, 3))


def _save(path: Path, content: Floats) -> None:
    with atomic_write(path, "wb") as out:
        np.save(out, content)
