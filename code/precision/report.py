"""Calibration results as Markdown (report.md) and JSON (report.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class TensorRow:
    """One quantised tensor.

    Args:
        kind: 'activation' or 'weight'.
        layers: the nodes that read it.
        least, most: its range during calibration (activations), or of its values (weights).
        limit: the largest value that its scale represents; larger values are clipped. Per channel: that of the largest channel.
        noise_db: power of the rounding error relative to the tensor's, in dB; -40 is a hundredth in amplitude.
    """

    name: str
    kind: str
    layers: tuple[str, ...]
    least: float
    most: float
    limit: float
    noise_db: float


@dataclass(frozen=True)
class LayerRow:
    """One quantised layer.

    Args:
        noise_db: the noisiest of its tensors.
        cost: share of the outputs' error that is removed if only this layer computes in fp32, 0 to 1; None if not measured.
    """

    name: str
    noise_db: float
    cost: float | None


@dataclass
class Trial:
    """One candidate graph: the nodes kept in fp32, its score, and its share of the fp32 score."""

    kept: list[str]
    score: float | None
    share: float | None


@dataclass
class Report:
    """The complete calibration result.

    Args:
        split: layer → how many channels of what it reads have copies (code/precision/split.py).
    """

    benchmark: str
    precision: str
    metric: str
    model: str
    samples: str
    reference: float | None
    target: float
    scored_on: int
    trials: list[Trial] = field(default_factory=list)
    layers: list[LayerRow] = field(default_factory=list)
    tensors: list[TensorRow] = field(default_factory=list)
    float_nodes: dict[str, int] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For report.json."""
        return asdict(self)

    def verdict(self) -> str:
        """One line: the score against its target."""
        last = self.trials[-1]
        if last.share is None or self.reference is None:
            return f"{self.benchmark} {self.precision}: not scored"
        high = f", {len(last.kept)} layers kept in higher precision" if last.kept else ", every layer of the preset is quantised"
        return (
            f"{self.benchmark} {self.precision}: {self.metric} {last.score:.3f} is {100 * last.share:.2f} % of fp32's "
            f"{self.reference:.3f} on {self.scored_on} samples (target {100 * self.target:g} %){high}"
        )

    def markdown(self) -> str:
        """For report.md."""
        return "\n".join(
            [
                f"# {self.benchmark} in {self.precision}",
                "",
                self.verdict() + ".",
                "",
                f"Model `{self.model}`, calibrated with {self.samples}.",
                "",
                *_section(
                    "Trials",
                    ("layers kept high", self.metric, "share of fp32"),
                    [
                        (", ".join(f"`{k}`" for k in t.kept) or "none", _n(t.score, ".3f"), _n(t.share, ".4f"))
                        for t in self.trials
                    ],
                ),
                *_section(
                    "Layers, the costliest first",
                    ("layer", "cost", "noise (dB)"),
                    [(f"`{r.name}`", _n(r.cost, ".1%"), f"{r.noise_db:.1f}") for r in self.layers],
                ),
                *_section(
                    "Quantised tensors",
                    ("tensor", "kind", "least", "most", "limit", "noise (dB)"),
                    [(f"`{r.name}`", r.kind, _n(r.least), _n(r.most), _n(r.limit), f"{r.noise_db:.1f}") for r in self.tensors],
                ),
                *_section(
                    "Layers with copies of channels",
                    ("layer", "channels with copies"),
                    [(f"`{name}`", count) for name, count in self.split.items()],
                ),
                *_section("Operators in fp32", ("operator", "nodes"), sorted(self.float_nodes.items())),
            ]
        )


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return []
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return [*lines, *("| " + " | ".join(str(c) for c in row) + " |" for row in rows), ""]


def _n(value: float | None, form: str = ".4g") -> str:
    return "" if value is None else format(value, form)


def summary_rows(report: Report, most: int = 8) -> list[Mapping[str, Any]]:
    """The costliest layers, as rows of a table."""
    return [asdict(row) for row in report.layers[:most]]
