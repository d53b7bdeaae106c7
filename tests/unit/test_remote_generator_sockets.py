"""Text generators over nodes: what a head needs, the sockets of its nodes, and the engines that nodes have of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.backends.base import loader
from code.backends.generators import remote, wire
from code.backends.generators.base import GeneratorSpec, texts
from code.backends.generators.openvino_genai import BACKEND as GENAI
from code.backends.generators.remote import RemoteUsage
from code.backends.generators.wire import ZeroMq
from code.benchmarks.gptj import tiny
from code.common.errors import MissingError, UsageError
from code.common.paths import project_root
from code.harness.python import generation_run
from code.harness.python.serving_node import Serving, opened, require_texts
from code.harness.schema import node_variables
from code.harness.schema import run_spec as contract
from code.harness.schema.options import NoOptions, RemoteOptions
from code.run.nodes import environment
from tests import run_documents as documents
from tests.unit.test_remote_generator import HOW, Backwards, ids


def test_only_texts_are_served_by_the_python_harness() -> None:
    with pytest.raises(UsageError, match="text generators only"):
        require_texts(object())


def prompts(folder: Path) -> None:
    """Five prompts of three tokens."""
    np.save(folder / "tokens.npy", np.arange(15, dtype=np.int32))
    np.save(folder / "offsets.npy", np.arange(0, 16, 3))
    np.save(folder / "lengths.npy", np.full(5, 3))


def test_nodes_have_engines_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts(tmp_path)
    entry = documents.engine("remote", {**documents.REMOTE, "node": "n1"})
    other = documents.engine("remote", {**documents.REMOTE, "node": "n2"})
    spec = contract.parse(documents.document({**documents.PROMPTS, "folder": str(tmp_path)}, entry, other), "run.json")
    asked: list[Any] = []
    usage = RemoteUsage(2)
    usage.answered(1.0, 20)
    fake = SimpleNamespace(usage=[usage, RemoteUsage(2)], capacity=2)

    def load_devices(_self: Any, _folder: Path, specs: list[Any]) -> Any:
        asked.extend(specs)
        return fake

    monkeypatch.setattr(remote.Remote, "load_devices", load_devices)
    run = generation_run.load(spec)
    assert [one.options.node for one in asked] == ["n1", "n2"] and asked[0].longest_prompt == 3
    rows = run.usage(SimpleNamespace(usage=None), 10.0)  # type: ignore[arg-type]
    assert rows[0]["network_s"] == 0.5 and rows[0]["received_bytes"] == 20


def spec_of(options: Any) -> GeneratorSpec:
    return GeneratorSpec(1, 0, "fp32", options, generation=HOW)


def test_what_a_head_needs_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="RemoteOptions"):
        loader("remote").load(Path(), spec_of(NoOptions()))
    options = RemoteOptions(str(tmp_path / "a" / "libzmq.so"), "n0", ("ipc:///a",), "k")
    monkeypatch.delenv(node_variables.KEYS, raising=False)
    with pytest.raises(UsageError, match="has no CURVE keys"):
        loader("remote").load(Path(), spec_of(options))
    for words in ("a" * 40, f"{'a' * 40} {'b' * 39}", f"{'a' * 40} {'b' * 40} c"):
        with pytest.raises(UsageError, match="CURVE"):
            ZeroMq("", words)


def test_zeromq_that_cannot_be_imported_is_named_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "zmq", raising=False)
    monkeypatch.delitem(sys.modules, "zmq.auth.thread", raising=False)
    (tmp_path / "zmq.py").write_text("raise ImportError('another Python')")
    before = list(sys.path)
    with pytest.raises(MissingError, match="cannot be imported") as caught:
        wire.imported(str(tmp_path / "pyzmq.libs" / "libzmq.so"))
    assert f"{tmp_path}: another Python" in caught.value.why and "make cluster" in caught.value.next_step
    assert sys.path == before


def test_unix_sockets_are_in_a_folder_of_this_account_alone(tmp_path: Path) -> None:
    for folder, mode in ((tmp_path / "none", None), (tmp_path / "open", 0o755), (tmp_path / "group", 0o710)):
        if mode is not None:
            folder.mkdir()
            folder.chmod(mode)
        with pytest.raises(UsageError, match="cannot listen in"):
            wire._require_private(folder)
    (tmp_path / "own").mkdir(mode=0o700)
    wire._require_private(tmp_path / "own")


def test_a_process_that_serves_loads_its_generator_and_then_needs_keys(tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    GENAI.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, engine)
    prompts(tmp_path)
    content = documents.document(
        {**documents.PROMPTS, "folder": str(tmp_path)}, documents.engine("openvino_genai", documents.GENAI)
    )
    content["engines"][0]["folder"] = str(engine)
    content["engines"][0]["options"] = {**documents.GENAI, "kv_cache_gb": 0.1, "kv_cache_precision": None, "prompt_lookup": 0}
    content["devices"][0].update(streams=1, threads=1, cores=[])
    content.update(warmup_s=0, output_dir=str(tmp_path / "none"))
    (tmp_path / "run.json").write_text(json.dumps(content))
    environment = {name: value for name, value in os.environ.items() if name != node_variables.KEYS}
    command = [sys.executable, "-m", "code.harness.python", "--serve", str(tmp_path / "run.json")]
    done = subprocess.run(command, cwd=project_root(), env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "has no CURVE keys" in done.stderr, done.stderr


@pytest.fixture
def library() -> str:
    try:
        environment.python()
        return str(environment.library())
    except MissingError as error:
        pytest.skip(f"{error.what}: make cluster")


def keys(library: str) -> tuple[str, str]:
    public, secret = wire.imported(library).curve_keypair()
    return public.decode(), secret.decode()


@pytest.mark.parametrize("near", [True, False], ids=["Unix sockets", "TCP"])
def test_two_nodes_over_zeromq(near: bool, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = keys(library)
    stop = threading.Event()
    specs: list[Any] = []
    threads: list[threading.Thread] = []
    owners: list[ZeroMq] = []
    for name in ("n0", "n1"):
        own, folder = keys(library), tmp_path / name  # one process is both nodes: a folder for each
        folder.mkdir(mode=0o700)
        variables = {
            node_variables.LIBRARY: library,
            node_variables.KEYS: " ".join(own),
            node_variables.HEAD_KEY: head[0],
            node_variables.FOLDER: str(folder) if near else "",
        }
        requests, answers, endpoints = opened(variables)
        owners.append(requests.owner)  # type: ignore[attr-defined]
        assert all(endpoint.startswith("ipc://" if near else "tcp://127.0.0.1:") for endpoint in endpoints)
        serving = Serving(Backwards(2), requests, answers)
        specs.append(spec_of(RemoteOptions(library, name, tuple(endpoints), own[0])))

        def work(serving: Serving = serving) -> None:
            serving.greet()
            while not stop.is_set():
                serving.receive(0.01)
                serving.step(0)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    monkeypatch.setenv(node_variables.KEYS, " ".join(head))
    generator = remote.BACKEND.load_devices(Path(), specs)
    found = texts(generator, [ids(i, 7) for i in range(40)])
    assert [text.tolist() for text in found] == [[7, i] for i in range(40)]
    assert all(usage.finished for usage in generator.usage) and generator.capacity == 4
    start = time.monotonic()
    generator._door.wait(0.2)
    assert time.monotonic() - start > 0.1
    stop.set()
    for thread in threads:
        thread.join()
    generator.close()
    for owner in owners:
        owner.close()


def test_a_stranger_gets_nothing(library: str) -> None:
    head, own, stranger = keys(library), keys(library), keys(library)
    node = ZeroMq(library, " ".join(own), head[0])
    answers = node.pushing("127.0.0.1", "")
    links = {}
    for name, pair in (("stranger", stranger), ("head", head)):
        links[name] = ZeroMq(library, " ".join(pair)).connected(False, answers.endpoint, own[0])
    answers.send(b"x")
    assert links["head"].receive(5.0) == b"x" and links["stranger"].receive(1.0) is None
    for owner in (node, *(link.owner for link in links.values())):
        owner.close()
