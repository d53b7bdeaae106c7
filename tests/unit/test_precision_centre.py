"""Constants per channel move out of the tensors that int8 rounds worst, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from code.precision.centre import centre, is_centred
from code.precision.fold import fold_scale
from code.precision.pairs import places
from code.precision.pattern import FUSED, attentions
from code.precision.sensitivity import session
from code.precision.view import View, named
from tests.unit.graphs import small_bert
from tests.unit.test_precision_pattern import separate

LENGTH = 24


def inputs(seed: int, length: int = LENGTH) -> dict[str, Any]:
    ids = np.random.default_rng(seed).integers(0, 200, (1, length)).astype(np.int64)
    mask = np.ones_like(ids)
    mask[:, length - 3 :] = 0
    return {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}


def shifted_bert(folder: Path, layers: int = 2) -> Any:
    """A BERT whose normalisations, keys and values have constants that are large beside what varies."""
    model = fold_scale(onnx.load(str(small_bert(folder, layers))))
    random = np.random.default_rng(4)
    view = View(model.graph)
    wanted = {n.input[2] for n in model.graph.node if n.op_type == "LayerNormalization"}
    for attention in attentions(view):
        for product in (attention.first, attention.second):
            source, _ = view.moved_from(view.nodes[product].input[1])
            wanted |= {name for name in view.producer[source].input if view.array(name) is not None}
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            values = numpy_helper.to_array(tensor)
            drawn = random.normal(0, 4, values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values + drawn, tensor.name))
    return model


def tensors(model: Any, names: list[str], seed: int) -> list[Any]:
    marked = onnx.ModelProto()
    marked.CopyFrom(model)
    marked.graph.output.extend(helper.make_tensor_value_info(name, 1, None) for name in names)
    return list(session(marked).run(names, inputs(seed)))


def answers(model: Any, seed: int = 9) -> Any:
    return np.stack(session(model).run(None, inputs(seed)))


def centred(model: Any) -> tuple[Any, dict[str, float]]:
    return centre(model, [inputs(seed) for seed in range(4)], [LENGTH] * 4)


def test_what_the_model_answers_stays(tmp_path: Path) -> None:
    model = shifted_bert(tmp_path)
    before = model.SerializeToString()
    made, _ = centred(model)
    assert np.abs(answers(made) - answers(model)).max() < 1e-4 * np.abs(answers(model)).max()
    assert [n.op_type for n in made.graph.node] == [n.op_type for n in model.graph.node]
    assert model.SerializeToString() == before and is_centred(made) and not is_centred(model)


def test_normalisations_and_keys_lose_their_constants(tmp_path: Path) -> None:
    model = shifted_bert(tmp_path)
    view = View(model.graph)
    names = [n.output[0] for n in model.graph.node if n.op_type == "LayerNormalization"]
    names += [view.moved_from(view.nodes[a.first].input[1])[0] for a in attentions(view)]
    made, _ = centred(model)
    for name, old, new in zip(names, tensors(model, names, 11), tensors(made, names, 11), strict=True):
        assert np.abs(new).max() < 0.75 * np.abs(old).max(), name
        apart = (new - old).reshape(-1, old.shape[-1])
        assert np.abs(apart - apart[0]).max() < 1e-4, f"{name} is moved by one constant per channel"


def test_rounded_shares_cost_less_and_their_range_is_chosen(tmp_path: Path) -> None:
    """The error that rounding softmax alone makes in the context, as the graph computes it."""
    model = shifted_bert(tmp_path)
    made, ranges = centred(model)
    assert set(ranges) == {a.softmax for a in attentions(View(model.graph))} and all(0.5 < r <= 1 for r in ranges.values())
    for attention in attentions(View(model.graph)):
        noise = []
        for one in (model, made):
            view = View(one.graph)
            second = view.nodes[attention.second]
            shares, value = tensors(one, list(second.input), 12)
            step = (ranges[attention.softmax] if one is made else 1.0) / 127
            noise.append(float(np.square((np.clip(np.rint(shares / step), 0, 127) * step - shares) @ value).sum()))
        assert noise[1] < 0.5 * noise[0]


def test_the_chosen_range_is_that_of_the_pair(tmp_path: Path) -> None:
    model = named(onnx.load(str(small_bert(tmp_path))))
    softmax = attentions(View(model.graph))[0].softmax
    found = [place.most for place in places(model, FUSED, shares={softmax: 0.8}) if place.most is not None]
    assert found == [0.8] and [p.most for p in places(model, FUSED) if p.most is not None] == [1.0]


def test_a_tensor_whose_readers_cannot_take_a_constant_stays(tmp_path: Path) -> None:
    """Here the normalisation is the answer, and the value is read by something else, too."""
    model = separate()
    model.graph.node.append(helper.make_node("Identity", ["value"], ["values"], name="values"))
    model.graph.output.append(helper.make_tensor_value_info("values", 1, None))
    x = np.random.default_rng(3).standard_normal((1, 5, 32)).astype(np.float32)
    made, ranges = centre(model, [{"x": x}], [5])
    for old, new in zip(session(model).run(None, {"x": x}), session(made).run(None, {"x": x}), strict=True):
        assert np.allclose(old, new, rtol=1e-4, atol=1e-5)
    assert ranges == {}


def test_a_network_without_attention_stays(tmp_path: Path) -> None:
    io = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in "xy"]
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="p")], "g", io[:1], io[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    made, ranges = centre(model, iter(()), [])
    assert made.graph == model.graph and ranges == {} and not is_centred(made)


@pytest.mark.parametrize("length", [LENGTH, 10])
def test_what_is_padded_counts_for_nothing(tmp_path: Path, length: int) -> None:
    model = shifted_bert(tmp_path, 1)
    short = {name: array[:, :length] for name, array in inputs(5).items()}
    padded = {name: np.pad(array, ((0, 0), (0, 6))) for name, array in short.items()}
    first, other = centre(model, [short], [length])[0], centre(model, [padded], [length])[0]
    assert np.abs(answers(first) - answers(other)).max() < 1e-3 * np.abs(answers(first)).max()
