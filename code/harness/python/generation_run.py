"""A run of a text generator: what `python -m code.harness.python` drives for a data set of prompts."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from code.backends.base import EngineSpec, backend
from code.backends.generators.base import WAIT_S, TextGenerator
from code.common.errors import HarnessError, RunError
from code.fields.consumer import Consumer
from code.harness.python.generation_sut import GenerationSut
from code.harness.python.prompts import PromptDataset
from code.harness.schema.run_spec import RunSpec

READS = Consumer("text generation", ("enable_sort", "num_sort_segments", "use_token_latencies"))

PROBE_S = 6.0
LATENCY_S = 2.0
LATENCY_RUNS = 16
STALLED_S = 600.0


class GenerationRun:
    """Generator, prompts and, once started, the system under test."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.dataset = PromptDataset(spec.dataset)
        single = spec.scenario == "SingleStream"
        more = {
            "generation": {**self.dataset.generation, "stream": bool(READS.of(spec.fields).get("use_token_latencies"))},
            "requests_in_flight": 1 if single else int(spec.batch["max_samples"]),
            "longest_prompt": int(self.dataset.lengths.max()),
        }
        engine_spec = EngineSpec(
            int(spec.engine["streams"]), int(spec.engine["threads"]), str(spec.engine["precision"]), {**spec.fields, **more}
        )
        loaded = backend(spec.engine["backend"]).load(Path(spec.engine["folder"]), engine_spec)
        self._generator = cast(TextGenerator, loaded)

    def probe(self) -> dict[str, float]:
        """{'samples_per_second', 'latency_ns'}: with all requests in flight that there is room for, and with one at a time.

        The first is counted between the first and the last second of a few, while every place is taken; prompts are spread evenly over
        the data set.
        """
        if self._spec.scenario == "SingleStream":
            latency = self._latency_ns()
            return {"samples_per_second": 1e9 / latency, "latency_ns": latency}
        rate = self._rate()
        return {"samples_per_second": rate, "latency_ns": self._latency_ns()}

    def _rate(self) -> float:
        order = np.random.default_rng(0).permutation(self.dataset.count).tolist()
        given, done, running = 0, 0, 0
        start = time.monotonic()
        begin, at_begin = 0.0, 0
        while True:
            while running < self._generator.capacity + 4:
                self._generator.submit(given, self.dataset.prompt(order[given % len(order)]))
                given, running = given + 1, running + 1
            for event in self._generator.advance(WAIT_S):
                if event.finished:
                    done, running = done + 1, running - 1
            now = time.monotonic()
            if not begin and done >= self._generator.capacity:
                begin, at_begin = now, done  # every place has been through a whole text
            if begin and now - begin > PROBE_S and done - at_begin >= self._generator.capacity:
                break
            if now - start > STALLED_S:
                raise RunError("the generator is too slow to be measured", f"it finished {done} texts in {now - start:.0f} s")
        rate = (done - at_begin) / (now - begin)
        self._drain(running)
        return rate

    def _latency_ns(self) -> float:
        times: list[float] = []
        end = time.monotonic() + LATENCY_S
        for number, index in enumerate(np.linspace(0, self.dataset.count - 1, LATENCY_RUNS).astype(int).tolist()):
            start = time.perf_counter_ns()
            self._generator.submit(number, self.dataset.prompt(index))
            self._drain(1)
            times.append(time.perf_counter_ns() - start)
            if time.monotonic() > end and len(times) > 2:
                break
        return float(np.median(times[1:] or times))

    def _drain(self, running: int) -> None:
        while running:
            running -= sum(event.finished for event in self._generator.advance(WAIT_S))

    def warm_up(self, seconds: float) -> None:
        """Generate a text for the longest and the shortest prompt, and more while there is time."""
        order = np.argsort(-self.dataset.lengths, kind="stable")
        end = time.monotonic() + seconds
        for number, index in enumerate([int(order[0]), int(order[-1]), *order[1:8].tolist()]):
            self._generator.submit(number, self.dataset.prompt(index))
            self._drain(1)
            if time.monotonic() > end:
                break

    def start(self, lg: Any, failed: Callable[[HarnessError], None]) -> GenerationSut:
        """The system under test."""
        read = READS.of(self._spec.fields)
        sort = read.get("enable_sort")
        return GenerationSut(
            self._spec.scenario,
            self._generator,
            self.dataset,
            complete=lg.QuerySamplesComplete,
            first_token=lg.FirstTokenComplete if read.get("use_token_latencies") else None,
            respond=lg.QuerySampleResponse,
            failed=failed,
            watchdog_s=self._spec.watchdog_s,
            segments=0 if sort is False else int(read.get("num_sort_segments") or 1),
        )

    @staticmethod
    def log(sut: GenerationSut) -> array[float]:
        """What batches.npy holds."""
        return sut.log


def load(spec: RunSpec) -> GenerationRun:
    """Open the prompts and load the generator."""
    return GenerationRun(spec)
