"""The pytorch backend: batches by length, texts as they grow, what is refused, and tokens equal to those of the OpenVINO engine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, GeneratorSpec, TextGenerator, texts
from code.backends.generators.noted import FILE
from code.backends.generators.pytorch import network
from code.backends.generators.pytorch.backend import BACKEND
from code.backends.generators.pytorch.batches import Request, padded, rounded, taken
from code.backends.generators.pytorch.generator import Texts, ended
from code.benchmarks.benchmark import definition_of
from code.benchmarks.gptj import tiny
from code.benchmarks.text.generating import generation
from code.benchmarks.text.tiny import generating
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema.options import PyTorchOptions

HOW = Generation(1, 2, 5, True, 9, (8,), stream=True)


def request(number: int, length: int) -> Request:
    return Request(number, np.full(length, number + 1, dtype=np.int32))


# ── batches ────────────────────────────────────────────────────────────


def test_a_batch_has_the_oldest_request_and_those_nearest_in_length() -> None:
    waiting = [request(0, 50), request(1, 10), request(2, 55), request(3, 49), request(4, 12)]
    assert [one.number for one in taken(waiting, 3)] == [2, 0, 3], "longest first"
    assert [one.number for one in waiting] == [1, 4]
    assert [one.number for one in taken(waiting, 3)] == [4, 1] and waiting == [] == taken(waiting, 3)


def test_no_request_waits_for_ever_behind_others_of_one_length() -> None:
    waiting = [request(0, 100), *(request(n, 10) for n in range(1, 9))]
    assert 0 in [one.number for one in taken(waiting, 4)]


def test_prompts_are_padded_on_the_left_and_spare_rows_repeat_the_last() -> None:
    ids, mask = padded([request(0, 3), request(1, 1)], 7, 3)
    assert ids.tolist() == [[1, 1, 1], [7, 7, 2], [7, 7, 2]] and mask.tolist() == [[1, 1, 1], [0, 0, 1], [0, 0, 1]]
    assert [rounded(count, 12) for count in (1, 2, 3, 5, 9, 12)] == [1, 2, 4, 8, 12, 12]


# ── texts ──────────────────────────────────────────────────────────────


def test_a_text_is_reported_when_it_ends_and_its_first_token_before() -> None:
    seen: list[Event] = []
    grown = Texts([request(4, 2), request(5, 2)], HOW, seen.append, lambda: False)
    for row in ([[4, 4], [5, 5]], [1, 2], [8, 3], [0, 3], [0, 3]):
        grown.put(np.asarray(row))
    assert [(e.request, e.tokens.tolist(), e.finished) for e in seen] == [(4, [1], False), (5, [2], False), (4, [1, 8], True)]
    with pytest.raises(RunError, match="before 1 of its texts"):
        grown.end()
    grown.put(np.asarray([0, 3]))
    assert (seen[-1].request, seen[-1].tokens.tolist(), seen[-1].finished) == (5, [2, 3, 3, 3, 3], True), "at most five"
    grown.end()


def test_without_streaming_only_whole_texts_are_reported() -> None:
    seen: list[Event] = []
    grown = Texts([request(0, 1)], replace(HOW, stream=False), seen.append, lambda: False)
    for row in ([[1]], [1], [9]):
        grown.put(np.asarray(row))
    assert [(e.tokens.tolist(), e.finished) for e in seen] == [([1, 9], True)]


def test_a_beams_row_ends_with_its_end_of_text() -> None:
    assert ended([1, 2, 9, 9, 9], HOW) == [1, 2, 9] and ended([1, 8, 3], HOW) == [1, 8] and ended([1, 2, 3], HOW) == [1, 2, 3]


# ── what is refused ────────────────────────────────────────────────────


def test_a_precision_that_pytorch_does_not_compute_in() -> None:
    with pytest.raises(UsageError, match="PyTorch does not support int8") as caught:
        BACKEND.build_settings({"benchmark": "gptj", "precision": "int8"})
    assert "fp32, bf16, fp16" in caught.value.next_step
    with pytest.raises(UsageError, match="generates text and does not support bert"):
        BACKEND.build_settings({"benchmark": "bert", "precision": "fp32"})


def test_a_compiled_pass_needs_a_cache_of_constant_size(tmp_path: Path) -> None:
    assert BACKEND.options({}, tmp_path) == PyTorchOptions("dynamic", "off")
    assert BACKEND.options({"torch_compile": "default"}, tmp_path) == PyTorchOptions("static", "default")
    assert BACKEND.recorded({"torch_kv_cache": "static"}) == {"torch_kv_cache": "static", "torch_compile": "off"}
    with pytest.raises(UsageError, match="torch_compile=default needs torch_kv_cache=static"):
        BACKEND.options({"torch_compile": "default", "torch_kv_cache": "dynamic"}, tmp_path)


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_is_named_with_its_target(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=f"the Python package {package} cannot be imported") as caught:
        network.imported()
    assert caught.value.next_step == "install it with `make pytorch`"


def made(folder: Path, **values: Any) -> Path:
    folder.mkdir(parents=True)
    BACKEND.build(tiny.MODEL, {"benchmark": "gptj", "precision": "fp32", **values}, folder)
    return folder


def spec(count: int = 1, **changed: Any) -> GeneratorSpec:
    how = Generation.of(generation(definition_of("gptj").text, {"num_beams": 1}, (1279,)))  # type: ignore[attr-defined]
    return GeneratorSpec(1, 1, "fp32", PyTorchOptions(), generation=how, requests_in_flight=count, longest_prompt=64, **changed)


def test_an_engine_is_a_note_of_its_checkpoint(tmp_path: Path) -> None:
    content = json.loads((made(tmp_path / "a", device_kind="H100_SXM_80GB") / FILE).read_text())
    assert content["checkpoint"] == str(tiny.MODEL) and list(content["weights"]) == ["model.safetensors"]
    assert content["on_gpu"] and not json.loads((made(tmp_path / "b", device_kind="CPU") / FILE).read_text())["on_gpu"]


def test_a_model_in_openvinos_format_alone_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "openvino").mkdir(parents=True)
    for name in ("config.json", "openvino/openvino_model.xml", "openvino/openvino_model.bin"):
        (model / name).symlink_to(tiny.MODEL / name)
    with pytest.raises(MissingError, match="has no weights that PyTorch reads"):
        BACKEND.build(model, {"benchmark": "gptj", "precision": "fp32"}, tmp_path)


def test_a_checkpoint_that_went_away_or_changed(tmp_path: Path) -> None:
    folder = made(tmp_path / "engine")
    content = json.loads((folder / FILE).read_text())
    (folder / FILE).write_text(json.dumps({**content, "weights": {"model.safetensors": 1}}))
    with pytest.raises(RunError, match="a file of the checkpoint has changed"):
        BACKEND.load(folder, spec())
    (folder / FILE).write_text(json.dumps({**content, "checkpoint": str(tmp_path / "none")}))
    with pytest.raises(MissingError, match="a file of the checkpoint is missing") as caught:
        BACKEND.load(folder, spec())
    assert "--force_build" in caught.value.next_step
    (folder / FILE).write_text("{}")
    with pytest.raises(RunError, match="is incomplete"):
        BACKEND.load(folder, spec())


def torch_of(cuda: str | None, count: int = 0, free: int = 0) -> Any:
    one = SimpleNamespace(is_available=lambda: count > 0, device_count=lambda: count, mem_get_info=lambda _: (free, 80 << 30))
    device = lambda kind, index=0: SimpleNamespace(type=kind, index=index)  # noqa: E731
    return SimpleNamespace(cuda=one, device=device, version=SimpleNamespace(cuda=cuda), __version__="2.13.0")


def test_a_cuda_device_that_is_not_there() -> None:
    assert (
        network.device_of(torch_of(None), False, 3).type == "cpu" and network.device_of(torch_of("13.0", 2), True, 1).index == 1
    )
    with pytest.raises(MissingError, match="finds no CUDA device 0") as caught:
        network.device_of(torch_of(None), True, 0)
    assert "built without CUDA" in caught.value.why
    with pytest.raises(MissingError, match="finds no CUDA device 2") as caught:
        network.device_of(torch_of("13.0", 2), True, 2)
    assert caught.value.why == "it finds 2; torch 2.13.0 was built for CUDA 13.0"


def test_memory_that_does_not_suffice() -> None:
    gpu = SimpleNamespace(type="cuda", index=0)
    network.require_memory(torch_of("13.0", 1, 2 << 30), gpu, 2 << 30, "gptj", "fp32")
    with pytest.raises(MissingError, match="not enough memory to run gptj on the GPU in fp32") as caught:
        network.require_memory(torch_of("13.0", 1, 2 << 30), gpu, 3 << 30, "gptj", "fp32")
    assert "3.0 GiB, but 2.0 GiB" in caught.value.why and "--gpu_batch_size" in caught.value.next_step
    assert "--precision=bf16" in caught.value.next_step
    with pytest.raises(MissingError, match="in bf16") as caught:
        network.require_memory(torch_of(None), SimpleNamespace(type="cpu"), 1 << 60, "gptj", "bf16")
    assert "--precision" not in caught.value.next_step, "there is nothing smaller"


# ── real ───────────────────────────────────────────────────────────────

COUNT = 64
MODELS = {"gptj": "code.benchmarks.gptj.tiny", "llama3.1-8b": "code.benchmarks.llama3_1_8b.tiny"}


def needs_pytorch() -> None:
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed: make pytorch, or make test_all_extras")


def generator(folder: Path, name: str, model: Path, how: dict[str, Any], longest: int, options: PyTorchOptions) -> TextGenerator:
    folder.mkdir()
    BACKEND.build(model, {"benchmark": name, "precision": "fp32"}, folder)
    wanted = GeneratorSpec(1, 2, "fp32", options, generation=Generation.of(how), requests_in_flight=16, longest_prompt=longest)
    return BACKEND.load(folder, wanted)


@pytest.mark.parametrize(("name", "beams"), [("gptj", 1), ("gptj", 4), ("llama3.1-8b", 1)])
def test_tokens_are_those_of_the_openvino_engine(name: str, beams: int, tmp_path: Path) -> None:
    needs_pytorch()
    model, record = import_module(MODELS[name]).MODEL, import_module(f"{MODELS[name]}.record")
    opened, _ = record.evaluation_set(model, tmp_path, COUNT)
    prompts = [np.array(opened.prompt(index)) for index in range(COUNT)]
    definition: Any = definition_of(name)
    how = generation(definition.text, {"num_beams": beams}, definition.open_vocabulary(model).ends)
    expected = generating.generated(name, model, prompts, how)
    ways = [PyTorchOptions(), PyTorchOptions("static")] if beams == 1 else [PyTorchOptions()]
    for number, options in enumerate(ways):
        ours = generator(tmp_path / f"engine{number}", name, model, how, max(map(len, prompts)), options)
        found = texts(ours, prompts)
        ours.close()
        assert [one.tolist() for one in found] == [one.tolist() for one in expected], options


def test_a_generator_that_closes_leaves_its_batch(tmp_path: Path) -> None:
    needs_pytorch()
    how = generation(definition_of("gptj").text, {"num_beams": 1}, (1279,))  # type: ignore[attr-defined]
    ours = generator(tmp_path / "engine", "gptj", tiny.MODEL, how, 64, PyTorchOptions())
    ours.submit(0, np.arange(5, dtype=np.int32))
    ours.close()
    assert not any(event.finished for event in ours.advance(0.0))


def test_streams_are_processes_with_the_same_tokens(tmp_path: Path) -> None:
    needs_pytorch()
    folder, prompts = made(tmp_path / "engine"), [np.arange(5 + n, dtype=np.int32) for n in range(6)]
    one = BACKEND.load(folder, spec(4))
    two = BACKEND.load(folder, replace(spec(2), streams=2, threads=2))
    assert two.capacity == 4
    assert [t.tolist() for t in texts(two, prompts)] == [t.tolist() for t in texts(one, prompts)]
    two.close()
    one.close()


def test_the_rates_of_the_gpu_check_are_measured_on_a_processor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_pytorch()
    from tests.gpu import torch_texts

    monkeypatch.setattr(torch_texts, "WAYS", torch_texts.WAYS[:2])  # no compiler is asked for here
    small = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    for name, sizes in (
        ("llama3.1-8b", {**small, "vocab_size": 100}),
        ("gptj", {"n_embd": 64, "n_layer": 1, "n_head": 4, "rotary_dim": 8, "vocab_size": 100}),
    ):
        model = torch_texts.random_network({**torch_texts.SHAPES[name], **sizes}, "cpu", "float32")
        rows = dict(torch_texts.rates(model, 3, 8, 4))
        assert set(rows) == {"dynamic, off", "static, off"} and all(row["tokens_per_second"] > 0 for row in rows.values())
    assert torch_texts.tiny_tokens("gptj", "CPU", PyTorchOptions(), 4) == "4 of 4"
