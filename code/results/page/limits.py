"""What held a run back, as far as its batches tell: idle devices, batches that were not full, and padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from code.results import bound
from code.results.page.measured import Floats
from code.rules.metrics import METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LANES = 24
MOST_BOXES = 1500


def rows(
    metadata: Mapping[str, Any], spec: Mapping[str, Any], batches: Floats | None, lengths: NDArray[np.int64] | None
) -> list[tuple[str, str, str]]:
    """(what, value, what it means) for what is known of a run."""
    found = [_alone(metadata), *bound.words(metadata.get("bound") or {}), _busy(metadata), _network(metadata)]
    found += _triton(metadata, spec, batches)
    if batches is not None and len(batches):
        found += [_filled(spec, batches), _padding(batches, lengths)]
    return [row for row in found if row is not None]


def _alone(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """The result over the rate of its engine without LoadGen, metadata.json's `engine_alone`: {samples_per_second, measured}."""
    own = metadata.get(METRICS["Offline"].key) if metadata.get("scenario") == "Offline" else None
    recorded = metadata.get("engine_alone")
    found = recorded if isinstance(recorded, Mapping) else {}
    rate = found.get("samples_per_second")
    if not isinstance(own, (int, float)) or not isinstance(rate, (int, float)) or rate <= 0:
        return None
    meaning = "the same engine, batches and devices in a bare loop without LoadGen"
    when = found.get("measured") or "at an unknown time"
    return "Engine alone", f"{own / rate:.1%}", f"of {rate:,.5g} samples/s: {meaning}, measured {when}"


def _busy(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    shares = [one.get("busy_share") for one in metadata.get("devices") or []]
    known = [float(share) for share in shares if isinstance(share, (int, float))]
    if not known:
        return None
    return "Devices busy", f"{sum(known) / len(known):.1%}", "the rest went to waiting for queries, queueing and copies"


def _network(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    shares = [one.get("network_share") for one in metadata.get("devices") or []]
    known = [float(share) for share in shares if isinstance(share, (int, float))]
    if not known:
        return None
    return "Network", f"{sum(known) / len(known):.1%}", "of the run, streams waited for the way to their node and back"


def _triton(metadata: Mapping[str, Any], spec: Mapping[str, Any], batches: Floats | None) -> Iterator[tuple[str, str, str]]:
    """Where requests to a Triton server spent their time, as shares of what the harness waited for them."""
    spent = metadata.get("triton_time")
    busy = [float(one["busy_share"]) for one in metadata.get("devices") or [] if isinstance(one.get("busy_share"), (int, float))]
    streams = [int(one.get("streams") or 1) for one in spec.get("devices") or []]
    if not isinstance(spent, Mapping) or batches is None or len(busy) != len(streams) or not busy:
        return
    waited = sum(share * count for share, count in zip(busy, streams, strict=True)) * float(batches[:, 1].max())
    if not waited > 0:
        return
    each = waited / max(1, int(spent["requests"])) * 1e3
    way = max(0.0, waited - float(spent["total_s"]))
    for name, seconds, meaning in (
        ("Triton's queue", float(spent["queue_s"]), "waited for an instance of the model"),
        ("Triton's copies", float(spent["input_s"]) + float(spent["output_s"]), "tensors were gathered and handed back"),
        ("Way to Triton", way, "they were on their way there and back, the harness's own copies included"),
    ):
        yield name, f"{seconds / waited:.1%}", f"of {each:,.4g} ms a request, {meaning}"


def _filled(spec: Mapping[str, Any], batches: Floats) -> tuple[str, str, str] | None:
    most, mean = (spec.get("batch") or {}).get("max_samples"), float(batches[:, 2].mean())
    if not isinstance(most, (int, float)) or most <= 1:
        return None
    return "Batches filled", f"{mean / most:.1%}", f"{mean:,.1f} of at most {most:,} samples"


def _padding(batches: Floats, lengths: NDArray[np.int64] | None) -> tuple[str, str, str] | None:
    samples, longest = batches[:, 2], batches[:, 3]
    computed = float((samples * longest).sum())
    needed = float(samples.sum()) * float(lengths.mean()) if lengths is not None and len(lengths) else computed
    if longest.max() <= 1 or not needed < computed:
        return None
    return "Padding", f"{1 - needed / computed:.1%}", "of the tokens computed, by the mean length of the data set"


def lanes(batches: Floats) -> list[list[tuple[float, float, float]]]:
    """Batches that ran at once, one below the other: a row of (begin, end, samples) for each lane that is needed to show them.

    At most MOST_BOXES batches from the middle of the run, and MOST_LANES rows; [] where that does not suffice.
    """
    order = batches[np.argsort(batches[:, 0], kind="stable")]
    first = max(0, (len(order) - MOST_BOXES) // 2)
    spans: list[list[tuple[float, float, float]]] = []
    for begin, end, samples in order[first : first + MOST_BOXES, :3]:
        row = next((one for one in spans if one[-1][1] <= begin + 1e-9), None)
        if row is None:
            row = []
            spans.append(row)
        row.append((float(begin), float(end), float(samples)))
    return spans if len(spans) <= MOST_LANES else []
