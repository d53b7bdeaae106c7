"""Backends whose engine is on a server: what they note of a model, and that nothing else is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.backends.generators import openai, served, triton_llm
from code.benchmarks.llama3_1_8b import tiny

VALUES: dict[str, Any] = {"benchmark": "llama3.1-8b", "precision": "bf16"}


@pytest.mark.parametrize("backend", [openai.BACKEND, triton_llm.BACKEND])
def test_a_note_says_which_model_is_served_and_its_room(backend: Any, tmp_path: Path) -> None:
    made = backend.build(tiny.MODEL, VALUES, tmp_path)
    noted = json.loads((tmp_path / served.FILE).read_text())
    positions = json.loads((tiny.MODEL / "config.json").read_text())["max_position_embeddings"]
    assert noted == {"benchmark": "llama3.1-8b", "positions": positions}
    assert "the server has the engine" in made["made"]
    assert (tmp_path / "tokenizer.json").exists() == (backend is openai.BACKEND)


@pytest.mark.parametrize("backend", [openai.BACKEND, triton_llm.BACKEND])
def test_an_engine_there_is_known_by_its_benchmark_and_precision(backend: Any) -> None:
    assert backend.build_settings(VALUES) == {"benchmark": "llama3.1-8b", "precision": "bf16"}
    assert backend.device_identity() == "server" and backend.makes_precision
    assert backend.device == "ANY" and backend.harness_languages == ("python",)
    assert served.ENGINE.engine and served.IN_FLIGHT == 64
