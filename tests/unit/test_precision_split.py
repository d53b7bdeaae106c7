"""Copies of channels between two layers: the same answers, finer steps for the weights, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from code.precision.layers import Graph, common_tensors
from code.precision.split import EXTRA, LEAST_CHANNELS, is_split, split
from code.precision.view import View

HIDDEN, LENGTH = 32, 12
OUTLIER = 7


class Layers:
    """x → layer of `channels` → GELU → layer → y; one channel has large values and large weights behind it."""

    def __init__(self, channels: int = LEAST_CHANNELS, outlier: float = 60.0, bias: bool = True) -> None:
        random = np.random.default_rng(2)
        first = random.standard_normal((HIDDEN, channels)) * 0.15
        second = random.standard_normal((channels, HIDDEN)) * 0.15
        first[:, OUTLIER] *= outlier
        second[OUTLIER] *= outlier
        self.constants: list[Any] = []
        self.nodes: list[Any] = []
        for name, value in {
            "w1": first,
            "b1": random.standard_normal(channels) * 0.1,
            "w2": second,
            "b2": random.standard_normal(HIDDEN),
            "root": np.asarray(2**0.5),
            "one": np.asarray(1.0),
            "half": np.asarray(0.5),
        }.items():
            self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        inner = self.node("Add", "product1", "b1") if bias else "product1"
        self.nodes.insert(0, helper.make_node("MatMul", ["x", "w1"], ["product1"], name="product1"))
        gate = self.node("Add", self.node("Erf", self.node("Div", inner, "root")), "one")
        self.node("Mul", self.node("Mul", inner, gate), "half", to="gelu")
        self.node("MatMul", "gelu", "w2", to="product2")
        self.node("Add", "product2", "b2", to="y")

    def node(self, operator: str, *inputs: str, to: str = "") -> str:
        name = to or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name))
        return name

    def model(self, *outputs: str) -> Any:
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, LENGTH, None]) for n in ("x", "y", *outputs)]
        graph = helper.make_graph(self.nodes, "g", ends[:1], ends[1:], self.constants)
        return onnx.shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        )


def inputs(seed: int) -> dict[str, NDArray[np.float32]]:
    return {"x": np.random.default_rng(seed).standard_normal((1, LENGTH, HIDDEN)).astype(np.float32)}


def some(count: int = 4) -> tuple[Iterator[dict[str, NDArray[np.float32]]], list[int]]:
    return (inputs(seed) for seed in range(count)), [LENGTH] * count


def answer(model: Any, seed: int = 99) -> NDArray[np.float32]:
    running = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(running.run(["y"], inputs(seed))[0])


def rounded(model: Any) -> Any:
    """The model with the second layer's weights in int8, a scale for each output, once smoothing gave its input's channels one range."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    view = View(out.graph)
    out.graph.output.append(helper.make_tensor_value_info("gelu", TensorProto.FLOAT, None))
    running = onnxruntime.InferenceSession(out.SerializeToString(), providers=["CPUExecutionProvider"])
    most = np.max([np.abs(running.run(["gelu"], inputs(seed))[0]).max((0, 1)) for seed in range(4)], axis=0)
    del out.graph.output[-1]
    name = view.nodes["product2"].input[1]
    weights = view.array(name) * most[:, None]
    steps = np.abs(weights).max(0) / 127
    values = np.rint(weights / steps) * steps / most[:, None]
    next(i for i in out.graph.initializer if i.name == name).CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
    return out


@pytest.mark.parametrize("bias", [True, False])
def test_the_answers_stay_and_the_channel_has_copies(bias: bool) -> None:
    model = Layers(bias=bias).model()
    before = model.SerializeToString()
    made, found = split(model, *some())
    assert model.SerializeToString() == before and is_split(made) and not is_split(model)
    assert found == {"product2": 1}
    np.testing.assert_allclose(answer(made), answer(model), rtol=1e-4, atol=1e-3)
    weights = {name: View(made.graph).array(View(made.graph).nodes[name].input[1]) for name in ("product1", "product2")}
    assert weights["product1"].shape == (HIDDEN, LEAST_CHANNELS + EXTRA)  # type: ignore[union-attr]
    assert weights["product2"].shape == (LEAST_CHANNELS + EXTRA, HIDDEN)  # type: ignore[union-attr]
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(made, strict_mode=True), full_check=True)


def test_rounded_weights_lose_less() -> None:
    model = Layers().model()
    made, _ = split(model, *some())
    lost = [float(np.square(answer(rounded(one)) - answer(model)).sum()) for one in (model, made)]
    assert lost[1] < 0.5 * lost[0]


def untouched(model: Any) -> bool:
    made, found = split(model, *some())
    return bool(made.graph == model.graph and found == {} and not is_split(made))


def test_layers_without_an_outlier_or_with_few_channels_stay() -> None:
    assert untouched(Layers(outlier=1.0, channels=4096).model())
    assert untouched(Layers(channels=LEAST_CHANNELS - 16).model())


def read_elsewhere(layers: Layers) -> Any:
    layers.node("ReduceSum", "gelu", to="sum")
    return layers.model()


def with_a_factor_per_channel(layers: Layers) -> Any:
    layers.constants.append(numpy_helper.from_array(np.ones(LEAST_CHANNELS, np.float32), "factors"))
    layers.nodes.insert(-2, helper.make_node("Mul", ["gelu", "factors"], ["scaled"], name="scaled"))
    layers.nodes[-2].input[0] = "scaled"
    return layers.model()


def over_channels(layers: Layers) -> Any:
    layers.nodes.insert(-2, helper.make_node("Softmax", ["gelu"], ["shares"], name="shares", axis=-1))
    layers.nodes[-2].input[0] = "shares"
    return layers.model()


@pytest.mark.parametrize("made", [read_elsewhere, with_a_factor_per_channel, over_channels, lambda layers: layers.model("gelu")])
def test_channels_that_something_else_needs_in_their_order_stay(made: Any) -> None:
    assert untouched(made(Layers()))


def test_weights_that_two_products_read_stay_for_the_other() -> None:
    layers = Layers()
    layers.node("MatMul", "x", "w1", to="other")
    model = layers.model("other")
    made, found = split(model, *some())
    assert found and View(made.graph).array("w1").shape == (HIDDEN, LEAST_CHANNELS)  # type: ignore[union-attr]
    np.testing.assert_allclose(answer(made), answer(model), rtol=1e-4, atol=1e-3)


def test_layers_are_compared_without_those_that_have_copies(tmp_path: Path) -> None:
    model = Layers().model()
    made, _ = split(model, *some())
    graphs = []
    for number, one in enumerate((model, made)):
        onnx.save(one, str(tmp_path / f"{number}.onnx"))
        graphs.append(Graph.read(tmp_path / f"{number}.onnx"))
    assert common_tensors(graphs[1], graphs[0]) == ["product2", "y"]
    assert "gelu" in common_tensors(graphs[0], graphs[0])
