"""Q/DQ pairs in attention and in front of residual additions, with the ranges that calibration samples have there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from code.precision.pattern import SIZES, Attention, Pattern, attentions, residuals
from code.precision.view import View
from code.precision.weights import LARGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOFTMAX_RANGE = 1.0
"""The largest share that softmax gives."""


@dataclass(frozen=True)
class Place:
    """An input of a node that gets a Q/DQ pair.

    Args:
        reader, slot: the node and the number of its input; slot -1: every reader of the node's output instead.
        tensor: what is quantised.
        most: the largest absolute value where it is known without samples.
    """

    reader: str
    slot: int
    tensor: str
    most: float | None = None


def places(
    model: Any, pattern: Pattern, precision: str = "int8", kept: Iterable[str] = (), shares: Mapping[str, float] | None = None
) -> list[Place]:
    """The places of a pattern in a graph whose nodes have names.

    Args:
        shares: softmax node → the range of its pair; SOFTMAX_RANGE for one that is not listed.
        kept: names of nodes in higher precision; an attention or a residual addition that has one of them gets no pair.
    """
    view = View(model.graph)
    high = frozenset(kept)
    found: list[Place] = []
    if pattern.attention_pairs:
        sizes = _head_sizes(model, view) if precision in SIZES else {}
        for attention in attentions(view):
            allowed = sizes.get(attention.second) is None or sizes[attention.second] in SIZES.get(precision, ())
            if allowed and not high & set(attention.nodes):
                found += _of_attention(view, attention, (shares or {}).get(attention.softmax, SOFTMAX_RANGE))
    if pattern.residual_pairs != "none":
        for residual in residuals(view):
            if residual.node in high:
                continue
            node = view.nodes[residual.node]
            slots = [residual.skip] if pattern.residual_pairs == "skip" else [residual.skip, residual.layer]
            found += [Place(residual.node, slot, node.input[slot]) for slot in slots if not _is_pair(view, node.input[slot])]
    return found


def _of_attention(view: View, attention: Attention, share: float) -> list[Place]:
    first, second = view.nodes[attention.first], view.nodes[attention.second]
    inputs = [(first, 0, None), (first, 1, None), (second, 0, share), (second, 1, None)]
    found = [Place(n.name, i, n.input[i], most) for n, i, most in inputs if not _is_pair(view, n.input[i])]
    readers = view.readers_behind_moves(second.output[0])
    if any(node.op_type != "QuantizeLinear" for node, _, _ in readers):
        found.append(Place(second.name, -1, second.output[0]))
    return found


def _is_pair(view: View, name: str) -> bool:
    node = view.producer.get(name)
    return node is not None and node.op_type == "DequantizeLinear"


def _head_sizes(model: Any, view: View) -> Mapping[str, int]:
    """Second product → the size of a head, where shapes tell it."""
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a graph without shapes: the size stays unknown
        return {}
    last = {
        info.name: info.type.tensor_type.shape.dim[-1].dim_value
        for info in inferred.graph.value_info
        if info.type.tensor_type.shape.dim
    }
    return {name: size for name, node in view.nodes.items() if node.op_type == "MatMul" and (size := last.get(node.output[0], 0))}


def ranges(model: Any, wanted: Sequence[Place], batches: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """Tensor → its largest absolute value over the batches, for the places that need it."""
    import onnx
    from onnx import TensorProto, helper

    from code.precision.sensitivity import session

    names = list(dict.fromkeys(place.tensor for place in wanted if place.most is None))
    if not names:
        return {}
    measured = onnx.ModelProto()
    measured.CopyFrom(model)
    outputs = []
    for name in names:
        for number, operator in enumerate(("ReduceMax", "ReduceMin")):
            output = f"{name}__range{number}"
            measured.graph.node.append(helper.make_node(operator, [name], [output], keepdims=0))
            measured.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, []))
            outputs.append(output)
    running = session(measured)
    most = dict.fromkeys(names, 0.0)
    for inputs in batches:
        got = [abs(float(value)) for value in running.run(outputs, dict(inputs))]
        for place, name in enumerate(names):
            most[name] = max(most[name], *got[2 * place : 2 * place + 2])
    return most


def insert(model: Any, wanted: Sequence[Place], most: Mapping[str, float]) -> None:
    """Put int8 Q/DQ pairs, symmetric and with one scale each, at the places.

    Places that quantise a tensor over the same range share a pair, and a residual input shares that of the layer beside it, so that a
    tensor is written once. A tensor that is always 0 gets the range 1.
    """
    graph = model.graph
    view = View(graph)
    pairs: dict[tuple[str, float | None], str] = {}
    behind: dict[str, list[Any]] = {}
    for number, place in enumerate(wanted):
        limit = place.most if place.most is not None else most[place.tensor]
        key = (place.tensor, place.most)
        pair = pairs.get(key) or (_existing(view, place.tensor) if place.most is None and place.slot >= 0 else None)
        if pair is None:
            name = f"{place.reader}/{'output' if place.slot < 0 else f'input_{place.slot}'}/{number}"
            made = _pair(graph, name, place.tensor, (limit or SOFTMAX_RANGE) / LARGEST["int8"])
            behind.setdefault(place.tensor, []).extend(made)
            pair = made[1].output[0]
        pairs[key] = pair
        readers = [view.nodes[place.reader]] if place.slot >= 0 else view.readers.get(place.tensor, [])
        for node in readers:
            for slot, source in enumerate(node.input):
                if source == place.tensor and place.slot in (-1, slot):
                    node.input[slot] = pair
    _place_behind(graph, behind)


def _existing(view: View, tensor: str) -> str | None:
    """The output of a Q/DQ pair with one scale that a tensor has already."""
    for node in view.readers.get(tensor, []):
        if node.op_type == "QuantizeLinear" and view.scalar(node.input[1]) is not None:
            for reader in view.readers.get(node.output[0], []):
                if reader.op_type == "DequantizeLinear":
                    return str(reader.output[0])
    return None


def _pair(graph: Any, name: str, source: str, scale: float) -> tuple[Any, Any]:
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.asarray(scale, np.float32), f"{name}/scale"))
    graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.int8), f"{name}/zero"))
    constants = [f"{name}/scale", f"{name}/zero"]
    first = helper.make_node("QuantizeLinear", [source, *constants], [f"{name}/q"], name=f"{name}/QuantizeLinear")
    second = helper.make_node("DequantizeLinear", [f"{name}/q", *constants], [f"{name}/dq"], name=f"{name}/DequantizeLinear")
    return first, second


def _place_behind(graph: Any, behind: Mapping[str, list[Any]]) -> None:
    """Put nodes behind those that make their tensors, so that the graph stays sorted; behind no node for a graph's input."""
    nodes: list[Any] = [made for name in behind if all(name not in n.output for n in graph.node) for made in behind[name]]
    for node in graph.node:
        nodes.append(node)
        for name in node.output:
            nodes += behind.get(name, [])
    copies = [type(node)() for node in nodes]
    for copy, node in zip(copies, nodes, strict=True):
        copy.CopyFrom(node)
    del graph.node[:]
    graph.node.extend(copies)
