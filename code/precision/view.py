"""Lookups over an ONNX graph: what makes a tensor, what reads it, and which tensors are constant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOVING = frozenset({"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"})
"""Operators that move numbers and change none."""


class View:
    """The nodes and constants of a graph as they were when it was made; it does not follow later changes."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.nodes: Mapping[str, Any] = {node.name: node for node in graph.node if node.name}
        self.producer: Mapping[str, Any] = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        self.tensors: dict[str, Any] = {i.name: i for i in graph.initializer}
        self._computed: set[str] = set(self.tensors)
        self.outputs = frozenset(o.name for o in graph.output)
        for node in graph.node:
            self._add(node)

    def _add(self, node: Any) -> None:
        for name in dict.fromkeys(node.input):
            self.readers.setdefault(name, []).append(node)
        if node.op_type == "Constant":
            self.tensors.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
        if all(name in self._computed for name in node.input if name):
            self._computed.update(node.output)

    def is_constant(self, name: str) -> bool:
        """Whether no input of the graph affects a tensor; a weight behind DequantizeLinear is constant, too."""
        return name in self._computed

    def array(self, name: str) -> NDArray[Any] | None:
        """The values of an initializer or of a Constant node; None for any other tensor."""
        from onnx import numpy_helper

        tensor = self.tensors.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def scalar(self, name: str) -> float | None:
        """The value of a constant with one element; None for any other tensor."""
        array = self.array(name)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    def uses(self, name: str) -> int:
        """How many nodes compute with a tensor, the graph's output counted as one."""
        return sum(int(node.op_type != "Shape") for node in self.readers.get(name, [])) + int(name in self.outputs)

    def data_inputs(self, node: Any) -> list[str]:
        """The inputs of a node that depend on the graph's inputs."""
        return [name for name in node.input if name and not self.is_constant(name)]

    def moved_from(self, name: str) -> tuple[str, list[Any]]:
        """The tensor that `name` is a rearrangement of, and the nodes in between, the last first."""
        passed: list[Any] = []
        while (node := self.producer.get(name)) is not None and node.op_type in MOVING:
            passed.append(node)
            name = node.input[0]
        return name, passed

    def readers_behind_moves(self, name: str) -> list[tuple[Any, str, list[Any]]]:
        """(reader, the tensor that it reads, the moving nodes in between) of every node that computes with `name`."""
        out: list[tuple[Any, str, list[Any]]] = []
        waiting: list[tuple[str, list[Any]]] = [(name, [])]
        while waiting:
            tensor, passed = waiting.pop()
            for node in self.readers.get(tensor, []):
                if node.op_type in MOVING and node.input[0] == tensor:
                    waiting.append((node.output[0], [*passed, node]))
                elif node.op_type != "Shape":
                    out.append((node, tensor, passed))
        return out


def named(model: Any) -> Any:
    """A copy of a model whose nodes all have names, which the passes of this package go by."""
    import onnx

    out = onnx.ModelProto()
    out.CopyFrom(model)
    taken = {node.name for node in out.graph.node}
    for number, node in enumerate(out.graph.node):
        if not node.name:
            name = f"{node.op_type}_{number}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)
    return out
