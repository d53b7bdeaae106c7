"""The fp32 weights behind a quantised graph's integers, and their one rounding to int8 or fp8.

Scales are fp16 numbers, normal ones: the parts around a product compute in fp16, and a scale that fp16 cannot hold would leave the whole
tensor's DequantizeLinear in fp32, with a Cast between it and the product. Weights are rounded by the scale that the graph has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from code.precision.opset import at_least_opset
from code.precision.view import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = {"int8": 127.0, "fp8": 448.0}
"""Precision → its largest number; fp8 is E4M3FN (Micikevicius et al., FP8 Formats for Deep Learning, 2022)."""

SMALLEST_SCALE = 2.0**-14
"""The smallest normal fp16 number: channels up to 0.0078 in int8, or 0.027 in fp8, would need a smaller scale."""

FP8_OPSET = 19
QUANTISING = ("QuantizeLinear", "DequantizeLinear")

Weights: TypeAlias = "dict[str, NDArray[np.float32]]"
"""Name of a rounded weight's initializer → its values in fp32."""


def half_scale(scale: NDArray[Any]) -> NDArray[np.float32]:
    """The nearest scale, in fp32, that is a normal fp16 number; not below SMALLEST_SCALE."""
    return np.maximum(np.asarray(scale, np.float32), SMALLEST_SCALE).astype(np.float16).astype(np.float32)


def exact_weights(original: Any, quantised: Any) -> Weights:
    """The fp32 values of every rounded weight of `quantised`, which was made of `original`.

    Smoothing divides a weight by the factor that it multiplies the activations by; its values here are divided, too. A weight that
    corresponds to no constant of `original` keeps its rounded values.
    """
    view = View(quantised.graph)
    originals = _constants_by_reader(original)
    found: Weights = {}
    for node in quantised.graph.node:
        if node.op_type != "DequantizeLinear" or (rounded := view.array(node.input[0])) is None:
            continue
        values = dequantised(node, view, rounded)
        candidates = [a for reader, _, _ in view.readers_behind_moves(node.output[0]) for a in originals.get(reader.name, [])]
        found[node.input[0]] = _nearest(values, candidates, _smoothing(view, node))
    return found


def dequantised(node: Any, view: View, rounded: NDArray[Any]) -> NDArray[np.float32]:
    """The values that a DequantizeLinear gives to a rounded constant."""
    scale = view.array(node.input[1])
    assert scale is not None
    return np.asarray(rounded.astype(np.float32) * per_channel(node, scale, rounded.ndim))


def per_channel(node: Any, scale: NDArray[Any], rank: int) -> NDArray[np.float32]:
    """A node's scale in a shape that multiplies a tensor of `rank` dimensions."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [1] * rank
    if scale.ndim and scale.size > 1:
        shape[axis % rank] = -1
    return np.asarray(scale, np.float32).reshape(shape)


def rounded_weights(quantised: Any, weights: Mapping[str, NDArray[np.float32]], precision: str) -> Any:
    """A copy of an int8 graph in int8 or fp8 with the same ranges: scales that fp16 holds, weights rounded once from fp32.

    fp8 keeps three bits of mantissa whatever the size of a number, so that a scale only has to bring the range into what E4M3 holds.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(quantised)
    if precision == "fp8":
        model = at_least_opset(model, FP8_OPSET)
    _Rounding(model.graph, weights, precision).run()
    del model.graph.value_info[:]
    return model


def lift_scales(graph: Any) -> None:
    """Raise the scales of 8-bit tensors that fp16 cannot hold to SMALLEST_SCALE, and round their weights again.

    For graphs that came quantised: the numbers of such a channel are multiples of a larger step afterwards, at most 3.1e-5 off in int8.
    """
    from onnx import numpy_helper

    view = View(graph)
    constants = {i.name: i for i in graph.initializer}
    tiny = _tiny_scales(graph, view)
    for node in graph.node:
        if node.op_type in QUANTISING and node.input[1] in tiny and node.input[0] in constants:
            lifted = _rounded_by(node, view, tiny[node.input[1]], constants[node.input[0]].data_type)
            constants[node.input[0]].CopyFrom(numpy_helper.from_array(lifted, node.input[0]))
    for name, array in tiny.items():
        constants[name].CopyFrom(numpy_helper.from_array(np.maximum(array, SMALLEST_SCALE).astype(np.float32), name))


def _tiny_scales(graph: Any, view: View) -> dict[str, NDArray[Any]]:
    """The fp32 scales of 8-bit tensors with an element below SMALLEST_SCALE."""
    from onnx import TensorProto

    found: dict[str, NDArray[Any]] = {}
    for node in (node for node in graph.node if node.op_type in QUANTISING):
        scale = view.array(node.input[1])
        typed = view.tensors.get(node.input[2] if len(node.input) > 2 else node.input[0])
        wide = typed is not None and typed.data_type in (TensorProto.INT32, TensorProto.INT16, TensorProto.UINT16)
        if scale is not None and not wide and scale.dtype == np.float32 and float(np.abs(scale).min()) < SMALLEST_SCALE:
            found[node.input[1]] = scale
    return found


def _rounded_by(node: Any, view: View, scale: NDArray[Any], element: int) -> NDArray[Any]:
    """A rounded constant in the steps of the lifted scale."""
    from onnx import TensorProto, helper

    rounded = view.array(node.input[0])
    assert rounded is not None
    step = per_channel(node, scale, rounded.ndim)
    zero = view.array(node.input[2]) if len(node.input) > 2 else None
    offset = 0.0 if zero is None else per_channel(node, zero, rounded.ndim)
    values = (rounded.astype(np.float32) - offset) * (step / np.maximum(step, SMALLEST_SCALE)) + offset
    whole = values if element == TensorProto.FLOAT8E4M3FN else np.rint(values)
    return np.asarray(whole.astype(helper.tensor_dtype_to_np_dtype(element)))


class _Rounding:
    def __init__(self, graph: Any, weights: Mapping[str, NDArray[np.float32]], precision: str) -> None:
        from onnx import TensorProto, helper

        self.nodes = [node for node in graph.node if node.op_type in QUANTISING]
        self.view = View(graph)
        self.constants = {i.name: i for i in graph.initializer}
        self.weights = weights
        self.largest = LARGEST[precision]
        self.fp8 = precision == "fp8"
        self.int8 = TensorProto.INT8
        self.dtype = helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT8E4M3FN) if self.fp8 else np.dtype(np.int8)

    def run(self) -> None:
        exact = {node.input[0]: self._exact(node) for node in self.nodes if self._is_weight(node)}
        for name in dict.fromkeys(node.input[1] for node in self.nodes):
            scale = self.view.array(name)
            if scale is not None:
                new = half_scale(scale.astype(np.float32) * np.float32(LARGEST["int8"] / self.largest))
                self._set(name, new.astype(scale.dtype))
        for node in self.nodes:
            if node.input[0] in exact:
                self._set(node.input[0], self._rounded(node, exact.pop(node.input[0])))
        if self.fp8:
            for name in dict.fromkeys(node.input[2] for node in self.nodes if len(node.input) > 2):
                if self.constants[name].data_type == self.int8:
                    self._set(name, np.zeros(tuple(self.constants[name].dims), self.dtype))

    def _is_weight(self, node: Any) -> bool:
        constant = self.constants.get(node.input[0])
        return node.op_type == "DequantizeLinear" and constant is not None and constant.data_type == self.int8

    def _exact(self, node: Any) -> NDArray[np.float32]:
        known = self.weights.get(node.input[0])
        rounded = self.view.array(node.input[0])
        assert rounded is not None
        return dequantised(node, self.view, rounded) if known is None else known

    def _rounded(self, node: Any, values: NDArray[np.float32]) -> NDArray[Any]:
        from onnx import numpy_helper

        scale = per_channel(node, numpy_helper.to_array(self.constants[node.input[1]]), values.ndim)
        scaled = np.clip(values / scale, -self.largest, self.largest)
        return np.asarray(scaled.astype(self.dtype) if self.fp8 else np.rint(scaled).astype(self.dtype))

    def _set(self, name: str, values: NDArray[Any]) -> None:
        from onnx import numpy_helper

        self.constants[name].CopyFrom(numpy_helper.from_array(values, name))


def _constants_by_reader(model: Any) -> Mapping[str, list[NDArray[Any]]]:
    """Node name → its constant inputs."""
    view = View(model.graph)
    out: dict[str, list[NDArray[Any]]] = {}
    for node in model.graph.node:
        arrays = [array for name in node.input if (array := view.array(name)) is not None]
        if arrays:
            out[node.name] = arrays
    return out


def _smoothing(view: View, node: Any) -> NDArray[Any] | None:
    """What smoothing divided the weight by: the factor of the Mul in front of the Q/DQ pair that this weight meets."""
    for reader in view.readers.get(node.output[0], []):
        for name in reader.input:
            for _ in range(3):  # DequantizeLinear, QuantizeLinear, Mul
                made = view.producer.get(name)
                if made is None or not made.input:
                    break
                factor = [array for i in made.input if (array := view.array(i)) is not None]
                if made.op_type == "Mul" and factor:
                    return np.asarray(1.0 / factor[0].reshape(-1))
                name = made.input[0]
    return None


def _nearest(rounded: NDArray[np.float32], candidates: list[NDArray[Any]], factor: NDArray[Any] | None) -> NDArray[np.float32]:
    """The candidate, smoothed or not, that `rounded` comes from; `rounded` itself where none is near it."""
    best, distance = rounded, 0.1 * float(np.linalg.norm(rounded))
    for array in candidates:
        if array.shape != rounded.shape:
            continue
        scaled = [array]
        if factor is not None and array.ndim == 2 and len(factor) == array.shape[0]:
            scaled.append(array * factor[:, None])
        if factor is not None and array.ndim == 2 and len(factor) == array.shape[1]:
            scaled.append(array * factor[None, :])
        for one in scaled:
            off = float(np.linalg.norm(one - rounded))
            if off <= distance:
                best, distance = np.asarray(one, np.float32), off
    return best
