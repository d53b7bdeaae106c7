"""A graph of BERT-Large's shape with random weights: `python3 -m scripts.make_bert_large_shape FILE [--layers=24]`.

For trying engine builds, profiles and memory without the trained model: 24 layers, hidden size 1024, 16 heads, feed-forward
size 4096, 30,522 pieces, 512 positions (Devlin et al., 2019), 335 million weights, 1.34 GB. Inputs and outputs are named as the MLPerf
model's. Its answers mean nothing: quantise it with --calib_score_samples=0.

`--quantise=int8` or `fp8` writes Q/DQ nodes with assumed ranges, without samples and NNCF, in the pattern that `--pattern` names: 'plain'
has none of the patterns that TensorRT fuses, and each of 'scale', 'attention', 'residual' and 'softmax' adds one to those before it
(code/precision/pattern.py). `--rest=fp16` converts everything else.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from code.common.errors import HarnessError
from code.common.files import atomic_write
from code.precision.convert import convert
from code.precision.fold import fold_scale
from code.precision.pattern import STEPS, Pattern
from code.precision.uncalibrated import quantised_by_assumption

INPUTS = ("input_ids", "input_mask", "segment_ids")
OUTPUTS = ("output_start_logits", "output_end_logits")
MASKED = -10000.0


class Graph:
    """A graph builder; every method returns the name of the tensor it adds."""

    def __init__(self, hidden: int, heads: int, inner: int, seed: int) -> None:
        self.hidden, self.heads, self.inner = hidden, heads, inner
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(seed)

    def node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Add a node with one output of the same name."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Any) -> str:
        """An initializer."""
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def random(self, name: str, *shape: int) -> str:
        """Normal weights of the size that BERT starts from (standard deviation 0.02)."""
        return self.constant(name, (self._random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)))

    def linear(self, source: str, name: str, wide: int, narrow: int) -> str:
        """x·W + b."""
        product = self.node("MatMul", [source, self.random(f"{name}.weight", wide, narrow)], f"{name}/MatMul")
        return self.node("Add", [product, self.constant(f"{name}.bias", np.zeros(narrow, np.float32))], f"{name}/Add")

    def norm(self, source: str, name: str) -> str:
        """Layer normalisation with unit scale."""
        scale = self.constant(f"{name}.weight", np.ones(self.hidden, np.float32))
        bias = self.constant(f"{name}.bias", np.zeros(self.hidden, np.float32))
        return self.node("LayerNormalization", [source, scale, bias], name, axis=-1, epsilon=1e-12)

    def split_heads(self, source: str, name: str, order: list[int]) -> str:
        """[batch, length, hidden] → heads first, axes in `order`."""
        shaped = self.node("Reshape", [source, "heads_shape"], f"{name}/Reshape")
        return self.node("Transpose", [shaped], f"{name}/Transpose", perm=order)

    def attention(self, source: str, mask: str, name: str) -> str:
        """Multi-head self-attention with its output projection."""
        query = self.split_heads(self.linear(source, f"{name}/query", self.hidden, self.hidden), f"{name}/query", [0, 2, 1, 3])
        key = self.split_heads(self.linear(source, f"{name}/key", self.hidden, self.hidden), f"{name}/key", [0, 2, 3, 1])
        value = self.split_heads(self.linear(source, f"{name}/value", self.hidden, self.hidden), f"{name}/value", [0, 2, 1, 3])
        scores = self.node("MatMul", [query, key], f"{name}/scores")
        scaled = self.node("Mul", [scores, "attention_scale"], f"{name}/scaled")
        weights = self.node("Softmax", [self.node("Add", [scaled, mask], f"{name}/masked")], f"{name}/softmax", axis=-1)
        mixed = self.node("MatMul", [weights, value], f"{name}/mixed")
        rows = self.node("Transpose", [mixed], f"{name}/rows", perm=[0, 2, 1, 3])
        return self.linear(
            self.node("Reshape", [rows, "hidden_shape"], f"{name}/joined"), f"{name}/output", self.hidden, self.hidden
        )

    def gelu(self, source: str, name: str) -> str:
        """x · (1 + erf(x / √2)) / 2."""
        error = self.node("Erf", [self.node("Mul", [source, "half_root"], f"{name}/scaled")], f"{name}/Erf")
        factor = self.node("Mul", [self.node("Add", [error, "one"], f"{name}/plus"), "half"], f"{name}/factor")
        return self.node("Mul", [source, factor], name)

    def layer(self, source: str, mask: str, name: str) -> str:
        """One encoder layer."""
        attended = self.node("Add", [self.attention(source, mask, f"{name}/attention"), source], f"{name}/attention/residual")
        normal = self.norm(attended, f"{name}/attention/LayerNorm")
        wide = self.gelu(self.linear(normal, f"{name}/intermediate", self.hidden, self.inner), f"{name}/gelu")
        narrow = self.linear(wide, f"{name}/output", self.inner, self.hidden)
        return self.norm(self.node("Add", [narrow, normal], f"{name}/residual"), f"{name}/LayerNorm")


def make(layers: int, hidden: int, heads: int, inner: int, pieces: int, positions: int, seed: int = 0) -> Any:
    """The ModelProto."""
    from onnx import TensorProto, helper

    g = Graph(hidden, heads, inner, seed)
    g.constant("heads_shape", np.array([0, 0, heads, hidden // heads], np.int64))
    g.constant("hidden_shape", np.array([0, 0, hidden], np.int64))
    g.constant("attention_scale", np.float32(1 / math.sqrt(hidden // heads)))
    for name, value in (("half_root", math.sqrt(0.5)), ("one", 1.0), ("half", 0.5), ("masked_value", MASKED)):
        g.constant(name, np.float32(value))
    words = g.node("Gather", [g.random("embeddings.words", pieces, hidden), "input_ids"], "embeddings/words")
    segments = g.node("Gather", [g.random("embeddings.segments", 2, hidden), "segment_ids"], "embeddings/segments")
    shape = g.node("Shape", ["input_ids"], "length/Shape", start=1, end=2)
    g.constant("zero", np.array([0], np.int64))
    table = g.random("embeddings.positions", positions, hidden)
    places = g.node("Slice", [table, "zero", shape, "zero"], "embeddings/positions")
    summed = g.node("Add", [g.node("Add", [words, segments], "embeddings/Add"), places], "embeddings/Add_1")
    state = g.norm(summed, "embeddings/LayerNorm")
    g.constant("mask_axes", np.array([1, 2], np.int64))
    real = g.node("Cast", [g.node("Unsqueeze", ["input_mask", "mask_axes"], "mask/Unsqueeze")], "mask/Cast", to=TensorProto.FLOAT)
    mask = g.node("Mul", [g.node("Sub", ["one", real], "mask/Sub"), "masked_value"], "mask/Mul")
    for number in range(layers):
        state = g.layer(state, mask, f"layer.{number}")
    logits = g.linear(state, "qa_outputs", hidden, 2)
    g.constant("last_axis", np.array([2], np.int64))
    g.nodes.append(helper.make_node("Split", [logits], ["start", "end"], name="qa_outputs/Split", axis=-1, num_outputs=2))
    for source, output in zip(("start", "end"), OUTPUTS, strict=True):
        g.nodes.append(helper.make_node("Squeeze", [source, "last_axis"], [output], name=f"{output}/Squeeze"))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "length"]) for n in INPUTS]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", "length"]) for n in OUTPUTS]
    graph = helper.make_graph(g.nodes, "bert", inputs, outputs, g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def written(model: Any, pattern: Pattern, quantised: str | None, rest: str) -> Any:
    """An fp32 model in a pattern: `quantised` to 'int8' or 'fp8' with assumed ranges, everything else in `rest`."""
    if quantised:
        model = quantised_by_assumption(model, pattern, quantised)
    elif pattern.scale_folded:
        model = fold_scale(model)
    return model if rest == "fp32" else convert(model, rest, softmax_casts=pattern.softmax_casts).model


def main(arguments: list[str]) -> int:
    """Write the file; 0, or an error's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    for name, size in (("layers", 24), ("hidden", 1024), ("heads", 16), ("inner", 4096), ("pieces", 30522), ("positions", 512)):
        parser.add_argument(f"--{name}", type=int, default=size)
    parser.add_argument("--quantise", choices=("int8", "fp8"))
    parser.add_argument("--pattern", choices=tuple(STEPS), default="softmax")
    parser.add_argument("--rest", choices=("fp32", "fp16", "bf16"), default="fp32")
    given = parser.parse_args(arguments)
    try:
        model = make(given.layers, given.hidden, given.heads, given.inner, given.pieces, given.positions)
        model = written(model, STEPS[given.pattern], given.quantise, given.rest)
        with atomic_write(given.file, "wb") as out:
            out.write(model.SerializeToString())
    except HarnessError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    print(f"wrote {given.file}: {given.layers} layers, {given.file.stat().st_size / 1e9:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
