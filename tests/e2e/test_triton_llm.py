"""Texts from a real Triton server over gRPC. Its model has the tensors of TensorRT-LLM's backend, and counts upwards from the prompt.

The backend itself needs a GPU and is not executed. Needs `make triton`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from code.backends.generators.base import Event, Generation, texts
from code.backends.generators.triton_llm import TritonLlmGenerator
from code.backends.triton import package
from code.common.errors import MissingError, RunError
from code.harness.schema.options import TritonLlmOptions
from code.run import triton_server
from code.run.triton_server import Server

try:
    INSTALLED = bool(package.client() and package.installation(None).has("python"))
except MissingError:
    INSTALLED = False
ABSENT = "Triton is not installed; `make triton` installs it"
pytestmark = [pytest.mark.e2e, *([] if INSTALLED else [pytest.mark.absent(ABSENT)])]

CONFIG = """
name: "tensorrt_llm"
backend: "python"
max_batch_size: 8
model_transaction_policy { decoupled: true }
input { name: "input_ids" data_type: TYPE_INT32 dims: [ -1 ] }
input { name: "input_lengths" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } }
input { name: "request_output_len" data_type: TYPE_INT32 dims: [ 1 ] }
input { name: "end_id" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } optional: true }
input { name: "beam_width" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } optional: true }
input { name: "min_length" data_type: TYPE_INT32 dims: [ 1 ] reshape: { shape: [ ] } optional: true }
input { name: "streaming" data_type: TYPE_BOOL dims: [ 1 ] optional: true }
output { name: "output_ids" data_type: TYPE_INT32 dims: [ -1, -1 ] }
output { name: "sequence_length" data_type: TYPE_INT32 dims: [ -1 ] }
instance_group { count: 1 kind: KIND_CPU }
"""
MODEL = '''
import numpy
import triton_python_backend_utils as triton


class TritonPythonModel:
    """Counts upwards from the prompt's last token, in steps of two tokens where it streams. Token 13 is not answered."""

    def execute(self, requests):
        for request in requests:
            given = {one.name(): one.as_numpy() for one in request.inputs()}
            prompt = given["input_ids"].reshape(-1)
            assert len(prompt) == given["input_lengths"].reshape(-1)[0]
            sender = request.get_response_sender()
            if prompt[-1] == 13:
                sender.send(triton.InferenceResponse(error=triton.TritonError("an unlucky prompt")), flags=1)
                continue
            length = int(given["request_output_len"].reshape(-1)[0])
            end = int(given["end_id"].reshape(-1)[0])
            tokens = [int(prompt[-1]) + 1 + i for i in range(length)]
            if end in tokens and tokens.index(end) + 1 >= int(given["min_length"].reshape(-1)[0]):
                tokens = tokens[: tokens.index(end) + 1]
            if given["streaming"].reshape(-1)[0]:
                for at in range(0, len(tokens), 2):
                    sender.send(self.answer(tokens[at : at + 2]))
                sender.send(flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            else:
                whole = [*prompt.tolist(), *tokens, 0, 0]
                sender.send(self.answer(whole, len(whole) - 2), flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def answer(self, tokens, size=None):
        ids = numpy.array([[tokens]], numpy.int32)
        sizes = numpy.array([[size or len(tokens)]], numpy.int32)
        return triton.InferenceResponse([triton.Tensor("output_ids", ids), triton.Tensor("sequence_length", sizes)])
'''
GREEDY = Generation(num_beams=1, min_new_tokens=1, max_new_tokens=7, early_stopping=True, eos=104, also_ends=())


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llm")
    (folder / "models" / "tensorrt_llm" / "1").mkdir(parents=True)
    (folder / "models" / "tensorrt_llm" / "config.pbtxt").write_text(CONFIG)
    packages = package.site_packages()
    (folder / "models" / "tensorrt_llm" / "1" / "model.py").write_text(
        f"import sys\nsys.path.insert(0, {str(packages)!r})\n{MODEL}"
    )
    return folder


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    with triton_server.started(package.installation(None), repository / "models", repository, 0, 0, 300) as running:
        yield running


def generator(
    server: Server, generation: Generation = GREEDY, model: str = "tensorrt_llm", capacity: int = 4
) -> TritonLlmGenerator:
    return TritonLlmGenerator(TritonLlmOptions(server.url, model), generation, capacity)


def prompt(last: int, length: int = 5) -> np.ndarray:
    return np.array([*range(200, 200 + length - 1), last], dtype=np.int32)


def test_texts_and_errors_of_a_model(server: Server) -> None:
    """They end at the end token or at their greatest length; first tokens come before the text; errors are in the model's words."""
    with contextlib.closing(generator(server)) as one:
        found = texts(one, [prompt(100), prompt(10, 3), prompt(20, 40)])
    assert [text.tolist() for text in found] == [[101, 102, 103, 104], [*range(11, 18)], [*range(21, 28)]]
    with contextlib.closing(generator(server, replace(GREEDY, stream=True))) as one:
        one.submit(5, prompt(10))
        events: list[Event] = []
        while not events or not events[-1].finished:
            events += one.advance(0.05)
    assert [event.tokens.tolist() for event in events] == [[11], [*range(11, 18)]]
    assert [event.request for event in events] == [5, 5]
    with contextlib.closing(generator(server)) as one, pytest.raises(RunError) as failed:
        texts(one, [prompt(13)])
    assert "an unlucky prompt" in failed.value.why
    with pytest.raises(MissingError, match="does not serve another"):
        generator(server, model="another")


def test_a_server_that_dies_ends_the_run(repository: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="ended during the test: signal 9"),
        triton_server.started(package.installation(None), repository / "models", tmp_path, 0, 0, 300) as own,
        contextlib.closing(generator(own)) as one,
    ):
        texts(one, [prompt(10)])
        os.kill(own._process.pid, signal.SIGKILL)
        own._process.wait()
        time.sleep(0.1)
        texts(one, [prompt(10)])
