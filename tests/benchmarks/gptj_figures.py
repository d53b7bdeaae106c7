"""GPT-J's figures: text generation by OpenVINO GenAI over Hugging Face one prompt at a time, the harness over the bare pipeline, Server
over Offline, and memory.

    .venv/bin/python -m tests.benchmarks.gptj_figures [--model FOLDER] [--prompts 256] [--times 3] [--precision fp32,int8,bf16]
        [--only memory,cost,reference,overhead,server]

`--model` is the tiny one unless another is named (scripts/make_gptj_shape.py makes a larger one); `reference` needs torch and
transformers. Needs a quiet machine: the load is printed beside every figure. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from code.backends import memory
from code.backends.generators.base import Generation, GeneratorSpec, TextGenerator, texts
from code.backends.generators.openvino_genai import BACKEND
from code.benchmarks.gptj import facts, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.benchmarks.gptj.tiny import record
from code.benchmarks.text.generating import generation
from code.harness.schema.datasets import of_benchmark
from code.harness.schema.options import OpenVinoGenAiOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, LogSettings, RunSpec

CORES = len(os.sched_getaffinity(0))
IN_FLIGHT = 64


class Subject:
    """A model, its prompts and its engines."""

    def __init__(self, model: Path, count: int, scratch: Path) -> None:
        self.model, self.scratch = model, scratch
        opened, _ = record.evaluation_set(model, scratch, count)
        self.end, self.folder = opened.end, opened.folder
        self.prompts = sorted((np.array(opened.prompt(i)) for i in range(count)), key=len, reverse=True)

    def engine(self, precision: str) -> Path:
        """Its engine's folder."""
        folder = self.scratch / f"engine-{precision}"
        if not folder.is_dir():
            folder.mkdir()
            BACKEND.build(self.model, {"precision": precision, "benchmark": facts.NAME}, folder)
        return folder

    def load(self, precision: str, beams: int, streams: int = 1) -> Any:
        """Its engine, loaded."""
        how = Generation.of(generation(BENCHMARK.text, {"num_beams": beams}, (self.end,)))
        longest = len(self.prompts[0])
        spec = GeneratorSpec(streams, CORES, precision, generation=how, requests_in_flight=IN_FLIGHT, longest_prompt=longest)
        return BACKEND.load(self.engine(precision), spec)


def rate(run: Callable[[], list[Any]]) -> tuple[float, float]:
    """Tokens per second, and per second of processor time, of a run that answers with texts."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = sum(len(text) for text in run())
    return tokens / (time.perf_counter() - wall), tokens / (time.process_time() - cpu)


def say(name: str, words: str) -> None:
    """One figure with the load it was taken under."""
    print(f"{name}: {words} (load {os.getloadavg()[0]:.1f} on {CORES} cores)", flush=True)


def reference(subject: Subject, options: argparse.Namespace) -> None:
    """Tokens per second over Hugging Face's, and how many texts are the same."""
    for beams in record.BEAMS:
        few = subject.prompts[:: max(1, len(subject.prompts) // 16)]
        theirs: list[list[int]] = []

        def hugging_face(few: list[Any] = few, theirs: list[list[int]] = theirs, beams: int = beams) -> list[Any]:
            theirs[:] = record.hugging_face(subject.model, few, beams, subject.end)
            return theirs

        slow = rate(hugging_face)
        for precision in options.precision:
            generator = subject.load(precision, beams)
            texts(generator, subject.prompts[:4])
            found: list[Any] = []

            def genai(generator: Any = generator, found: list[Any] = found) -> list[Any]:
                found[:] = texts(generator, subject.prompts)
                return found

            fast = rate(genai)
            mine = {p.tobytes(): t.tolist() for p, t in zip(subject.prompts, found, strict=True)}
            same = sum(mine[p.tobytes()] == t for p, t in zip(few, theirs, strict=True))
            say(
                f"{beams} beams, {precision}",
                f"{fast[0]:,.0f} tokens/s against Hugging Face's {slow[0]:,.0f}: {fast[0] / slow[0]:.1f}x by the clock, "
                f"{fast[1] / slow[1]:.1f}x by processor time; {same} of {len(few)} texts the same",
            )
            generator.close()


def bare_rate(generator: TextGenerator, subject: Subject) -> float:
    """Samples a second of all prompts submitted at once."""
    start = time.perf_counter()
    texts(generator, subject.prompts)
    return len(subject.prompts) / (time.perf_counter() - start)


def cost(subject: Subject, options: argparse.Namespace) -> None:
    """Processor seconds for 1,000 samples, by a whole engine with all its requests in flight."""
    for precision in options.precision:
        generator = subject.load(precision, facts.NUM_BEAMS)
        texts(generator, subject.prompts[:8])
        before = time.process_time()
        texts(generator, subject.prompts)
        seconds = (time.process_time() - before) / len(subject.prompts) * 1000
        say("cost", f"{seconds:.1f} processor seconds for 1,000 samples, {facts.NUM_BEAMS} beams, {precision}")
        generator.close()


def run_json(subject: Subject, scenario: str, folder: Path, conf: dict[str, Any]) -> Path:
    """A run of the Python harness over the subject's prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"gptj.{scenario}.{key} = {value}" for key, value in conf.items()]
    (folder / "user.conf").write_text("\n".join(lines) + "\n")
    dataset = {
        "kind": "prompts",
        "folder": str(subject.folder),
        "count": len(subject.prompts),
        "tokens": "tokens.npy",
        "offsets": "offsets.npy",
        "lengths": "lengths.npy",
        "positions": 2048,
        "generation": generation(BENCHMARK.text, {}, (subject.end,)),
    }
    path = folder / "run.json"
    RunSpec(
        benchmark="gptj",
        scenario=scenario,  # type: ignore[arg-type]
        test_mode="PerformanceOnly",
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf="",
        engines=(EngineEntry("openvino_genai", str(subject.engine("fp32")), "fp32", OpenVinoGenAiOptions()),),
        devices=(DeviceEntry(0, "node 0", 0, (), CORES, CORES),),
        batch=BatchSettings(IN_FLIGHT, 0.0, 0.0),
        dataset=of_benchmark(dataset),
        log=LogSettings(copy_summary_to_stdout=False),
        warmup_s=1.0,
    ).write(path)
    return path


def harness(path: Path) -> dict[str, Any]:
    """LoadGen's detail log of a run, key → last value."""
    subprocess.run([sys.executable, "-m", "code.harness.python", str(path)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for line in (path.parent / "mlperf_log_detail.txt").read_text().splitlines():
        if line.startswith(":::MLLOG "):
            entry = json.loads(line[9:])
            found[entry["key"]] = entry["value"]
    return found


def overhead(subject: Subject, options: argparse.Namespace) -> None:
    """Offline through LoadGen and the SUT over the same prompts handed to the same streams, and to one wide pipeline, in turn."""
    count = len(subject.prompts)
    conf = {"min_duration": 0, "min_query_count": count, "performance_sample_count_override": count, "target_qps": 1}
    ratios, over_one, rates = [], [], []
    generator, one = subject.load("fp32", facts.NUM_BEAMS, CORES), subject.load("fp32", facts.NUM_BEAMS)
    for loaded in (generator, one):
        texts(loaded, subject.prompts[:8])
    for turn in range(options.times):
        bare, wide = (bare_rate(loaded, subject) for loaded in (generator, one))
        through = float(harness(run_json(subject, "Offline", subject.scratch / f"off{turn}", conf))["result_samples_per_second"])
        ratios.append(through / bare)
        over_one.append(through / wide)
        rates.append(through)
    words = (
        f"{statistics.median(ratios):.3f} of the bare streams' rate ({min(ratios):.3f} to {max(ratios):.3f} of {options.times})"
    )
    say("harness", f"{words}, {statistics.median(over_one):.2f} of one wide pipeline's, {statistics.median(rates):.1f} samples/s")
    generator.close()
    one.close()


def server(subject: Subject, options: argparse.Namespace) -> None:
    """The highest rate of arrivals that LoadGen calls VALID over the Offline rate, with a bound scaled to the model."""
    count = len(subject.prompts)
    conf = {"min_duration": 0, "min_query_count": count, "performance_sample_count_override": count, "target_qps": 1}
    offline = float(harness(run_json(subject, "Offline", subject.scratch / "server-off", conf))["result_samples_per_second"])
    bound_ms = options.bound_ms or int(1000 * 2 * IN_FLIGHT / offline)
    best = 0.0
    for share in (0.6, 0.7, 0.8, 0.85, 0.9, 0.95):
        rates = {
            "target_qps": offline * share,
            "target_latency": bound_ms,
            "min_duration": options.server_s * 1000,
            "min_query_count": 1,
        }
        rates["performance_sample_count_override"] = count
        log = harness(run_json(subject, "Server", subject.scratch / f"server{share}", rates))
        if log.get("result_validity") != "VALID":
            break
        best = share
    say("server", f"VALID at {best:.2f} of Offline's {offline:.1f} samples/s, every 99th of 100 within {bound_ms:,} ms")


def peak(subject: Subject, options: argparse.Namespace) -> None:
    """Memory of a process that loads the engine and answers all prompts, over weights and KV cache."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    generator = subject.load("fp32", facts.NUM_BEAMS)
    texts(generator, subject.prompts)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = open_checkpoint(subject.model)
    weights = found.parameters * 4
    say(
        "memory",
        f"{(after - before) / 2**20:,.0f} MiB more at the peak, weights {weights / 2**20:,.0f} MiB, "
        f"a token's keys and values {found.kv_numbers * 4 / 2**10:,.1f} KiB; {memory.available() / 2**30:.1f} GiB available",
    )
    generator.close()


FIGURES = {"memory": peak, "cost": cost, "reference": reference, "overhead": overhead, "server": server}


def main() -> None:
    """Take the figures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=tiny.MODEL)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--server_s", type=int, default=20)
    parser.add_argument("--bound_ms", type=int, default=0)
    parser.add_argument("--precision", type=lambda text: text.split(","), default=["fp32"])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(FIGURES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        subject = Subject(options.model, options.prompts, Path(scratch))
        for name in options.only:
            FIGURES[name](subject, options)


if __name__ == "__main__":
    main()
