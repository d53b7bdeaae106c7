"""Data for a report page's charts: recordings of the harness and LoadGen of one run, as arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.common import npyfile
from code.results.loadgen_log import LoadGenLog

BATCHES_FILE = "batches.npy"
TRACE_FILE = "mlperf_log_trace.json"
PERCENTILE = re.compile(r"^result_(\d+\.\d+)_percentile_(?:per_query_)?latency_ns$")
_MS_PER_NS = 1e-6
_TRACE_LIMIT = 512 * 2**20
_TRACED_SAMPLE = re.compile(rb'"ph":\s*"b".*?"query_seq":\s*(\d+).*?"complete_ns":\s*(\d+)')

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Latencies:
    """A latency distribution.

    Args:
        ms: latencies in ascending order, in ms.
        share: fraction of queries at or below each, 0 to 1.
        source: its origin, shown on the page.
        points: True for a few percentiles, False for every query.
    """

    ms: Floats
    share: Floats
    source: str
    points: bool


def batches(folder: Path) -> Floats | None:
    """Completed batches, float64 [batches, 4] (begin, end, samples, longest); None if not recorded."""
    found = _array(folder / BATCHES_FILE)
    if found is None or found.ndim != 2 or found.shape[1] != 4:
        return None
    ordered: Floats = found[np.argsort(found[:, 1], kind="stable")].astype(np.float64)
    return ordered


def latencies(folder: Path, log: LoadGenLog) -> Latencies | None:
    """The latency distribution: every query from LoadGen's trace, else LoadGen's percentiles. None for accuracy runs."""
    if not log.has_performance:
        return None
    traced = _from_trace(folder / TRACE_FILE)
    if traced is not None:
        share = np.arange(1, len(traced) + 1) / len(traced)
        return Latencies(traced, share, f"every query, from LoadGen's trace ({len(traced):,})", points=False)
    found = dict(_percentiles(log))
    for key, share_ in (("result_min_latency_ns", 0.0), ("result_max_latency_ns", 1.0)):
        if key in log and log.scenario != "MultiStream":
            found[share_] = float(log.get(key)) * _MS_PER_NS
    if len(found) < 2:
        return None
    shares = np.array(sorted(found))
    values = np.maximum.accumulate(np.array([found[share] for share in shares]))
    return Latencies(values, shares, "LoadGen's percentiles; --log_enable_trace=true records every query", points=True)


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


def timeline(recorded: Floats, bins: int = 120) -> tuple[Floats, Floats]:
    """(seconds, samples per second) over the run, in at most `bins` equal intervals."""
    end = float(recorded[:, 1].max())
    count = max(1, min(bins, int(end) or 1))
    totals, edges = np.histogram(recorded[:, 1], bins=count, range=(0.0, end), weights=recorded[:, 2])
    return (edges[:-1] + edges[1:]) / 2, totals / np.diff(edges)


def lengths(spec: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """The sample lengths of the data set; None if it has none or no longer exists."""
    data = spec.get("dataset", {})
    name, folder = data.get("lengths"), data.get("folder")
    if not isinstance(name, str) or not isinstance(folder, str):
        return None
    found = _array(Path(folder) / name)
    return None if found is None else found.astype(np.int64).ravel()


def _array(path: Path) -> NDArray[Any] | None:
    """The numbers in an .npy file; None if it is absent, empty, damaged, or holds anything but finite numbers from 0 on."""
    try:
        found = npyfile.read(path)
    except (OSError, ValueError):
        return None
    usable = found.dtype.kind in "iuf" and found.size > 0
    return found if usable and bool(np.isfinite(found).all()) and float(found.min()) >= 0 and float(found.max()) < 2**53 else None
