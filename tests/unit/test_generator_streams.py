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
from code.backends.base import EngineSpec
from code.backends.generators import streams as generator_streams
from code.backends.generators.base import texts
from code.backends.generators.openvino_genai import BACKEND
from code.benchmarks.gptj import facts, tiny
from code.benchmarks.gptj.benchmark import generation
from code.benchmarks.gptj.tiny import record
from code.common.errors import MissingError, RunError
from code.machine.detect import detect

COUNT = 24


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    BACKEND.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, folder)
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], int]:
    opened, _ = record.evaluation_set(tiny.MODEL, tmp_path_factory.mktemp("tiny"), COUNT)
    return [np.array(opened.prompt(index)) for index in range(COUNT)], opened.end


def spec_of(streams: int, asked: tuple[list[Any], int]) -> EngineSpec:
    fields = {
        "generation": generation({"num_beams": facts.NUM_BEAMS}, asked[1]),
        "requests_in_flight": 4,
        "longest_prompt": max(map(len, asked[0])),
    }
    return EngineSpec(streams, 2, "fp32", fields)


@pytest.fixture
def streams(engine: Path, asked: tuple[list[Any], int]) -> Iterator[Any]:
    made = BACKEND.load(engine, spec_of(2, asked))
    yield made
    made.close()
    assert not multiprocessing.active_children()


def test_two_streams_answer_every_request_with_one_streams_texts(
    engine: Path, asked: tuple[list[Any], int], streams: Any
) -> None:
    assert streams.capacity == 2 * 4 and len(multiprocessing.active_children()) == 2
    one = BACKEND.load(engine, spec_of(1, asked))
    alone, together = texts(one, asked[0]), texts(streams, asked[0])
    one.close()
    # A near-tie of two beams may fall otherwise in another batch.
    assert sum(a.tolist() == b.tolist() for a, b in zip(alone, together, strict=True)) >= COUNT - 1


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
    with pytest.raises(MissingError, match="too little memory to load gptj 40 times in fp32") as caught:
        BACKEND.load(engine, spec_of(40, asked))
    assert "--cpu_inference_streams=" in caught.value.next_step


def test_streams_are_shared_out_over_numa_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    two = dataclasses.replace(detect(), numa_nodes={0: (0, 1, 4, 5), 1: (2, 3, 6, 7)})
    monkeypatch.setattr(generator_streams, "detect", lambda: two)
    assert generator_streams.shares(4) == [(0, 1, 4, 5), (2, 3, 6, 7)] * 2
    assert generator_streams.shares(3) == [()] * 3
