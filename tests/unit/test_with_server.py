"""--with_server: a real server over the tiny GPT-J, started, asked, killed and ended as a run does it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from code.actions import Context
from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.openai import BACKEND
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.benchmarks.gptj import bpe, tiny
from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.text.tiny.articles import article
from code.common.errors import HarnessError, RunError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import GenerationSpec, PromptData
from code.harness.schema.options import OpenAiOptions, OpenVinoGenAiOptions
from code.harness.schema.run_spec import BatchSettings, DeviceEntry, EngineEntry, RunSpec
from code.plan.request import parse
from code.plan.workload import build
from code.run import llm_server, llm_serving
from code.run.job import Job
from code.run.llm_server import Running, Served
from tests.run_documents import BOTH

HOW = GenerationSpec(1, 30, 128, True, 1279)
COUNT = 16


@pytest.fixture(scope="module")
def prompts() -> list[Any]:
    ids = bpe.read(tiny.MODEL).encode([prompt(article("served", index, 40).text) for index in range(COUNT)])
    return [np.asarray(one, dtype=np.int32) for one in ids]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory, prompts: list[Any]) -> RunSpec:
    """run.json of the tiny GPT-J on two streams of two requests each."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "engine").mkdir()
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, folder / "engine")
    lengths = np.array([len(one) for one in prompts], dtype=np.int32)
    np.save(folder / "tokens.npy", np.concatenate(prompts).astype(np.int32))
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    np.save(folder / "lengths.npy", lengths)
    data = PromptData(str(folder), COUNT, "tokens.npy", "offsets.npy", "lengths.npy", 2048, HOW, use_token_latencies=True)
    base = contract.parse(BOTH["sequence"], "run.json")
    return replace(
        base,
        output_dir=str(folder),
        engines=(EngineEntry("openvino_genai", str(folder / "engine"), "fp32", OpenVinoGenAiOptions()),),
        devices=(DeviceEntry(0, "node 0", 0, (), 2, 2),),
        batch=BatchSettings(max_samples=2, timeout_us=0.0, padding=0.0),
        dataset=data,
        scenario="Offline",
    )


@pytest.fixture(scope="module")
def one_stream(spec: RunSpec) -> RunSpec:
    """The same on one stream: each is a process that takes a second to start."""
    return replace(spec, devices=(DeviceEntry(0, "node 0", 0, (), 1, 2),))


def client(url: str, stream: bool = False) -> Any:
    how = Generation.of(HOW, stream)
    options = OpenAiOptions((url,), "gptj", server_timeout=30.0)
    return BACKEND.load(Path(), GeneratorSpec(1, 1, "fp32", options, generation=how, requests_in_flight=4, longest_prompt=900))


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "llm_server" in " ".join(one.cmdline())]


def test_a_server_serves_the_block_and_nothing_is_left(spec: RunSpec, prompts: list[Any], tmp_path: Path) -> None:
    with llm_server.started(Served(spec, "gptj", None), tmp_path, "x", 120) as server:
        assert server.url.startswith("127.0.0.1:") and children()
        generator = client(server.url)
        found = texts(generator, prompts)
        generator.close()
    assert not children()
    how = GeneratorSpec(1, 1, "fp32", generation=Generation.of(HOW), requests_in_flight=8, longest_prompt=900)
    inside = OPENVINO.load(Path(spec.engines[0].folder), how)
    assert [one.tolist() for one in found] == [one.tolist() for one in texts(inside, prompts)]
    assert f"ended after {COUNT + 2:,} requests" in (tmp_path / llm_server.LOG).read_text()


def test_requests_in_flight_are_answered_before_it_ends(one_stream: RunSpec, prompts: list[Any], tmp_path: Path) -> None:
    with llm_server.started(Served(one_stream, "gptj", None), tmp_path, "x", 120) as server:
        generator = client(server.url)
        for number, one in enumerate(prompts[:4]):
            generator.submit(number, one)
        found = {event.request for event in generator.advance(0.1) if event.finished}
    end = time.monotonic() + 20
    while len(found) < 4 and time.monotonic() < end:
        found |= {event.request for event in generator.advance(0.5) if event.finished}
    assert found == {0, 1, 2, 3}


def killed(server: Running) -> None:
    os.kill(server._process.pid, signal.SIGKILL)


def stream_killed(server: Running) -> None:
    """One of the generator's own processes."""
    workers = [one for one in psutil.Process(server._process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    workers[0].kill()


@pytest.mark.parametrize(
    ("harm", "what", "why"),
    [
        (killed, "the LLM server ended during the test: signal 9", "serving gptj"),
        pytest.param(stream_killed, "the LLM server ended during the test: exit status 4", "stream", marks=pytest.mark.full),
    ],
)
def test_a_server_that_is_lost_fails_the_run_with_its_words(
    harm: Callable[[Running], None], what: str, why: str, spec: RunSpec, prompts: list[Any], tmp_path: Path
) -> None:
    with pytest.raises(RunError) as failed, llm_server.started(Served(spec, "gptj", None), tmp_path, "x", 120) as server:
        generator = client(server.url)
        for number, one in enumerate(prompts * 20):
            generator.submit(number, one)
        harm(server)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            generator.advance(0.5)
    assert failed.value.what == what and why in failed.value.why and failed.value.exit_status == 4
    assert not children()


def test_a_server_that_does_not_start_fails_with_its_words_and_its_status(spec: RunSpec, tmp_path: Path) -> None:
    lost = replace(spec, engines=(replace(spec.engines[0], folder=str(tmp_path / "none")),))
    with pytest.raises(HarnessError) as failed, llm_server.started(Served(lost, "gptj", None), tmp_path, "x", 120):
        pass
    assert failed.value.what == "the LLM server did not start: exit status 4"
    assert "the engine none is incomplete" in failed.value.why and llm_server.LOG in failed.value.next_step


def test_a_server_that_is_not_ready_in_time_is_ended(spec: RunSpec, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not ready after 0 s"), llm_server.started(Served(spec, "gptj", None), tmp_path, "x", 0.2):
        pass
    assert not children()


def test_a_server_ends_with_a_killed_launcher(spec: RunSpec, tmp_path: Path) -> None:
    spec.write(tmp_path / "given.json")
    words = (
        "import sys; from pathlib import Path; from code.harness.schema import run_spec; from code.run import llm_server\n"
        "spec = run_spec.read(Path(sys.argv[1]))\n"
        "with llm_server.started(llm_server.Served(spec, 'gptj', None), Path(sys.argv[2]), 'x', 120) as server:\n"
        "    print(server._process.pid, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", words, str(tmp_path / "given.json"), str(tmp_path)]
    launcher = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    line = next(one for one in launcher.stdout if one.strip().isdigit())
    server = psutil.Process(int(line))
    everything = [server, *server.children(recursive=True)]
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(everything, timeout=20)
    assert len(everything) >= 3 and not alive


def job(*words: str, benchmark: str = "llama3.1-8b") -> Job:
    asked = words if any(word.startswith("--with_server") for word in words) else ("--with_server", *words)
    given = ["--action=run", f"--benchmarks={benchmark}", "--scenarios=offline", "--system=CPU_x86_64", *asked]
    found, failed = build(parse(given, {}))
    assert not failed, failed
    return Context(parse([], {})).job(found[0])


@pytest.mark.parametrize(
    ("benchmark", "words", "what", "why"),
    [
        ("gptj", (), "gptj-99 Offline cannot be served", "num_beams is 4, and servers search greedily"),
        (
            "llama3.1-8b",
            ("--backend=openai", "--server_urls=h:1"),
            "has no engine to serve",
            "measures a server that runs already",
        ),
        ("llama3.1-8b", ("--backend=simulated",), "has no engine to serve", "the engine is simulated"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is_built(
    benchmark: str, words: tuple[str, ...], what: str, why: str
) -> None:
    with pytest.raises(UsageError) as refused:
        job(*words, benchmark=benchmark).build()
    assert what in refused.value.what and why in refused.value.why


def test_fields_of_a_server_are_named_where_none_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    job("--server_timeout=5").warn_unused()
    assert "server_timeout" not in capsys.readouterr().err
    job("--server_timeout=5", "--with_server=false").warn_unused()
    said = capsys.readouterr().err
    assert "server_timeout (it is for the backend openai" in said and ", or with --with_server)" in said
    job(benchmark="bert").warn_unused()
    assert "with_server (it is for " in capsys.readouterr().err


def test_the_run_asks_the_server_for_as_many_requests_as_the_devices_take(spec: RunSpec) -> None:
    two = replace(spec, devices=(DeviceEntry(0, "node 0", 0, (0,), 2, 2), DeviceEntry(1, "node 1", 0, (1,), 3, 2)))
    options = OpenAiOptions(("127.0.0.1:9",), "gptj", server_timeout=5.0, server_api="chat")
    asked = llm_serving.through(two, options, Path("model"))
    assert [(one.name, one.streams, one.cores) for one in asked.devices] == [("2 devices", 5, ())]
    assert asked.engines == (EngineEntry("openai", "model", "fp32", options),)
    assert asked.dataset == spec.dataset and asked.batch == spec.batch
    assert llm_serving.through(spec, options, Path()).devices[0].name == "node 0"


def test_what_was_served_is_read_from_the_run(tmp_path: Path) -> None:
    assert llm_server.recorded(tmp_path) == {}
    llm_server.record(tmp_path, "gptj", "openvino_genai 1", "engine", "chat")
    assert llm_server.recorded(tmp_path)["llm_server"] == {
        "model": "gptj", "runtime": "openvino_genai 1", "engine": "engine", "api": "chat", "tokens": "ids",
    }  # fmt: skip
    (tmp_path / llm_server.RECORD_FILE).write_text("[]")
    assert llm_server.recorded(tmp_path) == {}


def test_a_job_is_served_under_its_benchmarks_name(tmp_path: Path, spec: RunSpec) -> None:
    one = job()
    one.__dict__["graph"] = tmp_path
    assert llm_serving.served(one, spec).tokenizer is None
    (tmp_path / "tokenizer.json").write_text("{}")
    found = llm_serving.served(one, spec)
    assert found.tokenizer == tmp_path / "tokenizer.json" and found.model == "llama3.1-8b"
    with pytest.raises(UsageError, match="generates no text"):
        llm_serving.served(one, contract.parse(BOTH["sequence"], "run.json"))
