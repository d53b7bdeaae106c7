"""Measurements of this machine, remembered in a file for each thing they depend on.

The newest few are kept, of which the best counts, because disturbances only ever slow a machine down.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.common import jsonfile, paths
from code.common.files import write_json

PRECISIONS = ("fp32", "bf16", "fp16", "int8")
"""Precisions in which products are measured."""
SHARES = ("products", "attention", "layout", "others")
"""Kinds of operators that the time of an engine is divided into."""
MORE_IS_BETTER = {
    "samples_per_second": True,
    "latency_ns": False,
    "query_latency_ns": False,
    "singles_per_second": True,
    **{f"gflops_{precision}": True for precision in PRECISIONS},
    **{f"{share}_{precision}": True for share in SHARES for precision in PRECISIONS},
    **dict.fromkeys(
        ("flops_per_unit", "flops_per_square", "read_gb_per_s", "copy_gb_per_s", "loadgen_samples_per_second", "accuracy_share"),
        True,
    ),
}
"""What is measured → whether a higher value is better."""
KEPT = 5
RECENT_S = 30 * 86_400
"""Age at which a measurement is forgotten: drivers, clocks and cooling change."""


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Args:
        values: what → value, of MORE_IS_BETTER.
        when: seconds since 1970.
        source: 'probe' or 'run'.
        load: load average of the machine before it; None where unknown.
    """

    values: Mapping[str, float]
    when: float
    source: str
    load: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Its entry in the file."""
        return {"values": dict(self.values), "when": self.when, "source": self.source, "load": self.load}

    def shown(self) -> str:
        """'by a run on 2026-01-01, 3 h ago, at a load of 0.1'."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.when))
        at = "" if self.load is None else f", at a load of {self.load:.2f}"
        return f"by a {self.source} on {day}, {age(time.time() - self.when)} ago{at}"


def age(seconds: float) -> str:
    """'42 s', '5 min', '3 h', '12 days'."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


class Memory:
    """The measurements of one engine and placement.

    Args:
        of: what a measurement depends on, as JSON: engine, harness, devices, batches, data set.
    """

    def __init__(self, of: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]
        self.path = paths.engine_dir() / ".probes" / f"{digest}.json"

    def read(self) -> list[Measurement]:
        """The recent measurements, oldest first. What is damaged, out of range or from the future does not count."""
        listed = jsonfile.object_or_empty(self.path).get("measurements")
        found = [_measurement(entry) for entry in listed] if isinstance(listed, list) else []
        now = time.time()
        return [one for one in found if one is not None and now - RECENT_S < one.when <= now + 60]

    def add(self, one: Measurement, alone: bool = False) -> None:
        """Remember a measurement.

        Args:
            alone: forget all others.
        """
        kept = [*([] if alone else self.read()), one][-KEPT:]
        write_json(self.path, {"measurements": [item.as_json() for item in kept]})

    def best(self, what: str) -> tuple[float, Measurement] | None:
        """The best recent value of a kind, and its measurement."""
        return best_of(self.read(), what)


def best_of(found: Sequence[Measurement], what: str) -> tuple[float, Measurement] | None:
    """The best value of a kind among measurements, and its measurement; None if there is none."""
    known = [(one.values[what], one) for one in found if what in one.values]
    choose = max if MORE_IS_BETTER[what] else min
    return choose(known, key=lambda pair: pair[0], default=None)


def _measurement(entry: object) -> Measurement | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict) or not _positive(entry.get("when")):
        return None
    values = {name: float(value) for name, value in entry["values"].items() if name in MORE_IS_BETTER and _positive(value)}
    load = entry.get("load")
    known_load = float(load) if isinstance(load, (int, float)) and (_positive(load) or load == 0) else None
    return Measurement(values, float(entry["when"]), "run" if entry.get("source") == "run" else "probe", known_load)


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e18 and math.isfinite(value)
