"""GPT-J's model folder: what is missing, cut off or too large is said before anything is loaded; the engine's address and settings."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from code.backends import memory, store
from code.backends.generators import tensorrt_llm
from code.backends.generators.openvino_genai import BACKEND
from code.benchmarks.gptj import checkpoint, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.text import export
from code.common.errors import MissingError, RunError, UsageError

TRT = tensorrt_llm.BACKEND


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny.MODEL, tmp_path / "model"))


def shards(model: Path) -> list[Path]:
    """The model's safetensors file cut into two shards with an index, as large checkpoints are published."""
    whole = (model / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]
    names = [name for name in header if name != "__metadata__"]
    weight_map, made = {}, []
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), 1):
        path = model / f"model-{number:05d}-of-00002.safetensors"
        entries, data = {}, b""
        for name in part:
            first, last = header[name]["data_offsets"]
            entries[name] = {**header[name], "data_offsets": [len(data), len(data) + last - first]}
            data += body[first:last]
            weight_map[name] = path.name
        text = json.dumps(entries).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        made.append(path)
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return made


def test_the_committed_model_is_whole_and_small() -> None:
    found = checkpoint.open_checkpoint(tiny.MODEL)
    assert found.exported == tiny.MODEL / "openvino" and [p.name for p in found.weights] == ["model.safetensors"]
    assert found.config["rotary_dim"] < found.config["n_embd"] // found.config["n_head"], "part of the head is rotated"
    assert found.config["tie_word_embeddings"] is False and 2 <= found.config["n_layer"] <= 4
    assert sum(p.stat().st_size for p in tiny.MODEL.rglob("*") if p.is_file()) < 8_000_000


def test_a_missing_or_cut_shard_is_told_by_name(model: Path) -> None:
    first, second = shards(model)
    assert checkpoint.open_checkpoint(model).weights == (first, second)
    whole = second.read_bytes()
    second.write_bytes(whole[:-100])
    with pytest.raises(RunError, match=r"truncated: .*model-00002-of-00002\.safetensors") as caught:
        checkpoint.open_checkpoint(model)
    assert f"of {len(whole):,} bytes" in caught.value.why and "make download_model" in caught.value.next_step
    second.write_bytes(whole[:20])
    with pytest.raises(RunError, match="damaged"):
        checkpoint.open_checkpoint(model)
    second.unlink()
    with pytest.raises(MissingError, match=r"shard of the checkpoint is missing: .*model-00002"):
        checkpoint.open_checkpoint(model)


def test_cut_exported_weights_are_told(model: Path) -> None:
    weights = model / "openvino/openvino_model.bin"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(RunError, match="exported model's weights are truncated"):
        checkpoint.open_checkpoint(model)
    weights.unlink()
    with pytest.raises(MissingError, match="exported model's weights are missing"):
        checkpoint.open_checkpoint(model)


def test_a_cut_torch_file_is_told(model: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(RunError, match="truncated or corrupt"):
        checkpoint.open_checkpoint(model)


def test_what_is_no_gptj_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="model does not exist"):
        checkpoint.open_checkpoint(tmp_path / "none")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    with pytest.raises(UsageError, match="is not a GPT-J checkpoint"):
        checkpoint.open_checkpoint(model)
    (model / "config.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        checkpoint.open_checkpoint(model)
    (model / "config.json").unlink()
    with pytest.raises(MissingError, match="cannot read"):
        checkpoint.open_checkpoint(model)


def test_too_little_memory_is_said_before_anything_is_read(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1_000_000)
    with pytest.raises(MissingError, match="not enough memory to export gptj in fp32") as caught:
        BACKEND.build(model, {"precision": "fp32", "benchmark": "gptj"}, tmp_path)
    assert "--precision=bf16" in caught.value.next_step and "GiB are available" in caught.value.why


def test_loading_refuses_too_little_memory_for_the_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from code.backends.generators.base import Generation, GeneratorSpec
    from code.benchmarks.text.generating import generation

    spec = GeneratorSpec(1, 1, "fp32", generation=Generation.of(generation(BENCHMARK.text, {}, (1279,))))
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, tmp_path)
    monkeypatch.setattr(memory, "available", lambda: 2_000_000)
    with pytest.raises(MissingError, match="not enough memory to load gptj in fp32"):
        BACKEND.load(tmp_path, spec)


def test_a_whole_gptj_in_fp32_asks_for_what_it_takes() -> None:
    parameters = 6_050_000_000
    assert 45e9 < memory.to_export(parameters, "fp32", False) < 60e9
    assert memory.to_export(parameters, "int8", False) < memory.to_export(parameters, "fp32", False) / 1.9


def test_an_engine_that_is_not_whole_is_said(tmp_path: Path) -> None:
    from code.backends.generators.base import Generation, GeneratorSpec

    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, tmp_path)
    (tmp_path / "openvino_model.bin").unlink()
    with pytest.raises(RunError, match="is incomplete"):
        BACKEND.load(tmp_path, GeneratorSpec(1, 1, "fp32", generation=Generation(1, 1, 2, False, 0)))


def test_an_engine_is_addressed_by_every_file_of_the_model(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    values = {"precision": "fp32", "benchmark": "gptj"}
    first = store.address(BACKEND, "gptj", model, values)
    (model / "README.md").write_text("a note")
    assert store.address(BACKEND, "gptj", model, values).folder == first.folder
    with (model / "openvino/openvino_model.bin").open("ab") as out:
        out.write(b"\0")
    assert store.address(BACKEND, "gptj", model, values).folder != first.folder


@pytest.mark.parametrize("backend", [BACKEND, TRT], ids=lambda backend: backend.name)
def test_a_text_generator_refuses_other_networks(backend: Any) -> None:
    with pytest.raises(UsageError, match="does not support bert"):
        backend.build_settings({"precision": "fp16", "benchmark": "bert"})


def test_precisions_a_processor_cannot_do_are_refused() -> None:
    with pytest.raises(UsageError, match="does not support fp8"):
        BACKEND.build_settings({"precision": "fp8", "benchmark": "gptj"})


def test_export_without_its_packages_says_what_to_install(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(model / "openvino")
    monkeypatch.setattr(export, "has_exporter", lambda: False)
    with pytest.raises(MissingError, match="optimum-intel") as caught:
        BACKEND.build(model, {"precision": "fp32", "benchmark": "gptj"}, tmp_path)
    assert "[export]" in caught.value.next_step


def test_training_without_torch_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from code.benchmarks.gptj.tiny import train

    monkeypatch.setitem(sys.modules, "torch", None)
    assert train.main(["--out", str(tmp_path / "out")]) == 3
    assert "pip install '.[train,export]'" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_tensorrt_llm_is_told_the_fields_and_says_how_to_make_its_checkpoint(tmp_path: Path) -> None:
    """Its settings and errors only: the executor needs an NVIDIA GPU."""
    values = {
        "precision": "fp8",
        "benchmark": "gptj",
        "tensor_parallelism": 2,
        "max_batch": 32,
        "max_num_tokens": 4096,
    }
    settings = TRT.build_settings(values)
    assert (settings["max_batch_size"], settings["max_beam_width"], settings["max_seq_len"]) == (32, 4, 2047)
    with pytest.raises(MissingError, match=r"trtllm-fp8-tp2-pp1") as caught:
        TRT.build(tmp_path, values, tmp_path)
    assert "--qformat fp8" in caught.value.next_step and "--tp_size 2 --pp_size 1" in caught.value.next_step
    with pytest.raises(UsageError, match="unknown trtllm_batch_sched_policy") as wrong:
        TRT.build_settings({**values, "trtllm_batch_sched_policy": "max_utl"})
    assert "max_util" in wrong.value.next_step
