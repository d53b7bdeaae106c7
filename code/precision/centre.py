"""Moves a constant per channel out of the tensors that int8 rounds worst, into the biases behind them.

A symmetric scale must cover a channel's constant part as well as what varies. Every shift here is exact in fp32 and changes no operator:

- the output of a layer normalisation: what it loses is added to the biases of the layers that read it and, for the residual addition, to
  the bias of the layer beside it;
- the key: softmax does not change when a constant is added to a row of scores;
- the value: shares add up to 1, so that the constant passes through the second product into the output layer's bias. Rounded shares do
  not add up to 1: small ones are rounded to 0. The constant is the one that makes the context's error smallest (least squares), which
  takes the mean effect of the lost shares away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.precision.fold import replaced_constant, splits_heads
from code.precision.pattern import Attention, attentions, linear_of
from code.precision.view import MOVING, View
from code.precision.weights import LARGEST

CENTRED = "centred"
"""Key of the model's metadata that says that its tensors are moved by a constant per channel."""
SHARE_RANGES = (1.0, 0.9, 0.8, 0.7)
"""Candidate ranges of softmax: a smaller one has finer steps and clips the largest shares."""
SHARE_ROWS = 48
"""How many queries of each sample the effect of rounded shares is measured on."""
SUFFIX = "__centred"
Shift = NDArray[np.float64]


@dataclass(frozen=True)
class _Source:
    """A tensor with a constant per channel: `node.input[slot]` is added to it. `attention`: whose value it is."""

    tensor: str
    node: Any
    slot: int
    attention: Attention | None


@dataclass(frozen=True)
class _Bias:
    """A constant that takes a shift up: `weight` is the product in front of it, which the shift goes through, or None."""

    node: Any
    slot: int
    weight: str | None


def centre(model: Any, batches: Iterable[Mapping[str, NDArray[Any]]], lengths: Sequence[int]) -> tuple[Any, dict[str, float]]:
    """(a centred copy of an fp32 model whose nodes have names, the softmax node → the range of its Q/DQ pair).

    Args:
        batches: inputs of one sample each.
        lengths: tokens of each sample; what is padded behind them counts for nothing.
    """
    import onnx

    out = onnx.ModelProto()
    out.CopyFrom(model)
    view = View(out.graph)
    sources = [(source, biases) for source in _sources(view) if (biases := _biases(view, source.tensor)) is not None]
    statistics = _measured(out, view, [source for source, _ in sources], batches, lengths)
    shifts: dict[tuple[str, int], Shift] = {}
    names: dict[tuple[str, int], Any] = {}
    ranges: dict[str, float] = {}
    for source, biases in sources:
        found = statistics[source.tensor]
        moved = found.middle
        if isinstance(found, _Shares) and source.attention is not None and found.seen:
            ranges[source.attention.softmax], moved = found.best()
        _add(shifts, names, source.node, source.slot, -moved)
        for bias in biases:
            through = moved if bias.weight is None else moved @ _array(view, bias.weight).astype(np.float64)
            _add(shifts, names, bias.node, bias.slot, through)
    for key, shift in shifts.items():
        node, slot = names[key], key[1]
        name = node.input[slot]
        values = _array(view, name)
        node.input[slot] = replaced_constant(out.graph, view, name, np.asarray(values + shift), SUFFIX)
    if sources:
        onnx.helper.set_model_props(out, {**{p.key: p.value for p in out.metadata_props}, CENTRED: "1"})
    return out, ranges


def is_centred(model: Any) -> bool:
    """Whether a model's tensors are moved by constants."""
    return any(p.key == CENTRED for p in model.metadata_props)


def _add(shifts: dict[tuple[str, int], Shift], names: dict[tuple[str, int], Any], node: Any, slot: int, shift: Shift) -> None:
    key = (str(node.name), slot)
    shifts[key] = shifts[key] + shift if key in shifts else shift
    names[key] = node


def _array(view: View, name: str) -> NDArray[Any]:
    array = view.array(name)
    assert array is not None
    return array


def _vector(view: View, node: Any) -> int | None:
    """The input of a node that is a constant vector."""
    for slot, name in enumerate(node.input):
        array = view.array(name)
        if array is not None and array.ndim == 1 and array.size > 1:
            return slot
    return None


def _sources(view: View) -> list[_Source]:
    """Layer normalisations, or the last addition of one that is written out, keys and values."""
    found = []
    of_value: dict[str, Attention] = {}
    inside: set[str] = set()
    for attention in attentions(view):
        for product, slot in ((attention.first, 1), (attention.second, 1)):
            source, _ = view.moved_from(view.nodes[product].input[slot])
            inside.add(source)
            if product == attention.second:
                of_value[source] = attention
    for node in view.graph.node:
        if node.op_type == "LayerNormalization" and len(node.input) == 3 and view.array(node.input[2]) is not None:
            found.append(_Source(node.output[0], node, 2, None))
        elif node.op_type == "Add" and (place := _vector(view, node)) is not None:
            tensor = node.output[0]
            if tensor in inside or linear_of(view, tensor) is None:
                found.append(_Source(tensor, node, place, of_value.get(tensor)))
    return found


def _biases(view: View, tensor: str) -> list[_Bias] | None:
    """The constants that take up a shift of a tensor; None where one of its readers cannot."""
    if _given_out(view, tensor):
        return None
    found: list[_Bias] = []
    for node, name, passed in view.readers_behind_moves(tensor):
        moves = [move.op_type for move in passed]
        taken = None if "Transpose" in moves else _of_linear(view, node, name)
        if taken is None and not moves:
            taken = _of_residual(view, node, name)
        if taken is None:
            taken = _of_attention(view, node, name, passed)
        if taken is None:
            return None
        found += taken
    return found


def _given_out(view: View, tensor: str) -> bool:
    """Whether a tensor, or a rearrangement of it, is an output of the graph."""
    moves = [node for node in view.readers.get(tensor, []) if node.op_type in MOVING and node.input[0] == tensor]
    return tensor in view.outputs or any(_given_out(view, name) for node in moves for name in node.output)


def _of_linear(view: View, node: Any, name: str) -> list[_Bias] | None:
    weight = view.array(node.input[1]) if node.op_type == "MatMul" and node.input[0] == name else None
    readers = view.readers.get(node.output[0], [])
    if weight is None or weight.ndim != 2 or len(readers) != 1 or readers[0].op_type != "Add" or node.output[0] in view.outputs:
        return None
    slot = _vector(view, readers[0])
    return None if slot is None else [_Bias(readers[0], slot, node.input[1])]


def _of_residual(view: View, node: Any, name: str) -> list[_Bias] | None:
    if node.op_type != "Add" or len(node.input) != 2 or node.input[0] == node.input[1]:
        return None
    other = node.input[1] if node.input[0] == name else node.input[0]
    linear = linear_of(view, other)
    if linear is None or linear[1] is None or view.uses(other) != 1:
        return None
    slot = _vector(view, linear[1])
    return None if slot is None else [_Bias(linear[1], slot, None)]


def _of_attention(view: View, node: Any, name: str, passed: Sequence[Any]) -> list[_Bias] | None:
    for attention in attentions(view):
        if node.name == attention.first and node.input[1] == name and node.input[0] != name:
            return []
        if node.name == attention.second and node.input[1] == name and splits_heads(passed[::-1]):
            return _of_context(view, node.output[0])
    return None


def _of_context(view: View, tensor: str) -> list[_Bias] | None:
    """The biases behind an attention's output layer; None where something else reads its context."""
    found: list[_Bias] = []
    for reader, name, moves in view.readers_behind_moves(tensor):
        taken = _of_linear(view, reader, name) if splits_heads(moves) else None
        if taken is None:
            return None
        found += taken
    return found if found and not _given_out(view, tensor) else None


class _Middle:
    """The middle between the least and the greatest value of each channel."""

    def __init__(self) -> None:
        self._least: Shift | None = None
        self._most: Shift | None = None

    def see(self, values: NDArray[Any], shares: NDArray[Any] | None) -> None:
        """Another sample's values [tokens, channels]."""
        least, most = values.min(0).astype(np.float64), values.max(0).astype(np.float64)
        self._least = least if self._least is None else np.minimum(self._least, least)
        self._most = most if self._most is None else np.maximum(self._most, most)

    @property
    def middle(self) -> Shift:
        """Of each channel."""
        assert self._least is not None and self._most is not None
        return (self._least + self._most) / 2


class _Shares(_Middle):
    """What rounding an attention's shares does to its context, for each range that their scale may have."""

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[float, list[Any]] = {most: [0.0, 0.0, 0.0] for most in SHARE_RANGES}
        self.seen = False

    def see(self, values: NDArray[Any], shares: NDArray[Any] | None) -> None:
        """Values [tokens, channels] and shares [heads, tokens, tokens]."""
        super().see(values, shares)
        if shares is None:
            return
        self.seen = True
        heads = values.reshape(len(values), len(shares), -1).swapaxes(0, 1)
        shares = shares[:, :: max(1, shares.shape[1] // SHARE_ROWS)]
        for most, sums in self._sums.items():
            step = most / LARGEST["int8"]
            lost = np.minimum(np.rint(shares / step), LARGEST["int8"]) * step - shares
            error, total = lost @ heads, lost.sum(-1, keepdims=True)
            sums[0] += np.square(error).sum(1, dtype=np.float64)
            sums[1] += (total * error).sum(1, dtype=np.float64)
            sums[2] += np.square(total).sum(1, dtype=np.float64)

    def best(self) -> tuple[float, Shift]:
        """The range that leaves the smallest error, and the constant of each channel for it."""
        left, constants = {}, {}
        for most, (error, cross, total) in self._sums.items():
            constants[most] = np.divide(cross, total, out=np.zeros_like(cross), where=np.broadcast_to(total > 0, cross.shape))
            left[most] = float((error - constants[most] * cross).sum())
        most = min(left, key=lambda one: left[one])
        return most, constants[most].reshape(-1)


def _measured(
    model: Any, view: View, sources: Sequence[_Source], batches: Iterable[Mapping[str, NDArray[Any]]], lengths: Sequence[int]
) -> dict[str, _Middle]:
    """Tensor → what the samples have there."""
    import onnx
    from onnx import TensorProto, helper

    from code.precision.sensitivity import session

    found: dict[str, _Middle] = {s.tensor: _Shares() if s.attention is not None else _Middle() for s in sources}
    if not sources:
        return found
    shares = {s.tensor: str(view.nodes[s.attention.softmax].output[0]) for s in sources if s.attention is not None}
    names = [*found, *shares.values()]
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    there = {o.name for o in marked.graph.output}
    marked.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names if n not in there)
    running = session(marked)
    for inputs, length in zip(batches, lengths, strict=True):
        got = dict(zip(names, running.run(names, dict(inputs)), strict=True))
        for tensor, statistics in found.items():
            rows = got[tensor].reshape(-1, got[tensor].shape[-1])[:length]
            part = got[shares[tensor]] if tensor in shares else None
            statistics.see(rows, None if part is None or part.ndim != 4 else part[0, :, :length, :length])
    return found
