"""Graphs in operators that TensorRT 8.6's parser has: opset 17 without LayerNormalization, ends of Shape and parts of Split."""

from __future__ import annotations

from typing import Any

import numpy as np

OPSET = 17


def for_tensorrt_8(model: Any) -> Any:
    """The graph, which computes the same, in older operators."""
    import onnx

    out = onnx.ModelProto()
    out.CopyFrom(model)
    writer = _Writer(out.graph)
    nodes = list(out.graph.node)
    del out.graph.node[:]
    for node in nodes:
        if node.op_type == "LayerNormalization":
            writer.layer_norm(node)
        elif node.op_type == "Shape" and node.attribute:
            writer.shape(node)
        elif node.op_type == "Split":
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("axis", -1))
            out.graph.node.append(node)
        else:
            out.graph.node.append(node)
    del out.opset_import[:]
    out.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return out


class _Writer:
    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def layer_norm(self, node: Any) -> None:
        """(x - mean) / √(variance + ε) · scale + bias over the last axis."""
        from onnx import helper

        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        name, (x, scale, bias) = node.name or node.output[0], node.input
        mean = self.node("ReduceMean", [x], f"{name}/mean", axes=[-1], keepdims=1)
        centred = self.node("Sub", [x, mean], f"{name}/centred")
        square = self.node("Mul", [centred, centred], f"{name}/square")
        variance = self.node("ReduceMean", [square], f"{name}/variance", axes=[-1], keepdims=1)
        least = self.constant(f"{name}/epsilon", np.float32(settings.get("epsilon", 1e-5)))
        root = self.node("Sqrt", [self.node("Add", [variance, least], f"{name}/positive")], f"{name}/root")
        scaled = self.node("Mul", [self.node("Div", [centred, root], f"{name}/normal"), scale], f"{name}/scaled")
        self.node("Add", [scaled, bias], node.output[0])

    def shape(self, node: Any) -> None:
        """Shape(start, end) by Slice."""
        from onnx import helper

        settings = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        name = node.name or node.output[0]
        whole = self.node("Shape", list(node.input), f"{name}/whole")
        start = self.constant(f"{name}/start", np.array([settings.get("start", 0)], np.int64))
        end = self.constant(f"{name}/end", np.array([settings.get("end", np.iinfo(np.int64).max)], np.int64))
        self.node("Slice", [whole, start, end], node.output[0])
