"""Quantised graphs without a calibration: the shape of a calibrated graph, with assumed ranges.

Their answers mean nothing and their speed is a calibrated graph's: for comparing patterns, engines and builds where there are no samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from code.precision.fold import drop_unused, fold_scale
from code.precision.pairs import Place, insert, places
from code.precision.pattern import FUSED, Pattern
from code.precision.view import View, named
from code.precision.weights import LARGEST, rounded_weights

ACTIVATIONS = 8.0
"""The assumed largest absolute value of every activation."""


def quantised_by_assumption(model: Any, pattern: Pattern = FUSED, precision: str = "int8") -> Any:
    """The Q/DQ graph of an fp32 model in 'int8' or 'fp8', its other parts in fp32; `convert` makes them fp16.

    Products with constant weights [inputs, channels] are quantised: weights by channel to their own range, activations by tensor.
    """
    out = fold_scale(model) if pattern.scale_folded else named(model)
    weights = _quantise_weights(out.graph)
    linear = [Place(name, 0, View(out.graph).nodes[name].input[0], ACTIVATIONS) for name in weights]
    insert(out, linear, {})
    wanted = places(out, pattern, precision)
    insert(out, wanted, {place.tensor: ACTIVATIONS for place in wanted})
    return rounded_weights(out, {f"{name}/weight": values for name, values in weights.items()}, precision)


def _quantise_weights(graph: Any) -> dict[str, Any]:
    """Put an int8 weight and its DequantizeLinear in front of every product with constant weights. Product → the fp32 weight."""
    from onnx import helper, numpy_helper

    view = View(graph)
    found: dict[str, Any] = {}
    nodes: list[Any] = []
    for node in list(graph.node):
        weight = view.array(node.input[1]) if node.op_type == "MatMul" and not view.is_constant(node.input[0]) else None
        if weight is not None and weight.ndim == 2:
            scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / LARGEST["int8"]
            arrays = {"weight": np.rint(weight / scale).astype(np.int8), "scale": scale.astype(np.float32)}
            arrays["zero"] = np.zeros(weight.shape[1], np.int8)
            graph.initializer.extend(numpy_helper.from_array(array, f"{node.name}/{word}") for word, array in arrays.items())
            inputs = [f"{node.name}/{word}" for word in arrays]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{node.name}/w"], name=f"{node.name}/Weight", axis=1))
            node.input[1] = nodes[-1].output[0]
            found[node.name] = weight.astype(np.float32)
        nodes.append(type(node)())
        nodes[-1].CopyFrom(node)
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    return found
