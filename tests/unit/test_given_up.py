"""Requests that nobody waits for: the generator stops spending work on them, and the others' texts stay what they are."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Cancels, Event, Generation, GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.backends.generators.pytorch.backend import BACKEND as PYTORCH
from code.backends.generators.pytorch.batches import Request
from code.backends.generators.pytorch.generator import Texts as Growing
from code.backends.generators.pytorch.generator import _GivenUpError
from code.benchmarks.llama3_1_8b import tiny
from code.harness.python.llm_service import Service, Texts
from code.harness.schema.datasets import PromptData
from tests.served import serving

LONG = Generation(1, 100, 100, False, 1023, (1022,), stream=True)
"""Texts of 100 tokens, which take long enough to be given up on the way."""
PROMPTS = [np.arange(5, 40 + 3 * index, dtype=np.int32) for index in range(8)]


def spec(streams: int, how: Generation = LONG) -> GeneratorSpec:
    return GeneratorSpec(streams, 2, "fp32", generation=how, requests_in_flight=2, longest_prompt=100)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": "llama3.1-8b"}, folder)
    return folder


@pytest.fixture(scope="module")
def whole(engine: Path) -> list[list[int]]:
    """The whole texts."""
    generator = OPENVINO.load(engine, spec(1))
    found = [one.tolist() for one in texts(generator, PROMPTS)]
    generator.close()
    assert {len(one) for one in found} == {100}
    return found


def until(generator: Any, condition: Callable[[list[Event]], bool]) -> list[Event]:
    """The events up to where the condition holds."""
    events: list[Event] = []
    end = time.monotonic() + 60
    while not condition(events):
        events += generator.advance(0.05)
        assert time.monotonic() < end, events
    return events


def finished(events: list[Event]) -> dict[int, list[int]]:
    found = {event.request: event.tokens.tolist() for event in events if event.finished}
    assert len(found) == sum(event.finished for event in events), "each request ends once"
    return found


@pytest.mark.parametrize("streams", [1, pytest.param(2, marks=pytest.mark.full)])
def test_what_runs_and_what_waits_is_given_up_and_the_rest_is_whole(streams: int, engine: Path, whole: list[list[int]]) -> None:
    generator = OPENVINO.load(engine, spec(streams))
    assert isinstance(generator, Cancels) and generator.capacity == 2 * streams
    for number, prompt in enumerate(PROMPTS):
        generator.submit(number, prompt)
    events = until(generator, lambda found: any(event.request == 0 for event in found))
    for number in (0, 6, 7, 99):
        generator.cancel(number)
    events += until(generator, lambda found: len(finished(events + found)) == 8)
    found = finished(events)
    assert found[6] == found[7] == [] and len(found[0]) < 100 and found[0] == whole[0][: len(found[0])]
    assert [found[number] for number in range(1, 6)] == whole[1:6]
    generator.cancel(3)  # it has finished
    assert generator.advance(0.0) == []
    assert [one.tolist() for one in texts(generator, PROMPTS)] == whole, "there is room for as many as before"
    generator.close()


def test_when_all_are_given_up_nothing_is_left_to_do(engine: Path, whole: list[list[int]]) -> None:
    generator = OPENVINO.load(engine, spec(1))
    for _ in range(3):
        for number, prompt in enumerate(PROMPTS[:4]):
            generator.submit(number, prompt)
        events = until(generator, lambda found: len(found) == 2)
        assert isinstance(generator, Cancels)
        for number in range(4):
            generator.cancel(number)
        assert sorted(finished(events + list(generator.advance(0.05)))) == [0, 1, 2, 3]
        assert generator.advance(0.0) == []
    assert [one.tolist() for one in texts(generator, PROMPTS)] == whole
    generator.close()


def test_without_first_tokens_what_is_given_up_has_none(engine: Path) -> None:
    generator = OPENVINO.load(engine, spec(1, replace(LONG, stream=False)))
    assert isinstance(generator, Cancels)
    generator.submit(4, PROMPTS[0])
    assert generator.advance(0.05) == []
    generator.cancel(4)
    (event,) = generator.advance(0.05)
    assert (event.request, event.tokens.tolist(), event.finished) == (4, [], True)
    generator.close()


# ── a client that leaves our server ────────────────────────────────────


@pytest.fixture
def service(engine: Path) -> Iterator[Service]:
    generator = OPENVINO.load(engine, spec(1))
    data = PromptData("x", 1, "t", "o", "l", 2048, LONG)
    yield Service(Texts(generator), data, "llama3.1-8b", None, "")


def asking(port: int, prompt: Any, stream: bool) -> socket.socket:
    body = json.dumps({"prompt": prompt.tolist(), "stream": stream, "return_token_ids": True}).encode()
    opened = socket.create_connection(("127.0.0.1", port), timeout=60)
    opened.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return opened


def rest(opened: socket.socket) -> bytes:
    text = b""
    while b'"finish_reason": "length"' not in text:
        text += (more := opened.recv(65536))
        assert more, text
    return text


@pytest.mark.parametrize("stream", [True, False])
def test_clients_that_leave_cost_no_whole_texts(stream: bool, service: Service, whole: list[list[int]]) -> None:
    with serving(service) as server:
        leaving = [asking(server.port, PROMPTS[index], stream) for index in range(2)]
        staying = asking(server.port, PROMPTS[2], stream)
        leaving += [asking(server.port, PROMPTS[index], stream) for index in range(3, 8)]
        end = time.monotonic() + 30
        while service.texts.running < 8:
            assert time.monotonic() < end
            time.sleep(0.001)
        if stream:
            leaving[0].recv(1)
        for one in leaving:
            one.close()
        answer = rest(staying).partition(b"\r\n\r\n")[2]
        while service.texts.running or server.connections > 1:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert service.texts.cancelled + service.texts.answered == 8
        assert service.texts.cancelled >= 5, "those that waited"
        assert service.texts.tokens < 4 * 100
        tokens = [
            token for part in answer.split(b'"token_ids": [')[1:] for token in json.loads(b"[" + part.partition(b"]")[0] + b"]")
        ]
        assert tokens == whole[2]
        staying.close()


# ── PyTorch ────────────────────────────────────────────────────────────


def test_a_row_of_a_batch_that_nobody_waits_for_ends_and_the_last_one_ends_the_batch() -> None:
    seen: list[Event] = []
    leaving: set[int] = set()
    batch = [Request(number, np.ones(2, np.int32)) for number in (4, 5)]
    grown = Growing(batch, Generation(1, 2, 5, False, 9, (8,)), seen.append, lambda: False, lambda: leaving)
    grown.put(np.asarray([[1, 1], [1, 1]]))
    grown.put(np.asarray([1, 2]))
    leaving.add(4)
    grown.put(np.asarray([1, 3]))
    assert [(e.request, e.tokens.tolist(), e.finished) for e in seen] == [(4, [1], True)]
    leaving.add(5)
    with pytest.raises(_GivenUpError):
        grown.put(np.asarray([1, 3]))
    assert [(e.request, e.tokens.tolist(), e.finished) for e in seen[1:]] == [(5, [2, 3], True)]


def test_pytorch_gives_a_request_up(tmp_path: Path, whole: list[list[int]]) -> None:
    for package in ("torch", "transformers"):
        pytest.importorskip(package, reason=f"{package} is not installed: make pytorch, or make test_all_extras")
    PYTORCH.build(tiny.MODEL, {"benchmark": "llama3.1-8b", "precision": "fp32"}, tmp_path)
    options = import_module("code.harness.schema.options").PyTorchOptions()
    generator = PYTORCH.load(tmp_path, replace(spec(1), options=options))
    assert isinstance(generator, Cancels)
    for number, prompt in enumerate(PROMPTS):
        generator.submit(number, prompt)
    events = until(generator, lambda found: any(event.request == 0 for event in found))
    for number in (0, 6, 99):
        generator.cancel(number)
    events += until(generator, lambda found: len(finished(events + found)) == 8)
    found = finished(events)
    assert found[6] == [] and len(found[0]) < 100 and found[0] == whole[0][: len(found[0])]
    assert [found[number] for number in (1, 2, 3, 4, 5, 7)] == [whole[number] for number in (1, 2, 3, 4, 5, 7)]
    generator.close()
