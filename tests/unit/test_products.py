"""The products of a network, their rate, and what an engine's time goes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest

from code.backends import products
from code.backends.products import Network, Shape
from code.benchmarks.benchmark import definition_of
from code.fields.table import FIELDS

DEFAULTS = {field.name: field.default for field in FIELDS} | {"model_variant": "tiny"}
BERT_SIZE, BERT_INNER, BERT_LAYERS, BERT_CLASSES = 96, 384, 3, 2


def model(benchmark: str) -> Path:
    return definition_of(benchmark).model(DEFAULTS)


def test_operations_of_tokens_are_counted_by_length_and_by_its_square():
    found = products.read_network(model("bert"))
    layer = 2 * (4 * BERT_SIZE**2 + 2 * BERT_SIZE * BERT_INNER)
    assert found.flops_per_unit == pytest.approx(BERT_LAYERS * layer + 2 * BERT_SIZE * BERT_CLASSES)
    assert found.flops_per_square == pytest.approx(BERT_LAYERS * 2 * 2 * BERT_SIZE)
    assert found.flops([10, 20]) == pytest.approx(30 * found.flops_per_unit + 500 * found.flops_per_square)
    assert Shape(BERT_SIZE, BERT_INNER) in found.shapes and Shape(BERT_INNER, BERT_SIZE) in found.shapes
    assert sum(found.shapes.values()) == pytest.approx(1.0)


def test_a_volume_counts_by_windows():
    found = products.read_network(model("3d-unet"))
    assert found.flops_per_square == 0 and found.flops_per_unit > 1e6
    assert all(len(shape.kernel) == 3 and len(shape.extent) == 3 for shape in found.shapes)


@pytest.mark.parametrize("shape", [Shape(32, 64), Shape(4, 8, (3, 3, 3), (8, 8, 8))], ids=lambda shape: shape.words())
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_rate_is_of_the_operations_done(shape: Shape, precision: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(products, "SECONDS", 0.01)
    found = products.rate(Network(1.0, 0.0, {shape: 1.0}), precision, 64, 1)
    assert 0.001 < found < 1e6


def test_slow_shapes_weigh_by_their_operations(monkeypatch: pytest.MonkeyPatch):
    fast, slow = Shape(1, 1), Shape(2, 2)
    monkeypatch.setattr(products, "_rate", lambda shape, *_: 4e9 if shape == fast else 1e9)
    assert products.rate(Network(1.0, 0.0, {fast: 0.5, slow: 0.5}), "fp32", 1, 1) == pytest.approx(1.6)


def test_large_volumes_are_cut():
    assert products._cut(Shape(32, 32, (3, 3, 3), (128, 128, 128))) == (32, 32, 32)
    assert products._cut(Shape(4, 4, (1, 1, 1), (8, 8, 8))) == (8, 8, 8)
    assert products._cut(Shape(4, 4)) == ()


@pytest.mark.parametrize("benchmark", ["bert", "3d-unet"])
def test_the_profile_of_an_engine_adds_up(benchmark: str):
    found = products.profile(model(benchmark), "fp32", 2, 32)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["products"] > 0.05
    assert ("attention" in found) is (benchmark == "bert")


def test_transposed_convolutions_and_what_puts_volumes_together_are_no_other_operators(tmp_path: Path):
    """Their operators have other names than the layers that OpenVINO executes for them."""
    from openvino import opset13, save_model

    given = opset13.parameter([1, 8, 8, 8, 8], np.float32)
    weights = opset13.constant(np.ones((8, 8, 2, 2, 2), np.float32))
    larger = opset13.convolution_backprop_data(given, weights, [2] * 3)
    both = opset13.concat([larger, larger], 1)
    save_model(openvino.Model([both], [given], "up"), tmp_path / "model.xml", compress_to_fp16=False)
    found = products.profile(tmp_path / "model.xml", "fp32", 1, 1)
    assert set(found) - {"others"} == {"products", "layout"} and found.get("others", 0.0) < 0.05


def test_products_of_quantised_layers_are_products():
    network, one, _ = products._chain(Shape(64, 64), "int8", 64)
    compiled = products.openvino_core().compile_model(network, "CPU", {"PERF_COUNT": "YES"})
    request = compiled.create_infer_request()
    request.infer({0: one})
    kinds = products._kinds(network, compiled)
    met = {kinds[node.node_name] for node in request.get_profiling_info() if node.node_type.startswith("FullyConnected")}
    assert met == {"products"}
    assert {products.KINDS[f"FullyConnected{form}"] for form in ("Compressed", "Quantized", "QuantizedLegacy")} == {"products"}
