"""The PyTorch backend: what users of the MLPerf reference implementations run, and the way to generate on a GPU without TensorRT-LLM.

An engine is a note of the checkpoint: PyTorch reads it in the precision of the run. It was executed on processors only; on CUDA it never
ran (documentation/pytorch.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from code.backends.base import Backend, EngineSpec, package_version
from code.backends.generators.base import GeneratorSpec, TextGenerator
from code.backends.generators.noted import note, noted
from code.backends.generators.pytorch import network
from code.backends.generators.pytorch.generator import PyTorchGenerator
from code.backends.generators.streams import GeneratorStreams
from code.backends.generators.text import require_text, text_definition
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.harness.schema.options import PyTorchOptions

PROCESSORS = "CPU"

ENGINE = Consumer("PyTorch", ("precision", "device_kind"), engine=True, backends=("pytorch",))
RUNTIME = Consumer("PyTorch", ("torch_kv_cache", "torch_compile"), backends=("pytorch",))


class PyTorch(Backend):
    """Hugging Face models in PyTorch."""

    name = "pytorch"
    label = "PyTorch"
    runtime_key = "torch_version"
    device = "ANY"
    makes_precision = True
    harness_languages = ("python",)
    reads = (ENGINE, RUNTIME)

    def version(self) -> str:
        """The installed versions of torch and transformers."""
        return f"{package_version('torch', 'pytorch')}, transformers {package_version('transformers', 'pytorch')}"

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The benchmark and the precision. UsageError for one that PyTorch does not compute in."""
        facts, _ = require_text(self.name, values)
        read = ENGINE.of(values)
        precision = str(read["precision"])
        if precision not in network.DTYPES:
            raise UsageError(
                f"PyTorch does not support {precision} here",
                "weights, computation and KV cache are in one of its own types",
                "choose one of " + ", ".join(network.DTYPES) + " with --precision=…",
            )
        return {"benchmark": facts.name, "precision": precision, "on_gpu": (read.get("device_kind") or PROCESSORS) != PROCESSORS}

    def device_identity(self) -> str:
        """Any: the checkpoint is read when the run starts."""
        return "any device of PyTorch"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Note where the checkpoint is, what it needs and which files it has. MissingError where it has no weights."""
        settings = self.build_settings(values)
        checkpoint = text_definition(settings["benchmark"]).open_model(model)
        note(folder, settings, model, checkpoint, self.label)
        return {"made": "nothing was built: PyTorch reads the checkpoint"}

    def options(self, values: Mapping[str, Any], folder: Path) -> PyTorchOptions:
        """KV cache and compilation. UsageError where they contradict each other."""
        read = RUNTIME.of(values)
        compiled, kept = read.get("torch_compile") or "off", read.get("torch_kv_cache")
        if compiled != "off" and kept == "dynamic":
            raise UsageError(
                f"torch_compile={compiled} needs torch_kv_cache=static",
                "a cache that grows has a new shape for every token, each of which would be compiled",
                "leave --torch_kv_cache out, or add --torch_compile=off",
            )
        kept = kept or ("dynamic" if compiled == "off" else "static")
        return PyTorchOptions(cast(Any, kept), cast(Any, compiled))

    def recorded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """How the cache is kept and what is compiled."""
        given = self.options(values, Path())
        return {"torch_kv_cache": given.torch_kv_cache, "torch_compile": given.torch_compile}

    def load(self, folder: Path, spec: EngineSpec) -> TextGenerator:
        """The network on one device; several streams are processes of their own."""
        asked = GeneratorSpec.require(spec)
        if spec.streams > 1:
            return self.load_devices(folder, [spec])
        options = spec.options if isinstance(spec.options, PyTorchOptions) else PyTorchOptions()
        content = noted(folder)
        torch, transformers = network.imported()
        device = network.device_of(torch, bool(content["on_gpu"]), spec.device)
        capacity = max(1, asked.requests_in_flight)
        longest = asked.longest_prompt or int(content["positions"]) - asked.generation.max_new_tokens
        wanted = _bytes(content, asked, capacity, longest)
        network.require_memory(torch, device, wanted, str(content["benchmark"]), spec.precision)
        opened = network.opened(torch, transformers, Path(content["checkpoint"]), spec.precision, device)
        return PyTorchGenerator(opened, asked.generation, options, capacity, longest, spec.threads)

    def load_devices(self, folder: Path, specs: Sequence[EngineSpec]) -> TextGenerator:
        """A process for each stream of each device: on a GPU it sees that device alone, on processors it has its share of the threads."""
        named = [GeneratorSpec.require(spec) for spec in specs for _ in range(spec.streams)]
        parts = [replace(spec, streams=1, threads=-(-spec.threads // spec.streams)) for spec in named]
        devices = [(spec.device,) for spec in named]
        return GeneratorStreams(self.name, folder, parts, devices if noted(folder)["on_gpu"] else ())


def _bytes(content: Mapping[str, Any], spec: GeneratorSpec, capacity: int, longest: int) -> int:
    """Memory of the weights and of the KV cache of a whole batch, whose beams do not share the prompt."""
    size = network.BYTES[spec.precision]
    tokens = capacity * spec.generation.num_beams * (longest + spec.generation.max_new_tokens)
    return int(content["parameters"] * size * network.SPARE) + tokens * int(content["kv_numbers"]) * size


BACKEND = PyTorch()
