"""int8 Q/DQ graph → fp8 (E4M3) Q/DQ graph with the same ranges.

fp8 keeps three bits of mantissa whatever the size of a number, so a scale only has to bring the range into what E4M3 holds (448):
calibration's ranges carry over. Weights are rounded from fp32 again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from code.precision.convert import at_least_opset

LARGEST = 448.0
"""The largest finite E4M3FN number (Micikevicius et al., FP8 Formats for Deep Learning, 2022)."""

LEAST_OPSET = 19


def to_fp8(quantised: Any) -> Any:
    """The graph with fp8 where it had int8."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.ModelProto()
    model.CopyFrom(quantised)
    model = at_least_opset(model, LEAST_OPSET)
    graph = model.graph
    constants = {i.name: i for i in graph.initializer}
    fp8 = helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT8E4M3FN)
    scaled: set[str] = set()
    for node in graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        source, scale, zero = node.input[0], constants[node.input[1]], constants[node.input[2]]
        old = numpy_helper.to_array(scale)
        if source in constants and constants[source].data_type == TensorProto.INT8:
            rounded = numpy_helper.to_array(constants[source]).astype(np.float32)
            constants[source].CopyFrom(numpy_helper.from_array((rounded * (LARGEST / 127.0)).astype(fp8), source))
        if scale.name not in scaled:
            new = (old.astype(np.float32) * np.float32(127.0 / LARGEST)).astype(old.dtype)
            scale.CopyFrom(numpy_helper.from_array(new, scale.name))
            scaled.add(scale.name)
        if zero.data_type == TensorProto.INT8:
            zeros = np.zeros(tuple(zero.dims), dtype=fp8)
            zero.CopyFrom(numpy_helper.from_array(zeros, zero.name))
    del graph.value_info[:]
    return model
