"""TensorRT-LLM on NVIDIA GPUs: its executor with in-flight batching, paged KV cache and beam search, one for each device.

This module has never been executed: it is written against the Python bindings of TensorRT-LLM 0.17 to 1.2
(tensorrt_llm.bindings.executor) and its command trtllm-build, and needs an NVIDIA GPU with that package. Later versions have neither:
the engine route was removed (TensorRT-LLM's "Migration Guide: TensorRT Backend Removed"), and they are refused.

An engine is made of a TensorRT-LLM checkpoint, which TensorRT-LLM's own scripts make of the Hugging Face one (convert_checkpoint.py of
its example for the architecture; quantize.py for fp8). It is looked for inside the model's folder, as trtllm-<precision>-tp<N>-pp<N>.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import Backend, EngineSpec
from code.backends.generators.base import Event, Generation, GeneratorSpec, TextGenerator
from code.backends.generators.tensorrt_llm_groups import (
    KV_FRACTION,
    NO_EVICTION,
    POLICIES,
    PRECISION,
    choice,
    grouped,
    precision_of,
    require_one_stream,
    require_visible,
)
from code.backends.generators.tensorrt_llm_package import missing, no_checkpoint, supported_version
from code.backends.generators.text import require_text, text_definition
from code.common.errors import RunError, UsageError, last_words, unknown
from code.fields.consumer import Consumer
from code.harness.schema.options import Options, TensorRtLlmOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16", "fp8": "float16", "int8": "float16", "int4": "float16"}
"""Precision → data type of everything that is not quantised."""
BATCHING_MODES = {"IFB": "INFLIGHT", "INFLIGHT": "INFLIGHT", "STATIC": "STATIC"}
FILE = "generator.json"

ENGINE = Consumer(
    "TensorRT-LLM builder",
    (
        "max_batch",
        "max_new_tokens",
        "max_num_tokens",
        "tensor_parallelism",
        "pipeline_parallelism",
    ),
    engine=True,
    backends=("tensorrt_llm",),
)
EXECUTOR = Consumer(
    "TensorRT-LLM executor",
    ("kvcache_free_gpu_mem_frac", "trtllm_batching_mode", "trtllm_batch_sched_policy"),
    backends=("tensorrt_llm",),
)


class TrtLlmGenerator:
    """An executor and its requests."""

    def __init__(self, executor: Any, generation: Generation, capacity: int) -> None:
        trtllm = _executor()

        self.capacity = capacity
        self._executor = executor
        self._generation = generation
        self._sampling = trtllm.SamplingConfig(
            beam_width=generation.num_beams,
            min_tokens=generation.min_new_tokens,
            early_stopping=int(generation.early_stopping) if generation.num_beams > 1 else None,
        )
        self._output = trtllm.OutputConfig(exclude_input_from_output=True)
        self._known: dict[int, int] = {}
        self._texts: dict[int, list[int]] = {}
        self._leaving: set[int] = set()
        self._lock = threading.Lock()

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Pass it to the executor, which queues it."""
        trtllm = _executor()

        asked = trtllm.Request(
            input_token_ids=[int(token) for token in prompt],
            max_tokens=self._generation.max_new_tokens,
            streaming=self._streams,
            sampling_config=self._sampling,
            output_config=self._output,
            end_id=self._generation.eos,
            pad_id=self._generation.eos,
        )
        with self._lock:
            self._known[self._executor.enqueue_request(asked)] = request

    def cancel(self, request: int) -> None:
        """Cancel it in the executor, which answers it for the last time."""
        with self._lock:
            for number in [number for number, known in self._known.items() if known == request]:
                self._leaving.add(number)
                self._executor.cancel_request(number)

    def advance(self, wait_s: float) -> list[Event]:
        """Events since the last call; the executor computes in its own threads."""
        responses = self._executor.await_responses(timedelta(seconds=wait_s))
        events = []
        with self._lock:
            for response in responses:
                request = self._known[response.request_id]
                if response.request_id in self._leaving:
                    if response.has_error() or response.result.is_final:
                        events.append(Event(request, self._left(response.request_id), True))
                    continue
                if response.has_error():
                    raise RunError(
                        f"TensorRT-LLM dropped request {request}", str(response.error_msg), "see its messages in stdout.txt"
                    )
                result = response.result
                text = self._texts.setdefault(response.request_id, [])
                first = self._streams and not text
                text.extend(result.output_token_ids[0])  # beams are sorted, best first
                if result.is_final:
                    events.append(Event(request, np.asarray(text, dtype=np.int32), True))
                    del self._known[response.request_id], self._texts[response.request_id]
                elif first and text:
                    events.append(Event(request, np.asarray(text[:1], dtype=np.int32), False))
        return events

    def _left(self, number: int) -> NDArray[np.int32]:
        """The tokens that a cancelled request had; it is forgotten."""
        self._leaving.remove(number)
        del self._known[number]
        return np.asarray(self._texts.pop(number, ()), dtype=np.int32)

    def close(self) -> None:
        """Shut down the executor and its workers."""
        self._executor.shutdown()

    @property
    def _streams(self) -> bool:
        """Whether tokens are streamed: beam search may revise all tokens until its end, greedy search does not."""
        return self._generation.stream and self._generation.num_beams == 1


class TrtLlm(Backend):
    """The TensorRT-LLM backend."""

    name = "tensorrt_llm"
    label = "TRTLLM"
    runtime_key = "tensorrt_llm_version"
    device = "GPU"
    makes_precision = True
    harness_languages = ("python",)
    reads = (PRECISION, ENGINE, EXECUTOR)

    def version(self) -> str:
        """The installed package's version. MissingError without it, or where it is one that has no engines."""
        return supported_version()

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of trtllm-build."""
        facts, text = require_text(self.name, values)
        read, executor = ENGINE.of(values), EXECUTOR.of(values)
        precision = precision_of(values)
        if precision not in DTYPES:
            raise unknown("precision", precision, DTYPES, "--precision")
        choice("trtllm_batching_mode", executor.get("trtllm_batching_mode"), BATCHING_MODES)
        choice("trtllm_batch_sched_policy", executor.get("trtllm_batch_sched_policy"), POLICIES)
        batch = read.get("max_batch")
        beams = int(text_definition(facts.name).num_beams(values) or text.num_beams)
        return {
            "precision": precision,
            "tensor_parallelism": int(read.get("tensor_parallelism") or 1),
            "pipeline_parallelism": int(read.get("pipeline_parallelism") or 1),
            "max_batch_size": int(batch or 1),
            "max_beam_width": beams,
            "max_input_len": text.longest_input,
            "max_seq_len": text.longest_input + int(read.get("max_new_tokens") or text.max_new_tokens),
            "max_num_tokens": read.get("max_num_tokens"),
        }

    def device_identity(self) -> str:
        """The kind of device; which one is in the system's name."""
        return "NVIDIA GPU"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Run trtllm-build on the TensorRT-LLM checkpoint inside `model`."""
        settings = self.build_settings(values)
        _, text = require_text(self.name, values)
        tp, pp, precision = settings["tensor_parallelism"], settings["pipeline_parallelism"], settings["precision"]
        checkpoint = model / f"trtllm-{precision}-tp{tp}-pp{pp}"
        if not (checkpoint / "config.json").is_file():
            raise no_checkpoint(
                checkpoint, model, text.architecture, precision, DTYPES[precision], f"--tp_size {tp} --pp_size {pp}"
            )
        command = shutil.which("trtllm-build")
        if command is None:
            raise missing(FileNotFoundError("trtllm-build is not on the path"))
        arguments = {
            "--checkpoint_dir": checkpoint,
            "--output_dir": folder,
            "--gpt_attention_plugin": DTYPES[precision],
            "--gemm_plugin": "fp8" if precision == "fp8" else DTYPES[precision],
            **{f"--{name}": settings[name] for name in ("max_batch_size", "max_beam_width", "max_input_len", "max_seq_len")},
        }
        if settings["max_num_tokens"]:
            arguments["--max_num_tokens"] = settings["max_num_tokens"]
        words = [command, *(str(word) for pair in arguments.items() for word in pair)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise RunError(
                f"trtllm-build ended with exit status {done.returncode}",
                lines[-1] if lines else "it printed nothing",
                " ".join(words),
            )
        (folder / FILE).write_text(json.dumps(settings, indent=4) + "\n", encoding="utf-8")
        return {"made": " ".join(words)}

    def options(self, values: Mapping[str, Any], folder: Path) -> Options:
        """Batching and memory of the executor."""
        read = EXECUTOR.of(values)
        return TensorRtLlmOptions(
            trtllm_batching_mode=read.get("trtllm_batching_mode"),
            trtllm_batch_sched_policy=read.get("trtllm_batch_sched_policy"),
            kvcache_free_gpu_mem_frac=read.get("kvcache_free_gpu_mem_frac"),
        )

    def load_devices(self, folder: Path, specs: Sequence[EngineSpec]) -> TextGenerator:
        """An executor for each device, in a process that sees that device alone; of an engine that spans devices, one for each group.

        UsageError where the devices are no whole number of groups.
        """
        return grouped(self.name, folder, specs, _ranks(folder))

    def load(self, folder: Path, spec: EngineSpec) -> TrtLlmGenerator:
        """An executor over the engine's ranks."""
        self.version()
        require_one_stream(self.name, [spec])
        ranks = _ranks(folder)
        require_visible(folder, ranks)
        trtllm = _executor()
        asked = GeneratorSpec.require(spec)
        options = spec.options if isinstance(spec.options, TensorRtLlmOptions) else TensorRtLlmOptions()
        settings = json.loads((folder / FILE).read_text(encoding="utf-8"))
        generation = asked.generation
        if generation.num_beams > settings["max_beam_width"]:
            raise UsageError(
                f"the engine {folder.name} supports at most {settings['max_beam_width']} beams",
                f"num_beams is {generation.num_beams}",
                "rebuild it: make generate_engines RUN_ARGS='… --force_build'",
            )
        config = trtllm.ExecutorConfig(
            max_beam_width=generation.num_beams,
            max_batch_size=settings["max_batch_size"],
            max_num_tokens=settings["max_num_tokens"],
            batching_type=getattr(
                trtllm.BatchingType,
                choice("trtllm_batching_mode", options.trtllm_batching_mode, BATCHING_MODES) or "INFLIGHT",
            ),
            scheduler_config=trtllm.SchedulerConfig(
                getattr(
                    trtllm.CapacitySchedulerPolicy,
                    choice("trtllm_batch_sched_policy", options.trtllm_batch_sched_policy, POLICIES) or NO_EVICTION,
                )
            ),
            kv_cache_config=trtllm.KvCacheConfig(
                free_gpu_memory_fraction=options.kvcache_free_gpu_mem_frac or KV_FRACTION,
                enable_block_reuse=False,  # the rules forbid caching prefixes between queries
            ),
        )
        if ranks > 1:
            worker = Path(str(importlib.import_module("tensorrt_llm").__file__)).parent / "bin" / "executorWorker"
            config.parallel_config = trtllm.ParallelConfig(
                trtllm.CommunicationType.MPI,
                trtllm.CommunicationMode.ORCHESTRATOR,
                list(range(ranks)),
                None,
                trtllm.OrchestratorConfig(True, str(worker)),
            )
        try:
            executor = trtllm.Executor(folder, trtllm.ModelType.DECODER_ONLY, config)
        except RuntimeError as error:
            raise RunError(
                f"TensorRT-LLM cannot load the engine {folder.name}",
                last_words(error),
                "rebuild it: make generate_engines RUN_ARGS='… --force_build'",
            ) from error
        capacity = max(1, asked.requests_in_flight or int(settings["max_batch_size"]))
        return TrtLlmGenerator(executor, generation, capacity)


def _executor() -> Any:
    """The executor's bindings module. MissingError when TensorRT-LLM is not installed."""
    try:
        return importlib.import_module("tensorrt_llm.bindings.executor")
    except ImportError as error:
        raise missing(error) from error


def _ranks(folder: Path) -> int:
    """How many GPUs an executor of the engine takes."""
    settings = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return int(settings["tensor_parallelism"]) * int(settings["pipeline_parallelism"])


BACKEND = TrtLlm()
