"""Data for a report page's charts: recordings of the harness and LoadGen of one run, as arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from code.common import npyfile
from code.results.loadgen_log import LoadGenLog

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCHES_FILE = "batches.npy"
TAIL, TAIL_FROM = 0.9999, 10_000
"""The last percentile of a report, and the queries from which on there is one."""
INTERVALS_FILE = "intervals.npy"
LATENCIES_FILE = "latencies.npy"
TEXTS_FILE = "texts.npy"
"""What the harness writes: code/harness/python/recordings.py."""
TRACE_FILE = "mlperf_log_trace.json"
PERCENTILE = re.compile(r"^result_(\d+\.\d+)_percentile_(?:per_query_)?latency_ns$")
TOKEN_PERCENTILE = re.compile(r"^result_(first_token|time_per_output_token)_(\d+\.\d+)_percentile_(?:latency_)?ns$")
_MS_PER_NS = 1e-6
_TRACE_LIMIT = 512 * 2**20
_TRACED_SAMPLE = re.compile(rb'"ph":\s*"b".*?"query_seq":\s*(\d+).*?"complete_ns":\s*(\d+)')

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class Latencies:
    """A latency distribution.

    Args:
        ms: latencies in ascending order, in ms.
        share: fraction of queries at or below each, 0 to 1.
        source: its origin, shown on the page.
        points: True for a few percentiles, False for every query.
        also: LoadGen's percentiles beside another source: (ms, share).
    """

    ms: Floats
    share: Floats
    source: str
    points: bool
    also: tuple[Floats, Floats] | None = None


def batches(folder: Path) -> Floats | None:
    """Completed batches, float64 [batches, 4 or 5] (begin, end, samples, longest, device's index); None if not recorded.

    Logs of earlier versions and of text generators have no device.
    """
    return _rows(folder / BATCHES_FILE, (4, 5), by=1)


def intervals(folder: Path) -> Floats | None:
    """The load over time, float64 [intervals, 4] (begin, end, samples that arrived, samples answered); None if not recorded."""
    return _rows(folder / INTERVALS_FILE, (4,), by=0)


def texts(folder: Path) -> Floats | None:
    """Generated texts, float64 [texts, 4] (issued, first token or 0, finished, tokens); None if not recorded."""
    return _rows(folder / TEXTS_FILE, (4,), by=2)


def token_times(found: Floats) -> tuple[Floats, Floats]:
    """(ms to the first token, ms for each token after it) of texts whose first token was reported, ascending."""
    known = found[found[:, 1] > 0]
    several = known[known[:, 3] > 1]
    each = (several[:, 2] - several[:, 1]) / (several[:, 3] - 1)
    return np.sort((known[:, 1] - known[:, 0]) * 1e3), np.sort(each * 1e3)


def load(recorded: Floats, bins: int = 120) -> tuple[Floats, Mapping[str, Floats], Floats]:
    """(edges in s, offered and answered per second in each interval between them, samples in the system at each edge)."""
    edges = np.concatenate([recorded[:1, 0], recorded[:, 1]])
    totals = {name: np.concatenate([[0.0], np.cumsum(recorded[:, column])]) for name, column in (("offered", 2), ("answered", 3))}
    kept = np.unique(np.linspace(0, len(edges) - 1, min(bins, len(recorded)) + 1).astype(int))
    widths = np.maximum(np.diff(edges[kept]), 1e-9)
    waiting = np.maximum(totals["offered"] - totals["answered"], 0)
    return edges[kept], {name: np.diff(total[kept]) / widths for name, total in totals.items()}, waiting[kept]


def latencies(folder: Path, log: LoadGenLog) -> Latencies | None:
    """The latency distribution: every query from LoadGen's trace, else the harness's histogram, else LoadGen's percentiles.

    None for accuracy runs. The histogram is of samples, and so is not used in MultiStream, where LoadGen counts queries.
    """
    if not log.has_performance:
        return None
    traced = _from_trace(folder / TRACE_FILE)
    if traced is not None:
        share = np.arange(1, len(traced) + 1) / len(traced)
        return Latencies(traced, share, f"every query, from LoadGen's trace ({len(traced):,})", points=False)
    points = _points(log)
    recorded = _recorded(folder, log.scenario)
    if recorded is None or log.scenario == "MultiStream":
        return points
    ms, counts, source = recorded
    also = None if points is None else (points.ms, points.share)
    return Latencies(ms, np.cumsum(counts) / counts.sum(), source, points=False, also=also)


def tail(folder: Path, log: LoadGenLog) -> list[tuple[str, float]]:
    """('99.99 %', ms), which LoadGen does not report: from its trace, or as the harness counted; [] for fewer than TAIL_FROM queries."""
    if not log.has_performance or log.scenario == "MultiStream":
        return []
    traced = _from_trace(folder / TRACE_FILE)
    ms, counts = (None, None) if traced is None else (traced, np.ones(len(traced)))
    if ms is None:
        recorded = _recorded(folder, log.scenario)
        ms, counts = (None, None) if recorded is None else recorded[:2]
    if ms is None or counts is None or counts.sum() < TAIL_FROM:
        return []
    place = int(np.searchsorted(np.cumsum(counts), TAIL * counts.sum()))
    return [(f"{TAIL * 100:.10g} % (harness)" if traced is None else f"{TAIL * 100:.10g} %", float(ms[min(place, len(ms) - 1)]))]


def _recorded(folder: Path, scenario: str) -> tuple[Floats, Floats, str] | None:
    """(ms ascending, samples at each, source) of what the harness recorded; None where that is not enough."""
    found = _rows(folder / LATENCIES_FILE, (2,), by=0)
    if found is not None and found[:, 1].sum() > 1:
        return (
            found[:, 0] * _MS_PER_NS,
            found[:, 1],
            "the line is the harness's own histogram, the points are LoadGen's percentiles",
        )
    own = batches(folder)
    if own is None or len(own) < 2 or scenario not in ("Offline", "SingleStream"):
        return None
    since = own[:, 0].min() if scenario == "Offline" else own[:, 0]
    ms = (own[:, 1] - since) * 1e3
    order = np.argsort(ms, kind="stable")
    return ms[order], own[order, 2], "the line is of the harness's batches, the points are LoadGen's percentiles"


def _points(log: LoadGenLog) -> Latencies | None:
    """LoadGen's percentiles, with the least and the most where they are of the same kind."""
    found = dict(_percentiles(log))
    for key, share_ in (("result_min_latency_ns", 0.0), ("result_max_latency_ns", 1.0)):
        if key in log and log.scenario != "MultiStream":
            found[share_] = float(log.get(key)) * _MS_PER_NS
    if len(found) < 2:
        return None
    shares = np.array(sorted(found))
    values = np.maximum.accumulate(np.array([found[share] for share in shares]))
    return Latencies(values, shares, "LoadGen's percentiles; --log_enable_trace=true records every query", points=True)


def token_percentiles(log: LoadGenLog) -> list[tuple[str, float, float]]:
    """(name, ms to the first token, ms for each token after it) of LoadGen's percentiles, in order; [] where it counted no tokens."""
    if not log.has_performance:
        return []
    found: dict[float, dict[str, float]] = {}
    for key in log.keys():  # noqa: SIM118 (a log is no mapping)
        hit = TOKEN_PERCENTILE.match(key)
        if hit:
            found.setdefault(float(hit[2]) / 100, {})[hit[1]] = float(log.get(key)) * _MS_PER_NS
    whole = {share: pair for share, pair in sorted(found.items()) if len(pair) == 2}
    return [(f"{share * 100:.10g} %", pair["first_token"], pair["time_per_output_token"]) for share, pair in whole.items()]


def percentiles(log: LoadGenLog) -> list[tuple[str, float]]:
    """(name, ms) of LoadGen's least latency, its percentiles in order, its mean and its greatest; [] for accuracy runs."""
    if not log.has_performance:
        return []
    found = [(f"{share * 100:.10g} %", ms) for share, ms in sorted(_percentiles(log))]
    if log.scenario == "MultiStream":
        return found
    ends = {name: log.number(f"result_{key}_latency_ns") for name, key in (("least", "min"), ("mean", "mean"), ("most", "max"))}
    known = {name: value * _MS_PER_NS for name, value in ends.items() if value is not None}
    first = [("least", known.pop("least"))] if "least" in known else []
    return [*first, *found, *known.items()]


def _percentiles(log: LoadGenLog) -> Iterator[tuple[float, float]]:
    """(share of queries, latency in ms) of each percentile in the log: of a query in MultiStream, else of a sample."""
    for key in log.keys():  # noqa: SIM118 (a log is no mapping)
        hit = PERCENTILE.match(key)
        if hit and (log.scenario != "MultiStream" or "per_query" in key):
            yield float(hit.group(1)) / 100, float(log.get(key)) * _MS_PER_NS


def _from_trace(path: Path) -> Floats | None:
    """Latencies in ms of the queries in LoadGen's trace, ascending; of the samples if all belong to one query.

    LoadGen 6.0.17 writes an event a line, and strings with doubled quotes, so the file as a whole is not JSON. A sample's `b` event has
    `complete_ns`, counted from when its query was scheduled; a query's latency is that of its last sample.

    Returns None if there is no trace, it is cut off before two samples, or it exceeds _TRACE_LIMIT.
    """
    try:
        if not 0 < path.stat().st_size <= _TRACE_LIMIT:
            return None
        with path.open("rb") as lines:
            found = [match.groups() for line in lines if b'"Sample"' in line and (match := _TRACED_SAMPLE.search(line))]
    except OSError:
        return None
    queries: dict[bytes, float] = {}
    for query, complete in found:
        queries[query] = max(queries.get(query, 0.0), float(complete))
    spans = list(queries.values()) if len(queries) > 1 else [float(complete) for _, complete in found]
    return np.sort(np.array(spans) * _MS_PER_NS) if len(spans) > 1 else None


def timeline(recorded: Floats, bins: int = 120, samples: int = 0) -> tuple[Floats, Floats]:
    """(seconds, samples per second) over the run, in at most `bins` equal intervals.

    Args:
        samples: how many were answered; more than the recorded batches have where only some of these were kept.
    """
    end = float(recorded[:, 1].max())
    count = max(1, min(bins, int(end) or 1))
    totals, edges = np.histogram(recorded[:, 1], bins=count, range=(0.0, end), weights=recorded[:, 2])
    kept = float(recorded[:, 2].sum())
    return (edges[:-1] + edges[1:]) / 2, totals / np.diff(edges) * (samples / kept if 0 < kept < samples else 1.0)


def _rows(path: Path, columns: Sequence[int], by: int) -> Floats | None:
    """The rows of a recording in order of one column; None if it is absent or has another shape."""
    found = npyfile.numbers(path)
    if found is None or found.ndim != 2 or found.shape[1] not in columns:
        return None
    ordered: Floats = found[np.argsort(found[:, by], kind="stable")].astype(np.float64)
    return ordered
