"""`python -m tests.benchmarks.llm_serving [turns] [requests] [in flight]`: tiny Llama's generator directly and through our server.

Both have the same engine, streams and threads; the server is a process of its own on loopback, asked by the openai backend. Each turn
generates the same texts by both ways, whole and streamed. Prints tokens/s, the medians of the time to the first token and of the time
for each further one, the processor time of each process for a text, and the ratio of the rates: the median over turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from code.backends.generators.base import Generation, GeneratorSpec, TextGenerator
from code.backends.generators.openai import BACKEND as OPENAI
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.benchmarks.llama3_1_8b import facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text.generating import generation
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import GenerationSpec, PromptData
from code.harness.schema.options import OpenAiOptions, OpenVinoGenAiOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, RunSpec
from code.machine.detect import detect
from code.rules.benchmarks import facts_of
from code.run import llm_server
from tests.run_documents import BOTH

POSITIONS = 4096


@dataclass(frozen=True)
class Measured:
    """One pass over the prompts.

    Args:
        rate: tokens/s.
        first_ms, further_ms: medians of the time to the first token and of the time for each further one; nan without streams.
        spent_ms: processor time for a text, of each front and of the engine.
    """

    rate: float
    first_ms: float
    further_ms: float
    spent_ms: tuple[float, ...]


class Processes:
    """Processes whose processor time is counted: those that ask and answer, and those of the engine.

    Args:
        fronts: for each a process; the engine's are their children.
        others: children that are none.
    """

    def __init__(self, *fronts: psutil.Process, others: tuple[int, ...] = ()) -> None:
        self._fronts = fronts
        below = {one.pid: one for front in fronts for one in front.children(recursive=True)}
        self._engine = [one for pid, one in below.items() if pid not in others]

    def spent_s(self) -> list[float]:
        """Seconds up to now: of each front, and of the engine."""
        own = [sum(front.cpu_times()[:2]) for front in self._fronts]
        return [*own, sum(sum(one.cpu_times()[:2]) for one in self._engine)]


def pass_over(generator: TextGenerator, prompts: list[Any], in_flight: int, processes: Processes) -> Measured:
    """Generate a text for each prompt with a constant number in flight."""
    before = processes.spent_s()
    begun: dict[int, float] = {}
    first: dict[int, float] = {}
    firsts, furthers, tokens, given, done = [], [], 0, 0, 0
    start = time.perf_counter()
    while done < len(prompts):
        while given < len(prompts) and given - done < in_flight:
            begun[given] = time.perf_counter()
            generator.submit(given, prompts[given])
            given += 1
        for event in generator.advance(0.05):
            now = time.perf_counter()
            if not event.finished:
                first[event.request] = now
                continue
            done, tokens = done + 1, tokens + len(event.tokens)
            if event.request in first:
                firsts.append(first[event.request] - begun[event.request])
                if len(event.tokens) > 1:
                    furthers.append((now - first[event.request]) / (len(event.tokens) - 1))
    rate = tokens / (time.perf_counter() - start)
    medians = [1e3 * statistics.median(times) if times else float("nan") for times in (firsts, furthers)]
    spent = tuple(1e3 * (now - then) / len(prompts) for now, then in zip(processes.spent_s(), before, strict=True))
    return Measured(rate, *medians, spent)


def spec_of(folder: Path, prompts: list[Any], how: GenerationSpec, streams: int, in_flight: int) -> RunSpec:
    """run.json of the tiny Llama, whose engine is built into `folder`."""
    (folder / "engine").mkdir()
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": facts.NAME}, folder / "engine")
    lengths = np.array([len(one) for one in prompts], np.int32)
    np.save(folder / "tokens.npy", np.concatenate(prompts).astype(np.int32))
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    np.save(folder / "lengths.npy", lengths)
    names = ("tokens.npy", "offsets.npy", "lengths.npy")
    data = PromptData(str(folder), len(prompts), *names, POSITIONS, how, use_token_latencies=True)
    return replace(
        contract.parse(BOTH["sequence"], "run.json"),
        scenario="Offline",
        output_dir=str(folder),
        engines=(EngineEntry("openvino_genai", str(folder / "engine"), "fp32", OpenVinoGenAiOptions()),),
        devices=(DeviceEntry(0, "node 0", 0, (), streams, streams),),
        batch=BatchSettings(max_samples=max(1, in_flight // streams), timeout_us=0.0, padding=0.0),
        dataset=data,
    )


def main(turns: int = 3, requests: int = 512, in_flight: int = 64) -> None:
    """Measure and print."""
    opened = tokenizer.read(tiny.MODEL)
    text = facts_of(facts.NAME).text
    assert text is not None
    how = GenerationSpec(**generation(text, {}, opened.ends))
    streams = max(1, detect().usable_cores)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        articles, _ = record.evaluation_set(tiny.MODEL, folder / "data", requests)
        prompts = [np.array(articles.prompt(index), np.int32) for index in range(len(articles))]
        spec = spec_of(folder, prompts, how, streams, in_flight)
        longest = max(map(len, prompts))
        with llm_server.started(llm_server.Served(spec, facts.NAME, None), folder, "server", 600) as server:
            for stream in (False, True):
                asked = Generation.of(how, stream)
                one = GeneratorSpec(
                    *(streams, streams, "fp32"), generation=asked, requests_in_flight=in_flight // streams, longest_prompt=longest
                )
                options = OpenAiOptions((server.url,), facts.NAME)
                here = psutil.Process()
                serving = next(one for one in here.children() if "code.harness.python.llm_server" in one.cmdline())
                apart = tuple(one.pid for one in (serving, *serving.children(recursive=True), *here.children(recursive=True)))
                inside = OPENVINO.load(folder / "engine", one)
                ways = {
                    "in process": (inside, Processes(here, others=apart)),
                    "through HTTP": (
                        OPENAI.load(tiny.MODEL, replace(one, options=options)),
                        Processes(here, serving, others=tuple(child.pid for child in here.children())),
                    ),
                }
                _print("streamed" if stream else "whole", ways, prompts, turns, in_flight)
                for generator, _ in ways.values():
                    generator.close()


def _print(title: str, ways: dict[str, tuple[TextGenerator, Processes]], prompts: list[Any], turns: int, in_flight: int) -> None:
    found: dict[str, list[Measured]] = {name: [] for name in ways}
    for way in ways.values():
        pass_over(way[0], prompts[: 2 * in_flight], in_flight, way[1])
    for turn in range(turns):
        for name in sorted(ways, reverse=bool(turn % 2)):
            found[name].append(pass_over(ways[name][0], prompts, in_flight, ways[name][1]))
    print(f"{title}, {in_flight} in flight, {len(prompts)} texts, {turns} turns")
    for name, measured in found.items():
        values = [statistics.median(getattr(one, what) for one in measured) for what in ("rate", "first_ms", "further_ms")]
        print(f"  {name:14} {values[0]:9,.0f} tokens/s   first {values[1]:7.1f} ms   further {values[2]:6.2f} ms")
        spent = [statistics.median(turn) for turn in zip(*(one.spent_ms for one in measured), strict=True)]
        names = ("client", "server", "engine") if len(spent) == 3 else ("driver", "engine")
        print("    ms of a core a text: " + ", ".join(f"{who} {ms:.2f}" for who, ms in zip(names, spent, strict=True)))
    direct, served = (found[name] for name in ways)
    ratios = [one.rate / other.rate for one, other in zip(served, direct, strict=True)]
    print(f"  ratio          {statistics.median(ratios):9.3f}            ({min(ratios):.3f} to {max(ratios):.3f})", flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
