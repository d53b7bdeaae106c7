"""What TensorRT's documentation asks of a quantised transformer's graph, checked without the code that writes such graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOVES = ("Transpose", "Reshape")


class Graph:
    """Producers and readers of a graph's tensors."""

    def __init__(self, model: Any) -> None:
        self.nodes = list(model.graph.node)
        self.made: Mapping[str, Any] = {name: node for node in self.nodes for name in node.output}
        self.read: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self.read.setdefault(name, []).append(node)
        self.constants = {i.name for i in model.graph.initializer}

    def maker(self, name: str) -> str:
        """The operator that makes a tensor; '' for an input or a constant."""
        return self.made[name].op_type if name in self.made else ""

    def is_pair(self, name: str) -> bool:
        """Whether a tensor comes straight out of QuantizeLinear and DequantizeLinear."""
        return self.maker(name) == "DequantizeLinear" and self.maker(self.made[name].input[0]) == "QuantizeLinear"

    def is_layer(self, name: str) -> bool:
        """Whether a tensor is the output of a product to which a bias was added."""
        return self.maker(name) == "Add" and any(self.maker(i) == "MatMul" for i in self.made[name].input)

    def behind_moves(self, name: str) -> list[str]:
        """The operators that read a tensor, seen through those that only move numbers."""
        out: list[str] = []
        for node in self.read.get(name, []):
            out += self.behind_moves(node.output[0]) if node.op_type in MOVES else [node.op_type]
        return [operator for operator in out if operator != "Shape"]


def attention_holes(model: Any) -> list[str]:
    """Everything about the attentions of a graph that keeps quantised attention from being one kernel; and that there are some."""
    graph = Graph(model)
    holes: list[str] = []
    softmaxes = [node for node in graph.nodes if node.op_type == "Softmax"]
    for softmax in softmaxes:
        name = softmax.name
        masked = graph.made[softmax.input[0]]
        scores = [graph.made[i] for i in masked.input if graph.maker(i) == "MatMul"]
        if masked.op_type != "Add" or len(scores) != 1:
            holes.append(f"{name}: the mask is not added straight to the first product but {masked.op_type}")
            continue
        holes += [f"{name}: no pair before the first product on {i}" for i in scores[0].input if not graph.is_pair(i)]
        behind = graph.read[softmax.output[0]]
        if [node.op_type for node in behind] != ["QuantizeLinear"]:
            holes.append(f"{name}: {[node.op_type for node in behind]} behind softmax")
            continue
        second = graph.read[graph.read[behind[0].output[0]][0].output[0]][0]
        if second.op_type != "MatMul" or not graph.is_pair(second.input[0]) or not graph.is_pair(second.input[1]):
            holes.append(f"{name}: the second product {second.name} does not read two pairs")
        if set(graph.behind_moves(second.output[0])) != {"QuantizeLinear"}:
            holes.append(f"{name}: {graph.behind_moves(second.output[0])} behind the second product")
    return holes if softmaxes else ["no attention"]


def residual_holes(model: Any, layers: int) -> list[str]:
    """Residual additions whose bypassing input has no pair, of the 2 × `layers` that a BERT has in front of its normalisations."""
    graph = Graph(model)
    holes: list[str] = []
    found = 0
    for node in graph.nodes:
        if node.op_type != "LayerNormalization":
            continue
        source = graph.made[node.input[0]]
        source = graph.made[source.input[0]] if source.op_type == "Cast" else source
        inputs = [name for name in source.input if not graph.is_layer(name)]
        if source.op_type == "Add" and len(inputs) == 1:
            found += 1
            holes += [f"{source.name}: {graph.maker(name)}" for name in inputs if not graph.is_pair(name)]
    return holes if found == 2 * layers else [*holes, f"{found} residual additions"]


def cast_holes(model: Any) -> list[str]:
    """Products that read a dequantised tensor through a Cast, and those that read one quantised input only."""
    graph = Graph(model)
    holes = []
    for node in graph.nodes:
        if node.op_type not in ("MatMul", "Gemm", "Conv"):
            continue
        makers = [graph.maker(name) for name in node.input[:2]]
        sources = [graph.made[name].input[0] for name in node.input[:2] if graph.maker(name) == "Cast"]
        holes += [f"{node.name}: a Cast of {name}" for name in sources if graph.maker(name) == "DequantizeLinear"]
        if makers.count("DequantizeLinear") == 1:
            holes.append(f"{node.name}: one quantised input of two")
    return holes
