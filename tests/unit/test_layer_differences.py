"""Layers of two graphs side by side: which differ, by how much, and where a planted wrong weight is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.actions.debug_accuracy import changed_by_marking
from code.backends.base import backend
from code.precision import side_by_side
from code.precision.layers import (
    LOUDEST_DB,
    QUIETEST_DB,
    Difference,
    Graph,
    LayerDifference,
    adding,
    beginnings,
    common_tensors,
    layer_differences,
    noisiest,
    summed,
)
from code.precision.side_by_side import Side

onnx = pytest.importorskip("onnx")
LAYERS, WIDTH = 6, 16


def network(path: Path, wrong: int | None = None, half: bool = False) -> Path:
    """A chain of Gemm-like layers, `wrong` of which has a weight with another sign; with `half` it computes in fp16."""
    from onnx import TensorProto, helper, numpy_helper

    drawn, kind = np.random.default_rng(7), np.float16 if half else np.float32
    nodes: list[Any] = []
    weights: list[Any] = []
    name = "input"
    if half:
        nodes.append(helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16, name="to_half"))
        name = "half"
    for number in range(LAYERS):
        weight = drawn.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
        if number == wrong:
            weight[0] *= -1
        weights.append(numpy_helper.from_array(weight.astype(kind), f"w{number}"))
        nodes.append(helper.make_node("MatMul", [name, f"w{number}"], [f"m{number}"], name=f"layer{number}/MatMul"))
        nodes.append(helper.make_node("Tanh", [f"m{number}"], [f"t{number}"], name=f"layer{number}/Tanh"))
        name = f"t{number}"
    nodes.append(helper.make_node("Cast", [name], ["output"], to=TensorProto.FLOAT, name="to_float"))
    io = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", WIDTH]) for n in ("input", "output")]
    graph = helper.make_graph(nodes, "chain", io[:1], io[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def feeds(count: int = 3) -> list[dict[str, np.ndarray[Any, Any]]]:
    drawn = np.random.default_rng(3)
    return [{"input": drawn.normal(size=(2, WIDTH)).astype(np.float32)} for _ in range(count)]


def side(name: str, graph: Path, folder: Path, runtime: str = "onnxruntime", outputs: list[str] | None = None) -> Side:
    """An engine of the graph, with these tensors as outputs, too."""
    folder.mkdir()
    file = folder / graph.name
    onnx.save(Graph.read(graph).with_outputs(outputs or []), str(file))
    backend(runtime).build(file, {"precision": "fp32"}, folder)
    return Side(name, backend(runtime), "fp32", file, folder)


def compared(ours: Path, reference: Path, folder: Path, runtimes: tuple[str, str] = ("onnxruntime", "onnxruntime")) -> list[Any]:
    graphs = Graph.read(ours), Graph.read(reference)
    shared = common_tensors(*graphs)
    sides = [
        side(name, path, folder / name, runtime, shared)
        for name, path, runtime in zip(("ours", "reference"), (ours, reference), runtimes, strict=True)
    ]
    differences, _ = side_by_side.run(sides, feeds(), folder / "layers.json")
    return layer_differences(graphs[1], differences)


def test_a_difference_in_decibels() -> None:
    ones = np.ones((4, 4), np.float32)
    assert Difference.of(ones, ones).noise_db == QUIETEST_DB and bool(Difference.of(ones, ones))
    assert Difference.of(ones * 1.1, ones).noise_db == pytest.approx(-20, abs=0.01)
    assert Difference.of(ones * np.nan, ones).noise_db == LOUDEST_DB
    assert Difference.of(ones, np.zeros_like(ones)).noise_db == LOUDEST_DB
    assert Difference.of(ones[:2], ones).noise_db == LOUDEST_DB and not Difference.of(ones[:2], ones)
    masked = np.where(np.eye(4) > 0, -np.inf, 1.0)
    assert bool(Difference.of(masked, masked)), "masks hold infinities on both sides"
    both = summed([{"a": Difference.of(ones * 1.1, ones)}, {"a": Difference.of(ones, ones)}])["a"]
    assert both.noise_db == pytest.approx(-20 - 10 * np.log10(2), abs=0.01) and both.largest == pytest.approx(0.1)


def test_tensors_of_both_graphs(tmp_path: Path) -> None:
    one, other = Graph.read(network(tmp_path / "a.onnx")), Graph.read(network(tmp_path / "b.onnx", half=True))
    shared = common_tensors(one, other)
    assert shared == [f"{kind}{number}" for number in range(LAYERS) for kind in "mt"]
    assert one.layer_of("m3") == ("layer3/MatMul", "MatMul")
    assert one.inputs_of("t3", {"m3": 1, "t2": 1}) == {"m3"} and one.inputs_of("t3", {"t2": 1}) == {"t2"}
    assert other.inputs_of("m0", {"t0": 1}) == set()


def test_a_planted_wrong_weight_is_found(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy", reason="polygraphy is not installed: make debug_accuracy installs it")
    for planted in range(LAYERS):
        folder = tmp_path / str(planted)
        folder.mkdir()
        rows = compared(network(folder / "a.onnx", wrong=planted), network(folder / "b.onnx"), folder)
        first = beginnings(rows)[0]
        assert (first.name, first.inputs_db) == (f"layer{planted}/MatMul", QUIETEST_DB)
        assert {row.name for row in noisiest(rows)} == {
            f"layer{n}/{kind}" for n in range(planted, LAYERS) for kind in ("MatMul", "Tanh")
        }


def test_half_precision_is_noisier_layer_by_layer(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy")
    rows = compared(network(tmp_path / "a.onnx", half=True), network(tmp_path / "b.onnx"), tmp_path)
    noise = [row.noise_db for row in rows if row.operator == "MatMul"]
    assert len(noise) == LAYERS and noise[0] < noise[-1] < -40


def test_openvino_beside_onnx_runtime(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy")
    pytest.importorskip("openvino")
    model = network(tmp_path / "a.onnx")
    rows = compared(model, model, tmp_path, ("openvino", "onnxruntime"))
    assert len(rows) == 2 * LAYERS and max(row.noise_db for row in rows) < -90


def test_what_is_saved_is_polygraphys_own(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy")
    model = network(tmp_path / "a.onnx")
    sides = [side(name, model, tmp_path / name) for name in ("one", "two")]
    outputs, _ = side_by_side.run(sides, feeds(2), tmp_path / "outputs.json")
    assert set(outputs) == {"output"} and outputs["output"]
    side_by_side.save_inputs(feeds(2), tmp_path / "inputs.json")
    for name, words in (("outputs.json", ("one", "two", "output")), ("inputs.json", ("input",))):
        assert json.loads((tmp_path / name).read_text())
        command = [str(Path(sys.executable).with_name("polygraphy")), "inspect", "data", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and all(word in done.stdout for word in words), done.stdout + done.stderr


def test_without_polygraphy_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from code.common.errors import MissingError

    monkeypatch.setitem(sys.modules, "polygraphy", None)
    with pytest.raises(MissingError) as caught:
        side_by_side.require()
    assert "make debug" in caught.value.next_step


def test_a_tensor_in_another_scale_is_not_noisy() -> None:
    """Folding a scale into weights, or smoothing by channel, changes tensors and not what the network computes."""
    random = np.random.default_rng(3)
    reference = random.normal(size=(2, 40, 8))
    factors = random.uniform(0.1, 4.0, 8)
    rescaled = Difference.of(reference * factors, reference)
    assert rescaled.noise_db > -5 and rescaled.scaled_db < -120
    wrong = Difference.of((reference + random.normal(size=reference.shape)) * factors, reference)
    assert wrong.scaled_db > -4


def test_few_values_are_compared_as_they_are() -> None:
    ours, reference = np.array([[1.0, 5.0]]), np.array([[2.0, 3.0]])
    assert Difference.of(ours, reference).scaled_db == Difference.of(ours, reference).noise_db


def test_samples_of_several_lengths_share_one_factor() -> None:
    random = np.random.default_rng(4)
    long, short = random.normal(size=(1, 50)), random.normal(size=(1, 40))
    both = Difference.of(2 * long, long) + Difference.of(2 * short, short)
    assert both.noise_db > -1 and both.scaled_db < -120


def test_a_run_that_marking_changes_is_named() -> None:
    real = {"start": Difference(1e-4, 1.0, 0.1), "end": Difference(1e-4, 1.0, 0.1)}
    assert changed_by_marking(real, {**real, "hidden": Difference(1.0, 1.0, 1.0)}) == ""
    words = changed_by_marking(real, {**real, "end": Difference(5e-2, 1.0, 0.2)})
    assert words == "end is -13 dB from the reference and -40 dB in the engine"


def bert_feeds(count: int = 2) -> list[dict[str, Any]]:
    drawn = np.random.default_rng(6)
    ids = [drawn.integers(0, 200, (1, 24)).astype(np.int64) for _ in range(count)]
    return [{"input_ids": one, "input_mask": np.ones_like(one), "segment_ids": np.zeros_like(one)} for one in ids]


def as_written(ours: Any, reference: Any, folder: Path) -> tuple[list[Any], Any]:
    """(layers of both as they are written, Polygraphy's results)."""
    sides, read = [], []
    for name, model in (("ours", ours), ("reference", reference)):
        onnx.save(model, str(folder / f"{name}.onnx"))
        read.append(Graph.read(folder / f"{name}.onnx"))
    for name, graph in zip(("ours", "reference"), read, strict=True):
        file = folder / f"{name}-marked.onnx"
        onnx.save(graph.with_outputs(common_tensors(*read)), str(file))
        sides.append(Side(name, backend("openvino"), "int8", file, folder, as_written=True))
    differences, results = side_by_side.run(sides, bert_feeds(), folder / "layers.json")
    return layer_differences(read[1], differences, read[0]), results


def test_a_layer_with_a_coarse_scale_adds_noise_of_its_own(tmp_path: Path) -> None:
    """Q/DQ nodes of a whole BERT, its marked tensors computed as the graph is written."""
    pytest.importorskip("polygraphy")
    from code.precision.uncalibrated import quantised_by_assumption
    from tests.unit.graphs import small_bert

    model = onnx.load(str(small_bert(tmp_path, 2)))
    quantised = quantised_by_assumption(model)
    usual = {row.name: row.own_db for row in as_written(quantised, model, tmp_path)[0]}
    planted = "layer.1/intermediate/MatMul"
    product = next(node for node in quantised.graph.node if node.name == planted)
    pair = next(node for node in quantised.graph.node if node.output[0] == product.input[1])
    scale = next(i for i in quantised.graph.initializer if i.name == pair.input[1])
    weight = next(i for i in quantised.graph.initializer if i.name == pair.input[0])
    rounded, steps = onnx.numpy_helper.to_array(weight), onnx.numpy_helper.to_array(scale)
    weight.CopyFrom(onnx.numpy_helper.from_array(np.rint(rounded / 100).astype(np.int8), weight.name))
    scale.CopyFrom(onnx.numpy_helper.from_array(steps * 100, scale.name))
    rows, _ = as_written(quantised, model, tmp_path)
    rise = {row.name: row.own_db - usual[row.name] for row in rows}
    assert next(row.name for row in rows if rise[row.name] > 6) == planted


def test_what_centring_moves_is_no_difference(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy")
    from code.precision.centre import centre
    from tests.unit.test_precision_centre import shifted_bert

    model = shifted_bert(tmp_path)
    moved, _ = centre(model, bert_feeds(4), [24] * 4)
    rows, _ = as_written(moved, model, tmp_path)
    assert {row.operator for row in rows} >= {"LayerNormalization", "Softmax", "MatMul", "Add"}
    assert max(row.noise_db for row in rows) < -80
    assert max(row.difference.noise_db for row in rows) > -20, "without the constants they are far apart"


def test_the_layers_that_add_most_come_first() -> None:
    quiet, loud = Difference(1e-4, 1.0), Difference(1e-2, 1.0)
    after = LayerDifference("after", "MatMul", "a", Difference(1.1e-2, 1.0), loud.noise_db)
    rounded = LayerDifference("rounded", "MatMul", "b", loud, quiet.noise_db)
    assert [row.name for row in adding([after, rounded])] == ["rounded", "after"]
    assert after.own_db == pytest.approx(-30, abs=0.01) and rounded.own_db == pytest.approx(-20.04, abs=0.01)
    assert LayerDifference("passes", "Add", "c", quiet, loud.noise_db).own_db == QUIETEST_DB


def test_an_engine_that_departs_from_its_graph_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("polygraphy")
    right, wrong = network(tmp_path / "a.onnx"), network(tmp_path / "b.onnx", wrong=2)
    engine, other = side("engine", wrong, tmp_path / "one"), side("other", right, tmp_path / "two")
    _, engines = side_by_side.run([engine, other], feeds(), tmp_path / "engines.json")
    graph = Side("graph", backend("onnxruntime"), "fp32", right, tmp_path, as_written=True)
    _, written = side_by_side.run([graph, other], feeds(), tmp_path / "written.json")
    assert side_by_side.departure(engines, written, 0)["output"].noise_db > -20
    assert side_by_side.departure(engines, written, 1)["output"].noise_db < -100


def test_engines_are_looked_into(tmp_path: Path) -> None:
    """OpenVINO shows kernels and precisions of the compiled model, ONNX Runtime the graph."""
    pytest.importorskip("polygraphy")
    pytest.importorskip("openvino")
    from code.precision.inspection import inspect

    model = network(tmp_path / "a.onnx")
    for name, operator in (("openvino", "FullyConnected"), ("onnxruntime", "MatMul")):
        folder = tmp_path / name
        folder.mkdir()
        backend(name).build(model, {"precision": "fp32"}, folder)
        (folder / "engine.json").write_text(json.dumps({"settings": {"precision": "fp32"}}))
        found = inspect(backend(name), folder)
        assert sum(layer.kind == operator for layer in found.layers) == LAYERS
        assert "input" in found.notes[0] and "output" in found.notes[1] and not any("\n" in note for note in found.notes)
