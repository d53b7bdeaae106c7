"""Texts of the pytorch backend: the tiny models' tokens against recorded ones, and the rate of the true shapes with random weights."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.pytorch.backend import BACKEND
from code.backends.generators.pytorch.generator import PyTorchGenerator
from code.benchmarks.benchmark import definition_of
from code.benchmarks.text.generating import generation
from code.harness.schema.options import PyTorchOptions

TINY = {"gptj": "code.benchmarks.gptj.tiny", "llama3.1-8b": "code.benchmarks.llama3_1_8b.tiny"}
WAYS = (PyTorchOptions(), PyTorchOptions("static"), PyTorchOptions("static", "reduce-overhead"))
SHAPES: dict[str, dict[str, Any]] = {
    "llama3.1-8b": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
        "max_position_embeddings": 8192,
    },
    "gptj": {"model_type": "gptj", "n_embd": 4096, "n_layer": 28, "n_head": 16, "rotary_dim": 64, "vocab_size": 50_400},
}
"""The full sizes, as the checkpoints' config.json has them."""


def tiny_tokens(name: str, device_kind: str, options: PyTorchOptions, count: int = 16) -> str:
    """How many of the recorded greedy texts a tiny model repeats in fp32: '16 of 16'."""
    definition, tiny = definition_of(name), import_module(TINY[name])
    record = import_module(f"{TINY[name]}.record")
    expected = json.loads((tiny.MODEL / record.EXPECTED_FILE).read_text(encoding="utf-8"))
    wanted = expected.get("greedy") or expected["beams_1"]
    with tempfile.TemporaryDirectory() as scratch:
        prompts, _ = record.evaluation_set(tiny.MODEL, Path(scratch), count)
        asked = [np.array(prompts.prompt(index)) for index in range(count)]
        how = generation(definition.text, {"num_beams": 1}, definition.open_vocabulary(tiny.MODEL).ends)  # type: ignore[attr-defined]
        engine = Path(scratch) / "engine"
        engine.mkdir()
        BACKEND.build(tiny.MODEL, {"benchmark": name, "precision": "fp32", "device_kind": device_kind}, engine)
        longest = max(len(prompt) for prompt in asked)
        spec = GeneratorSpec(
            1, 0, "fp32", options, generation=Generation.of(how), requests_in_flight=count, longest_prompt=longest
        )
        generator = BACKEND.load(engine, spec)
        found = texts(generator, asked)
        generator.close()
    same = sum(text.tolist() == known for text, known in zip(found, wanted, strict=False))
    return f"{same} of {count}"


def random_network(shape: dict[str, Any], device: Any, precision: str = "bfloat16") -> Any:
    """A model of this shape with random weights, made on the device."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    sizes = {**shape}
    config = AutoConfig.for_model(sizes.pop("model_type"), **sizes)
    with torch.device(device):
        network = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, precision), attn_implementation="sdpa")
    network.generation_config = GenerationConfig()
    return network.eval()


def rates(network: Any, batch: int, prompt: int, new: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each way of keeping the cache: tokens/s of whole texts, seconds of the first batch (with compilation), GPU memory and power."""
    import torch

    vocabulary = int(network.config.vocab_size)
    how = Generation(1, new, new, True, vocabulary - 1)  # every text has `new` tokens
    prompts = list(np.random.default_rng(0).integers(0, vocabulary - 1, (batch, prompt), dtype=np.int32))
    on_gpu = network.device.type == "cuda"
    for options in WAYS:
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        generator = PyTorchGenerator(network, how, options, batch, prompt, 0)
        seconds = []
        for _ in range(2):
            begin = time.monotonic()
            found = texts(generator, prompts)
            seconds.append(time.monotonic() - begin)
        generator.close()
        if any(len(text) != new for text in found):
            raise ValueError("a text has another length than was asked for")
        row: dict[str, Any] = {"tokens_per_second": round(batch * new / seconds[-1], 1), "first_batch_s": round(seconds[0], 2)}
        if on_gpu:
            row["memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
            row["watts"] = _watts()
        yield f"{options.torch_kv_cache}, {options.torch_compile}", row


def _watts() -> float | None:
    """Power of the first GPU right after a batch; None where NVML does not say."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return float(pynvml.nvmlDeviceGetPowerUsage(pynvml.nvmlDeviceGetHandleByIndex(0))) / 1000
    except Exception:  # NVML's errors are plain
        return None
