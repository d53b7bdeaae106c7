"""Splits the channels between two layers whose weights int8 rounds worst into copies that share those weights.

A channel with a few very large values needs large weights behind it once smoothing has made the values small (SmoothQuant, Xiao et al.,
2022). The scale of every output that reads the channel must then cover them, and is too coarse for the weights of all other channels. n
copies of the channel with an n-th of its weights each compute the same numbers with an n-th of the range (outlier channel splitting,
Zhao et al., 2019). Between a transformer's feed-forward layers that is exact in fp32: everything there works channel by channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from code.precision.fold import replaced_constant
from code.precision.pattern import linear_of
from code.precision.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPLIT = "split"
"""Key of the model's metadata that says that layers have copies of channels."""
EXTRA = 32
"""Channels that a pair of layers gets in addition: tensor cores multiply 32 numbers of 8 bits at a time."""
LEAST_CHANNELS = 16 * EXTRA
"""Channels that a pair must have: with fewer, the copies would cost more than a sixteenth of its time."""
GAIN = 0.5
"""The estimated error that copies must leave, as a share of the error without them (-3 dB); else a pair stays as it is."""
PER_CHANNEL = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Neg", "Abs", "Exp", "Identity", "Cast"),
        *("Erf", "Tanh", "Gelu", "Relu", "Sigmoid", "LeakyRelu", "Elu", "Softplus", "HardSigmoid", "HardSwish"),
    )
)
"""Operators that compute each channel from itself alone, where their constants are single numbers."""
SUFFIX = "__split"


@dataclass(frozen=True)
class _Pair:
    """Two layers with something channel by channel between them.

    Args:
        first, bias: the product with weights [m, k], and the addition of its bias and which input that is, or None.
        second: the product with weights [k, n].
        tensor: what `second` reads.
        between: every tensor with those k channels.
    """

    first: Any
    bias: tuple[Any, int] | None
    second: Any
    tensor: str
    between: frozenset[str]


def split(model: Any, batches: Iterable[Mapping[str, NDArray[Any]]], lengths: Sequence[int]) -> tuple[Any, dict[str, int]]:
    """(a copy of an fp32 model whose nodes have names, the second layer of each pair that was split → its channels with copies).

    Args:
        batches: inputs of one sample each.
        lengths: tokens of each sample; what is padded behind them counts for nothing.
    """
    import onnx

    out = onnx.ModelProto()
    out.CopyFrom(model)
    view = View(out.graph)
    pairs = _pairs(view)
    seen = _measured(out, [pair.tensor for pair in pairs], batches, lengths)
    split_up: dict[str, int] = {}
    gone: set[str] = set()
    for pair in pairs:
        most, power = seen[pair.tensor]
        copies = _copies(_array(view, pair.second.input[1]), most, power)
        if copies is not None:
            _apply(out.graph, view, pair, copies)
            split_up[str(pair.second.name)] = int((copies > 1).sum())
            gone |= pair.between
    if split_up:
        kept = [info for info in out.graph.value_info if info.name not in gone]
        del out.graph.value_info[:]
        out.graph.value_info.extend(kept)
        onnx.helper.set_model_props(out, {**{p.key: p.value for p in out.metadata_props}, SPLIT: str(len(split_up))})
    return out, split_up


def is_split(model: Any) -> bool:
    """Whether layers of a model have copies of channels."""
    return any(p.key == SPLIT for p in model.metadata_props)


def _array(view: View, name: str) -> NDArray[Any]:
    array = view.array(name)
    assert array is not None
    return array


def _pairs(view: View) -> list[_Pair]:
    found = []
    for node in view.graph.node:
        if node.op_type != "MatMul" or (weight := view.array(node.input[1])) is None or weight.ndim != 2:
            continue
        pair = _pair(view, node)
        if pair is not None and len(weight) >= LEAST_CHANNELS:
            found.append(pair)
    return found


def _pair(view: View, second: Any) -> _Pair | None:
    """The pair whose second layer this is; None where it cannot be split."""
    tensor = second.input[0]
    found = _source(view, tensor)
    if found is None or found[0] == tensor:
        return None
    source, between = found
    first = linear_of(view, source)
    if first is None or not _is_alone(view, second, {*between, source}):
        return None
    bias = _bias(view, *first)
    weight = view.array(first[0].input[1])
    if bias is False or weight is None or weight.ndim != 2 or first[0].op_type != "MatMul":
        return None
    return _Pair(first[0], bias or None, second, tensor, frozenset((*between, source, str(first[0].output[0]))))


def _source(view: View, tensor: str) -> tuple[str, set[str]] | None:
    """The one layer's output that a tensor comes from channel by channel, and the tensors in between; None where that is not so."""
    between: set[str] = set()
    sources: set[str] = set()
    waiting = [tensor]
    while waiting:
        name = waiting.pop()
        if linear_of(view, name) is not None:
            sources.add(name)
        elif name not in between:
            node = view.producer.get(name)
            if node is None or not _is_per_channel(view, node):
                return None
            between.add(name)
            waiting += view.data_inputs(node)
    return (sources.pop(), between) if len(sources) == 1 else None


def _is_alone(view: View, second: Any, tensors: set[str]) -> bool:
    """Whether nothing else reads these tensors, of which the last is what `second` reads."""
    if not view.outputs.isdisjoint(tensors):
        return False
    made = tensors | {second.output[0]}
    readers = [(name, reader) for name in tensors for reader in view.readers.get(name, [])]
    return all(r.output[0] in made and (name != second.input[0] or r.name == second.name) for name, r in readers)


def _is_per_channel(view: View, node: Any) -> bool:
    constants = [name for name in node.input if name and view.is_constant(name)]
    return node.op_type in PER_CHANNEL and all(view.scalar(name) is not None for name in constants)


def _bias(view: View, linear: Any, bias: Any | None) -> tuple[Any, int] | Literal[False] | None:
    """Where a layer's bias is; None without one, False for one that cannot be split."""
    if bias is None:
        return None
    slot = next(slot for slot, name in enumerate(bias.input) if view.is_constant(name))
    array = view.array(bias.input[slot])
    alone = view.uses(linear.output[0]) == 1
    return (bias, slot) if alone and array is not None and array.ndim == 1 and array.size > 1 else False


def _copies(weight: NDArray[Any], most: NDArray[Any], power: NDArray[Any]) -> NDArray[np.int64] | None:
    """How many times each channel is there, EXTRA more of them altogether; None where the error would not fall by enough.

    Args:
        weight: [channels, outputs].
        most, power: of each channel, the largest absolute value and the mean square.
    """
    scaled = np.abs(weight.astype(np.float64)) * most[:, None]  # smoothing gives every channel the same range
    relative = np.divide(power, np.square(most), out=np.zeros_like(power), where=most > 0)

    def error(copies: NDArray[np.int64]) -> float:
        """Steps of each output's weights, squared, times what they are multiplied by: copies are rounded alike."""
        steps = (scaled / copies[:, None]).max(0)
        return float(np.square(steps).sum() * (np.square(copies) * relative).sum())

    once = np.ones(len(weight), dtype=np.int64)
    copies = once.copy()
    largest = scaled.max(1)
    for _ in range(EXTRA):
        copies[np.argmax(largest / copies)] += 1
    return copies if error(copies) < GAIN * error(once) else None


def _apply(graph: Any, view: View, pair: _Pair, copies: NDArray[np.int64]) -> None:
    index = np.repeat(np.arange(len(copies)), copies)

    def replace(node: Any, slot: int, values: NDArray[Any]) -> None:
        node.input[slot] = replaced_constant(graph, view, node.input[slot], np.ascontiguousarray(values), SUFFIX)

    replace(pair.first, 1, _array(view, pair.first.input[1])[:, index])
    if pair.bias is not None:
        node, slot = pair.bias
        replace(node, slot, _array(view, node.input[slot])[index])
    replace(pair.second, 1, (_array(view, pair.second.input[1]) / copies[:, None])[index])


def _measured(
    model: Any, tensors: Sequence[str], batches: Iterable[Mapping[str, NDArray[Any]]], lengths: Sequence[int]
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Tensor → the largest absolute value and the mean square of each of its channels."""
    import onnx
    from onnx import TensorProto, helper

    from code.precision.sensitivity import session

    if not tensors:
        return {}
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    marked.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in tensors)
    running = session(marked)
    most: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    squares: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    rows = 0
    for inputs, length in zip(batches, lengths, strict=True):
        rows += length
        for name, got in zip(tensors, running.run(list(tensors), dict(inputs)), strict=True):
            values = got.reshape(-1, got.shape[-1])[:length].astype(np.float64)
            most[name] = np.maximum(most[name], np.abs(values).max(0))
            squares[name] = squares[name] + np.square(values).sum(0)
    return {name: (most[name], squares[name] / max(rows, 1)) for name in tensors}
