"""`python -m tests.benchmarks.generation_overhead [turns] [texts]`: what the harness and LoadGen cost a text generator, Offline.

Tiny Llama on OpenVINO GenAI with a stream for each core and 64 requests in flight. Each turn generates the same texts, longest prompt
first, with one loaded generator: called directly, twice by the real LoadGen through the harness's system under test, and directly again,
with first tokens reported each time. Prints texts/s, the processor time of a text (of this process, and of the engine's), and the ratios
of both: medians over turns, and the extremes.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from code.backends.generators.base import WAIT_S, TextGenerator
from code.benchmarks.llama3_1_8b import facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text.generating import generation
from code.harness.python.generation_run import GenerationRun, load
from code.harness.python.generation_sut import GenerationSut
from code.harness.schema.datasets import GenerationSpec
from code.machine.detect import detect
from code.rules.benchmarks import facts_of
from tests.benchmarks.llm_serving import Processes, spec_of

IN_FLIGHT = 64
RATE = re.compile(r'"result_samples_per_second", "value": ([0-9.]+)')


class Kept:
    """A generator that stays open when a test ends."""

    def __init__(self, generator: TextGenerator) -> None:
        self.capacity, self.submit, self.advance = generator.capacity, generator.submit, generator.advance

    def close(self) -> None:
        """Nothing is closed."""


def directly(run: GenerationRun) -> float:
    """Texts/s of the generator alone."""
    order = np.argsort(-run.dataset.lengths, kind="stable").tolist()
    start, left = time.perf_counter(), len(order)
    for number, index in enumerate(order):
        run.generator.submit(number, run.dataset.prompt(index))
    while left:
        left -= sum(event.finished for event in run.generator.advance(WAIT_S))
    return len(order) / (time.perf_counter() - start)


def under_loadgen(run: GenerationRun, folder: Path) -> float:
    """Texts/s as LoadGen reports them."""
    import mlperf_loadgen as lg

    count = run.dataset.count
    settings = lg.TestSettings()
    settings.scenario, settings.mode = lg.TestScenario.Offline, lg.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count, settings.offline_expected_qps = 1, count, 1
    settings.performance_issue_unique, settings.use_token_latencies = True, True
    failed: list[Exception] = []
    sut = GenerationSut(
        "Offline",
        Kept(run.generator),
        run.dataset,
        complete=lg.QuerySamplesComplete,
        first_token=lg.FirstTokenComplete,
        respond=lg.QuerySampleResponse,
        failed=failed.append,
        watchdog_s=60.0,
    )
    handle = lg.ConstructFastSUT(sut.issue, sut.flush)
    qsl = lg.ConstructQSL(count, count, run.dataset.load, lambda _: None)
    log: Any = lg.LogSettings()
    log.log_output.outdir = str(folder)
    lg.StartTestWithLogSettings(handle, qsl, settings, log, "")
    sut.close()
    lg.DestroyQSL(qsl)
    lg.DestroyFastSUT(handle)
    found = RATE.search((folder / "mlperf_log_detail.txt").read_text())
    if failed or found is None:
        raise SystemExit(f"LoadGen has no result: {failed}")
    return float(found[1])


@dataclass(frozen=True)
class Pass:
    """Texts/s, and ms of processor time for a text: of this process, and of the engine's."""

    rate: float
    own_ms: float
    engine_ms: float

    @property
    def spent_ms(self) -> float:
        """Of both."""
        return self.own_ms + self.engine_ms


def timed(count: int, processes: Processes, way: Callable[[], float]) -> Pass:
    """A pass with its processor time."""
    before = processes.spent_s()
    rate = way()
    own, engine = (1e3 * (now - then) / count for now, then in zip(processes.spent_s(), before, strict=True))
    return Pass(rate, own, engine)


def main(turns: int = 5, count: int = 1024) -> None:
    """Measure and print."""
    text = facts_of(facts.NAME).text
    assert text is not None
    how = GenerationSpec(**generation(text, {}, tokenizer.read(tiny.MODEL).ends))
    found: dict[str, list[Pass]] = {"direct": [], "harness": []}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        articles, _ = record.evaluation_set(tiny.MODEL, folder / "data", count)
        prompts = [np.array(articles.prompt(index), np.int32) for index in range(count)]
        spec = spec_of(folder, prompts, how, max(1, detect().usable_cores), IN_FLIGHT)
        run = load(spec)
        run.warm_up(2.0)
        processes = Processes(psutil.Process())
        ways: dict[str, Callable[[], float]] = {
            "direct": lambda: directly(run),
            "harness": lambda: under_loadgen(run, folder),
        }
        for name in ("direct", "harness", "harness", "direct") * turns:
            found[name].append(timed(count, processes, ways[name]))
        run.close()
    for name, passes in found.items():
        rates = [one.rate for one in passes]
        spent = [statistics.median(one.own_ms for one in passes), statistics.median(one.engine_ms for one in passes)]
        print(f"{name:8} {statistics.median(rates):8.2f} texts/s   ({min(rates):.2f} to {max(rates):.2f})", end="")
        print(f"   ms of a core a text: {spent[0]:.3f}, engine {spent[1]:.3f}")
    pairs = list(zip(found["harness"], found["direct"], strict=True))
    for what, ratios in {
        "rate": [harness.rate / direct.rate for harness, direct in pairs],
        "processor time": [direct.spent_ms / harness.spent_ms for harness, direct in pairs],
    }.items():
        print(
            f"ratio by {what:14} {statistics.median(ratios):.3f}   ({min(ratios):.3f} to {max(ratios):.3f}), {len(pairs)} pairs"
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
