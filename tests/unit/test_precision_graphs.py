"""Conversions to fp16, bf16 and fp8: what the graph says afterwards, and that it still computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from code.common.errors import RunError
from code.precision.convert import LARGEST, convert, is_quantised
from code.precision.weights import SMALLEST_SCALE, View, dequantised, exact_weights, rounded_weights
from tests.unit.graphs import small_bert


def answers(model: Any, batch: int = 2, length: int = 9) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.arange(batch * length, dtype=np.int64).reshape(batch, length) % 200
    feed = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    return list(session.run(None, feed))


def types(model: Any) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {v.name: v.type.tensor_type.elem_type for v in inferred.graph.value_info}


def quantised(scale: float = 0.01) -> Any:
    """x → Q/DQ → MatMul(int8 weight) → y."""
    weight = np.arange(-32, 32, dtype=np.int8).reshape(8, 8)
    constants = [
        numpy_helper.from_array(np.float32(scale), "s"),
        numpy_helper.from_array(np.int8(0), "z"),
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.full(8, 0.02, np.float32), "ws"),
        numpy_helper.from_array(np.zeros(8, np.int8), "wz"),
    ]
    nodes = [
        helper.make_node("Mul", ["x", "s"], ["m"], name="mul"),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name="d"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="wd", axis=1),
        helper.make_node("MatMul", ["d", "wd"], ["p"], name="product"),
        helper.make_node("Relu", ["p"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "wd"], ["y"], name="last"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8])
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(("low", "element"), [("fp16", TensorProto.FLOAT16), ("bf16", TensorProto.BFLOAT16)])
def test_matrix_products_go_low_and_norms_and_logits_stay(low: str, element: int, tmp_path: Path) -> None:
    done = convert(onnx.load(str(small_bert(tmp_path))), low)
    kinds = types(done.model)
    for name in ("layer.0/attention/scores", "layer.0/attention/softmax", "layer.0/intermediate/MatMul"):
        assert kinds[name] == element, name
    for name in ("embeddings/LayerNorm", "qa_outputs/MatMul"):
        assert kinds[name] == TensorProto.FLOAT, name
    assert done.low > 20 and "LayerNormalization" in done.high and "Softmax" not in done.high
    assert {v.type.tensor_type.elem_type for v in done.model.graph.output} == {TensorProto.FLOAT}
    assert {v.type.tensor_type.elem_type for v in done.model.graph.input} == {TensorProto.INT64}


def test_softmax_stays_in_fp32_where_casts_are_wanted_or_it_is_no_attention(tmp_path: Path) -> None:
    model = onnx.load(str(small_bert(tmp_path)))
    done = convert(model, "fp16", softmax_casts=True)
    assert types(done.model)["layer.0/attention/softmax"] == TensorProto.FLOAT
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
        helper.make_node("Softmax", ["h"], ["s"], name="softmax"),
        helper.make_node("MatMul", ["s", "w"], ["y"], name="last"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 8]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(np.eye(8, dtype=np.float32), "w")])
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert types(convert(plain, "fp16").model)["s"] == TensorProto.FLOAT


def test_a_kept_node_stays_in_fp32(tmp_path: Path) -> None:
    done = convert(onnx.load(str(small_bert(tmp_path))), "fp16", keep=["layer.0/intermediate/MatMul"])
    assert types(done.model)["layer.0/intermediate/MatMul"] == TensorProto.FLOAT


def test_the_fp16_graph_computes_what_the_fp32_graph_does(tmp_path: Path) -> None:
    model = onnx.load(str(small_bert(tmp_path, layers=2)))
    before = model.SerializeToString()
    for exact, rounded in zip(answers(model), answers(convert(model, "fp16").model), strict=True):
        assert rounded.dtype == np.float32
        assert 0 < np.abs(rounded - exact).max() < 0.01 * np.abs(exact).max()
    assert model.SerializeToString() == before


def test_weights_take_half_the_space(tmp_path: Path) -> None:
    model = onnx.load(str(small_bert(tmp_path, layers=2)))
    assert convert(model, "bf16").model.ByteSize() < 0.6 * model.ByteSize()


def test_constants_beyond_fp16_stay_finite(tmp_path: Path) -> None:
    model = onnx.load(str(small_bert(tmp_path)))
    for tensor in model.graph.initializer:
        if tensor.name == "masked_value":
            tensor.CopyFrom(numpy_helper.from_array(np.float32(np.finfo(np.float32).min), "masked_value"))
    done = convert(model, "fp16").model
    found = {i.name: numpy_helper.to_array(i) for i in done.graph.initializer}
    assert float(found["masked_value__fp16"]) == -LARGEST["fp16"]
    assert all(np.isfinite(a).all() for a in answers(done))


def test_a_quantised_graph_keeps_its_nodes_and_narrows_the_rest() -> None:
    done = convert(quantised(), "fp16")
    assert is_quantised(done.model) and not is_quantised(onnx.ModelProto())
    kinds = types(done.model)
    assert kinds["p"] == TensorProto.FLOAT16 and kinds["d"] == TensorProto.FLOAT16
    assert [n.op_type for n in done.model.graph.node].count("DequantizeLinear") == 3  # the weight is read by the logits, too
    session = [onnxruntime.InferenceSession(m.SerializeToString()) for m in (quantised(), done.model)]
    x = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)
    exact, rounded = (s.run(None, {"x": x})[0] for s in session)
    assert np.abs(rounded - exact).max() < 0.01 * np.abs(exact).max()


def with_scales(*scales: float) -> Any:
    """`quantised()` with a scale for each channel of the weight."""
    model = quantised()
    for tensor in model.graph.initializer:
        if tensor.name == "ws":
            tensor.CopyFrom(numpy_helper.from_array(np.resize(np.float32(scales), 8), "ws"))
    return model


@pytest.mark.parametrize("scale", [1e-6, 6.1e-5, 1e-30])
def test_a_tiny_scale_is_lifted_and_no_cast_comes_between_dequantisation_and_product(scale: float) -> None:
    model = with_scales(0.02, scale)
    done = convert(model, "fp16").model
    nodes = {node.name: node for node in done.graph.node}
    producers = {name: node for node in done.graph.node for name in node.output}
    assert [producers[name].op_type for name in nodes["product"].input] == ["DequantizeLinear"] * 2
    scales = {i.name: numpy_helper.to_array(i) for i in done.graph.initializer}
    assert scales["ws__fp16"].dtype == np.float16 and scales["ws__fp16"].min() >= SMALLEST_SCALE
    x = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)
    exact, rounded = (onnxruntime.InferenceSession(m.SerializeToString()).run(None, {"x": x})[0] for m in (model, done))
    assert np.abs(rounded - exact).max() < 0.01 * np.abs(exact).max()


def test_an_activation_with_a_tiny_scale_keeps_one_scale_for_both_of_its_nodes() -> None:
    done = convert(quantised(scale=1e-6), "fp16").model
    scales = {i.name: numpy_helper.to_array(i) for i in done.graph.initializer}
    used = {float(scales[node.input[1]]) for node in done.graph.node if node.name in ("q", "d")}
    assert used == {SMALLEST_SCALE} and types(done)["d"] == TensorProto.FLOAT16


def test_a_dequantised_tensor_that_both_types_read_is_dequantised_twice() -> None:
    done = convert(quantised(), "fp16", keep=["product"]).model
    producers = {name: node for node in done.graph.node for name in node.output}
    for node in done.graph.node:
        if node.op_type == "MatMul":
            assert producers[node.input[1]].op_type == "DequantizeLinear", node.name


def weight_of(model: Any) -> Any:
    """The dequantised weight of `quantised()`."""
    view = View(model.graph)
    return dequantised(view.nodes["wd"], view, view.array("w"))


def test_fp8_keeps_the_ranges_of_int8() -> None:
    model = rounded_weights(quantised(), {}, "fp8")
    constants = {i.name: i for i in model.graph.initializer}
    assert constants["w"].data_type == constants["z"].data_type == TensorProto.FLOAT8E4M3FN
    exact = np.arange(-32, 32, dtype=np.float32).reshape(8, 8) * 0.02
    assert np.abs(weight_of(model) - exact).max() <= 0.0626 * np.abs(exact).max()
    onnx.checker.check_model(model)


def test_fp8_weights_are_rounded_once_from_fp32() -> None:
    """A weight just below the middle of two fp8 numbers is rounded down; rounded to int8 before, it would go up."""
    fp8 = helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT8E4M3FN)
    scale = np.float32(0.02) * np.float32(127 / 448)
    random = np.random.default_rng(0)
    exact = (random.uniform(-30, 30, (8, 8)) * 0.02).astype(np.float32)
    model = rounded_weights(quantised(), {"w": exact}, "fp8")
    half = np.float32(np.float16(scale))
    assert np.array_equal(weight_of(model), (exact / half).astype(fp8).astype(np.float32) * half)
    twice = rounded_weights(with_weight(np.rint(exact / 0.02)), {}, "fp8")
    assert not np.array_equal(weight_of(model), weight_of(twice))


def with_weight(values: Any) -> Any:
    model = quantised()
    for tensor in model.graph.initializer:
        if tensor.name == "w":
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(values, np.int8), "w"))
    return model


def test_the_fp32_values_of_a_rounded_weight_are_found_by_what_reads_it() -> None:
    exact = np.random.default_rng(0).uniform(-0.6, 0.6, (8, 8)).astype(np.float32)
    model = with_weight(np.rint(exact / 0.02))
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["y"], name="product")]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 8]) for n in "xy"]
    original = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [numpy_helper.from_array(exact, "weight")]))
    assert np.array_equal(exact_weights(original, model)["w"], exact)
    assert np.array_equal(weight_of(rounded_weights(model, {"w": exact}, "int8")), np.rint(exact / half_of(0.02)) * half_of(0.02))


def half_of(value: float) -> np.float32:
    return np.float32(np.float16(value))


def test_a_tensor_of_unknown_type_is_named() -> None:
    model = quantised()
    model.graph.node.append(helper.make_node("Odd", ["x"], ["odd"], name="odd_one", domain="some.vendor"))
    model.opset_import.append(helper.make_opsetid("some.vendor", 1))
    with pytest.raises(RunError, match="'odd'") as caught:
        convert(model, "fp16")
    assert "odd_one" in caught.value.why
