"""Rewrites an exported GPT-J before it becomes an engine: the same texts for less work.

*Positions.* transformers' GPT-J copies its whole table of rotary positions (2,048 rows) for every token, to read one row. The row
is looked up instead; the numbers are the same.

*Rotation.* A rotated head is x·cos + x'·sin, where x' is x with neighbours swapped and every second one negated. The export makes x' with
two strided slices that are interleaved element by element; it is replaced by a product with an equivalent matrix of 0, 1 and -1.

*Candidates.* A beam search of n beams considers at most the 2n best next tokens of each beam. OpenVINO GenAI finds them by sorting the
whole vocabulary on the CPU, which takes longer than a small network itself. After the head, every logit below the best 2n is
replaced by one value that preserves their share of the probability: the best keep their log-probabilities, none of the others can be
among them, and sorting equal values is cheap. The head is computed only for the tokens that are sampled from, as OpenVINO GenAI
does itself if a network ends in its head.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from code.benchmarks.gptj.checkpoint import Checkpoint
from code.benchmarks.text import export

VERSION = 1
"""Version of the conversion; increment it when the same model gives another engine."""
SAMPLED = "sampled_tokens_indices"
"""The input with which OpenVINO GenAI selects the tokens that are sampled from."""


def to_openvino(checkpoint: Checkpoint, precision: str, folder: Path, candidates: int) -> dict[str, Any]:
    """Write a rewritten model in OpenVINO's format (code/benchmarks/text/export.py)."""
    return export.to_openvino(checkpoint, precision, folder, lambda network: rewrite(network, candidates))


def rewrite(network: Any, candidates: int) -> list[str]:
    """Rewrite an openvino.Model in place and return a list of the changes. Parts with an unexpected structure are left unchanged.

    Args:
        network: GPT-J with attention over a KV cache, logits [batch, length, entries] its first result.
        candidates: number of best next tokens that keep their own logits.
    """
    done = []
    if _look_up_positions(network):
        done.append("positions looked up")
    if _rotate_by_product(network):
        done.append("rotations as products")
    if _keep_candidates(network, candidates):
        done.append(f"{candidates} candidates a token")
    network.validate_nodes_and_infer_types()
    return done


def _look_up_positions(network: Any) -> int:
    """GatherElements(Tile(table), Tile(positions)) → Gather(table, positions); returns the number of matches."""
    from openvino import opset13

    found = 0
    for node in network.get_ordered_ops():
        if node.get_type_name() != "GatherElements" or node.get_attributes()["axis"] != 1:
            continue
        table = _source(node.input_value(0), "Tile")
        positions = _source(_behind(node.input_value(1), "Convert"), "Tile")
        positions = _source(positions, "Unsqueeze")
        if table is None or positions is None or positions.get_partial_shape().rank.get_length() != 2:
            continue
        table = _behind(table, "Unsqueeze")
        if table.get_partial_shape().rank.get_length() != 2:
            continue
        row = opset13.gather(table, positions, opset13.constant(0, np.int64))
        row.set_friendly_name(node.get_friendly_name())
        node.output(0).replace(row.output(0))
        found += 1
    return found


def _rotate_by_product(network: Any) -> int:
    """Reshape(Concat(-x[1::2], x[0::2])) → MatMul(x, matrix); returns the number of matches."""
    from openvino import opset13

    found = 0
    for node in network.get_ordered_ops():
        x = _rotated(node)
        if x is None or x.get_partial_shape() != node.output(0).get_partial_shape():
            continue
        size = x.get_partial_shape()[-1].get_length()
        matrix = np.zeros((size, size), dtype=np.float32)
        first = np.arange(0, size, 2)
        matrix[first + 1, first], matrix[first, first + 1] = -1, 1
        product = opset13.matmul(x, opset13.constant(matrix), False, False)
        node.output(0).replace(product.output(0))
        found += 1
    return found


def _rotated(node: Any) -> Any:
    """x where `node` is Reshape(Concat(-x[1::2], x[0::2])); None where it is not."""
    pair = _source(node.output(0), "Reshape")
    if pair is None or pair.get_node().get_type_name() != "Concat" or len(pair.get_node().inputs()) != 2:
        return None
    odd, even = (_source(value, "Unsqueeze") for value in pair.get_node().input_values())
    minus = odd.get_node() if odd is not None else None
    if minus is None or even is None or minus.get_type_name() != "Multiply" or _number(minus.input_value(1)) != -1:
        return None
    x = _every_second(minus.input_value(0), 1)
    return x if x is not None and _every_second(even, 0) == x else None


def _every_second(value: Any, first: int) -> Any:
    """x if `value` is the Slice x[..., first::2], else None."""
    node = value.get_node()
    if node.get_type_name() != "Slice" or len(node.inputs()) != 5:
        return None
    x = node.input_value(0)
    start, _, step, axis = (_number(each) for each in node.input_values()[1:])
    length = x.get_partial_shape()[-1]
    half = node.output(0).get_partial_shape()[-1]
    whole = length.is_static and half.is_static and 2 * half.get_length() == length.get_length()
    last = x.get_partial_shape().rank.get_length() - 1
    return x if (start, step) == (first, 2) and axis in (-1, last) and whole else None


def _number(value: Any) -> float | None:
    """The value of a scalar constant; None for anything else."""
    node = _behind(_behind(value, "Convert"), "ConvertLike").get_node()
    data = np.asarray(node.data).reshape(-1) if node.get_type_name() == "Constant" else np.zeros(0)
    return float(data[0]) if data.size == 1 else None


def _keep_candidates(network: Any, candidates: int) -> bool:
    """Replace all logits but the best `candidates` by one common value."""
    from openvino import opset13

    result = network.get_results()[0]
    logits = result.input_value(0)
    head = logits.get_node()
    if head.get_type_name() == "Add":
        head = head.input_value(0).get_node()
    entries = logits.get_partial_shape()[2]
    if head.get_type_name() != "MatMul" or not entries.is_static or entries.get_length() < 4 * candidates:
        return False
    sampled = opset13.parameter([-1], np.int64, SAMPLED)
    sampled.output(0).get_tensor().set_names({SAMPLED})
    # Paged attention holds the tokens of all sequences in the first dimension.
    chosen = opset13.gather(head.input_value(0), sampled, opset13.constant([0], np.int64))
    head.input(0).replace_source_output(chosen.output(0))
    network.add_parameters([sampled])

    last = opset13.constant([2], np.int64)
    best = opset13.topk(logits, opset13.constant(candidates, np.int64), 2, "max", "value", index_element_type="i32")
    least = opset13.reduce_min(best.output(0), last, keep_dims=True)
    kept = opset13.greater_equal(logits, least)
    # log of the others' mean exp: shared evenly, it leaves the softmax's sum unchanged.
    others = opset13.select(kept, opset13.constant(np.float32(-np.inf)), opset13.subtract(logits, least))
    mass = opset13.reduce_sum(opset13.exp(others), last, keep_dims=True)
    one, none = opset13.constant(np.float32(1)), opset13.constant(np.float32(0))
    number = opset13.reduce_sum(opset13.select(kept, none, one), last, keep_dims=True)
    share = opset13.add(opset13.log(opset13.divide(mass, number)), least)
    out = opset13.select(kept, logits, share)

    names = logits.get_names()
    logits.get_tensor().set_names(set())
    out.output(0).get_tensor().set_names(names)
    result.input(0).replace_source_output(out.output(0))
    return True


def _source(value: Any, kind: str) -> Any:
    """The first input of the node that produces `value` if it is of that kind, else None."""
    if value is None or value.get_node().get_type_name() != kind:
        return None
    return value.get_node().input_value(0)


def _behind(value: Any, kind: str) -> Any:
    """`value` traced back through nodes of that kind."""
    while value.get_node().get_type_name() == kind:
        value = value.get_node().input_value(0)
    return value
