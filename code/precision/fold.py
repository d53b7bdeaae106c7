"""Attention's scale moves into the query's weights, and smoothing of the context into the value's.

Both are exact up to rounding in fp32. TensorRT fuses attention only where the scale is applied before the first product ("Fused
Attention" in its documentation), and nothing may stand between the second product and the Q/DQ behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from code.precision.pattern import Attention, attentions, linear_of
from code.precision.view import View, named

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDED = "__folded"
HEADS_FIRST = [0, 2, 1, 3]
"""[batch, length, heads, size] ↔ [batch, heads, length, size]."""


def fold_scale(model: Any) -> Any:
    """A copy of an fp32 model whose attentions have their scale in the weights of the query.

    Where the query does not come from weights of its own, the scale becomes a Mul on the query.
    """
    out = named(model)
    for attention in attentions(View(out.graph)):
        if attention.scales:
            _fold_one(out.graph, attention)
    drop_unused(out.graph)
    return out


def drop_unused(graph: Any) -> None:
    """Remove the constants that no node reads any more."""
    used = _read(graph)
    for node in [n for n in graph.node if n.op_type == "Constant" and n.output[0] not in used]:
        graph.node.remove(node)
    kept = [i for i in graph.initializer if i.name in used]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _read(graph: Any) -> set[str]:
    """Every tensor that a node reads, in subgraphs as well, or that the graph gives out."""
    used = {o.name for o in graph.output}
    for node in graph.node:
        used.update(node.input)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                used.update(_read(inner) if inner.node else ())
    return used


def _fold_one(graph: Any, attention: Attention) -> None:
    view = View(graph)
    factor = 1.0
    for name, part in attention.scales:
        _bypass(graph, view, view.nodes[name])
        factor *= part
    if factor == 1.0:
        return
    view = View(graph)
    product = view.nodes[attention.first]
    found = _own_linear(view, product.input[0])
    if found is None:
        _multiply_input(graph, product, 0, factor)
        return
    linear, bias = found
    _scale_input(graph, view, linear, 1, factor)
    if bias is not None:
        place = next(i for i, name in enumerate(bias.input) if view.is_constant(name))
        _scale_input(graph, view, bias, place, factor)
    elif linear.op_type == "Gemm" and len(linear.input) > 2:
        _scale_input(graph, view, linear, 2, factor)


def _own_linear(view: View, name: str) -> tuple[Any, Any | None] | None:
    """The product with constant weights and its bias that make a tensor which nothing else reads."""
    source, passed = view.moved_from(name)
    if any(view.uses(tensor) != 1 for tensor in (source, *(node.output[0] for node in passed))):
        return None
    found = linear_of(view, source)
    if found is None:
        return None
    linear, bias = found
    whole = bias is None or view.uses(linear.output[0]) == 1
    constants = [linear.input[1], *([] if bias is None else [n for n in bias.input if view.is_constant(n)])]
    return found if whole and all(view.array(n) is not None for n in constants) else None


def _bypass(graph: Any, view: View, node: Any) -> None:
    """Let everything that reads a node with one data input read that input."""
    source = view.data_inputs(node)[0]
    for reader in view.readers.get(node.output[0], []):
        for place, name in enumerate(reader.input):
            if name == node.output[0]:
                reader.input[place] = source
    graph.node.remove(node)


def _scale_input(graph: Any, view: View, node: Any, place: int, factor: float) -> None:
    """Multiply a constant input of a node; a constant that others read stays as it is."""
    name = node.input[place]
    array = view.array(name)
    assert array is not None
    node.input[place] = replaced_constant(graph, view, name, np.asarray(array.astype(np.float64) * factor), FOLDED)


def replaced_constant(graph: Any, view: View, name: str, values: NDArray[Any], suffix: str) -> str:
    """Give a constant new values, under a new name where more than one node reads it or a node made it. The name to read."""
    from onnx import numpy_helper

    old = view.array(name)
    assert old is not None
    initializer = next((i for i in graph.initializer if i.name == name), None)
    if initializer is not None and len(view.readers.get(name, [])) == 1:
        initializer.CopyFrom(numpy_helper.from_array(values.astype(old.dtype), name))
        return name
    new, number = f"{name}{suffix}", 1
    while any(i.name == new for i in graph.initializer):
        new, number = f"{name}{suffix}{number}", number + 1
    graph.initializer.append(numpy_helper.from_array(values.astype(old.dtype), new))
    return new


def _multiply_input(graph: Any, node: Any, place: int, factor: float) -> None:
    from onnx import helper, numpy_helper

    name = f"{node.name}/scale"
    graph.initializer.append(numpy_helper.from_array(np.asarray(factor, np.float32), f"{name}/factor"))
    made = helper.make_node("Mul", [node.input[place], f"{name}/factor"], [f"{name}/product"], name=name)
    node.input[place] = made.output[0]
    graph.node.insert(list(graph.node).index(node), made)


def fold_smoothing(graph: Any, weights: dict[str, NDArray[np.float32]]) -> None:
    """Move a factor per channel between the second product and what reads it into the value's weights and bias.

    Smoothing (Xiao et al., SmoothQuant, 2022) multiplies the input of the output layer channel by channel. The context is a weighted sum
    of values, so that the same factor on the value's channels gives the same numbers.

    Args:
        graph: a quantised graph; its weights have one scale per output channel, or one for all.
        weights: the fp32 values behind the graph's rounded weights, by initializer; those of the value are multiplied, too.
    """
    for attention in attentions(View(graph)):
        view = View(graph)
        value = _value_linear(view, attention)
        smoothing = _smoothing_behind(view, attention)
        if value is None or smoothing is None:
            continue
        linear, bias = value
        node, factor = smoothing
        if not _fits(view, linear, bias, factor):
            continue
        _scale_channels(graph, view, linear, factor, weights)
        if bias is not None:
            place = next(i for i, name in enumerate(bias.input) if view.is_constant(name))
            array = view.array(bias.input[place])
            assert array is not None
            bias.input[place] = replaced_constant(graph, view, bias.input[place], array * factor, FOLDED)
        _bypass(graph, view, node)


def _value_linear(view: View, attention: Attention) -> tuple[Any, Any | None] | None:
    """The linear layer of the value, where only heads are split off behind it and nothing else reads it."""
    source, passed = view.moved_from(view.nodes[attention.second].input[1])
    if not splits_heads(passed):
        return None
    if any(view.uses(name) != 1 for name in (source, *(node.output[0] for node in passed))):
        return None
    return linear_of(view, source)


def _smoothing_behind(view: View, attention: Attention) -> tuple[Any, NDArray[Any]] | None:
    """The only reader of the context, where it is a multiplication by one constant per channel, and its factors."""
    readers = view.readers_behind_moves(view.nodes[attention.second].output[0])
    if len(readers) != 1:
        return None
    node, name, passed = readers[0]
    if node.op_type != "Mul" or not splits_heads(passed):
        return None
    factor = view.array(next((i for i in node.input if i != name), ""))
    if factor is None or factor.size <= 1 or factor.shape[-1] != factor.size or factor.min() <= 0:
        return None
    return node, factor.reshape(-1).astype(np.float32)


def splits_heads(passed: Sequence[Any]) -> bool:
    """Whether moves are those between [batch, length, channels] and heads, the Transpose first."""
    return [n.op_type for n in passed] == ["Transpose", "Reshape"] and _order(passed[0]) == HEADS_FIRST


def _order(node: Any) -> list[int]:
    return next((list(a.ints) for a in node.attribute if a.name == "perm"), [])


def _fits(view: View, linear: Any, bias: Any | None, factor: NDArray[Any]) -> bool:
    """Whether weights [inputs, channels] and bias can take a factor per channel."""
    if linear.op_type != "MatMul":
        return False
    name = linear.input[1]
    dequantised = view.producer.get(name)
    array = view.array(dequantised.input[0] if dequantised is not None and dequantised.op_type == "DequantizeLinear" else name)
    if array is None or array.ndim != 2 or array.shape[1] != factor.size:
        return False
    if bias is None:
        return True
    constant = view.array(next(name for name in bias.input if view.is_constant(name)))
    return constant is not None and constant.shape[-1:] == (factor.size,)


def _scale_channels(graph: Any, view: View, linear: Any, factor: NDArray[Any], weights: dict[str, NDArray[np.float32]]) -> None:
    name = linear.input[1]
    node = view.producer.get(name)
    if node is None:
        array = view.array(name)
        assert array is not None
        linear.input[1] = replaced_constant(graph, view, name, array * factor, FOLDED)
        return
    scale, zero = view.array(node.input[1]), view.array(node.input[2])
    assert scale is not None and zero is not None
    wide = np.broadcast_to(scale, factor.shape) * factor
    node.input[1] = replaced_constant(graph, view, node.input[1], wide, FOLDED)
    node.input[2] = replaced_constant(graph, view, node.input[2], np.broadcast_to(zero, factor.shape), FOLDED)
    if not any(a.name == "axis" for a in node.attribute):
        from onnx import helper

        node.attribute.append(helper.make_attribute("axis", 1))
    if node.input[0] in weights:
        weights[node.input[0]] = (weights[node.input[0]] * factor).astype(np.float32)
