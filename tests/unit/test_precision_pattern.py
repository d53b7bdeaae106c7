"""The graph patterns that TensorRT fuses: where they are put, that they change nothing else, and what keeps them out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from code.precision.convert import convert
from code.precision.fold import fold_scale, fold_smoothing
from code.precision.pairs import places, ranges
from code.precision.pattern import FUSED, STEPS, Pattern, attentions, residuals
from code.precision.uncalibrated import quantised_by_assumption
from code.precision.view import View, named
from scripts.make_bert_large_shape import make, written
from tests.unit.graphs import small_bert
from tests.unit.patterns import attention_holes, cast_holes, residual_holes

HIDDEN, HEADS, SIZE = 32, 2, 16
TINY = Path("code/benchmarks/bert/tiny/model/model.onnx")


def answers(model: Any, length: int = 9) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ids = np.arange(2 * length, dtype=np.int64).reshape(2, length) % 200
    mask = np.ones_like(ids)
    mask[1, 5:] = 0
    return list(session.run(None, {"input_ids": ids, "input_mask": mask, "segment_ids": np.zeros_like(ids)}))


def close(one: list[Any], other: list[Any], share: float) -> bool:
    return all(np.abs(a - b).max() <= share * np.abs(b).max() for a, b in zip(one, other, strict=True))


@pytest.fixture
def bert(tmp_path: Path) -> Any:
    return onnx.load(str(small_bert(tmp_path, layers=2)))


class Written:
    """One attention, written as exporters write it: x → query, key, value → heads → output layer, added to x, normalised."""

    def __init__(self, size: int = SIZE) -> None:
        self.random = np.random.default_rng(0)
        self.size, self.width = size, HEADS * size
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.constant("heads", np.array([0, 0, HEADS, size], np.int64))
        self.constant("hidden", np.array([0, 0, self.width], np.int64))

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def linear(self, source: str, name: str, bias: bool = True) -> str:
        weight = self.constant(f"{name}/w", self.random.standard_normal((self.width, self.width)).astype(np.float32) * 0.2)
        made = self.node("MatMul", [source, weight], f"{name}/product")
        vector = self.constant(f"{name}/b", self.random.standard_normal(self.width).astype(np.float32))
        return self.node("Add", [vector, made], name) if bias else made

    def heads(self, source: str, name: str, order: list[int]) -> str:
        return self.node("Transpose", [self.node("Reshape", [source, "heads"], f"{name}/split")], f"{name}/ready", perm=order)

    def finish(self, query: str, key: str, value: str, scale: list[tuple[str, float]] = ()) -> Any:  # type: ignore[assignment]
        scores = self.node("MatMul", [query, key], "first")
        for number, (operator, factor) in enumerate(scale):
            scores = self.node(operator, [scores, self.constant(f"factor{number}", np.float32(factor))], f"scale{number}")
        shares = self.node("Softmax", [self.node("Add", [scores, self.constant("mask", np.float32(-1))], "masked")], "softmax")
        context = self.node("Transpose", [self.node("MatMul", [shares, value], "second")], "rows", perm=[0, 2, 1, 3])
        output = self.linear(self.node("Reshape", [context, "hidden"], "joined"), "output")
        ones = [self.constant(f"norm{i}", np.full(self.width, 1 - i, np.float32)) for i in range(2)]
        self.node("LayerNormalization", [self.node("Add", [output, "x"], "residual"), *ones], "y")
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "l", self.width]) for name in "xy"]
        graph = helper.make_graph(self.nodes, "g", ends[:1], ends[1:], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


KEYS, ROWS = [0, 2, 3, 1], [0, 2, 1, 3]


def separate(size: int = SIZE, bias: bool = True, **given: Any) -> Any:
    made = Written(size)
    query, value = (made.heads(made.linear("x", name, bias), name, ROWS) for name in ("query", "value"))
    return made.finish(query, made.heads(made.linear("x", "key"), "key", KEYS), value, **given)


def on_both_sides() -> Any:
    """The scale's root on query and key, as scaled_dot_product_attention is exported."""
    made = Written()
    root = made.constant("root", np.float32(SIZE**-0.25))
    query, key = (made.heads(made.linear("x", name), name, order) for name, order in (("query", ROWS), ("key", KEYS)))
    query, key = (made.node("Mul", [source, root], f"{source}/scaled") for source in (query, key))
    return made.finish(query, key, made.heads(made.linear("x", "value"), "value", ROWS))


def shared_query() -> Any:
    """Query and key from one layer, whose weights cannot take a factor."""
    made = Written()
    both = made.linear("x", "both")
    value = made.heads(made.linear("x", "value"), "value", ROWS)
    return made.finish(made.heads(both, "query", ROWS), made.heads(both, "key", KEYS), value, [("Div", 4.0)])


def run(model: Any, width: int = HIDDEN) -> Any:
    x = np.random.default_rng(3).standard_normal((2, 5, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def operators(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    "model",
    [
        separate(scale=[("Div", 4.0)]),
        separate(scale=[("Mul", 0.25)]),
        separate(scale=[("Div", 8.0), ("Mul", 2.0)]),
        separate(bias=False, scale=[("Div", 4.0)]),
        on_both_sides(),
    ],
    ids=["Div", "Mul", "two factors", "no bias", "root on both sides"],
)
def test_the_scale_disappears_into_the_querys_weights(model: Any) -> None:
    folded = fold_scale(model)
    assert not {"Mul", "Div"} & set(operators(folded)) and {"Mul", "Div"} & set(operators(model))
    assert np.allclose(run(folded), run(model), rtol=1e-4, atol=1e-5)
    assert not attentions(View(folded.graph))[0].scales


def test_a_scale_that_weights_cannot_take_becomes_a_factor_of_the_query() -> None:
    model = shared_query()
    folded = fold_scale(model)
    nodes = {name: node for node in folded.graph.node for name in node.output}
    first = next(node for node in folded.graph.node if node.name == "first")
    assert nodes[first.input[0]].op_type == "Mul" and nodes[first.input[1]].op_type == "Transpose"
    assert np.allclose(run(folded), run(model), rtol=1e-4, atol=1e-5)


def test_weights_that_two_layers_read_keep_their_values_for_the_other() -> None:
    model = separate(scale=[("Div", 4.0)])
    for node in model.graph.node:
        if node.name == "key/product":
            node.input[1] = "query/w"
    assert np.allclose(run(fold_scale(model)), run(model), rtol=1e-4, atol=1e-5)


def test_a_model_without_a_scale_and_its_input_stay_as_they_are() -> None:
    model = separate()
    before = model.SerializeToString()
    assert operators(fold_scale(model)) == operators(model) and model.SerializeToString() == before


def test_the_scale_of_scores_that_something_else_reads_stays() -> None:
    model = separate(scale=[("Div", 4.0)])
    model.graph.node.append(helper.make_node("Identity", ["first"], ["scores"], name="scores"))
    model.graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, None))
    assert "Div" in operators(fold_scale(model))


def test_attention_and_residual_additions_are_found_by_shape(bert: Any) -> None:
    view = View(bert.graph)
    assert [a.first for a in attentions(view)] == ["layer.0/attention/scores", "layer.1/attention/scores"]
    found = residuals(view)
    assert [r.node for r in found] == [f"layer.{i}/{name}" for i in range(2) for name in ("attention/residual", "residual")]
    assert {(r.layer, r.skip) for r in found} == {(0, 1)}
    assert [(r.layer, r.skip) for r in residuals(View(separate().graph))] == [(0, 1)]


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_a_quantised_graph_holds_every_pattern(bert: Any, precision: str) -> None:
    model = written(bert, FUSED, precision, "fp16")
    assert attention_holes(model) == residual_holes(model, 2) == cast_holes(model) == []
    onnx.checker.check_model(model, full_check=True)
    assert all(np.isfinite(a).all() for a in answers(model))


@pytest.mark.parametrize(
    ("step", "attention", "residual", "casts"),
    [("plain", 2, 4, 4), ("scale", 2, 4, 4), ("attention", 2, 4, 2), ("residual", 2, 0, 2), ("softmax", 0, 0, 0)],
)
def test_each_step_adds_one_pattern(bert: Any, step: str, attention: int, residual: int, casts: int) -> None:
    """Attentions with holes, residual additions with holes, casts next to softmax; in fp16 with softmax in fp32 the mask's sum is cast."""
    model = written(bert, STEPS[step], "int8", "fp16")
    assert len({hole.split(":")[0] for hole in attention_holes(model)}) == attention
    assert len(residual_holes(model, 2)) == residual and cast_holes(model) == []
    softmaxes = [node for node in model.graph.node if node.op_type == "Softmax"]
    ends = {name for node in softmaxes for name in (*node.input, *node.output)}
    assert sum(node.op_type == "Cast" and bool(ends & {*node.input, *node.output}) for node in model.graph.node) == casts
    assert ("Mul" in {n.op_type for n in model.graph.node if n.name.endswith("/scaled") and "attention" in n.name}) == (
        step == "plain"
    )


def test_both_inputs_of_a_residual_addition_can_be_quantised(bert: Any) -> None:
    found = places(named(bert), STEPS["residual_both"])
    assert sum("residual" in place.reader for place in found) == 8
    assert sum("residual" in place.reader for place in places(named(bert), FUSED)) == 4


@pytest.mark.parametrize(("precision", "size", "quantised"), [("int8", 16, True), ("int8", 48, False), ("fp8", 48, True)])
def test_heads_that_no_kernel_takes_keep_their_attention_unquantised(precision: str, size: int, quantised: bool) -> None:
    found = places(separate(size), Pattern(residual_pairs="none"), precision)
    assert len(found) == (5 if quantised else 0)


def test_a_kept_layer_keeps_its_whole_attention_out(bert: Any) -> None:
    found = places(named(bert), FUSED, kept=["layer.0/attention/mixed", "layer.1/residual"])
    readers = {place.reader for place in found}
    assert not any("layer.0/attention/scores" in r or "layer.0/attention/mixed" in r for r in readers)
    assert "layer.1/attention/scores" in readers and "layer.1/residual" not in readers


def test_ranges_are_the_largest_absolute_values_over_all_batches() -> None:
    model = separate()
    wanted = [place for place in places(model, FUSED) if place.most is None]
    batches = [{"x": np.full((1, 3, HIDDEN), value, np.float32)} for value in (0.5, -2.0, 1.0)]
    most = ranges(model, wanted, batches)
    assert most["x"] == 2.0 and set(most) == {place.tensor for place in wanted} and all(value > 0 for value in most.values())


def smoothed() -> tuple[Any, Any]:
    """(an int8 graph with a smoothing factor in front of its output layer, the factor)."""
    model = quantised_by_assumption(separate(), Pattern(attention_pairs=False, residual_pairs="none"))
    factor = np.random.default_rng(5).uniform(0.2, 3, HIDDEN).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(factor.reshape(1, 1, -1), "smooth"))
    place = next(i for i, node in enumerate(model.graph.node) if node.op_type == "QuantizeLinear" and node.input[0] == "joined")
    model.graph.node[place].input[0] = "smoothed"
    model.graph.node.insert(place, helper.make_node("Mul", ["joined", "smooth"], ["smoothed"], name="smoothing"))
    return model, factor


def test_smoothing_of_the_context_moves_into_the_value() -> None:
    model, factor = smoothed()
    exact = np.random.default_rng(6).standard_normal((HIDDEN, HIDDEN)).astype(np.float32)
    weights = {"value/product/weight": exact.copy()}
    before = run(model)
    fold_smoothing(model.graph, weights)
    assert "Mul" not in operators(model)
    assert np.allclose(run(model), before, rtol=1e-3, atol=1e-4)
    assert np.allclose(weights["value/product/weight"], exact * factor)


def test_smoothing_that_the_value_cannot_take_stays() -> None:
    model, _ = smoothed()
    model.graph.node.append(helper.make_node("Identity", ["value/ready"], ["values"], name="values"))
    model.graph.output.append(helper.make_tensor_value_info("values", TensorProto.FLOAT, None))
    before = model.SerializeToString()
    fold_smoothing(model.graph, {})
    assert model.SerializeToString() == before


def test_an_fp16_graph_has_no_casts_in_attention(bert: Any) -> None:
    model = written(bert, FUSED, None, "fp16")
    assert close(answers(model), answers(bert), 0.01)
    for attention in attentions(View(model.graph)):
        near = [n for n in model.graph.node if n.name in attention.nodes or n.name.startswith("layer.0/attention/masked")]
        assert not any(name.endswith("__as_fp32") for node in near for name in node.input)


def test_an_assumed_graph_is_near_the_model_where_its_ranges_are() -> None:
    """With every activation below the assumed range, only rounding is lost."""
    model = separate()
    assert close([run(quantised_by_assumption(model))], [run(model)], 0.35)
    assert not math.isclose(float(run(quantised_by_assumption(model)).sum()), float(run(model).sum()), rel_tol=1e-6)


@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_the_tiny_model_holds_the_patterns(project: Path, precision: str) -> None:
    model = written(onnx.load(str(project / TINY)), FUSED, precision, "fp16")
    assert attention_holes(model) == residual_holes(model, 3) == cast_holes(model) == []


@pytest.mark.full
@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_a_real_model_holds_the_patterns(shared: Path, precision: str) -> None:
    model = written(onnx.load(str(shared / "models" / "minilm-squad" / "model.onnx")), FUSED, precision, "fp16")
    assert attention_holes(model) == residual_holes(model, 6) == cast_holes(model) == []


def test_bert_larges_shape_holds_the_patterns() -> None:
    """One of its layers, at their width; `make test_full` takes all 24."""
    model = written(make(1, 1024, 16, 4096, 100, 512), FUSED, "int8", "fp16")
    assert attention_holes(model) == residual_holes(model, 1) == cast_holes(model) == []


@pytest.mark.full
@pytest.mark.parametrize("precision", ["int8", "fp8"])
def test_the_whole_of_bert_larges_shape_holds_the_patterns(precision: str) -> None:
    model = written(make(24, 1024, 16, 4096, 30522, 512), FUSED, precision, "fp16")
    assert attention_holes(model) == residual_holes(model, 24) == cast_holes(model) == []


def test_conversion_leaves_its_input_alone(bert: Any) -> None:
    before = bert.SerializeToString()
    convert(bert, "fp16")
    quantised_by_assumption(bert)
    assert bert.SerializeToString() == before
