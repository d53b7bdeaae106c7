"""OpenVINO GenAI on processors: continuous batching with paged attention, greedy or beam search.

An engine is a folder with the model in OpenVINO's format, its weights in the requested precision, and what is needed to load it. The
precision of the computation and of the KV cache are always set, never left to the runtime; prefixes are never cached between
requests, which the MLPerf rules forbid.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends import memory
from code.backends.base import Backend, EngineSpec, missing_sdk, package_version
from code.backends.generators.base import Event, Generation, GeneratorSpec, TextGenerator
from code.backends.generators.streams import GeneratorStreams
from code.backends.generators.text import IR, IR_WEIGHTS, require_text, text_definition
from code.common import jsonfile
from code.common.errors import RunError, UsageError, last_words
from code.fields.consumer import Consumer
from code.harness.schema.options import OpenVinoGenAiOptions
from code.machine.detect import detect

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFERENCE_PRECISION = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32", "int4": "f32"}
"""Field value → INFERENCE_PRECISION_HINT; int8 and int4 apply to the weights only."""
KV_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "u8": 1}
WITH_FP32 = ("f32", "u8")
"""Formats of the KV cache that OpenVINO's attention reads when it computes in fp32 (2026.4)."""
NEEDS = {"bf16": {"avx512_bf16", "amx_bf16"}, "fp16": {"avx512_fp16", "amx_fp16"}}
BLOCK = 32
"""Tokens per block of the paged KV cache in OpenVINO's CPU plugin."""
FILE = "generator.json"
NGRAM = 3
"""Longest run of tokens that prompt lookup searches for in the prompt."""
TOKENS_A_STEP = 512
"""Prompt and generated tokens in one step: enough to fill the cores, few enough for new requests to start soon."""


ENGINE = Consumer("OpenVINO GenAI", ("precision",), engine=True, backends=("openvino_genai",))
RUNTIME = Consumer(
    "OpenVINO GenAI", ("kv_cache_gb", "kv_cache_precision", "max_num_tokens", "prompt_lookup"), backends=("openvino_genai",)
)


class OpenVinoGenerator:
    """A ContinuousBatchingPipeline and its requests."""

    def __init__(self, pipeline: Any, generation: Generation, capacity: int, lookup: int = 0) -> None:
        self.capacity = capacity
        self._pipeline = pipeline
        self._generation = generation
        self._config = _generation_config(generation, lookup)
        self._waiting: deque[tuple[int, NDArray[np.int32]]] = deque()
        self._running: dict[int, Any] = {}
        self._reported: dict[int, list[int]] = {}
        self._prompts: dict[int, NDArray[np.int32]] = {}
        self._early: dict[int, list[int]] = {}
        self._leaving: set[int] = set()
        self._arrived = threading.Condition()

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Queue it; the driving thread adds it to the pipeline when a slot is free."""
        with self._arrived:
            self._waiting.append((request, prompt))
            self._arrived.notify()

    def cancel(self, request: int) -> None:
        """End a request before the next step."""
        with self._arrived:
            self._leaving.add(request)
            self._arrived.notify()

    def advance(self, wait_s: float) -> list[Event]:
        """One step of the pipeline."""
        from openvino import Tensor

        with self._arrived:
            if not self._waiting and not self._running and not self._leaving:
                self._arrived.wait(wait_s)
            leaving, self._leaving = self._leaving, set()
            ended = self._given_up(leaving) if leaving else []
            new = [self._waiting.popleft() for _ in range(min(len(self._waiting), self.capacity - len(self._running)))]
        for request, prompt in new:
            ids = np.ascontiguousarray(prompt, dtype=np.int64)[None, :]
            if self._generation.num_beams > 1:
                self._prompts[request] = prompt
            self._running[request] = self._pipeline.add_request(request, Tensor(ids), self._config)
        if not self._running and not ended:
            return []
        self._pipeline.step()  # it also lets go of what was given up, with its blocks of the KV cache
        return ended + self._collect()

    def _given_up(self, leaving: set[int]) -> list[Event]:
        """The last events of those that wait, which they do no more, and of those that run."""
        tokens: dict[int, list[int]] = {request: [] for request, _ in self._waiting if request in leaving}
        self._waiting = deque(one for one in self._waiting if one[0] not in leaving)
        for request in leaving & self._running.keys():
            self._running.pop(request).cancel()
            self._prompts.pop(request, None)
            tokens[request] = [*self._early.pop(request, ()), *self._reported.pop(request, ())]
        return [Event(request, np.asarray(found, dtype=np.int32), True) for request, found in tokens.items()]

    def _collect(self) -> list[Event]:
        import openvino_genai as genai

        events = []
        for request, handle in list(self._running.items()):
            status = handle.get_status()
            if status == genai.GenerationStatus.RUNNING:
                if self._generation.stream and request not in self._reported and handle.can_read():
                    first = self._reported[request] = list(next(iter(handle.read().values())).generated_ids)
                    events.append(Event(request, np.asarray(first[:1], dtype=np.int32), False))
                continue
            if status != genai.GenerationStatus.FINISHED:
                raise RunError(
                    f"OpenVINO GenAI dropped request {request} ({status.name.lower()})",
                    "it ignores a request whose prompt does not fit into the KV cache",
                    "raise --kv_cache_gb, or lower the batch size",
                )
            outputs = handle.read_all()
            best = max(outputs, key=lambda output: output.score) if self._generation.num_beams > 1 else outputs[0]
            # generated_ids omits tokens that were read before.
            tokens = [*self._reported.pop(request, ()), *best.generated_ids]
            del self._running[request]
            if self._goes_on(request, tokens):
                continue
            events.append(Event(request, np.asarray([*self._early.pop(request, ()), *tokens], dtype=np.int32), True))
            self._prompts.pop(request, None)
        return events

    def _goes_on(self, request: int, tokens: list[int]) -> bool:
        """Whether a text that a beam search ended before min_new_tokens is continued.

        OpenVINO GenAI honours min_new_tokens in greedy search only (2026.4: its beam search does not run logit processors). Such a text
        continues greedily from where it ended, without its end-of-text token, to the minimum length or more.
        """
        text = tokens[:-1] if tokens and tokens[-1] == self._generation.eos else tokens
        missing = self._generation.min_new_tokens - len(text)
        if self._generation.num_beams == 1 or missing <= 0 or request in self._early:
            return False
        from openvino import Tensor

        rest = replace(
            self._generation,
            num_beams=1,
            min_new_tokens=missing,
            max_new_tokens=self._generation.max_new_tokens - len(text),
        )
        self._early[request] = text
        ids = np.concatenate([np.asarray(self._prompts[request], dtype=np.int64), np.asarray(text, dtype=np.int64)])
        self._running[request] = self._pipeline.add_request(request, Tensor(ids[None, :]), _generation_config(rest))
        return True

    def close(self) -> None:
        """Abandon running requests."""
        for handle in self._running.values():
            handle.cancel()
        self._running.clear()


class OpenVinoGenAi(Backend):
    """The OpenVINO GenAI backend."""

    name = "openvino_genai"
    label = "OpenVINOGenAI"
    runtime_key = "openvino_genai_version"
    device = "CPU"
    makes_precision = True
    harness_languages = ("python",)
    reads = (ENGINE, RUNTIME)

    def version(self) -> str:
        """The installed package's version."""
        return package_version("openvino-genai")

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The precision of the weights and of the computation; everything else is set at load time."""
        facts, text = require_text(self.name, values)
        precision = str(ENGINE.of(values)["precision"])
        if precision not in INFERENCE_PRECISION:
            raise UsageError(
                f"OpenVINO GenAI on a processor does not support {precision}",
                "it computes in fp32, bf16 or fp16, optionally with int8 or int4 weights",
                "choose one of " + ", ".join(INFERENCE_PRECISION) + " with --precision=…",
            )
        if precision in NEEDS and not detect().isa & NEEDS[precision]:
            raise UsageError(
                f"this processor has no {precision} instructions",
                f"OpenVINO would compute in fp32 instead, but the result would be labelled {precision}",
                "run with --precision=fp32, or --precision=int8 for smaller weights",
            )
        definition = text_definition(facts.name)
        return {
            "precision": precision,
            "inference_precision_hint": INFERENCE_PRECISION[precision],
            "max_beam_width": max(text.num_beams, definition.num_beams(values) or 1),
            "graph": definition.graph_version,
        }

    def device_identity(self) -> str:
        """Any processor: the model is compiled at load time."""
        return "CPU"

    def options(self, values: Mapping[str, Any], folder: Path) -> OpenVinoGenAiOptions:
        """Memory, format and step of the runtime."""
        read = RUNTIME.of(values)
        return OpenVinoGenAiOptions(
            kv_cache_gb=read.get("kv_cache_gb"),
            kv_cache_precision=read.get("kv_cache_precision"),
            max_num_tokens=read.get("max_num_tokens"),
            prompt_lookup=int(read.get("prompt_lookup") or 0),
        )

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Write the model in OpenVINO's format with weights in the requested precision; a checkpoint is exported first."""
        name = require_text(self.name, values)[0].name
        definition = text_definition(name)
        opened = definition.open_model(model)
        precision = str(ENGINE.of(values)["precision"])
        memory.require(memory.to_export(opened.parameters, precision, opened.is_exported), f"export {name} in {precision}")
        beams = int(self.build_settings(values)["max_beam_width"])
        details = definition.to_openvino(model, precision, folder, candidates=2 * beams)
        sizes = {"positions": opened.positions, "kv_numbers": opened.kv_numbers, "parameters": opened.parameters}
        settings = {"benchmark": name, **sizes, "precision": precision, "max_beam_width": beams}
        (folder / FILE).write_text(json.dumps(settings, indent=4) + "\n", encoding="utf-8")
        return details

    def load(self, folder: Path, spec: EngineSpec) -> TextGenerator:
        """Load the engine in `folder`. Insufficient memory is reported before anything is loaded."""
        return self.load_devices(folder, [spec])

    def load_devices(self, folder: Path, specs: Sequence[EngineSpec]) -> TextGenerator:
        """The engine on several groups of cores, as one generator.

        Its `step` holds the GIL and samples tokens on few threads between computations, so each stream is a process.
        """
        asked = [GeneratorSpec.require(spec) for spec in specs]
        first, streams = asked[0], sum(spec.streams for spec in asked)
        needs = _needs(folder, first, streams)
        if streams == 1:
            return self._load(folder, first, needs)
        fit = memory.available() // needs.one
        memory.require(
            needs.one * streams,
            f"load {needs.name} {streams} times in {first.precision}",
            f"run with --cpu_inference_streams={fit}" if fit else "",
        )
        share = replace(_options(first), kv_cache_gb=needs.kv_bytes / streams / 2**30)
        parts = [
            replace(spec, streams=1, threads=max(1, spec.threads // spec.streams), options=share)
            for spec in asked
            for _ in range(spec.streams)
        ]
        return GeneratorStreams(self.name, folder, parts)

    def _load(self, folder: Path, spec: GeneratorSpec, needs: _Needs) -> TextGenerator:
        try:
            import openvino_genai as genai
        except ImportError as error:
            raise missing_sdk("openvino-genai", "", error) from error
        memory.require(needs.one, f"load {needs.name} in {spec.precision}")
        scheduler = genai.SchedulerConfig()
        scheduler.num_kv_blocks = max(needs.least, min(needs.blocks, needs.kv_bytes // needs.block_bytes))
        scheduler.max_num_seqs = needs.capacity
        scheduler.max_num_batched_tokens = _options(spec).max_num_tokens or TOKENS_A_STEP
        scheduler.dynamic_split_fuse = True
        scheduler.enable_prefix_caching = False
        properties: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": INFERENCE_PRECISION[spec.precision],
            "KV_CACHE_PRECISION": needs.kv,
            "INFERENCE_NUM_THREADS": str(spec.threads),
            "ENABLE_CPU_PINNING": "NO",
            "sampler_num_threads": max(1, spec.threads),
        }
        lookup = _options(spec).prompt_lookup
        if lookup:
            properties["prompt_lookup"] = True
        try:
            pipeline = genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", properties)
        except RuntimeError as error:
            raise RunError(
                f"OpenVINO GenAI cannot load the engine {folder.name}",
                last_words(error),
                "rebuild it: make generate_engines RUN_ARGS='… --force_build'",
            ) from error
        return OpenVinoGenerator(pipeline, spec.generation, needs.capacity, lookup)


def _options(spec: EngineSpec) -> OpenVinoGenAiOptions:
    return spec.options if isinstance(spec.options, OpenVinoGenAiOptions) else OpenVinoGenAiOptions()


@dataclass(frozen=True)
class _Needs:
    """Memory that a stream of the engine of benchmark `name` needs.

    KV cache blocks: `blocks` for its whole `capacity`, `least` for one request. Bytes: of a block, of `one` stream with the least
    blocks, and `kv_bytes` for the blocks of all streams.
    """

    name: str
    capacity: int
    kv: str
    blocks: int
    least: int
    block_bytes: int
    one: int
    kv_bytes: int


def _needs(folder: Path, spec: GeneratorSpec, streams: int) -> _Needs:
    """UsageError when the engine supports fewer beams than requested."""
    sizes, generation = _sizes(folder), spec.generation
    if generation.num_beams > int(sizes["max_beam_width"]):
        raise UsageError(
            f"the engine {folder.name} supports at most {sizes['max_beam_width']} beams",
            f"num_beams is {generation.num_beams}",
            "run `make generate_engines` with the same RUN_ARGS",
        )
    lookup = _options(spec).prompt_lookup
    if lookup and generation.num_beams > 1:
        raise UsageError(
            f"prompt_lookup={lookup} needs a greedy search",
            f"num_beams is {generation.num_beams}, and guesses are checked against the one best token",
            "add --num_beams=1, or leave --prompt_lookup out",
        )
    capacity = max(1, spec.requests_in_flight)
    kv = _options(spec).kv_cache_precision or INFERENCE_PRECISION[spec.precision]
    if INFERENCE_PRECISION[spec.precision] == "f32" and kv not in WITH_FP32:
        raise UsageError(
            f"kv_cache_precision={kv} does not go with precision={spec.precision}",
            "OpenVINO's attention in fp32 reads keys and values in f32 or u8",
            "leave --kv_cache_precision out, choose u8, or compute in another precision with --precision=…",
        )
    block_bytes = BLOCK * int(sizes["kv_numbers"]) * KV_BYTES[kv]
    weights = (folder / IR_WEIGHTS).stat().st_size
    longest = spec.longest_prompt or int(sizes["positions"])
    least = _blocks(generation, longest, 1, lookup)
    given = _options(spec).kv_cache_gb
    kv_bytes = int(given * 2**30) if given else memory.kv_bytes(weights * streams)
    one = int(weights * memory.LOADED) + least * block_bytes
    name = str(sizes.get("benchmark") or "the model")
    return _Needs(name, capacity, kv, _blocks(generation, longest, capacity, lookup), least, block_bytes, one, kv_bytes)


def _generation_config(generation: Generation, lookup: int = 0) -> Any:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.num_beams = generation.num_beams
    config.min_new_tokens = generation.min_new_tokens
    config.max_new_tokens = generation.max_new_tokens
    config.eos_token_id = generation.eos
    config.stop_token_ids = set(generation.ends)
    config.do_sample = False
    if lookup:
        config.num_assistant_tokens = lookup
        config.max_ngram_size = NGRAM
    if generation.num_beams > 1:
        config.stop_criteria = genai.StopCriteria.EARLY if generation.early_stopping else genai.StopCriteria.HEURISTIC
    return config


def _blocks(generation: Generation, longest: int, requests: int, lookup: int = 0) -> int:
    """KV cache blocks that the requests can need: a request's beams share the prompt; the rest is separate for each beam."""
    prompt = -(-longest // BLOCK)
    own = -(-(generation.max_new_tokens + lookup) // BLOCK) + 1
    return requests * (prompt + 2 * generation.num_beams * own)


def _sizes(folder: Path) -> dict[str, Any]:
    try:
        content = jsonfile.read_object(folder / FILE)
        if "max_beam_width" not in content:
            reason = f"{FILE} does not give the number of beams it was built for"
        elif (folder / IR).is_file() and (folder / IR_WEIGHTS).is_file():
            return dict(content)
        else:
            reason = f"{IR} or {IR_WEIGHTS} is missing"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise RunError(
        f"the engine {folder.name} is incomplete", reason, "rebuild it: make generate_engines RUN_ARGS='… --force_build'"
    )


BACKEND = OpenVinoGenAi()
