"""What ran beside a test on the other devices of the machine, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.rules.metrics import METRICS


@dataclass(frozen=True)
class Companion:
    """A workload that ran beside a test.

    Args:
        label: '3d-unet-99 Offline'.
        devices: the names of its devices.
        samples: answers that it gave during the test.
        seconds: how long the test took, with loading and warming up.
    """

    label: str
    devices: tuple[str, ...]
    samples: int
    seconds: float

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Company:
    """Everything that ran beside a test.

    Args:
        alone: the result of the same workload alone, in LoadGen's unit, with its log folder; None: not measured.
    """

    companions: Sequence[Companion]
    alone: tuple[float, str] | None = None

    def words(self) -> str:
        """'it ran beside 3d-unet-99 Offline on node 1'."""
        return "it ran beside " + ", ".join(f"{one.label} on {', '.join(one.devices)}" for one in self.companions)

    def price(self, value: float | None, scenario: str) -> float | None:
        """The share of its speed that the neighbours cost: of its rate, or of the inverse of its latency. Below 0 for a gain."""
        if value is None or self.alone is None or value <= 0 or self.alone[0] <= 0:
            return None
        ratio = value / self.alone[0]
        return 1 - (ratio if METRICS[scenario].higher_is_better else 1 / ratio)

    def price_words(self, value: float | None, scenario: str) -> str:
        """'85.1 samples/s beside 3d-unet-99 Offline, 93.2 samples/s alone: its neighbours cost 8.7 %'; '' where one is not known."""
        price = self.price(value, scenario)
        if price is None or value is None or self.alone is None:
            return ""
        metric, names = METRICS[scenario], ", ".join(one.label for one in self.companions)
        told = f"cost {100 * price:.1f} %" if price >= 0 else f"cost nothing (it was {-100 * price:.1f} % faster)"
        return f"{metric.shown(value)} beside {names}, {metric.shown(self.alone[0])} alone: its neighbours {told}"

    def as_json(self, value: float | None, scenario: str) -> Mapping[str, Any]:
        """`beside` of metadata.json."""
        price = self.price(value, scenario)
        neighbours = [
            {"label": one.label, "devices": list(one.devices), "samples": one.samples, "seconds": round(one.seconds, 3),
             "samples_per_second": round(one.rate, 6)}
            for one in self.companions
        ]  # fmt: skip
        found: dict[str, Any] = {"neighbours": neighbours}
        if self.alone is not None:
            found |= {"alone": self.alone[0], "alone_logs": self.alone[1]}
        return found if price is None else {**found, "price": round(price, 6)}
