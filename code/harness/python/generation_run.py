"""A run of a text generator, for data sets of kind prompts."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from code.backends.base import loader
from code.backends.generators.base import WAIT_S, Generation, GeneratorSpec, TextGenerator, Usage
from code.common.errors import HarnessError, RunError, UsageError
from code.harness.python.devices import bind_thread, usage_row
from code.harness.python.generation_sut import GenerationSut
from code.harness.python.prompts import PromptDataset
from code.harness.python.watch import PATIENCE
from code.harness.schema.datasets import PromptData
from code.harness.schema.run_spec import RunSpec

PROBE_S = 6.0
LATENCY_S = 2.0
LATENCY_RUNS = 16
STALLED_S = 600.0


class GenerationRun:
    """Generator, prompts and, once started, the system under test. A watch observes it until then: in a test, the system watches its
    requests itself."""

    patience = float(PATIENCE)
    """A text takes much longer than a step of the generator."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._finished = 0
        self._since = 0.0
        self._started = False
        self._prompts = cast(PromptData, spec.dataset)
        self.dataset = PromptDataset(self._prompts)
        self._generator = self._load()

    def _load(self) -> TextGenerator:
        """One generator on all devices. UsageError when devices have different engines, or the backend supports one device only."""
        spec, prompts = self._spec, self._prompts
        specs = [
            GeneratorSpec(
                device.streams,
                device.threads,
                spec.engine_of(device).precision,
                spec.engine_of(device).options,
                device.cores,
                device.index,
                generation=Generation.of(prompts.generation, prompts.use_token_latencies),
                requests_in_flight=1 if spec.scenario == "SingleStream" else spec.batch.max_samples,
                longest_prompt=int(self.dataset.lengths.max()),
            )
            for device in spec.devices
        ]
        engine = spec.engine_of(spec.devices[0])
        runtime, folder = loader(engine.backend), Path(engine.folder)
        if len(specs) == 1:
            bind_thread(specs[0].cores)  # threads started later inherit it
            return cast(TextGenerator, runtime.load(folder, specs[0]))
        on_several = getattr(runtime, "load_devices", None)
        differ = len({device.engine for device in spec.devices}) > 1 and not getattr(runtime, "engines_differ", False)
        if on_several is None or differ:
            why = "they have different engines" if on_several else f"{engine.backend} supports one device per process"
            names = ", ".join(device.name for device in spec.devices)
            raise UsageError(f"cannot generate text on {names} together", why, "choose one device with --devices=…")
        return cast(TextGenerator, on_several(folder, specs))

    @property
    def generator(self) -> TextGenerator:
        """What it drives, for a server that drives it itself."""
        return self._generator

    def answers(self) -> int:
        """Texts finished so far."""
        return self._finished

    def pending(self) -> bool:
        """Whether a text is due."""
        return not self._started

    def longest_busy_s(self, now: float) -> float:
        """How long the generator has been in its current step."""
        since = self._since
        return now - since if since else 0.0

    def describe(self, _now: float) -> str:
        """What it has done."""
        return f"the generator has finished {self._finished:,} texts"

    def _advance(self) -> int:
        """One step of the generator. Returns how many texts it finished."""
        self._since = time.monotonic()
        finished = sum(event.finished for event in self._generator.advance(WAIT_S))
        self._since = 0.0
        self._finished += finished
        return finished

    def probe(self) -> dict[str, float]:
        """{'samples_per_second', 'latency_ns'}: with as many requests in flight as possible, and with one at a time.

        Throughput is counted over a few seconds, without the first and the last, while all slots are occupied; prompts are spread
        evenly over the data set.
        """
        if self._spec.scenario == "SingleStream":
            latency = self._latency_ns()
            return {"samples_per_second": 1e9 / latency, "latency_ns": latency}
        rate = self._rate()
        return {"samples_per_second": rate, "latency_ns": self._latency_ns()}

    def close(self) -> None:
        """End the generator after a probe. Its processes are waited for, so that their time counts as this one's."""
        self._generator.close()

    def _rate(self) -> float:
        order = np.random.default_rng(0).permutation(self.dataset.count).tolist()
        given, done, running = 0, 0, 0
        start = time.monotonic()
        begin, at_begin = 0.0, 0
        while True:
            while running < self._generator.capacity + 4:
                self._generator.submit(given, self.dataset.prompt(order[given % len(order)]))
                given, running = given + 1, running + 1
            finished = self._advance()
            done, running = done + finished, running - finished
            now = time.monotonic()
            if not begin and done >= self._generator.capacity:
                begin, at_begin = now, done  # every slot has completed a whole text
            if begin and now - begin > PROBE_S and done - at_begin >= self._generator.capacity:
                break
            if now - start > STALLED_S:
                raise RunError("the generator is too slow to measure", f"it finished {done} texts in {now - start:.0f} s")
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
            running -= self._advance()

    def warm_up(self, seconds: float) -> None:
        """Generate a text for the longest and the shortest prompt, and for others while time allows."""
        order = np.argsort(-self.dataset.lengths, kind="stable")
        end = time.monotonic() + seconds
        for number, index in enumerate([int(order[0]), int(order[-1]), *order[1:8].tolist()]):
            self._generator.submit(number, self.dataset.prompt(index))
            self._drain(1)
            if time.monotonic() > end:
                break

    def start(self, lg: Any, failed: Callable[[HarnessError], None]) -> GenerationSut:
        """The system under test."""
        prompts = self._prompts
        self._started = True
        for stream in self._streams():
            stream.reset()
        return GenerationSut(
            self._spec.scenario,
            self._generator,
            self.dataset,
            complete=lg.QuerySamplesComplete,
            first_token=lg.FirstTokenComplete if prompts.use_token_latencies else None,
            respond=lg.QuerySampleResponse,
            failed=failed,
            watchdog_s=self._spec.watchdog_s,
            segments=prompts.num_sort_segments if prompts.enable_sort else 0,
        )

    def _streams(self) -> Sequence[Usage]:
        """Usage of each process of a multi-stream generator; empty for any other."""
        return getattr(self._generator, "usage", ())

    def usage(self, sut: GenerationSut, elapsed_s: float) -> list[dict[str, Any]]:
        """The content of devices.json; each request counts as one batch."""
        streams = list(self._streams()) or [sut.usage]
        rows = []
        for device in self._spec.devices:
            own = [streams.pop(0) for _ in range(min(device.streams, len(streams)))]
            finished = sum(stream.finished for stream in own)
            busy_s = sum(stream.busy_s() for stream in own) / max(1, len(own))
            extra = own[0].extra() if own else {}
            rows.append({**usage_row(device, finished, finished, busy_s, elapsed_s), **extra})
        return rows

    log_columns = 4
    """Which device answered a request is not known."""

    @staticmethod
    def log(sut: GenerationSut) -> array[float]:
        """The rows of batches.npy, float64 [batches, 4]."""
        return sut.log

    @staticmethod
    def requests(sut: GenerationSut) -> array[float]:
        """Rows of (issued, answered) in monotonic seconds, a row for each text."""
        issued_and_finished = np.asarray(sut.log, dtype=np.float64).reshape(-1, 4)[:, :2]
        return array("d", issued_and_finished.ravel())

    @staticmethod
    def texts(sut: GenerationSut) -> array[float]:
        """The rows of texts.npy, float64 [texts, 4]."""
        return sut.texts


def load(spec: RunSpec) -> GenerationRun:
    """Open the prompts and load the generator."""
    return GenerationRun(spec)
