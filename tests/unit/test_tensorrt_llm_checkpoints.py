"""TensorRT-LLM's LLM API: what an engine is, and which checkpoint of a model is loaded for a precision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.backends.generators.noted import FILE
from code.backends.generators.tensorrt_llm_api.backend import BACKEND
from code.backends.generators.tensorrt_llm_api.quantised import ALGORITHMS, algorithm, checkpoint_for
from code.benchmarks.llama3_1_8b import tiny
from code.common.errors import MissingError, RunError, UsageError


def test_an_engine_is_a_note_of_the_checkpoint_and_of_how_it_is_loaded(tmp_path: Path) -> None:
    values = {"benchmark": "llama3.1-8b", "precision": "fp16", "max_batch": 512, "tensor_parallelism": 2, "max_num_tokens": 4096}
    made = BACKEND.build(tiny.MODEL, values, tmp_path)
    content = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    assert content["checkpoint"] == str(tiny.MODEL) and "nothing was built" in made["made"]
    assert {name: content[name] for name in ("precision", "max_batch_size", "max_beam_width", "max_num_tokens")} == {
        "precision": "fp16",
        "max_batch_size": 512,
        "max_beam_width": 1,
        "max_num_tokens": 4096,
    }
    assert (content["max_input_len"], content["max_seq_len"]) == (8000, 8128)
    assert (content["tensor_parallelism"], content["pipeline_parallelism"]) == (2, 1)
    plain = BACKEND.build_settings({"benchmark": "llama3.1-8b", "precision": "bf16", "max_new_tokens": 64})
    assert (plain["max_batch_size"], plain["max_num_tokens"], plain["max_seq_len"]) == (1, 8192, 8064)
    assert plain["pipeline_parallelism"] == plain["tensor_parallelism"] == 1
    assert BACKEND.build_settings({"benchmark": "gptj", "precision": "bf16"})["max_beam_width"] == 4


def test_unknown_precisions_policies_and_networks_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown precision 'int8'") as caught:
        BACKEND.build_settings({"benchmark": "llama3.1-8b", "precision": "int8"})
    assert "fp8" in str(caught.value)
    with pytest.raises(UsageError, match="unknown trtllm_batch_sched_policy"):
        BACKEND.build_settings({"benchmark": "llama3.1-8b", "precision": "fp8", "trtllm_batch_sched_policy": "max_utl"})
    with pytest.raises(UsageError, match="tensorrt_llm_api generates text and does not support bert"):
        BACKEND.build_settings({"benchmark": "bert", "precision": "fp16"})


def quantised(folder: Path, algo: str, place: str = "hf_quant_config.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    key = "quantization" if place.startswith("hf") else "quantization_config"
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / place).write_text(json.dumps({key: {"quant_algo": algo}}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("precision", "algo"), sorted(ALGORITHMS.items()))
def test_a_quantised_checkpoint_is_the_model_itself_or_lies_inside_it(precision: str, algo: str, tmp_path: Path) -> None:
    itself = quantised(tmp_path / "quantised", algo)
    assert checkpoint_for(itself, precision) == itself
    plain = tmp_path / "plain"
    plain.mkdir()
    assert checkpoint_for(plain, "bf16") == plain
    with pytest.raises(MissingError, match=f"there is no {precision} checkpoint") as caught:
        checkpoint_for(plain, precision)
    assert f"--export_path {plain}/quantised-{precision}" in caught.value.next_step and "hf_ptq.py" in caught.value.next_step
    inside = quantised(plain / f"quantised-{precision}", algo, "config.json")
    assert checkpoint_for(plain, precision) == inside
    quantised(inside, "MIXED_PRECISION", "config.json")
    with pytest.raises(UsageError, match=f"is not quantised by {algo}") as wrong:
        checkpoint_for(plain, precision)
    assert "MIXED_PRECISION" in wrong.value.why


def test_a_model_quantised_to_something_else_says_which_precision_it_has(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is quantised by NVFP4") as caught:
        checkpoint_for(quantised(tmp_path / "a", "NVFP4"), "bf16")
    assert caught.value.next_step == "add --precision=fp4, or select another with --model_path"
    with pytest.raises(UsageError, match="is quantised by AWQ_X") as caught:
        checkpoint_for(quantised(tmp_path / "b", "AWQ_X"), "fp8")
    assert caught.value.next_step == "select another with --model_path"


def test_the_algorithm_of_a_checkpoint(tmp_path: Path) -> None:
    assert algorithm(tmp_path) == ""
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "compressed-tensors"}}', encoding="utf-8")
    assert algorithm(tmp_path) == "compressed-tensors"
    (tmp_path / "hf_quant_config.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"hf_quant_config\.json is damaged"):
        algorithm(tmp_path)
