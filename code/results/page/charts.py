"""Charts of a report page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from code.results.page.measured import Floats, Latencies
from code.results.page.plot import Plot

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN_IN_S_FROM_MS = 10_000
LEGEND_LIMIT = 8
LOG_FROM = 50
"""Latencies further apart than this are shown by powers of ten."""
BINS = 40
LENGTH_BINS = 48
HEADROOM = 1.05


def latency_cdf(found: Latencies, bound_ms: float | None, percentile: float | None, what: str) -> str:
    """Share of `what` (queries; samples in Offline) over latency, with the percentile and the bound, if any.

    Percentiles are drawn as points: they say nothing of what lies between them.
    """
    scale, unit = (1e-3, "s") if len(found.ms) and found.ms[-1] >= SHOWN_IN_S_FROM_MS else (1.0, "ms")
    shown = found.ms * scale
    bound = bound_ms * scale if bound_ms else 0.0
    every = shown if found.also is None else np.sort(np.concatenate([shown, found.also[0] * scale]))
    positive = every[every > 0]
    log = bool(len(positive)) and max(float(positive[-1]), bound) / float(positive[0]) > LOG_FROM
    least = float(positive[0]) if log else float(every[0])
    plot = Plot("cdf", (least, max(float(every[-1]), bound)), (0, 102), (f"latency ({unit})", f"{what} (%)"), log)
    (plot.points if found.points else plot.line)(shown, found.share * 100)
    if found.also is not None:
        plot.points(found.also[0] * scale, found.also[1] * 100, 1)
    if bound:
        plot.upright(bound, f"bound {bound:g} {unit}")
    if percentile:
        plot.level(percentile * 100, f"{percentile * 100:g} %")
    return plot.svg()


def shares(name: str, label: str, ms: Floats) -> str:
    """Share of texts over one of their times, every text one by one."""
    positive = ms[ms > 0]
    log = bool(len(positive)) and float(positive[-1] / positive[0]) > LOG_FROM
    plot = Plot(name, (float(positive[0] if log else ms[0]), float(ms[-1])), (0, 102), (label, "texts (%)"), log)
    plot.line(ms, np.arange(1, len(ms) + 1) / len(ms) * 100)
    return plot.svg()


def offered(edges: Floats, rates: Mapping[str, Floats]) -> str:
    """Samples that were offered and answered per second, constant between two edges in s."""
    top = HEADROOM * max(float(rate.max()) for rate in rates.values())
    plot = Plot("offered", (float(edges[0]), float(edges[-1])), (0.0, top or 1.0), ("time (s)", "samples/s"))
    x = np.ravel(np.column_stack([edges[:-1], edges[1:]]))
    for number, rate in enumerate(rates.values()):
        plot.line(x, np.repeat(rate, 2), number)
    plot.legend(list(rates))
    return plot.svg()


def waiting(edges: Floats, samples: Floats) -> str:
    """Samples that have arrived and have no answer yet, over time in s."""
    plot = Plot(
        "queue", (float(edges[0]), float(edges[-1])), (0.0, HEADROOM * float(samples.max()) or 1.0), ("time (s)", "samples")
    )
    plot.area(edges, np.zeros(len(edges)), samples)
    return plot.svg()


def throughput(seconds: Floats, rate: Floats) -> str:
    """Samples per second over time in s, in equal intervals around `seconds`."""
    half = float(seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else float(seconds[0]) or 0.5
    x = np.ravel(np.column_stack([seconds - half, seconds + half]))
    y = np.repeat(rate, 2)
    plot = Plot("timeline", (0.0, float(x[-1])), (0.0, HEADROOM * float(rate.max())), ("time (s)", "samples/s"))
    plot.area(x, np.zeros(len(y)), y)
    return plot.svg()


def batch_sizes(samples: Floats) -> str:
    """Histogram of batch sizes in samples."""
    sizes, counts = np.unique(samples.astype(np.int64), return_counts=True)
    if len(sizes) > BINS:
        return _histogram("batches", samples, BINS, ("samples in a batch", "batches"))
    plot = Plot(
        "batches",
        (float(sizes[0]) - 0.5, float(sizes[-1]) + 0.5),
        (0.0, HEADROOM * counts.max()),
        ("samples in a batch", "batches"),
        whole="xy",
    )
    for size, count in zip(sizes, counts, strict=True):
        plot.box((size - 0.42, size + 0.42), (0, count), title=f"{count:,} batches of {size:,}")
    return plot.svg()


def sample_lengths(lengths: NDArray[np.int64]) -> str:
    """Histogram of the data set's sample lengths."""
    return _counted("lengths", lengths.astype(np.float64), ("length of a sample", "samples"))


def output_lengths(tokens: Floats) -> str:
    """Histogram of the generated texts' lengths in tokens."""
    return _counted("outputs", tokens, ("tokens of a text", "texts"))


def _counted(name: str, whole: Floats, labels: tuple[str, str]) -> str:
    """Histogram of whole numbers: each bin has equally many of them."""
    width = math.ceil((float(whole.max() - whole.min()) + 1) / LENGTH_BINS)
    count = math.ceil((float(whole.max() - whole.min()) + 1) / width)
    edges: Floats = np.arange(count + 1, dtype=np.float64) * width + float(whole.min()) - 0.5
    return _histogram(name, whole, edges, labels)


def _histogram(name: str, values: Floats, bins: int | Floats, labels: tuple[str, str]) -> str:
    counts, edges = np.histogram(values, bins=bins)
    plot = Plot(name, (float(edges[0]), float(edges[-1])), (0.0, HEADROOM * float(counts.max())), labels, whole="xy")
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            plot.box((float(left), float(right)), (0, float(count)), title=f"{count:,}: {left:,.4g} to {right:,.4g}")
    return plot.svg()


def stacked(name: str, seconds: Floats, parts: Mapping[str, Floats], label: str) -> str:
    """Parts of a whole over time in s, one on the other."""
    total = np.sum(list(parts.values()), axis=0)
    plot = Plot(name, (float(seconds[0]), float(seconds[-1])), (0.0, HEADROOM * float(total.max()) or 1.0), ("time (s)", label))
    low = np.zeros(len(seconds))
    for number, values in enumerate(parts.values()):
        plot.area(seconds, low, low + values, number)
        low = low + values
    plot.legend(list(parts))
    return plot.svg()


def lines(name: str, tracks: Mapping[str, tuple[Floats, Floats]], label: str) -> str:
    """Readings over time in s, a line for each track."""
    every_x, every_y = (np.concatenate([track[place] for track in tracks.values()]) for place in (0, 1))
    low, high = float(every_y.min()), float(every_y.max())
    margin = 0.05 * (high - low)
    plot = Plot(name, (float(every_x.min()), float(every_x.max())), (low - margin, high + margin), ("time (s)", label))
    for number, (seconds, values) in enumerate(tracks.values()):
        plot.line(seconds, values, number)
    if len(tracks) <= LEGEND_LIMIT:
        plot.legend(list(tracks))
    return plot.svg()


def lanes(spans: list[list[tuple[float, float, float]]]) -> str:
    """Batches over time in s: a row for each lane, a box for each (begin, end, samples)."""
    first, end = min(row[0][0] for row in spans), max(last for row in spans for _, last, _ in row)
    plot = Plot("lanes", (first, end), (0.0, float(len(spans))), ("time (s)", "batches at once"), whole="y")
    for number, row in enumerate(spans):
        for begin, last, samples in row:
            title = f"{samples:,.0f} samples in {(last - begin) * 1000:,.4g} ms"
            plot.box((begin, last), (number + 0.12, number + 0.88), title=title)
    return plot.svg()
