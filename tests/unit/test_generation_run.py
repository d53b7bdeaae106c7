"""What a probe of a text generator measures, with a generator whose times are known and a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Event
from code.common.errors import RunError
from code.harness.python import generation_run
from code.harness.schema import run_spec as contract
from tests import run_documents as documents

SLOTS, STEP_S = 4, 0.25
WORDS = np.array([1, 2], np.int32)


class Clocked:
    """A generator of SLOTS requests at once. Each step takes STEP_S; a text takes a second, the first ones `first_s`."""

    capacity = SLOTS

    def __init__(self, first_s: float = 1.0) -> None:
        self.now, self.first_s = 100.0, first_s
        self.waiting: list[int] = []
        self.running: dict[int, float] = {}
        self.most = 0
        self.prompts: list[int] = []

    def submit(self, request: int, prompt: Any) -> None:
        self.waiting.append(request)
        self.prompts.append(int(prompt[0]))
        self.most = max(self.most, len(self.waiting) + len(self.running))

    def advance(self, _wait_s: float) -> Sequence[Event]:
        while self.waiting and len(self.running) < SLOTS:
            takes = self.first_s if len(self.prompts) - len(self.waiting) < SLOTS and self.now < 100 + STEP_S else 1.0
            self.running[self.waiting.pop(0)] = self.now + takes
        self.now += STEP_S
        ended = [request for request, end in self.running.items() if end <= self.now]
        for request in ended:
            del self.running[request]
        return [Event(request, WORDS, True) for request in ended]

    def close(self) -> None:
        """Nothing is held."""


def run_of(
    generator: Clocked, scenario: str, folder: Path, monkeypatch: pytest.MonkeyPatch, prompts: int = 5
) -> generation_run.GenerationRun:
    """A run of prompts that are one token each, their own number, by this generator and its clock."""
    np.save(folder / "tokens.npy", np.arange(prompts, dtype=np.int32))
    np.save(folder / "offsets.npy", np.arange(prompts + 1, dtype=np.int64))
    np.save(folder / "lengths.npy", np.ones(prompts, np.int32))
    content = {**documents.PYTHON["openvino_genai"], "scenario": scenario}
    content["dataset"] = {**documents.PROMPTS, "folder": str(folder), "count": prompts}
    monkeypatch.setattr(generation_run, "loader", lambda _: SimpleNamespace(load=lambda *_: generator))
    monkeypatch.setattr(generation_run, "bind_thread", lambda _: None)
    clock = SimpleNamespace(monotonic=lambda: generator.now, perf_counter_ns=lambda: int(generator.now * 1e9))
    monkeypatch.setattr(generation_run, "time", clock)
    return generation_run.load(contract.parse(content, "run.json"))


@pytest.mark.parametrize("first_s", [1.0, 3.0])
def test_the_rate_is_that_of_full_slots_without_the_first_texts(
    first_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Clocked(first_s)
    found = run_of(generator, "Offline", tmp_path, monkeypatch).probe()
    assert found == {"samples_per_second": pytest.approx(SLOTS / 1.0, rel=0.05), "latency_ns": pytest.approx(1e9)}
    assert generator.most == SLOTS + 4, "requests wait, so that no slot is ever empty"
    assert generator.running == {} and generator.waiting == []
    assert set(generator.prompts) == set(range(5))
    assert generator.now - 100 > first_s + generation_run.PROBE_S


def test_singlestream_needs_one_request_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Clocked(first_s=9.0)
    found = run_of(generator, "SingleStream", tmp_path, monkeypatch).probe()
    assert generator.most == 1
    assert found == {"samples_per_second": pytest.approx(1.0), "latency_ns": pytest.approx(1e9)}, "the first text is left out"


def test_a_latency_takes_a_few_texts_spread_over_the_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_run, "LATENCY_S", 1000.0)
    generator = Clocked()
    run_of(generator, "SingleStream", tmp_path, monkeypatch, prompts=31).probe()
    assert generator.prompts == list(range(0, 31, 2))


def test_a_generator_that_finishes_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Clocked(first_s=1e6)
    with pytest.raises(RunError, match="too slow to measure") as caught:
        run_of(generator, "Server", tmp_path, monkeypatch).probe()
    assert "it finished 0 texts in 600 s" in caught.value.why
