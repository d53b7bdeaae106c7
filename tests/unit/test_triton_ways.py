"""How a Triton server is asked: which way a config gets, what a server answers over HTTP, and where the time of requests went."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.actions import Context
from code.backends.triton import package, wires
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.options import TritonInProcessOptions, TritonLlmOptions
from code.plan.request import parse
from code.plan.workload import build
from code.results.page import limits
from code.run import language, servable, triton_requests, triton_time
from code.run.job import Job
from tests import run_documents as documents


def job(*words: str) -> Job:
    found, failed = build(parse(["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64", *words], {}))
    assert not failed, failed
    return Context(parse([], {})).job(found[0])


@pytest.mark.parametrize(
    ("words", "protocol", "languages"),
    [
        (["--config_ver=triton"], None, ("python",)),
        (["--config_ver=triton", "--triton_protocol=http"], "http", ("python",)),
        (["--config_ver=triton", "--triton_protocol=in_process"], "in_process", ("cpp",)),
        (["--config_ver=triton_unified"], "in_process", ("cpp",)),
        (["--config_ver=high_accuracy_triton_unified", "--use_triton"], "in_process", ("cpp",)),
        (["--config_ver=triton_unified", "--triton_protocol=grpc"], "grpc", ("python",)),
        (["--config_ver=triton_unified", "--triton_url=localhost:8001"], None, ("python",)),
        (["--config_ver=triton_unified", "--use_triton=false"], None, ("python", "cpp")),
        (["--triton_protocol=in_process"], "in_process", ("python", "cpp")),
    ],
)
def test_the_way_to_the_server(words: list[str], protocol: str | None, languages: tuple[str, ...]) -> None:
    found = job(*words)
    assert found.values["triton_protocol"] == protocol
    assert sorted(language.supported(found.values, found.backend)) == sorted(languages)


@pytest.mark.parametrize("option", ["triton_url=localhost:8001", "triton_port=8001", "triton_shared_memory=false"])
def test_a_server_in_the_process_has_no_address(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option.partition('=')[0]} is for a server of its own"):
        triton_requests.require_fields(job("--config_ver=triton", "--triton_protocol=in_process", f"--{option}").values)
    triton_requests.require_fields(job("--config_ver=triton", f"--{option}").values)


def test_an_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="triton_protocol"):
        parse(["--triton_protocol=gprc"], {})


def test_a_run_in_the_process_names_the_library_and_the_models(tmp_path: Path) -> None:
    content = json.loads(json.dumps(documents.BOTH["sequence"]))
    options = TritonInProcessOptions("/lib/libtritonserver.so", "/backends", "/models", ("bert_0", "bert_1"), "regions-")
    sending = {"use_concurrent_harness": None, "num_concurrent_issuers": 1, "batch_triton_requests": None}
    found = triton_requests.through(contract.parse(content, "run.json"), options, sending)
    assert {engine.backend for engine in found.engines} == {"triton_in_process"}
    found.write(tmp_path / "run.json")
    assert contract.read(tmp_path / "run.json").engines[0].options == options


def test_the_library_of_an_installation(tmp_path: Path) -> None:
    for place in ("bin", "lib", "backends"):
        (tmp_path / place).mkdir()
    program = tmp_path / "bin" / "tritonserver"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(MissingError, match="no library of its C API") as missing:
        package.library(package.installation(str(program)))
    assert "make triton" in missing.value.next_step and "--triton_protocol=grpc" in missing.value.next_step
    (tmp_path / "lib" / "libtritonserver.so").touch()
    assert package.library(package.installation(str(program))) == tmp_path / "lib" / "libtritonserver.so"


def text_job(*words: str) -> Job:
    command = ["--action=run", "--benchmarks=gptj", "--scenarios=offline", "--system=CPU_x86_64", "--backend=triton_llm", *words]
    found, failed = build(parse(command, {}))
    assert not failed, failed
    return Context(parse([], {})).job(found[0])


def test_a_text_generator_behind_triton_is_asked_by_its_own_backend(tmp_path: Path) -> None:
    found = text_job("--triton_url=grpc://node-3:8001", "--config_ver=triton", "--served_model=llama", "--server_timeout=5")
    servable.require_servable(found.workload, found.backend)
    options = found.backend.options(found.workload.plain(), tmp_path)
    assert options == TritonLlmOptions("node-3:8001", "llama", 5.0)
    assert found.backend.recorded(found.workload.plain()) == {"triton_server": "node-3:8001", "triton_model": "llama"}
    assert found.backend.options(text_job("--triton_url=localhost:8001").workload.plain(), tmp_path).model == "tensorrt_llm"


@pytest.mark.parametrize(
    ("words", "what"),
    [([], "no Triton server is given"), (["--triton_url=http://localhost:8000"], "texts are streamed over gRPC")],
)
def test_a_text_generator_behind_triton_needs_a_grpc_endpoint(words: list[str], what: str, tmp_path: Path) -> None:
    found = text_job(*words)
    with pytest.raises(UsageError, match=what):
        found.backend.options(found.workload.plain(), tmp_path)


Answer = tuple[int, bytes]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer | None], wires.Wire]]:
    """A wire to an HTTP server that gives every request the same answer; None: it closes the connection."""
    started: list[http.server.ThreadingHTTPServer] = []
    monkeypatch.setattr(package, "client", lambda protocol="grpc": None)

    def serve(answer: Answer | None) -> wires.Wire:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self) -> None:
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_GET = do_POST = reply  # noqa: N815 (names of the library)

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        started.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return wires.wire("http", f"127.0.0.1:{server.server_address[1]}")

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, b'{"error": "unknown model\\nmore"}'), "unknown model"),
        ((500, b'{"error": ""}'), "it gave no reason"),
        ((500, b""), "it gave no reason"),
        ((503, b"<html>busy</html>"), "<html>busy</html>"),
        ((200, b"no JSON"), "its answer to /v2 is not JSON"),
    ],
)
def test_an_answer_that_is_an_error_has_the_servers_words(
    answering: Callable[[Answer | None], wires.Wire], answer: Answer, words: str
) -> None:
    with pytest.raises(RunError, match="Triton answered with an error") as failed:
        answering(answer).version()
    assert failed.value.why.startswith(words)


def test_a_server_that_closes_the_connection_or_is_not_there(answering: Callable[[Answer | None], wires.Wire]) -> None:
    with pytest.raises(RunError, match="does not answer"):
        answering(None).statistics()
    with pytest.raises(RunError, match="does not answer"):
        wires.wire("http", "127.0.0.1:1").version()


def test_what_a_server_says_over_http(answering: Callable[[Answer | None], wires.Wire]) -> None:
    assert answering((200, b'{"version": "2.51.0"}')).version() == "2.51.0"
    assert answering((200, b"[]")).version() == ""
    assert answering((200, b"")).ready("bert_0") and not answering((400, b"")).ready("bert_0")


def statistics(scale: int, text: bool = False) -> dict[str, Any]:
    """What a server of one model says after `scale` requests; gRPC's JSON has numbers as text, and leaves zeros out."""
    count: Any = str(scale) if text else scale
    parts = {"success": 10, "queue": 2, "compute_input": 1, "compute_infer": 6, "compute_output": 1}
    stats = {name: {"count": count, "ns": f"{ms * scale * 10**6}" if text else ms * scale * 10**6} for name, ms in parts.items()}
    if text and not scale:
        stats = {}
    return {"model_stats": [{"name": "bert_0", "execution_count": count, "inference_stats": stats}]}


@pytest.mark.parametrize("text", [False, True])
def test_what_a_server_did_between_two_readings(text: bool) -> None:
    found = triton_time.between(statistics(10, text), statistics(40, text))
    assert found is not None
    assert (found["requests"], found["executions"]) == (30, 30)
    assert [found[key] for key in ("total_s", "queue_s", "input_s", "compute_s", "output_s")] == [0.3, 0.06, 0.03, 0.18, 0.03]
    assert triton_time.between(statistics(10, text), statistics(10, text)) is None
    assert triton_time.between({}, statistics(2, text)) == triton_time.between(statistics(0, text), statistics(2, text))


@pytest.mark.parametrize("damage", [{}, {"model_stats": 3}, {"model_stats": [3, {"inference_stats": {"queue": []}}]}])
def test_statistics_of_another_form_count_nothing(damage: dict[str, Any]) -> None:
    assert triton_time.between({}, damage) is None


def test_a_server_in_the_process_leaves_its_version_and_time(tmp_path: Path) -> None:
    triton_time.record_in_process(tmp_path, "/lib/libtritonserver.so")
    assert triton_time.recorded(tmp_path) == {}
    left = {"version": "2.51.0", "before": statistics(1), "after": statistics(3)}
    (tmp_path / triton_time.STATISTICS_FILE).write_text(json.dumps(left))
    triton_time.record_in_process(tmp_path, "/lib/libtritonserver.so")
    found = triton_time.recorded(tmp_path)
    assert found["triton_version"] == "2.51.0" and found["triton_protocol"] == "in_process"
    assert found["triton_time"]["requests"] == 2


def test_the_page_has_a_row_for_each_part_of_the_lost_time() -> None:
    spent = {
        "requests": 100,
        "executions": 100,
        "total_s": 0.8,
        "queue_s": 0.1,
        "input_s": 0.02,
        "compute_s": 0.6,
        "output_s": 0.03,
    }
    metadata = {"devices": [{"busy_share": 0.5}], "triton_time": spent}
    batches = np.array([[0.0, 1.0, 1, 64], [0.0, 2.0, 1, 64]])
    rows = {row[0]: row for row in limits.rows(metadata, {"devices": [{"streams": 1}]}, batches, None)}
    assert [rows[name][1] for name in ("Triton's queue", "Triton's copies", "Way to Triton")] == ["10.0%", "5.0%", "20.0%"]
    assert "of 10 ms a request" in rows["Way to Triton"][2]
    assert not [row for row in limits.rows({"devices": metadata["devices"]}, {}, batches, None) if "Triton" in row[0]]
