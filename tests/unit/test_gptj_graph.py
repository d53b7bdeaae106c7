"""The rewritten graph of an engine: what it answers is what the exported model answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND, FILE
from code.benchmarks.gptj import bpe, checkpoint, facts, graph, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.text import export
from code.benchmarks.text.generating import generation
from code.benchmarks.text.tiny.articles import article
from code.common.errors import RunError, UsageError

MODEL = tiny.MODEL / "openvino/openvino_model.xml"
NO_CANDIDATES = 10_000
"""More than the tiny vocabulary has: the head is left as it is."""


def kinds(network: Any) -> list[str]:
    return [node.get_type_name() for node in network.get_ops()]


def logits(network: Any, ids: Any, positions: Any) -> Any:
    import openvino

    request = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    batch, length = ids.shape
    inputs = {
        "input_ids": ids,
        "attention_mask": np.ones((batch, length), dtype=np.int64),
        "position_ids": positions,
        "beam_idx": np.arange(batch, dtype=np.int32),
    }
    return request.infer(inputs)["logits"].copy()


def test_positions_and_rotations_are_the_exported_models_numbers() -> None:
    import openvino

    core = openvino.Core()
    plain, rewritten = core.read_model(str(MODEL)), core.read_model(str(MODEL))
    assert graph.rewrite(rewritten, NO_CANDIDATES) == ["positions looked up", "rotations as products"]
    assert "GatherElements" in kinds(plain) and "GatherElements" not in kinds(rewritten)
    layers = checkpoint.open_checkpoint(tiny.MODEL).config["n_layer"]
    assert kinds(rewritten).count("MatMul") == kinds(plain).count("MatMul") + 2 * layers
    ids = np.random.default_rng(0).integers(0, 1280, (2, 40))
    positions = np.stack([np.arange(40), np.arange(1_900, 1_940)])
    np.testing.assert_allclose(logits(rewritten, ids, positions), logits(plain, ids, positions), rtol=0, atol=1e-4)


def head(candidates: int) -> Any:
    """A network that is a head alone, with and without candidates: hidden and sampled tokens → logits."""
    import openvino
    from openvino import opset13

    hidden = opset13.parameter([-1, 1, 64], np.float32, "hidden")
    weights = opset13.constant(np.eye(64, dtype=np.float32))
    found = opset13.matmul(hidden, weights, False, True)
    found.output(0).get_tensor().set_names({"logits"})
    network = openvino.Model([found], [hidden], "head")
    assert graph.rewrite(network, candidates) == [f"{candidates} candidates a token"]
    assert network.output(0).get_names() == {"logits"}
    return openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def log_softmax(values: Any) -> Any:
    values = values.astype(np.float64) - values.max(-1, keepdims=True)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_candidates_keep_their_log_probabilities_and_the_others_are_none(spread: float) -> None:
    values = (np.random.default_rng(1).standard_normal((32, 1, 64)) * spread).astype(np.float32)
    chosen = np.asarray([3, 31, 7], dtype=np.int64)
    found = head(8)({0: values, 1: chosen})[0]
    assert found.shape == (3, 1, 64), "only the tokens that are sampled from"
    wanted, got = log_softmax(values[chosen]), log_softmax(found)
    best = np.argsort(-wanted, -1, kind="stable")[..., :8]
    np.testing.assert_allclose(np.take_along_axis(got, best, -1), np.take_along_axis(wanted, best, -1), rtol=0, atol=2e-6)
    assert (np.argsort(-got, -1, kind="stable")[..., :8] == best).all()


def test_equal_logits_and_one_certain_token_are_no_trouble() -> None:
    values = np.zeros((3, 1, 64), dtype=np.float32)
    values[1, 0, 5] = 300.0
    values[2, 0, :20] = 1.0
    found = head(8)({0: values, 1: np.arange(3)})[0]
    assert not np.isnan(found).any()
    np.testing.assert_allclose(log_softmax(found)[0], log_softmax(values)[0], atol=1e-6)
    assert log_softmax(found)[1, 0, 5] == pytest.approx(0.0, abs=1e-6) and found[1, 0].argmax() == 5
    np.testing.assert_allclose(log_softmax(found)[2, 0, :20], log_softmax(values)[2, 0, :20], atol=1e-6)


def engine(folder: Path, rewritten: bool) -> Path:
    folder.mkdir()
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, folder)
    if not rewritten:
        export.to_openvino(checkpoint.open_checkpoint(tiny.MODEL), "fp32", folder)
    return folder


def generated(folder: Path, beams: int, prompts: list[Any], end: int) -> list[list[int]]:
    how = Generation.of(generation(BENCHMARK.text, {"num_beams": beams}, (end,)))
    spec = GeneratorSpec(1, 2, "fp32", generation=how, requests_in_flight=16, longest_prompt=400)
    generator = BACKEND.load(folder, spec)
    found = [tokens.tolist() for tokens in texts(generator, prompts)]
    generator.close()
    return found


@pytest.mark.full
def test_texts_are_those_of_the_exported_model(tmp_path: Path) -> None:
    plain, rewritten = engine(tmp_path / "plain", False), engine(tmp_path / "rewritten", True)
    assert (plain / "openvino_model.xml").read_bytes() != (rewritten / "openvino_model.xml").read_bytes()
    vocabulary = bpe.read(tiny.MODEL)
    asked = vocabulary.encode([prompt(article("graph", index).text) for index in range(8)])
    prompts = [np.asarray(ids, dtype=np.int32) for ids in asked]
    for beams in (facts.NUM_BEAMS, 1):
        ours, theirs = (generated(folder, beams, prompts, vocabulary.end) for folder in (rewritten, plain))
        assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= len(prompts) - 1


def test_an_engine_searches_with_no_more_beams_than_it_was_made_for(tmp_path: Path) -> None:
    folder = engine(tmp_path / "engine", True)
    end = bpe.read(tiny.MODEL).end
    with pytest.raises(UsageError, match="at most 4 beams"):
        generated(folder, 5, [], end)
    assert BACKEND.build_settings({"precision": "fp32", "num_beams": 6, "benchmark": "gptj"})["max_beam_width"] == 6
    assert BACKEND.build_settings({"precision": "fp32", "num_beams": 1, "benchmark": "gptj"})["max_beam_width"] == facts.NUM_BEAMS
    settings = json.loads((folder / FILE).read_text())
    del settings["max_beam_width"]
    (folder / FILE).write_text(json.dumps(settings))
    with pytest.raises(RunError, match="is incomplete"):
        generated(folder, 4, [], end)


def test_compressing_weights_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed: make calibration")
    made = BACKEND.build(tiny.MODEL, {"precision": "int8", "benchmark": "gptj"}, tmp_path)
    assert "NNCF" in made["made"] and "candidates" in made["made"]
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""
