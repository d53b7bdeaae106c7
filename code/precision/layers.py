"""What the layers of two graphs of one network make of the same inputs: every tensor as an output, and how far the two are apart.

Noise is the power of the difference in dB of the power of the reference: -20 dB is 10 % of the values' size, -60 dB is 0.1 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.common.errors import RunError
from code.precision.centre import is_centred
from code.precision.pattern import attentions
from code.precision.split import is_split
from code.precision.view import MOVING, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUIETEST_DB = -200.0
"""Noise of tensors that are equal."""
LOUDEST_DB = 200.0
"""Noise where one of the two is not a number, or the reference is zero and the other is not."""
AS_FLOAT = "__as_float32"
"""Suffix of an output that is a half-precision tensor in fp32."""
LEAST_ROWS = 32
"""Values of a channel without which no factor of its own is fitted."""
_NUMBERING = frozenset(
    ("Shape", "Size", "NonZero", "Range", "ConstantOfShape", "Constant", "Cast", "QuantizeLinear", "DequantizeLinear")
)
"""Operators whose outputs say nothing of a layer: sizes, constants and changes of type."""


@dataclass
class Difference:
    """How far a tensor of one side is from the reference's, summed over samples.

    Args:
        noise, power: sums of squares of the difference and of the reference.
        largest: greatest absolute difference.
        shapes: both shapes where they are not the same, else None.
        channels: [5, n], of each index of the last axis the sums of squares of one side, of products of both, of squares of the
            reference, and the sums of both; n is 1 where tensors of several lengths are summed.
        rows: values of each index.
    """

    noise: float = 0.0
    power: float = 0.0
    largest: float = 0.0
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    channels: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    rows: int = 0

    @classmethod
    def of(cls, ours: NDArray[Any], reference: NDArray[Any]) -> Difference:
        """The difference of two arrays."""
        if ours.shape != reference.shape:
            return cls(shapes=(ours.shape, reference.shape))
        one, other = np.asarray(ours, dtype=np.float64), np.asarray(reference, dtype=np.float64)
        # Masks hold infinities, or the least number of their type, on both sides.
        with np.errstate(invalid="ignore"):
            apart = np.where(one == other, 0.0, one - other)
        kept = np.where(np.isfinite(other), other, 0.0)
        noise, largest = float(np.square(apart).sum()), float(np.abs(apart).max(initial=0.0))
        mine = np.where(np.isfinite(one), one, 0.0).reshape(-1, one.shape[-1] if one.ndim else 1)
        theirs = kept.reshape(mine.shape)
        sums = [np.square(mine).sum(0), (mine * theirs).sum(0), np.square(theirs).sum(0), mine.sum(0), theirs.sum(0)]
        channels = np.stack(sums)
        return cls(noise, float(np.square(kept).sum()), largest, None, channels, len(mine))

    def __bool__(self) -> bool:
        """Whether the two are equal, as Polygraphy asks."""
        return self.shapes is None and self.noise == 0.0

    def __add__(self, other: Difference) -> Difference:
        return Difference(
            self.noise + other.noise,
            self.power + other.power,
            max(self.largest, other.largest),
            self.shapes or other.shapes,
            *self._channels_with(other),
        )

    def _channels_with(self, other: Difference) -> tuple[NDArray[np.float64] | None, int]:
        """The channels of both, and their rows; one channel for all where the two have not the same."""
        if self.channels is None or other.channels is None:
            known = self if other.channels is None else other
            return known.channels, known.rows
        if self.channels.shape == other.channels.shape:
            return self.channels + other.channels, self.rows + other.rows
        whole = self.channels.sum(1, keepdims=True) + other.channels.sum(1, keepdims=True)
        return whole, self.rows * self.channels.shape[1] + other.rows * other.channels.shape[1]

    @property
    def noise_db(self) -> float:
        """Its noise in dB, from QUIETEST_DB to LOUDEST_DB."""
        if self.shapes is not None or math.isnan(self.noise):
            return LOUDEST_DB
        if self.noise == 0.0:
            return QUIETEST_DB
        if self.power == 0.0 or math.isinf(self.noise):
            return LOUDEST_DB
        return min(LOUDEST_DB, max(QUIETEST_DB, 10 * math.log10(self.noise / self.power)))

    @property
    def scaled_db(self) -> float:
        """Its noise in dB once each channel has the factor that fits the reference best; with few values, one factor for all.

        A quantised graph may hold a tensor in another scale, which the product after it takes back: such a tensor is not wrong.
        """
        return self._fitted_db(False)

    @property
    def centred_db(self) -> float:
        """The same, once each channel has the constant that fits best, too: a centred graph moves its tensors by constants."""
        return self._fitted_db(True)

    def _fitted_db(self, constants: bool) -> float:
        if self.channels is None or self.noise_db in (QUIETEST_DB, LOUDEST_DB):
            return self.noise_db
        channels, rows = self.channels, self.rows
        if rows < LEAST_ROWS:
            channels, rows = channels.sum(1, keepdims=True), rows * channels.shape[1]
        if rows < LEAST_ROWS:
            return self.noise_db
        own, cross, power, mine, theirs = channels
        if constants:
            own, cross, power = own - mine**2 / rows, cross - mine * theirs / rows, power - theirs**2 / rows
        fitted = power - np.divide(np.square(cross), own, out=np.zeros_like(own), where=own > 0)
        left = float(np.maximum(fitted, 0.0).sum())
        return min(self.noise_db, Difference(left, self.power).noise_db)


@dataclass(frozen=True)
class LayerDifference:
    """One layer of the reference's graph.

    Args:
        name: the node's name, or its first output where it has none.
        operator: its ONNX operator.
        tensor: the output that is compared.
        difference: of that output.
        inputs_db: noise of its noisiest input; QUIETEST_DB where no input differs.
        centred: whether one of the graphs, and not the other, is moved by constants (code/precision/centre.py).
    """

    name: str
    operator: str
    tensor: str
    difference: Difference
    inputs_db: float
    centred: bool = False

    @property
    def noise_db(self) -> float:
        """Noise of its output, whatever its scale and, in a centred graph, its constants."""
        return _noise(self.difference, self.centred)

    @property
    def added_db(self) -> float:
        """By how much its output is noisier than its noisiest input."""
        return self.noise_db - self.inputs_db

    @property
    def own_db(self) -> float:
        """The noise that its output has beyond that of its noisiest input: what a rounded layer adds."""
        added = 10 ** (self.noise_db / 10) - 10 ** (self.inputs_db / 10)
        return 10 * math.log10(added) if added > 10 ** (QUIETEST_DB / 10) else QUIETEST_DB

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "name": self.name,
            "operator": self.operator,
            "tensor": self.tensor,
            "noise_db": round(self.noise_db, 2),
            "unscaled_noise_db": round(self.difference.noise_db, 2),
            "inputs_noise_db": round(self.inputs_db, 2),
            "added_db": round(self.added_db, 2),
            "own_noise_db": round(self.own_db, 2),
            "largest_difference": self.difference.largest,
        }


@dataclass
class Graph:
    """A graph by its tensors.

    Args:
        model: the ModelProto, with shapes and types inferred.
    """

    model: Any
    _producer: dict[str, Any] = field(init=False)
    _types: dict[str, int] = field(init=False)
    _channels: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self._producer = {name: node for node in graph.node for name in node.output if name}
        named = [*graph.input, *graph.output, *graph.value_info]
        self._types = {value.name: value.type.tensor_type.elem_type for value in named}
        shapes = {value.name: value.type.tensor_type.shape.dim for value in named}
        self._channels = {name: dims[-1].dim_value for name, dims in shapes.items() if dims}

    @classmethod
    def read(cls, path: Path) -> Graph:
        """The graph in a file. RunError when it cannot be read or its types cannot be inferred."""
        import onnx

        try:
            return cls(onnx.shape_inference.infer_shapes(onnx.load(str(path)), data_prop=True))
        except Exception as error:
            words = str(error).strip().splitlines() or [type(error).__name__]
            raise RunError(
                f"the layers of {path} cannot be listed", words[0], "compare the outputs alone, without --layers"
            ) from error

    def floating(self) -> list[str]:
        """The floating-point tensors that its layers make, in the order of the nodes."""
        from onnx import TensorProto

        kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)
        return [
            name for name, node in self._producer.items() if node.op_type not in _NUMBERING and self._types.get(name) in kinds
        ]

    def split_by_heads(self) -> set[str]:
        """Rearranged tensors, and those between an attention's products: centring moves them by other constants in each head or row."""
        view = View(self.model.graph)
        found = {node.output[0] for node in self.model.graph.node if node.op_type in MOVING}
        for attention in attentions(view):
            found.add(view.nodes[attention.second].output[0])
            waiting = [view.nodes[attention.first].output[0]]
            while waiting:
                found.add(name := waiting.pop())
                waiting += [
                    r.output[0] for r in view.readers.get(name, []) if r.op_type != "Softmax" and r.output[0] not in found
                ]
        return found

    def with_outputs(self, tensors: Iterable[str]) -> Any:
        """A copy in which these tensors are outputs, too: half-precision ones in fp32, under their name and AS_FLOAT."""
        import onnx
        from onnx import TensorProto, helper

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        there = {output.name for output in model.graph.output}
        for name in tensors:
            if name in there:
                continue
            shown = name
            if self._types[name] != TensorProto.FLOAT:
                shown = name + AS_FLOAT
                model.graph.node.append(helper.make_node("Cast", [name], [shown], to=TensorProto.FLOAT, name=shown))
            model.graph.output.append(helper.make_tensor_value_info(shown, TensorProto.FLOAT, None))
        return model

    def channels_of(self, tensor: str) -> int:
        """The size of a tensor's last axis; 0 where it is not known."""
        return self._channels.get(tensor, 0)

    def layer_of(self, tensor: str) -> tuple[str, str]:
        """(name, operator) of the node that makes a tensor."""
        node = self._producer[tensor]
        return node.name or node.output[0], node.op_type

    def inputs_of(self, tensor: str, compared: Mapping[str, Any]) -> set[str]:
        """The nearest compared tensors before a tensor, seen through what is not compared."""
        found: set[str] = set()
        seen: set[str] = set()
        open_ = list(self._producer[tensor].input) if tensor in self._producer else []
        while open_:
            name = open_.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in compared:
                found.add(name)
            elif name in self._producer:
                open_ += self._producer[name].input
        return found


def common_tensors(ours: Graph, reference: Graph) -> list[str]:
    """The floating-point tensors that the layers of both graphs make, in the reference's order.

    Where one of the two is centred, without those that are moved by more than a constant for each index of their last axis; where one is
    split, without those whose channels have copies in it.
    """
    there = set(ours.floating())
    if is_split(ours.model) != is_split(reference.model):
        there = {name for name in there if ours.channels_of(name) == reference.channels_of(name)}
    if _one_centred(ours, reference):
        there -= reference.split_by_heads()
    return [name for name in reference.floating() if name in there]


def _one_centred(ours: Graph, reference: Graph) -> bool:
    return is_centred(ours.model) != is_centred(reference.model)


def _noise(difference: Difference, centred: bool) -> float:
    return difference.centred_db if centred else difference.scaled_db


def layer_differences(
    reference: Graph, differences: Mapping[str, Difference], ours: Graph | None = None
) -> list[LayerDifference]:
    """The compared layers, in the order of the reference's graph."""
    centred = ours is not None and _one_centred(ours, reference)
    return [_row(reference, name, differences, centred) for name in reference.floating() if name in differences]


def _row(reference: Graph, tensor: str, differences: Mapping[str, Difference], centred: bool) -> LayerDifference:
    name, operator = reference.layer_of(tensor)
    before = [_noise(differences[one], centred) for one in reference.inputs_of(tensor, differences)]
    return LayerDifference(name, operator, tensor, differences[tensor], max(before, default=QUIETEST_DB), centred)


def noisiest(layers: Sequence[LayerDifference]) -> list[LayerDifference]:
    """The layers that differ, those that differ most first."""
    return sorted((one for one in layers if not one.difference), key=lambda one: -one.noise_db)


def beginnings(layers: Sequence[LayerDifference]) -> list[LayerDifference]:
    """The layers that differ, those first whose output is noisier than their inputs by most."""
    return sorted((one for one in layers if not one.difference), key=lambda one: (-one.added_db, -one.noise_db))


def adding(layers: Sequence[LayerDifference]) -> list[LayerDifference]:
    """The layers that differ, those first that add the most noise of their own: the costliest ones of a quantised graph."""
    return sorted((one for one in layers if not one.difference), key=lambda one: -one.own_db)


def summed(runs: Iterable[Mapping[str, Difference]]) -> dict[str, Difference]:
    """Tensor → its difference over all samples."""
    out: dict[str, Difference] = {}
    for name, one in _items(runs):
        out[name] = out.get(name, Difference()) + one
    return out


def _items(runs: Iterable[Mapping[str, Difference]]) -> Iterator[tuple[str, Difference]]:
    for run in runs:
        yield from run.items()
