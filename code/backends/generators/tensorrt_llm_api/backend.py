"""TensorRT-LLM through its LLM API on NVIDIA GPUs: in-flight batching, paged KV cache, greedy and beam search; one model for each group.

This package has never been executed: it is written against the LLM API of TensorRT-LLM 1.2 and 1.3 (tensorrt_llm.llmapi), which loads a
Hugging Face checkpoint itself and is what versions from 1.3 on have alone. tests/facts/tensorrt_llm_api.json names what it asks of it.

An engine is a note of the checkpoint: the model's own, or one that ModelOpt quantised (quantised.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.backends.base import Backend, EngineSpec
from code.backends.generators.base import Generation, GeneratorSpec, TextGenerator
from code.backends.generators.noted import note, noted
from code.backends.generators.tensorrt_llm_api.generator import LlmApiGenerator
from code.backends.generators.tensorrt_llm_api.quantised import DTYPES, PRECISIONS, checkpoint_for
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
from code.backends.generators.tensorrt_llm_package import API_REQUIREMENT, missing, supported_api_version
from code.backends.generators.text import require_text, text_definition
from code.common.errors import RunError, UsageError, last_words, unknown
from code.fields.consumer import Consumer
from code.harness.schema.options import Options, TensorRtLlmApiOptions

STEP_TOKENS = 8192
"""Tokens of a step where the workload does not say how many: the API's own default."""

ENGINE = Consumer(
    "TensorRT-LLM's LLM API",
    (
        "max_batch",
        "max_new_tokens",
        "max_num_tokens",
        "tensor_parallelism",
        "pipeline_parallelism",
    ),
    engine=True,
    backends=("tensorrt_llm_api",),
)
RUNTIME = Consumer(
    "TensorRT-LLM's LLM API",
    ("kvcache_free_gpu_mem_frac", "trtllm_batch_sched_policy"),
    backends=("tensorrt_llm_api",),
)


class TrtLlmApi(Backend):
    """The backend of TensorRT-LLM's LLM API."""

    name = "tensorrt_llm_api"
    label = "TRTLLM"
    runtime_key = "tensorrt_llm_version"
    device = "GPU"
    makes_precision = True
    harness_languages = ("python",)
    reads = (PRECISION, ENGINE, RUNTIME)

    def version(self) -> str:
        """The installed package's version. MissingError without it, or for one that is too old."""
        return supported_api_version()

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the model is loaded with. UsageError for an unknown precision or policy."""
        facts, text = require_text(self.name, values)
        read = ENGINE.of(values)
        precision = precision_of(values)
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS, "--precision")
        choice("trtllm_batch_sched_policy", RUNTIME.of(values).get("trtllm_batch_sched_policy"), POLICIES)
        return {
            "benchmark": facts.name,
            "precision": precision,
            "tensor_parallelism": int(read.get("tensor_parallelism") or 1),
            "pipeline_parallelism": int(read.get("pipeline_parallelism") or 1),
            "max_batch_size": int(read.get("max_batch") or 1),
            "max_beam_width": int(text_definition(facts.name).num_beams(values) or text.num_beams),
            "max_input_len": text.longest_input,
            "max_seq_len": text.longest_input + int(read.get("max_new_tokens") or text.max_new_tokens),
            "max_num_tokens": int(read.get("max_num_tokens") or STEP_TOKENS),
        }

    def device_identity(self) -> str:
        """The kind of device; which one is in the system's name."""
        return "NVIDIA GPU"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Note where the checkpoint of the precision is, what it is loaded with and which files it has.

        MissingError where there is none of the precision, UsageError where the model is quantised to another.
        """
        settings = self.build_settings(values)
        chosen = checkpoint_for(model, settings["precision"])
        checkpoint = text_definition(settings["benchmark"]).open_model(chosen)
        note(folder, settings, chosen, checkpoint, "TensorRT-LLM")
        return {"made": "nothing was built: TensorRT-LLM reads the checkpoint"}

    def options(self, values: Mapping[str, Any], folder: Path) -> Options:
        """Scheduling and memory."""
        read = RUNTIME.of(values)
        return TensorRtLlmApiOptions(read.get("trtllm_batch_sched_policy"), read.get("kvcache_free_gpu_mem_frac"))

    def load_devices(self, folder: Path, specs: Sequence[EngineSpec]) -> TextGenerator:
        """A model for each device, in a process that sees that device alone; one over several devices for each group of them.

        UsageError where the devices are no whole number of groups.
        """
        return grouped(self.name, folder, specs, _ranks(noted(folder)))

    def load(self, folder: Path, spec: EngineSpec) -> TextGenerator:
        """The model on this process's devices."""
        self.version()
        require_one_stream(self.name, [spec])
        content = noted(folder)
        require_visible(folder, _ranks(content))
        asked = GeneratorSpec.require(spec)
        if asked.generation.num_beams > content["max_beam_width"]:
            raise UsageError(
                f"the engine {folder.name} supports at most {content['max_beam_width']} beams",
                f"num_beams is {asked.generation.num_beams}",
                "rebuild it: make generate_engines RUN_ARGS='… --force_build'",
            )
        llmapi = _llmapi()
        options = spec.options if isinstance(spec.options, TensorRtLlmApiOptions) else TensorRtLlmApiOptions()
        llm = opened(llmapi, content, asked.generation, options)
        capacity = max(1, asked.requests_in_flight or int(content["max_batch_size"]))
        return LlmApiGenerator(llm, sampling(llmapi, asked.generation), asked.generation, capacity)


def opened(llmapi: Any, content: Mapping[str, Any], generation: Generation, options: TensorRtLlmApiOptions) -> Any:
    """The loaded model. RunError with TensorRT-LLM's message where it cannot be loaded.

    Args:
        llmapi: the module tensorrt_llm.llmapi.
        content: the engine's note.
    """
    greedy = generation.num_beams == 1
    policy = choice("trtllm_batch_sched_policy", options.trtllm_batch_sched_policy, POLICIES) or NO_EVICTION
    batch, step = int(content["max_batch_size"]), int(content["max_num_tokens"])
    try:
        return llmapi.LLM(
            model=str(content["checkpoint"]),
            skip_tokenizer_init=True,
            dtype=DTYPES.get(str(content["precision"]), "auto"),
            tensor_parallel_size=int(content["tensor_parallelism"]),
            pipeline_parallel_size=int(content["pipeline_parallelism"]),
            max_batch_size=batch,
            max_beam_width=generation.num_beams,
            max_seq_len=int(content["max_seq_len"]),
            max_num_tokens=step,
            # Without it, a prompt longer than a step is refused.
            enable_chunked_prefill=step < int(content["max_input_len"]),
            kv_cache_config=llmapi.KvCacheConfig(
                free_gpu_memory_fraction=options.kvcache_free_gpu_mem_frac or KV_FRACTION,
                enable_block_reuse=False,  # the rules forbid caching prefixes between queries
            ),
            scheduler_config=llmapi.SchedulerConfig(capacity_scheduler_policy=getattr(llmapi.CapacitySchedulerPolicy, policy)),
            # Its beam search runs neither in CUDA graphs nor with the scheduler that overlaps steps.
            cuda_graph_config=llmapi.CudaGraphConfig(max_batch_size=batch, enable_padding=True) if greedy else None,
            disable_overlap_scheduler=not greedy,
        )
    except Exception as error:  # its errors have no common class
        raise RunError(
            f"TensorRT-LLM cannot load {content['checkpoint']}",
            f"{type(error).__name__}: {last_words(error)}",
            "see its messages in stdout.txt; where memory runs out, lower --gpu_batch_size or --kvcache_free_gpu_mem_frac",
        ) from error


def sampling(llmapi: Any, generation: Generation) -> Any:
    """How texts are searched: greedily, or by beams of which the best is returned."""
    greedy = generation.num_beams == 1
    return llmapi.SamplingParams(
        end_id=generation.eos,
        stop_token_ids=list(generation.also_ends) or None,
        min_tokens=generation.min_new_tokens,
        max_tokens=generation.max_new_tokens,
        best_of=None if greedy else generation.num_beams,
        use_beam_search=not greedy,
        top_k=1 if greedy else None,
        detokenize=False,
    )


def _llmapi() -> Any:
    """The LLM API's module. MissingError when TensorRT-LLM is not installed."""
    try:
        return importlib.import_module("tensorrt_llm.llmapi")
    except ImportError as error:
        raise missing(error, API_REQUIREMENT) from error


def _ranks(content: Mapping[str, Any]) -> int:
    """How many GPUs the model of a note takes."""
    return int(content["tensor_parallelism"]) * int(content["pipeline_parallelism"])


BACKEND = TrtLlmApi()
