"""Llama 3.1 8B's true shape: its sizes, and a layer of it with random weights that compiles in OpenVINO and generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND
from code.backends.generators.text import IR
from code.benchmarks.llama3_1_8b import facts
from code.benchmarks.llama3_1_8b.checkpoint import ARCHITECTURE, open_checkpoint
from code.benchmarks.text import export
from code.common.errors import MissingError
from scripts import make_llama_shape
from scripts.make_llama_shape import LAYERS, ROTARY, SHAPE
from tests.gpu import torch_texts

WHOLE: dict[str, Any] = {**SHAPE, "num_hidden_layers": LAYERS}


def test_the_sizes_are_the_8bs() -> None:
    assert round(ARCHITECTURE.parameters(WHOLE) / 1e9, 2) == 8.03
    assert ARCHITECTURE.kv_numbers(WHOLE) == 65_536 and ARCHITECTURE.positions(WHOLE) == 131_072
    there = torch_texts.SHAPES[facts.NAME]
    assert {name: WHOLE[name] for name in there if name not in ("model_type", "max_position_embeddings")} == {
        name: value for name, value in there.items() if name not in ("model_type", "max_position_embeddings")
    }
    assert (ROTARY["rope_type"], ROTARY["factor"], ROTARY["original_max_position_embeddings"]) == ("llama3", 8.0, 8192)


def test_without_torch_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match="torch and transformers are not installed") as caught:
        make_llama_shape.make(tmp_path / "out", 1)
    assert "[export]" in caught.value.next_step and not (tmp_path / "out").exists()


@pytest.mark.full
@pytest.mark.timeout(1500)
def test_one_layer_of_the_8b_compiles_and_generates(tmp_path: Path, project: Path) -> None:
    """A checkpoint of 2.5 GB is written, exported with weights in int8 and loaded: some minutes, and about 8 GB of memory at most."""
    if not export.has_exporter():
        pytest.skip("optimum-intel, torch and transformers are not installed: pip install '.[export]', or make test_all_extras")
    import openvino

    model, engine = tmp_path / "model", tmp_path / "engine"
    command = [sys.executable, str(project / "scripts/make_llama_shape.py"), str(model)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "1,269 M weights, 2,048 numbers of keys and values a token" in done.stdout + done.stderr
    found = open_checkpoint(model)
    assert found.kv_numbers * LAYERS == ARCHITECTURE.kv_numbers(WHOLE)
    engine.mkdir()
    BACKEND.build(model, {"benchmark": facts.NAME, "precision": "int8"}, engine)
    network = openvino.Core().read_model(str(engine / IR))
    assert network.output(0).get_partial_shape()[2].get_length() == SHAPE["vocab_size"]
    shapes = [variable.get_info().data_shape for variable in network.get_variables()]
    cached = [(shape[1].get_length(), shape[3].get_length()) for shape in shapes if shape.rank.get_length() == 4]
    assert cached == [(SHAPE["num_key_value_heads"], SHAPE["head_dim"])] * 2
    how = Generation(1, 4, 4, False, SHAPE["vocab_size"] - 1)
    spec = GeneratorSpec(1, 2, "int8", generation=how, requests_in_flight=2, longest_prompt=300)
    generator = BACKEND.load(engine, spec)
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, SHAPE["vocab_size"] - 1, length, dtype=np.int32) for length in (300, 17)]
    answers = texts(generator, prompts)
    generator.close()
    assert [len(text) for text in answers] == [4, 4]
    assert all(0 <= int(token) < SHAPE["vocab_size"] for text in answers for token in text)
