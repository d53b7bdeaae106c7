"""Write a trained tiny BERT as ONNX: the reference's input and output names, every weight under its own name.

The graph is built node by node, so that it depends on no exporter's version, and uses the patterns that runtimes fuse:
LayerNormalization, GELU as x·½(1+erf(x/√2)), attention as MatMul, Add, Softmax, MatMul.
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

from code.benchmarks.bert import facts
from code.common.files import atomic_write

OPSET = 17
IR_VERSION = 8
Weights = Mapping[str, NDArray[np.float32]]


@dataclass
class Graph:
    """The nodes and initialisers collected so far."""

    nodes: list[Any] = field(default_factory=list)
    initialisers: dict[str, Any] = field(default_factory=dict)

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Store `value` under `name` once and return the name."""
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.array(value, dtype=dtype, order="C"), name)
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Append an operator of one output and return that output's name."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{name}/{op}", **attributes))
        return name

    def linear(self, weights: Weights, prefix: str, x: str) -> str:
        """x·Wᵀ + b; the weight is stored [inputs, outputs]."""
        weight = self.constant(f"{prefix}.weight", weights[f"{prefix}.weight"].T)
        product = self.node("MatMul", [x, weight], f"{prefix}/product")
        return self.node("Add", [product, self.constant(f"{prefix}.bias", weights[f"{prefix}.bias"])], prefix)

    def normalise(self, weights: Weights, prefix: str, x: str, epsilon: float) -> str:
        """LayerNormalization over the last axis."""
        scale = self.constant(f"{prefix}.weight", weights[f"{prefix}.weight"])
        bias = self.constant(f"{prefix}.bias", weights[f"{prefix}.bias"])
        return self.node("LayerNormalization", [x, scale, bias], prefix, axis=-1, epsilon=epsilon)

    def gelu(self, prefix: str, x: str) -> str:
        """GELU by erf."""
        scaled = self.node("Div", [x, self.constant("gelu.sqrt2", np.sqrt(2.0))], f"{prefix}/scaled")
        erf = self.node("Erf", [scaled], f"{prefix}/erf")
        plus = self.node("Add", [erf, self.constant("gelu.one", 1.0)], f"{prefix}/plus")
        product = self.node("Mul", [x, plus], f"{prefix}/product")
        return self.node("Mul", [product, self.constant("gelu.half", 0.5)], prefix)


def _embed(graph: Graph, weights: Weights, epsilon: float) -> str:
    base = "bert.embeddings"
    words = graph.node(
        "Gather",
        [graph.constant(f"{base}.word_embeddings.weight", weights[f"{base}.word_embeddings.weight"]), "input_ids"],
        f"{base}.word_embeddings",
    )
    segments = graph.node(
        "Gather",
        [
            graph.constant(f"{base}.token_type_embeddings.weight", weights[f"{base}.token_type_embeddings.weight"]),
            "segment_ids",
        ],
        f"{base}.token_type_embeddings",
    )
    table = graph.constant(f"{base}.position_embeddings.weight", weights[f"{base}.position_embeddings.weight"])
    length = graph.node("Shape", ["input_ids"], f"{base}/length", start=1, end=2)
    zero = graph.constant("slice.start", [0], np.int64)
    positions = graph.node("Slice", [table, zero, length, zero], f"{base}.position_embeddings")
    total = graph.node("Add", [words, segments], f"{base}/words_and_segments")
    total = graph.node("Add", [total, positions], f"{base}/sum")
    return graph.normalise(weights, f"{base}.LayerNorm", total, epsilon)


def _mask(graph: Graph) -> str:
    numbers = graph.node("Cast", ["input_mask"], "bert/mask/float", to=TensorProto.FLOAT)
    wide = graph.node("Unsqueeze", [numbers, graph.constant("mask.axes", [1, 2], np.int64)], "bert/mask/wide")
    inverse = graph.node("Sub", [graph.constant("mask.one", 1.0), wide], "bert/mask/inverse")
    return graph.node("Mul", [inverse, graph.constant("mask.low", -10000.0)], "bert/mask")


def _layer(graph: Graph, weights: Weights, index: int, hidden: str, mask: str, heads: int, epsilon: float) -> str:
    base = f"bert.encoder.layer.{index}"
    attention = f"{base}.attention"
    width = weights[f"{attention}.self.query.weight"].shape[0]
    split = graph.constant("heads.split", [0, 0, heads, width // heads], np.int64)
    join = graph.constant("heads.join", [0, 0, width], np.int64)

    def project(role: str, order: list[int]) -> str:
        linear = graph.linear(weights, f"{attention}.self.{role}", hidden)
        shaped = graph.node("Reshape", [linear, split], f"{attention}.self.{role}/heads")
        return graph.node("Transpose", [shaped], f"{attention}.self.{role}/ready", perm=order)

    query, key, value = project("query", [0, 2, 1, 3]), project("key", [0, 2, 3, 1]), project("value", [0, 2, 1, 3])
    scores = graph.node("MatMul", [query, key], f"{attention}.self/products")
    root = graph.constant("heads.root", np.sqrt(width / heads))
    scores = graph.node("Div", [scores, root], f"{attention}.self/scores")
    scores = graph.node("Add", [scores, mask], f"{attention}.self/masked")
    probabilities = graph.node("Softmax", [scores], f"{attention}.self/probabilities", axis=-1)
    context = graph.node("MatMul", [probabilities, value], f"{attention}.self/context")
    context = graph.node("Transpose", [context], f"{attention}.self/context/ready", perm=[0, 2, 1, 3])
    context = graph.node("Reshape", [context, join], f"{attention}.self")
    dense = graph.linear(weights, f"{attention}.output.dense", context)
    total = graph.node("Add", [dense, hidden], f"{attention}.output/sum")
    attended = graph.normalise(weights, f"{attention}.output.LayerNorm", total, epsilon)
    inner = graph.linear(weights, f"{base}.intermediate.dense", attended)
    dense = graph.linear(weights, f"{base}.output.dense", graph.gelu(f"{base}.intermediate/gelu", inner))
    total = graph.node("Add", [dense, attended], f"{base}.output/sum")
    return graph.normalise(weights, f"{base}.output.LayerNorm", total, epsilon)


def build(weights: Weights, heads: int, epsilon: float = 1e-12) -> Any:
    """The ONNX model of a BertForQuestionAnswering.

    Inputs input_ids, input_mask, segment_ids: int64 [batch, length]; outputs output_start_logits, output_end_logits:
    float32 [batch, length]. `weights` are torch's names and layouts (a linear layer's weight is [outputs, inputs]).
    """
    graph = Graph()
    hidden = _embed(graph, weights, epsilon)
    mask = _mask(graph)
    layers = 1 + max(int(name.split(".")[3]) for name in weights if name.startswith("bert.encoder.layer."))
    for index in range(layers):
        hidden = _layer(graph, weights, index, hidden, mask, heads, epsilon)
    logits = graph.linear(weights, "qa_outputs", hidden)
    outputs = []
    for position, name in enumerate(facts.OUTPUT_NAMES):
        column = graph.constant(f"logits.{position}", position, np.int64)
        graph.node("Gather", [logits, column], name, axis=2)
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "length"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in facts.INPUT_NAMES]
    body = helper.make_graph(graph.nodes, "bert_tiny", inputs, outputs, list(graph.initialisers.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="code.benchmarks.bert.tiny")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: Any, path: Path) -> None:
    """Save `model` at `path` atomically."""
    with atomic_write(path, "wb") as out:
        out.write(model.SerializeToString())
