"""The patterns of a transformer's graph that TensorRT fuses, and where a graph has attention and residual additions.

Sources: TensorRT's documentation, "Fused Attention" (the scale is applied to the query or the key before the first product; int8 needs
Q/DQ before the first product, after softmax and after the second, heads of 16, 32 or 64 and at most 512 tokens) and "Q/DQ placement"
(quantise the residual input of an addition). Attention is found by its shape, not by names: a softmax between two products of
activations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from code.precision.view import View


@dataclass(frozen=True)
class Pattern:
    """How the attention and the residual additions of a graph are written.

    Args:
        scale_folded: attention's scale is part of the query's weights instead of an operator behind the first product.
        attention_pairs: Q/DQ before the first product, behind softmax and behind the second product.
        residual_pairs: inputs of residual additions with Q/DQ: 'skip' is the one that bypasses the layer.
        softmax_casts: attention's softmax computes in fp32 between two casts; without them, in the type of the products.
    """

    scale_folded: bool = True
    attention_pairs: bool = True
    residual_pairs: Literal["none", "skip", "both"] = "skip"
    softmax_casts: bool = False


FUSED = Pattern()
"""Every pattern that TensorRT fuses."""

STEPS: Mapping[str, Pattern] = {
    "plain": Pattern(False, False, "none", True),
    "scale": Pattern(True, False, "none", True),
    "attention": Pattern(True, True, "none", True),
    "residual": Pattern(True, True, "skip", True),
    "residual_both": Pattern(True, True, "both", True),
    "softmax": FUSED,
}
"""Step → pattern, from a graph without any to the one in use: what a comparison on a GPU goes through."""

SIZES = {"int8": (16, 32, 64)}
"""Precision → sizes of a head for which quantised attention can be one kernel; any size for a precision that is not listed."""

_BETWEEN = frozenset({"Add", "Sub", "Mul", "Div", "Where", "Cast", "Max", "Min", "Clip", *("Identity", "Dropout", "Reshape")})
"""Operators between attention's first product and its softmax: scale, mask, casts."""

_BEHIND = frozenset({"Identity", "Dropout", "Cast", "Where", "QuantizeLinear", "DequantizeLinear"})
"""Operators between softmax and the second product."""


@dataclass(frozen=True)
class Attention:
    """One attention: names of its nodes.

    Args:
        first, softmax, second: the products and the softmax between them.
        scales: constant factors on the scores, on the query and on the key, as (node, factor).
    """

    first: str
    softmax: str
    second: str
    scales: tuple[tuple[str, float], ...]

    @property
    def nodes(self) -> tuple[str, str, str]:
        """The names that stand for the attention where layers are listed."""
        return self.first, self.softmax, self.second


@dataclass(frozen=True)
class Residual:
    """One residual addition: its node, and which input is the layer's output and which one bypasses the layer."""

    node: str
    layer: int
    skip: int


def attentions(view: View) -> list[Attention]:
    """Every attention of a graph whose nodes have names, in the graph's order."""
    found = []
    for node in view.graph.node:
        if node.op_type != "Softmax":
            continue
        first, path = _first_product(view, node)
        second = _second_product(view, node)
        if first is not None and second is not None:
            found.append(Attention(first.name, node.name, second.name, tuple(_scales(view, first, path))))
    return found


def residuals(view: View) -> list[Residual]:
    """Every addition of a layer's output, which comes from a product with weights, to a tensor that bypasses the layer."""
    found = []
    for node in view.graph.node:
        if node.op_type != "Add" or len(view.data_inputs(node)) != 2 or node.input[0] == node.input[1]:
            continue
        linear = [_linear(view, name) is not None for name in node.input]
        if any(linear):
            layer = linear.index(True) if linear.count(True) == 1 else _later(view, node)
            found.append(Residual(node.name, layer, 1 - layer))
    return found


def is_product(view: View, node: Any) -> bool:
    """Whether a node multiplies two activations."""
    return node.op_type == "MatMul" and not any(view.is_constant(name) for name in node.input)


def linear_of(view: View, name: str) -> tuple[Any, Any | None] | None:
    """The product with constant weights that makes a tensor, and the addition of its bias if it has one."""
    return _linear(view, name)


def _linear(view: View, name: str) -> tuple[Any, Any | None] | None:
    node = view.producer.get(name)
    bias = None
    if node is not None and node.op_type == "Add" and len(data := view.data_inputs(node)) == 1:
        bias, node = node, view.producer.get(data[0])
    if node is None or node.op_type not in ("MatMul", "Gemm") or len(node.input) < 2:
        return None
    return (node, bias) if view.is_constant(node.input[1]) and not view.is_constant(node.input[0]) else None


def _later(view: View, node: Any) -> int:
    """Which input of an addition is made later in the graph: with two layers' outputs, the other one bypasses it."""
    order = {n.name: place for place, n in enumerate(view.graph.node)}
    places = [order.get(view.producer[name].name, -1) for name in node.input]
    return places.index(max(places))


def _first_product(view: View, softmax: Any) -> tuple[Any | None, list[Any]]:
    """The nearest product of activations in front of softmax, and the nodes between them from softmax backwards."""
    waiting: list[tuple[str, list[Any]]] = [(softmax.input[0], [])]
    seen: set[str] = set()
    while waiting:
        name, path = waiting.pop(0)
        node = view.producer.get(name)
        if node is None or node.name in seen:
            continue
        seen.add(node.name)
        if is_product(view, node):
            return node, path
        if node.op_type in _BETWEEN:
            waiting += [(source, [*path, node]) for source in view.data_inputs(node)]
    return None, []


def _second_product(view: View, softmax: Any) -> Any | None:
    waiting = [softmax.output[0]]
    while waiting:
        name = waiting.pop(0)
        for node in view.readers.get(name, []):
            if is_product(view, node) and node.input[0] == name:
                return node
            if node.op_type in _BEHIND:
                waiting.append(node.output[0])
    return None


def _scales(view: View, first: Any, path: list[Any]) -> Iterator[tuple[str, float]]:
    """Constant factors that the scores are multiplied by before anything is added to them, and those on query and key."""
    name = first.output[0]
    for node in reversed(path):
        factor = _factor(view, node)
        if view.uses(name) != 1 or (factor is None and node.op_type not in ("Cast", "Identity", "Dropout", "Reshape")):
            break
        if factor is not None:
            yield node.name, factor
        name = node.output[0]
    for name in first.input:
        source, passed = view.moved_from(name)
        made = view.producer.get(source)
        factor = None if made is None else _factor(view, made)
        if made is not None and factor is not None and all(view.uses(n) == 1 for n in (source, *(p.output[0] for p in passed))):
            yield made.name, factor


def _factor(view: View, node: Any) -> float | None:
    """The constant that a Mul or Div multiplies by; None for any other node."""
    if node.op_type == "Div":
        value = view.scalar(node.input[1])
        return 1.0 / value if value else None
    if node.op_type == "Mul":
        values = [value for name in node.input if (value := view.scalar(name)) is not None]
        return values[0] if len(values) == 1 else None
    return None
