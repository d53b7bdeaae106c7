"""A text generator of several streams: the same texts, all of them, and clear words when a stream is lost."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends import memory
from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND
from code.backends.generators.streams import _ended
from code.benchmarks.gptj import facts, tiny
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.gptj.tiny import record
from code.benchmarks.text.generating import generation
from code.common.errors import MissingError, RunError

COUNT = 12


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, folder)
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], int]:
    opened, _ = record.evaluation_set(tiny.MODEL, tmp_path_factory.mktemp("tiny"), COUNT)
    return [np.array(opened.prompt(index)) for index in range(COUNT)], opened.end


@pytest.fixture(scope="module")
def alone(engine: Path, asked: tuple[list[Any], int]) -> list[list[int]]:
    """The texts of one stream."""
    one = BACKEND.load(engine, spec_of(1, asked))
    found = [text.tolist() for text in texts(one, asked[0])]
    one.close()
    return found


def spec_of(streams: int, asked: tuple[list[Any], int]) -> GeneratorSpec:
    how = Generation.of(generation(BENCHMARK.text, {"num_beams": facts.NUM_BEAMS}, (asked[1],)))
    longest = max(map(len, asked[0]))
    return GeneratorSpec(streams, 2, "fp32", generation=how, requests_in_flight=4, longest_prompt=longest)


@pytest.fixture
def streams(engine: Path, asked: tuple[list[Any], int]) -> Iterator[Any]:
    made = BACKEND.load(engine, spec_of(2, asked))
    yield made
    made.close()
    assert not multiprocessing.active_children()


@pytest.mark.full
def test_two_streams_answer_every_request_with_one_streams_texts(
    asked: tuple[list[Any], int], streams: Any, alone: list[list[int]]
) -> None:
    assert streams.capacity == 2 * 4 and len(multiprocessing.active_children()) == 2
    together = texts(streams, asked[0])
    # A near-tie of two beams may fall otherwise in another batch.
    assert sum(a == b.tolist() for a, b in zip(alone, together, strict=True)) >= COUNT - 1


def test_a_stream_that_is_killed_ends_the_run_with_its_signal(asked: tuple[list[Any], int], streams: Any) -> None:
    victim = multiprocessing.active_children()[0]
    for number, prompt in enumerate(asked[0]):
        streams.submit(number, prompt)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    end = time.monotonic() + 30
    with pytest.raises(RunError, match=r"stream \d of the generator ended by SIGKILL") as caught:
        while time.monotonic() < end:
            streams.advance(0.1)
    assert "cpu_inference_streams" in caught.value.next_step


def test_only_what_the_system_kills_is_told_of_memory() -> None:
    killed, crashed, ended = (_ended(1, status) for status in (-signal.SIGKILL, -signal.SIGFPE, 1))
    assert "memory runs out" in killed.why and crashed.why == ended.why == "it ended before it could report an error"
    assert "stream 1 of the generator ended by SIGFPE" in crashed.what and "with status 1" in ended.what


def test_an_engine_that_no_stream_can_load_is_one_error(tmp_path: Path, engine: Path, asked: tuple[list[Any], int]) -> None:
    (tmp_path / "generator.json").write_text((engine / "generator.json").read_text())
    for name in ("openvino_model.xml", "openvino_model.bin"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(RunError, match="cannot load the engine"):
        BACKEND.load(tmp_path, spec_of(2, asked))
    assert not multiprocessing.active_children()


def test_too_little_memory_for_the_streams_names_how_many_fit(
    engine: Path, asked: tuple[list[Any], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = (engine / "openvino_model.bin").stat().st_size
    monkeypatch.setattr(memory, "available", lambda: weights * 20)
    with pytest.raises(MissingError, match="not enough memory to load gptj 40 times in fp32") as caught:
        BACKEND.load(engine, spec_of(40, asked))
    assert "--cpu_inference_streams=" in caught.value.next_step


def test_several_devices_are_streams_on_their_own_cores(
    engine: Path, asked: tuple[list[Any], int], alone: list[list[int]]
) -> None:
    """What each of them did is counted, and the texts are those of one."""
    cores = sorted(os.sched_getaffinity(0))
    specs = [dataclasses.replace(spec_of(1, asked), cores=(core,), device=number) for number, core in enumerate(cores[:2] * 2)][
        :2
    ]
    made = BACKEND.load_devices(engine, specs)
    try:
        masks = {tuple(sorted(os.sched_getaffinity(process.pid))) for process in made._processes}  # type: ignore[attr-defined]
        assert masks == {spec.cores for spec in specs}
        found = texts(made, asked[0])
        usage = made.usage  # type: ignore[attr-defined]
        assert sum(stream.finished for stream in usage) == COUNT and all(stream.busy_s() > 0 for stream in usage)
    finally:
        made.close()
    assert [text.tolist() for text in found] == alone
