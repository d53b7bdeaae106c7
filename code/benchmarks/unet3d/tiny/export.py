"""Write a trained tiny 3D U-Net as ONNX: the published model's input and output names, every weight under its own name.

The graph is built node by node, so that it depends on no exporter's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from code.benchmarks.unet3d import facts
from code.common.files import atomic_write

OPSET = 17
IR_VERSION = 8
SLOPE = 0.01
EPSILON = 1e-5
Weights = Mapping[str, NDArray[np.float32]]


@dataclass
class _Graph:
    """The nodes and initialisers collected so far."""

    weights: Weights
    nodes: list[Any] = field(default_factory=list)
    initialisers: dict[str, Any] = field(default_factory=dict)

    def weight(self, name: str) -> str:
        """Store a weight under its name and return the name."""
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(self.weights[name], dtype=np.float32), name)
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Append an operator of one output and return that output's name."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{name}/{op}", **attributes))
        return name

    def block(self, prefix: str, x: str, stride: int = 1) -> str:
        """3 × 3 × 3 convolution, instance normalisation, leaky ReLU."""
        weight = self.weight(f"{prefix}.conv.weight")
        x = self.node(
            "Conv", [x, weight], f"{prefix}.conv", kernel_shape=[3, 3, 3], pads=[1] * 6, strides=[stride] * 3, dilations=[1] * 3
        )
        scale, bias = self.weight(f"{prefix}.norm.weight"), self.weight(f"{prefix}.norm.bias")
        x = self.node("InstanceNormalization", [x, scale, bias], f"{prefix}.norm", epsilon=EPSILON)
        return self.node("LeakyRelu", [x], f"{prefix}.relu", alpha=SLOPE)


def build(weights: Weights, roi: tuple[int, int, int]) -> Any:
    """The ONNX model of a UNet3D (model.py): "input" float32 [batch, 1, *roi] → "output" float32 [batch, 3, *roi]."""
    graph = _Graph(weights)
    levels = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("downsamples."))
    x = graph.block("input_block.1", graph.block("input_block.0", "input"))
    skips = [x]
    for level in range(levels):
        x = graph.block(f"downsamples.{level}.1", graph.block(f"downsamples.{level}.0", x, stride=2))
        skips.append(x)
    skips.pop()
    for level in range(levels):
        name = f"transposes.{level}"
        inputs = [x, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")]
        x = graph.node("ConvTranspose", inputs, name, kernel_shape=[2] * 3, strides=[2] * 3)
        x = graph.node("Concat", [x, skips.pop()], f"upsamples.{level}.joined", axis=1)
        x = graph.block(f"upsamples.{level}.1", graph.block(f"upsamples.{level}.0", x))
    graph.node("Conv", [x, graph.weight("output.weight"), graph.weight("output.bias")], "output", kernel_shape=[1] * 3)
    taken = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, *roi])
    given = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", len(facts.CLASSES), *roi])
    body = helper.make_graph(graph.nodes, "unet3d_tiny", [taken], [given], list(graph.initialisers.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="code.benchmarks.unet3d.tiny")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: Any, path: Path) -> None:
    """Save `model` at `path` atomically."""
    with atomic_write(path, "wb") as out:
        out.write(model.SerializeToString())
