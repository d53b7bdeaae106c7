"""Where the time of text generation on processors goes: prefill against decoding, and what each knob of the runtime changes.

    .venv/bin/python -m tests.benchmarks.decoding [--prompts 96] [--times 3] [--seconds 220] [--only tiny_llama,tiny_gptj]
        [--shape FOLDER] [--precision bf16] [--engines FOLDER]

The tiny models unless `--shape` names another Llama checkpoint (scripts/make_llama_shape.py makes one of the 8B's shape), whose prompts are
random. Engines are built anew, or kept in `--engines` for another run. Each knob is changed alone, from a base of one stream on all cores,
64 requests in flight and 512 tokens in a step, in turn with the base; a row is the median of the turns, as tokens/s and over the base. The
bound of decoding is memory: a step reads all weights once, and the keys and values of every request. Needs a quiet machine; the load is
printed. It ends after `--seconds` with what it has. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND, FILE, KV_BYTES, NEEDS
from code.backends.generators.text import IR_WEIGHTS, text_definition
from code.benchmarks.benchmark import definition_of
from code.benchmarks.text.generating import generation
from code.common.errors import RunError
from code.harness.schema.options import OpenVinoGenAiOptions
from code.machine.detect import detect
from code.run import machine_rates

CORES = len(os.sched_getaffinity(0))
TINY = {
    "tiny_llama": ("llama3.1-8b", "code.benchmarks.llama3_1_8b.tiny"),
    "tiny_gptj": ("gptj", "code.benchmarks.gptj.tiny"),
}
SHAPE_PROMPT, SHAPE_NEW, SHAPE_FLIGHT = 512, 32, 16
"""Tokens of a random prompt, new tokens and requests of a named shape, whose steps take long."""


@dataclass(frozen=True)
class Way:
    """How the texts are generated."""

    name: str = "base"
    precision: str = "fp32"
    beams: int = 1
    streams: int = 1
    flight: int = 64
    kv: str | None = None
    step: int | None = None
    lookup: int = 0
    new: int | None = None


@dataclass
class Subject:
    """A model and its prompts.

    Args:
        how: generation settings of the benchmark's search.
        base: how it is generated where nothing is changed.
    """

    name: str
    benchmark: str
    model: Path
    prompts: list[Any]
    how: Generation
    base: Way
    scratch: Path
    rates: dict[str, list[float]] = field(default_factory=dict)

    def engine(self, precision: str) -> Path:
        """Its engine's folder."""
        folder = self.scratch / f"{self.name}-{precision}"
        if not (folder / FILE).is_file():  # it is written last
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            BACKEND.build(self.model, {"precision": precision, "benchmark": self.benchmark}, folder)
        return folder

    def run(self, way: Way) -> tuple[float, int]:
        """Seconds that all texts take, and how many tokens they have."""
        how = replace(self.how, num_beams=way.beams, early_stopping=way.beams > 1)
        if way.new:
            how = replace(how, min_new_tokens=way.new, max_new_tokens=way.new)
        spec = GeneratorSpec(
            way.streams,
            CORES,
            way.precision,
            OpenVinoGenAiOptions(kv_cache_precision=way.kv, max_num_tokens=way.step, prompt_lookup=way.lookup),  # type: ignore[arg-type]
            generation=how,
            requests_in_flight=max(1, way.flight // way.streams),
            longest_prompt=max(map(len, self.prompts)),
        )
        generator = BACKEND.load(self.engine(way.precision), spec)
        try:
            texts(generator, self.prompts[: 2 * way.streams])
            begin = time.perf_counter()
            found = texts(generator, self.prompts)
            return time.perf_counter() - begin, sum(map(len, found))
        finally:
            generator.close()

    def ways(self) -> Iterator[Way]:
        """The base and what differs from it in one knob."""
        base = self.base
        yield base
        yield replace(base, name="prefill alone (one new token)", new=1)
        yield replace(base, name="two streams, a core each", streams=2)
        yield replace(base, name="KV cache in u8", kv="u8")
        if base.precision == "fp32" and NEEDS["bf16"] & detect().isa:
            yield replace(base, name="all in bf16", precision="bf16")
        for flight in (1, 16, 128):
            yield replace(base, name=f"{flight} in flight", flight=flight)
        for step in (128, 2048):
            yield replace(base, name=f"{step} tokens in a step", step=step)
        if base.beams > 1:
            greedy = replace(base, beams=1)
            yield replace(greedy, name="greedy")
            yield replace(greedy, name="greedy, prefill alone", new=1)
        else:
            yield replace(base, name="prompt lookup of 4 tokens", lookup=4)


def tiny_subject(name: str, count: int, scratch: Path) -> Subject:
    """A tiny model with the first articles of its evaluation set, longest first."""
    benchmark, package = TINY[name]
    tiny, record = import_module(package), import_module(f"{package}.record")
    folder = scratch / name
    folder.mkdir(parents=True, exist_ok=True)
    opened, _ = record.evaluation_set(tiny.MODEL, folder, count)
    prompts = sorted((np.array(opened.prompt(i)) for i in range(count)), key=len, reverse=True)
    definition: Any = definition_of(benchmark)
    settings = generation(definition.text, {}, definition.open_vocabulary(tiny.MODEL).ends)
    how = Generation.of(settings)
    return Subject(name, benchmark, tiny.MODEL, prompts, how, Way(beams=how.num_beams, flight=64), scratch)


def shape_subject(folder: Path, precision: str, scratch: Path) -> Subject:
    """A checkpoint with random weights and random prompts, whose texts all have the same length."""
    definition: Any = definition_of("llama3.1-8b")
    entries = int(definition.open_model(folder).config["vocab_size"])
    prompts = list(np.random.default_rng(0).integers(0, 1000, (SHAPE_FLIGHT, SHAPE_PROMPT), dtype=np.int32))
    how = Generation(1, SHAPE_NEW, SHAPE_NEW, False, entries - 1)
    base = Way(precision=precision, flight=SHAPE_FLIGHT)
    return Subject(folder.name, "llama3.1-8b", folder, prompts, how, base, scratch)


def step_bytes(subject: Subject, way: Way) -> tuple[float, float]:
    """Bytes of the weights, and of the keys and values of a request of mean length at half of its text."""
    sizes = text_definition(subject.benchmark).open_model(subject.model)
    weights = (subject.engine(way.precision) / IR_WEIGHTS).stat().st_size
    kv = KV_BYTES[way.kv or {"fp32": "f32", "int8": "f32", "int4": "f32"}.get(way.precision, way.precision)]
    tokens = statistics.mean(map(len, subject.prompts)) + subject.how.max_new_tokens / 2
    return float(weights), tokens * sizes.kv_numbers * kv * way.beams


def report(subject: Subject, results: dict[Way, list[tuple[float, int]]], read: float) -> None:
    """The rows of a subject; `read` in bytes per second."""
    base = subject.base
    seconds = {way: statistics.median(s for s, _ in found) for way, found in results.items() if found}
    tokens = {way: found[0][1] for way, found in results.items() if found}
    prompt_tokens = sum(map(len, subject.prompts))
    mean = prompt_tokens / len(subject.prompts)
    print(f"\n{subject.name}: {len(subject.prompts)} prompts of {mean:.0f} tokens, {base.precision}, beams: {base.beams}")
    for way, took in seconds.items():
        print(
            f"| {way.name} | {tokens[way] / took:,.0f} tokens/s | {took:.2f} s | {seconds[base] / took:.2f} of the base's speed | "
            f"{', '.join(f'{s:.2f}' for s, _ in results[way])} |"
        )
    one = of_bound(subject, results, read)
    if one is None:
        return
    print(
        f"prefill: {one.prefill:.0%} of the time, {prompt_tokens / one.prefill_s:,.0f} prompt tokens/s; decoding: "
        f"{one.rate:,.0f} tokens/s; a step of {one.flight} reads {one.step_bytes / 1e6:,.1f} MB ({one.weights / 1e6:,.1f} of "
        f"weights), so memory at {read / 1e9:.1f} GB/s allows {one.most:,.0f} tokens/s: {one.rate / one.most:.3f} of the bound"
    )


@dataclass(frozen=True)
class OfBound:
    """Decoding against what memory allows.

    Args:
        rate, most: tokens per second reached, and by the bytes of a step.
        prefill, prefill_s: its share of the whole time, and its seconds.
        step_bytes, weights: bytes that a step reads, and those of the weights among them.
        flight: requests in a step.
    """

    rate: float
    most: float
    prefill: float
    prefill_s: float
    step_bytes: float
    weights: float
    flight: int


def of_bound(subject: Subject, results: Mapping[Way, Sequence[tuple[float, int]]], read: float) -> OfBound | None:
    """The base way against memory that is read at `read` bytes/s; None where it or its prefill were not run."""
    base = subject.base
    seconds = {way: statistics.median(s for s, _ in found) for way, found in results.items() if found}
    alone = next((way for way in seconds if way.new == 1 and way.beams == base.beams), None)
    if alone is None or base not in seconds:
        return None
    decoded = results[base][0][1] - len(subject.prompts)
    weights, kv = step_bytes(subject, base)
    flight = min(base.flight, len(subject.prompts))
    step = weights + flight * kv
    first = seconds[alone]
    rate = decoded / (seconds[base] - first)
    return OfBound(rate, flight * read / step, first / seconds[base], first, step, weights, flight)


def main() -> None:
    """See the head of the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=220.0)
    parser.add_argument("--only", type=lambda words: words.split(","), default=list(TINY))
    parser.add_argument("--shape", type=Path)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--engines", type=Path)
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    read = 1e9 * machine_rates.bandwidth(CORES)["read_gb_per_s"]
    with tempfile.TemporaryDirectory() as scratch:
        place = options.engines or Path(scratch)
        subjects = (
            [shape_subject(options.shape, options.precision, place)]
            if options.shape
            else [tiny_subject(name, options.prompts, place) for name in options.only]
        )
        results: dict[str, dict[Way, list[tuple[float, int]]]] = {one.name: {way: [] for way in one.ways()} for one in subjects}
        failed: list[Way] = []
        for _ in range(options.times):
            for one in subjects:
                for way in one.ways():
                    if time.monotonic() < end and way not in failed:
                        try:
                            results[one.name][way].append(one.run(way))
                        except RunError as error:
                            failed.append(way)
                            print(f"{one.name}, {way.name}: {error.what}")
        for one in subjects:
            report(one, results[one.name], read)
    print(f"\nload {os.getloadavg()[0]:.1f} on {CORES} cores, {options.times} turns")


if __name__ == "__main__":
    main()
