"""How close a run came to what the machine's matrix products alone allow, and where the rest of its time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from code.results.devices import DeviceShare
from code.results.page.measured import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVICE = 4
"""Column of a batch's device in the log."""
LOST = {
    "padding": "padding inside batches",
    "products": "products slower than the peak",
    "attention": "attention",
    "layout": "copies and changes of layout inside the engine",
    "others": "other operators",
    "engine": "the engine: products slower than the peak, and other operators",
    "last": "lanes that had nothing left at the end while others computed",
    "waiting": "waiting for queries, queueing and copies outside the engine",
}
"""Where time of the lanes goes besides the products that are needed, and what it is called."""


@dataclass(frozen=True)
class Roofline:
    """What limits a workload on a machine.

    Args:
        precision: of the products.
        gflops: peak of the workload's own products on all cores, 10^9 operations/s.
        flops_per_unit, flops_per_square: operations of a sample for each unit of its length, and for each square of it.
        operators: share of an engine's time by kind of operator (products, attention, layout, others); {} if not measured.
        measured: 'by a probe on 2026-01-01, …'.
    """

    precision: str
    gflops: float
    flops_per_unit: float
    flops_per_square: float
    operators: Mapping[str, float]
    measured: str

    def seconds(self, lengths: Floats | NDArray[np.int64]) -> float:
        """Least time of samples with these lengths on all cores."""
        one = np.asarray(lengths, dtype=np.float64)
        return float(np.sum(self.flops_per_unit * one + self.flops_per_square * one * one)) / (1e9 * self.gflops)

    def rate(self, lengths: Floats | NDArray[np.int64]) -> float:
        """Most samples per second of a data set with these lengths."""
        return len(lengths) / self.seconds(lengths)


def of_run(
    roofline: Roofline,
    lengths: NDArray[np.int64],
    devices: Sequence[DeviceShare],
    batches: Floats | None,
    streams: int,
    elapsed_s: float,
) -> dict[str, Any] | None:
    """metadata.json's `bound`; None where the run has no devices or no time.

    `share` and the entries of `lost` are shares of the time of all lanes and together 1.

    Args:
        lengths: of the data set's samples, whose mean the run's samples had.
        batches: as code/results/page/measured.py reads them.
        streams: lanes of all devices together.
        elapsed_s: how long the run took.
    """
    samples = sum(device.samples for device in devices)
    if not samples or elapsed_s <= 0 or not len(lengths):
        return None
    rate = roofline.rate(lengths)
    share = samples / elapsed_s / rate
    lost: dict[str, float] = {}
    busy = sum(device.busy for device in devices) / len(devices)
    computed = share
    if batches is not None and len(batches):
        kept = samples / float(np.sum(batches[:, 2]))
        computed = kept * roofline.seconds(np.repeat(batches[:, 3], batches[:, 2].astype(np.int64))) / elapsed_s
        lost["padding"] = computed - share
        lost["last"] = min(max(0.0, 1 - busy), _last(batches, streams, elapsed_s))
    lost["waiting"] = 1 - busy - lost.get("last", 0.0)
    if roofline.operators:
        for kind in ("attention", "layout", "others"):
            lost[kind] = busy * roofline.operators.get(kind, 0.0)
        lost["products"] = busy * roofline.operators.get("products", 0.0) - computed
    else:
        lost["engine"] = busy - computed
    return {
        "precision": roofline.precision,
        "gflops": round(roofline.gflops, 1),
        "samples_per_second": float(f"{rate:.5g}"),
        "share": round(share, 4),
        "measured": roofline.measured,
        "lost": {name: round(lost[name], 4) for name in LOST if name in lost},
    }


def _last(batches: Floats, streams: int, elapsed_s: float) -> float:
    """Share of the lanes' time after the last batch of each, while other lanes still computed."""
    ends = np.sort(batches[:, 1])[-streams:]
    return float(np.sum(ends[-1] - ends)) / (max(1, streams) * elapsed_s)


def words(bound: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(what, value, what it means) of a run's `bound` in metadata.json, the largest loss first; [] where it has none."""
    share, lost, rate = bound.get("share"), bound.get("lost"), bound.get("samples_per_second")
    if not isinstance(share, (int, float)) or not isinstance(lost, Mapping) or not isinstance(rate, (int, float)):
        return []
    when = f"of {rate:,.5g} samples/s: the matrix products alone in {bound.get('precision')}, measured {bound.get('measured')}"
    rows = [("Share of the bound", f"{share:.1%}", when)]
    known = {name: float(value) for name, value in lost.items() if name in LOST and isinstance(value, (int, float))}
    return [*rows, *(("Lost", f"{value:.1%}", LOST[name]) for name, value in sorted(known.items(), key=lambda one: -one[1]))]
