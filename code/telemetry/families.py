"""Readings of sources as metrics by Prometheus' rules: base units, and the index of a processor, node or package as a label.

https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from code.telemetry.source import Source

PREFIX = "mlperf"
INDEXED = re.compile(r"(cpu|node|package)(\d+)_(.+)")
GPU = re.compile(r"gpu(\d+)(_links)?")
UNITS = {
    "_s_total": "_seconds_total",
    "_j_total": "_joules_total",
    "_s": "_seconds",
    "_w": "_watts",
    "_c": "_celsius",
    "_mhz": "_megahertz",
}


@dataclass(frozen=True)
class Reading:
    """One reading.

    Args:
        name: without the ending `_total`, which Prometheus' library adds.
        counter: it only rises.
        labels: name → value.
    """

    name: str
    counter: bool
    labels: tuple[tuple[str, str], ...]
    value: float


def readings(sources: Sequence[Source]) -> Iterator[Reading]:
    """What sources read now; what is unknown is left out."""
    for source in sources:
        gpu = GPU.fullmatch(source.name)
        for column, value in zip(source.columns, source.read(), strict=True):
            if math.isfinite(value):
                yield _reading("gpu" if gpu else source.name, (("gpu", gpu[1]),) if gpu else (), column, value)


def _reading(source: str, labels: tuple[tuple[str, str], ...], column: str, value: float) -> Reading:
    if indexed := INDEXED.fullmatch(column):
        labels, column = (*labels, (indexed[1], indexed[2])), f"{indexed[1]}_{indexed[3]}"
    ending = next((one for one in UNITS if column.endswith(one)), "")
    name = f"{column.removesuffix(ending)}{UNITS.get(ending, '')}" if ending else column
    return Reading(f"{PREFIX}_{source}_{name.removesuffix('_total')}", name.endswith("_total"), labels, value)
