"""Measures the noise of quantised tensors and the accuracy cost of quantised layers.

The quantised graph gets a switch for every Q/DQ pair and every quantised weight: on, the layer reads the rounded values; off, the
values before rounding. One session then measures the ranges and noise of every tensor, and how the outputs improve if one layer
computes in fp32 while all others remain quantised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from code.common import console
from code.precision.report import LayerRow, TensorRow
from code.precision.samples import Samples
from code.precision.weights import Weights, per_channel

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURED_LAYERS = 12
"""Number of noisiest layers that are measured individually; the others are ranked by their noise."""

MEASURED_SAMPLES = 4
SWITCHES = "switches__"
QUIETEST_DB = -200.0


@dataclass(frozen=True)
class _Item:
    """One switch: the tensor before and after rounding, and its readers. `noise` and `power`: sums of squares of a weight."""

    name: str
    kind: str
    before: str
    after: str
    limit: float
    layers: tuple[str, ...]
    values: Any = None
    noise: float = 0.0
    power: float = 0.0
    table: bool = False


def measure(
    model: Any, quantised: Any, weights: Weights, samples: Samples, layers: int = MEASURED_LAYERS
) -> tuple[list[TensorRow], list[LayerRow]]:
    """Every quantised tensor, and every quantised layer, the costliest first.

    Args:
        model: the fp32 ModelProto; only its nodes count as layers.
        quantised: the int8 ModelProto made of it.
        weights: the fp32 values of its rounded weights, by initializer.
        layers: how many of the noisiest layers are measured one by one; with 0 noise alone decides the order.
    """
    items = _items(frozenset(node.name for node in model.graph.node), quantised, weights)
    if not items:
        return [], []
    outputs = [o.name for o in quantised.graph.output]
    batches = _few(samples)
    everything = np.ones(len(items), dtype=bool)
    stats = _stats(session(_switchable(quantised, items, True)), items, samples, batches)
    tensors = [_row(item, stats.get(item.after)) for item in items]
    noise = _noisiest(tensors)
    ranked = sorted(noise, key=lambda layer: -noise[layer])
    tensors.sort(key=lambda row: -row.noise_db)
    if not layers:
        return tensors, [LayerRow(layer, noise[layer], None) for layer in ranked]
    running = session(_switchable(quantised, items, False))

    def answers(switches: NDArray[np.bool_]) -> list[NDArray[Any]]:
        out: list[NDArray[Any]] = []
        for batch in batches:
            got = running.run(outputs, {**samples.source.inputs(batch), SWITCHES: switches})
            out += samples.source.responses(dict(zip(outputs, got, strict=True)), batch)
        return out

    truth = answers(~everything)
    whole = _error(answers(everything), truth)
    cost: dict[str, float] = {}
    with console.Progress("measuring layers", min(len(ranked), layers), "layers") as bar:
        for layer in ranked[:layers]:
            switches = np.array([layer not in item.layers for item in items])
            cost[layer] = 1.0 - _error(answers(switches), truth) / whole if whole > 0 else 0.0
            bar.advance(1)
    measured = sorted(cost, key=lambda layer: -cost[layer])
    rows = [LayerRow(layer, noise[layer], cost[layer]) for layer in measured]
    rows += [LayerRow(layer, noise[layer], None) for layer in ranked if layer not in cost]
    return tensors, rows


def _noisiest(tensors: list[TensorRow]) -> dict[str, float]:
    """Layer → the noise of the noisiest tensor that it reads."""
    noise: dict[str, float] = {}
    for row in tensors:
        for layer in row.layers:
            noise[layer] = max(noise.get(layer, QUIETEST_DB), row.noise_db)
    return noise


def _items(layers_of_model: frozenset[str], quantised: Any, weights: Weights) -> list[_Item]:
    from onnx import numpy_helper

    constants = {i.name: i for i in quantised.graph.initializer}
    producer = {name: node for node in quantised.graph.node for name in node.output}
    readers = _readers(quantised)
    operators: dict[str, set[str]] = {}
    for node in quantised.graph.node:
        for name in node.input:
            operators.setdefault(name, set()).add(node.op_type)
    found = []
    for node in quantised.graph.node:
        if node.op_type != "DequantizeLinear":
            continue
        scale = numpy_helper.to_array(constants[node.input[1]])
        layers = tuple(name for name in readers.get(node.output[0], ()) if name in layers_of_model)
        if node.input[0] in constants:
            rounded = numpy_helper.to_array(constants[node.input[0]])
            values = rounded.astype(np.float32) * per_channel(node, scale, rounded.ndim)
            before = weights.get(node.input[0], values)
            limit, table = float(scale.max()) * 127, operators.get(node.output[0]) == {"Gather"}
            noise, power = float(np.square(values - before).sum()), float(np.square(before).sum())
            found.append(_Item(node.output[0], "weight", "", node.output[0], limit, layers, before, noise, power, table))
        elif producer[node.input[0]].op_type == "QuantizeLinear":
            source = producer[node.input[0]].input[0]
            found.append(_Item(source, "activation", source, node.output[0], float(scale.max()) * 127, layers))
    return found


def _readers(quantised: Any) -> dict[str, list[str]]:
    """Tensor → the layers that compute with it, looking through nodes that only move data."""
    consumers: dict[str, list[Any]] = {}
    for node in quantised.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    moving = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Split", "Slice", "Flatten"}

    def reached(name: str, depth: int) -> list[str]:
        out = []
        for node in consumers.get(name, []):
            if node.op_type in moving and depth:
                for made in node.output:
                    out += reached(made, depth - 1)
            else:
                out.append(node.name)
        return list(dict.fromkeys(out))

    return {n.output[0]: reached(n.output[0], 6) for n in quantised.graph.node if n.op_type == "DequantizeLinear"}


def _switchable(quantised: Any, items: list[_Item], stats: bool) -> Any:
    """The graph with an input bool [items] that selects the rounded items. With `stats`, activations get statistics outputs.

    Tables used only by Gather stay rounded: that costs almost nothing, and a switch would process the whole table.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.ModelProto()
    model.CopyFrom(quantised)
    graph = model.graph
    graph.input.append(helper.make_tensor_value_info(SWITCHES, TensorProto.BOOL, [len(items)]))
    by_after = {item.after: (number, item) for number, item in enumerate(items)}
    nodes: list[Any] = []
    for node in list(graph.node):
        nodes.append(node)
        if node.op_type != "DequantizeLinear" or node.output[0] not in by_after:
            continue
        number, item = by_after[node.output[0]]
        if item.table:
            continue
        target, inner = node.output[0], f"{node.output[0]}__rounded"
        node.output[0] = inner
        before = item.before
        if item.kind == "weight":
            before = f"{target}__before"
            graph.initializer.append(numpy_helper.from_array(item.values, before))
        place = f"{target}__place"
        graph.initializer.append(numpy_helper.from_array(np.asarray(number, dtype=np.int64), place))
        nodes.append(helper.make_node("Gather", [SWITCHES, place], [f"{target}__on"], axis=0))
        nodes.append(helper.make_node("Where", [f"{target}__on", inner, before], [target]))
        if stats and item.kind == "activation":
            nodes.append(helper.make_node("Sub", [inner, before], [f"{target}__error"]))
            made = {"noise": ("ReduceSumSquare", f"{target}__error"), "power": ("ReduceSumSquare", before)}
            made |= {"least": ("ReduceMin", before), "most": ("ReduceMax", before)}
            for word, (operator, source) in made.items():
                nodes.append(helper.make_node(operator, [source], [f"{target}__{word}"], keepdims=0))
                graph.output.append(helper.make_tensor_value_info(f"{target}__{word}", TensorProto.FLOAT, []))
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def session(model: Any) -> Any:
    """A model ready to run on ONNX Runtime, its Q/DQ nodes as they stand."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _few(samples: Samples) -> list[NDArray[np.int64]]:
    """Some calibration samples of medium length, one per batch: padding would count as noise that never reaches an output."""
    flat = np.concatenate(samples.calibration)
    start = max(0, (len(flat) - MEASURED_SAMPLES) // 2)
    return [flat[place : place + 1] for place in range(start, min(start + MEASURED_SAMPLES, len(flat)))]


def _stats(running: Any, items: list[_Item], samples: Samples, batches: list[NDArray[np.int64]]) -> dict[str, dict[str, float]]:
    """Activation → its least, most, power and noise over the batches."""
    activations = [item for item in items if item.kind == "activation"]
    words = ("noise", "power", "least", "most")
    names = [f"{item.after}__{word}" for item in activations for word in words]
    seen: dict[str, list[float]] = {name: [] for name in names}
    for batch in batches if names else []:
        got = running.run(names, {**samples.source.inputs(batch), SWITCHES: np.ones(len(items), dtype=bool)})
        for name, value in zip(names, got, strict=True):
            seen[name].append(float(value))
    over: dict[str, Callable[[list[float]], float]] = {"noise": sum, "power": sum, "least": min, "most": max}
    return {item.after: {word: over[word](seen[f"{item.after}__{word}"]) for word in words} for item in activations}


def _row(item: _Item, seen: Mapping[str, float] | None) -> TensorRow:
    if item.kind == "weight":
        noise, power = item.noise, item.power
        least, most = float(item.values.min()), float(item.values.max())
    else:
        assert seen is not None
        noise, power, least, most = seen["noise"], seen["power"], seen["least"], seen["most"]
    decibels = 10 * math.log10(noise / power) if noise > 0 and power > 0 else QUIETEST_DB
    return TensorRow(item.name, item.kind, item.layers, least, most, item.limit, decibels)


def _error(answers: list[NDArray[Any]], truth: list[NDArray[Any]]) -> float:
    return float(sum(np.square(a - t).sum() for a, t in zip(answers, truth, strict=True)))
