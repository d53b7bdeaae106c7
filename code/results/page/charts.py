"""Charts of a report page as SVG, drawn by Matplotlib. Labels stay text, which keeps pages small and searchable."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.common.errors import MissingError
from code.results.page.measured import Floats, Latencies

SIZE_INCHES = (4.2, 2.6)
SHOWN_IN_S_FROM_MS = 10_000
INK, LINE, FILL, MARK, GRID = "#22303c", "#0b6e99", "#8fc1d9", "#b3261e", "#dfe5ea"
PARTS = ("#8fc1d9", "#b3261e", "#e0a100")
LEGEND_LIMIT = 8
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}


def _drawn(name: str, draw: Callable[[Any, Any], None]) -> str:
    """Draw one figure as an <svg> element with page-unique ids."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingError(
            "the charts need Matplotlib", str(error), "run `make venv` to create the environment from the lock file"
        ) from error
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        draw(axes, mpl)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    return _embedded(out.getvalue(), name)


def _embedded(text: str, name: str) -> str:
    """The scalable <svg> element alone, with ids unique on the page."""
    svg = text[text.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{name}-\2", svg)
    return svg.replace("<svg", f'<svg role="img" aria-labelledby="{name}-title"', 1).strip()


def latency_cdf(found: Latencies, bound_ms: float | None, percentile: float | None, what: str) -> str:
    """Share of `what` (queries; samples in Offline) over latency, with the percentile and the bound, if any."""

    def draw(axes: Any, mpl: Any) -> None:
        # A few percentiles say nothing of what lies between them.
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "none"} if found.points else {}
        scale, unit = (1e-3, "s") if len(found.ms) and found.ms[-1] >= SHOWN_IN_S_FROM_MS else (1.0, "ms")
        shown = found.ms * scale
        axes.plot(shown, found.share * 100, color=LINE, linewidth=1.6, **style)
        if bound_ms:
            bound = bound_ms * scale
            axes.axvline(bound, color=MARK, linestyle="--", linewidth=1)
            axes.annotate(
                f"bound {bound:g} {unit}", (bound, 4), xytext=(4, 0), textcoords="offset points", color=MARK, fontsize=8
            )
        if percentile:
            axes.axhline(percentile * 100, color=MARK, linestyle=":", linewidth=1)
            place = (float(shown[0]), percentile * 100)
            label = f"{percentile * 100:g} %"
            axes.annotate(label, place, xytext=(2, -10), textcoords="offset points", color=MARK, fontsize=8)
        positive = shown[shown > 0]
        if len(positive) and positive[-1] / positive[0] > 50:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        else:
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(nbins=6))
        axes.set_ylim(0, 102)
        axes.set_xlabel(f"latency ({unit})")
        axes.set_ylabel(f"{what} (%)")

    return _drawn("cdf", draw)


def throughput(seconds: Floats, rate: Floats) -> str:
    """Samples per second over time in s."""

    def draw(axes: Any, _: Any) -> None:
        axes.fill_between(seconds, rate, step="mid", color=FILL, alpha=0.6, linewidth=0)
        axes.step(seconds, rate, where="mid", color=LINE, linewidth=1.3)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("time (s)")
        axes.set_ylabel("samples/s")

    return _drawn("timeline", draw)


def batch_sizes(samples: Floats) -> str:
    """Histogram of batch sizes in samples."""

    def draw(axes: Any, mpl: Any) -> None:
        sizes, counts = np.unique(samples.astype(np.int64), return_counts=True)
        if len(sizes) <= 40:
            axes.bar(sizes, counts, color=FILL, edgecolor=LINE, width=0.85)
        else:
            axes.hist(samples, bins=40, color=FILL, edgecolor=LINE, linewidth=0.5)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlabel("samples in a batch")
        axes.set_ylabel("batches")

    return _drawn("batches", draw)


def sample_lengths(lengths: NDArray[np.int64]) -> str:
    """Histogram of the data set's sample lengths."""

    def draw(axes: Any, _: Any) -> None:
        axes.hist(lengths, bins=min(48, max(1, len(np.unique(lengths)))), color=FILL, edgecolor=LINE, linewidth=0.5)
        axes.set_xlabel("length of a sample")
        axes.set_ylabel("samples")

    return _drawn("lengths", draw)


def stacked(name: str, seconds: Floats, parts: Mapping[str, Floats], label: str) -> str:
    """Parts of a whole over time in s, one on the other."""

    def draw(axes: Any, _: Any) -> None:
        axes.stackplot(seconds, *parts.values(), labels=list(parts), colors=PARTS[: len(parts)], linewidth=0)
        _timed(axes, label)
        axes.set_ylim(bottom=0)

    return _drawn(name, draw)


def lines(name: str, tracks: Mapping[str, tuple[Floats, Floats]], label: str) -> str:
    """Readings over time in s, a line for each track."""

    def draw(axes: Any, _: Any) -> None:
        for track, (seconds, values) in tracks.items():
            axes.plot(seconds, values, linewidth=1.1, label=track)
        _timed(axes, label)

    return _drawn(name, draw)


def _timed(axes: Any, label: str) -> None:
    axes.set_xlabel("time (s)")
    axes.set_ylabel(label)
    if len(axes.get_legend_handles_labels()[1]) <= LEGEND_LIMIT:
        axes.legend(fontsize=7, frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
