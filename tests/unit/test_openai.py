"""The openai backend against servers on loopback: what is asked of them, which tokens come back, and each way in which one can fail."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from code.backends.generators import exchange
from code.backends.generators.base import Generation, GeneratorSpec, texts
from code.backends.generators.completions import KEY, Server
from code.backends.generators.openai import BACKEND, OpenAiGenerator
from code.backends.generators.openvino_genai import BACKEND as OPENVINO
from code.benchmarks.gptj import bpe, tiny
from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.text.tiny.articles import article
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.harness.python.http_server import HttpServer
from code.harness.python.llm_service import Service, Texts
from code.harness.schema.datasets import GenerationSpec, PromptData
from code.harness.schema.options import OpenAiOptions
from tests.served import serving

HOW = GenerationSpec(1, 30, 128, True, 1279)
DATA = PromptData("x", 1, "t", "o", "l", 2048, HOW)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    OPENVINO.build(tiny.MODEL, {"precision": "fp32", "benchmark": "gptj"}, folder)
    return folder


@pytest.fixture(scope="module")
def prompts() -> list[Any]:
    ids = bpe.read(tiny.MODEL).encode([prompt(article("served", index, 40).text) for index in range(24)])
    return [np.asarray(one, dtype=np.int32) for one in ids]


def direct(engine: Path, stream: bool) -> Any:
    how = Generation.of(HOW, stream)
    return OPENVINO.load(engine, GeneratorSpec(1, 1, "fp32", generation=how, requests_in_flight=16, longest_prompt=400))


@pytest.fixture(scope="module")
def own(engine: Path) -> Iterator[str]:
    """Our own server over the tiny GPT-J, greedy."""
    generator = direct(engine, stream=True)
    opened = bpe.read(tiny.MODEL)
    with serving(Service(Texts(generator), DATA, "gptj", opened.tokenizer, "")) as server:
        yield address(server)


def address(server: HttpServer) -> str:
    return f"127.0.0.1:{server.port}"


def options(*urls: str, **more: Any) -> OpenAiOptions:
    return OpenAiOptions(server_urls=urls, **{"served_model": "gptj", "server_timeout": 20.0, **more})


def loaded(given: OpenAiOptions, folder: Path, stream: bool = False, in_flight: int = 8) -> OpenAiGenerator:
    how = Generation.of(HOW, stream)
    return BACKEND.load(
        folder, GeneratorSpec(1, 1, "fp32", given, generation=how, requests_in_flight=in_flight, longest_prompt=400)
    )


@pytest.mark.parametrize("stream", [False, True])
def test_tokens_through_the_server_are_those_in_process(stream: bool, own: str, engine: Path, prompts: list[Any]) -> None:
    generator = loaded(options(own), engine, stream)
    firsts, found = {}, {}
    for number, one in enumerate(prompts):
        generator.submit(number, one)
    while len(found) < len(prompts):
        for event in generator.advance(1.0):
            (found if event.finished else firsts)[event.request] = event.tokens.tolist()
    generator.close()
    inside = direct(engine, stream=False)
    assert [found[number] for number in range(len(prompts))] == [tokens.tolist() for tokens in texts(inside, prompts)]
    assert firsts == ({number: tokens[:1] for number, tokens in found.items()} if stream else {})


def test_a_text_that_is_tokenised_again_says_so_by_its_option(own: str, prompts: list[Any], tmp_path: Path) -> None:
    bpe.read(tiny.MODEL).tokenizer.save(str(tmp_path / "tokenizer.json"))
    generator = loaded(options(own, server_tokens="text"), tmp_path)
    again = texts(generator, prompts[:4])
    generator.close()
    ids = loaded(options(own), tmp_path)
    assert [bpe.read(tiny.MODEL).decode([tokens]) for tokens in again] == [
        bpe.read(tiny.MODEL).decode([tokens]) for tokens in texts(ids, prompts[:4])
    ]
    ids.close()
    with pytest.raises(MissingError, match=r"has no tokenizer\.json"):
        loaded(options(own, server_tokens="text"), tmp_path / "none")


def test_two_servers_share_the_requests(own: str, engine: Path, prompts: list[Any]) -> None:
    with serving(Service(Texts(direct(engine, True)), DATA, "gptj", None, "")) as second:
        generator = loaded(options(own, address(second)), engine)
        assert len(texts(generator, prompts)) == len(prompts)
        generator.close()


class Faulty:
    """A server that answers the checks, and the run's requests in its own way."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler, int], None], models: Any = None, health: int = 200) -> None:
        self.count = 0
        outer = self
        entries = models if models is not None else [{"id": "gptj", "max_model_len": 2048}]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                status = health if self.path == "/health" else 200
                reply(self, status, {"data": entries})

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.count += 1
                if outer.count <= 2:  # the answer that is asked for twice before a run
                    reply(self, 200, whole([5, 6]))
                else:
                    answer(self, outer.count)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"127.0.0.1:{self.server.server_port}"


def reply(handler: BaseHTTPRequestHandler, status: int, content: Any, kind: str = "application/json") -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def whole(tokens: list[int]) -> dict[str, Any]:
    return {"choices": [{"text": "", "token_ids": tokens, "finish_reason": "stop"}]}


def dies(handler: BaseHTTPRequestHandler, count: int) -> None:
    handler.connection.close()
    handler.close_connection = True


def cut(handler: BaseHTTPRequestHandler, count: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(
        b"data: " + json.dumps({"choices": [{"text": "", "token_ids": [5], "finish_reason": None}]}).encode() + b"\n\n"
    )
    handler.wfile.flush()
    handler.connection.shutdown(2)
    handler.close_connection = True


def streams(*parts: bytes, pause_s: float = 0.0) -> Callable[[BaseHTTPRequestHandler, int], None]:
    """A stream of these parts, which is not ended."""

    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(pause_s)
        handler.close_connection = True

    return answer


def half(handler: BaseHTTPRequestHandler, count: int) -> None:
    reply(handler, 200, json.dumps(whole([5, 6])).encode()[:30])


def gone(handler: BaseHTTPRequestHandler, count: int) -> None:
    """It answers, closes the connection, and nobody listens any more."""
    server = cast(ThreadingHTTPServer, handler.server)
    server.shutdown()
    server.socket.close()
    reply(handler, 200, whole([5, 6]))
    handler.close_connection = True


FAULTS: dict[str, tuple[Callable[[BaseHTTPRequestHandler, int], None], str, str]] = {
    "killed": (dies, "ended a request before its answer was complete", ""),
    "hangs": (lambda handler, count: time.sleep(30), "sent nothing for 1 s", "--server_timeout"),
    "500": (lambda handler, count: reply(handler, 500, {"error": {"message": "out of memory"}}), "answered 500", "out of memory"),
    "no completion": (lambda handler, count: reply(handler, 200, ["x"]), "did not answer with a completion", ""),
    "half a completion": (half, "did not answer with a completion", "its JSON is not complete: "),
    "a page": (lambda handler, count: reply(handler, 200, b"<h1>Hi</h1>", "text/html"), "answered with text/html", "<h1>Hi</h1>"),
    "gone": (gone, "accepts no more connections", "it answered before"),
    "no ids": (
        lambda handler, count: reply(handler, 200, {"choices": [{"text": "a"}]}),
        "returned no token ids",
        "--server_tokens=text",
    ),
    "cut": (cut, "ended a request before its answer was complete", "without [DONE]"),
    "half a part": (streams(b'data: {"choices": [{"te\n\n'), "did not answer with a completion", "its JSON is not complete: "),
    "an error inside": (streams(b'data: {"error": {"message": "no memory"}}\n\n'), "failed during an answer", "no memory"),
    "slow first token": (streams(*[b": wait\n\n"] * 40, pause_s=0.2), "sent no token within 0.7 s", "server_first_token_timeout"),
    "no stream": (lambda handler, count: reply(handler, 200, whole([5])), "answered with application/json, not text/event-", "5"),
}
IN_STREAMS = ("cut", "half a part", "an error inside", "slow first token", "no stream")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_is_one_clear_error(fault: str, engine: Path, prompts: list[Any]) -> None:
    answer, what, words = FAULTS[fault]
    given = options(
        Faulty(answer).url, server_timeout=1.0, server_first_token_timeout=0.7 if fault == "slow first token" else 0.0
    )
    generator = streaming(given) if fault in IN_STREAMS else loaded(given, engine, in_flight=1)
    generator.submit(9, prompts[0])
    generator.submit(10, prompts[1])
    with pytest.raises(RunError, match=what) as caught:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            generator.advance(0.5)
    assert words in f"{caught.value.why} {caught.value.next_step}" and caught.value.exit_status == 4
    generator.close()


def streaming(given: OpenAiOptions) -> OpenAiGenerator:
    """A generator that streams, without the checks that a faulty server would not pass, but for the number of the answers."""
    for _ in range(2):
        urllib.request.urlopen(f"http://{given.server_urls[0]}/v1/completions", b"{}", timeout=5).close()
    return OpenAiGenerator(given, Generation.of(HOW, True), 1, None)


CHECKS: dict[str, tuple[dict[str, Any], dict[str, Any], type[HarnessError], str]] = {
    "unhealthy": ({"health": 503}, {}, RunError, "is not healthy"),
    "wrong model": ({}, {"served_model": "gptk"}, UsageError, "unknown served model 'gptk'"),
    "no models": ({"models": []}, {}, RunError, "lists no models"),
    "short context": ({"models": [{"id": "gptj", "max_model_len": 100}]}, {}, UsageError, "takes 100 tokens of gptj"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_server_is_checked_before_a_run(name: str, engine: Path) -> None:
    server, given, kind, what = CHECKS[name]
    faulty = Faulty(lambda handler, count: reply(handler, 200, whole([1])), **server)
    with pytest.raises(kind, match=what):
        loaded(options(faulty.url, **given), engine)
    assert faulty.count == 0


def test_an_idle_connection_that_the_server_has_closed_is_opened_again() -> None:
    """Servers close idle connections after some seconds; nothing was sent on it, so nothing is sent twice."""

    def closing(handler: BaseHTTPRequestHandler, count: int) -> None:
        reply(handler, 200, whole([count]))
        handler.close_connection = True  # without a word in the headers

    server = Faulty(closing)
    server.count = 2
    generator = OpenAiGenerator(options(server.url), Generation.of(HOW), 1, None)
    for number in (3, 4, 5):
        assert [one.tolist() for one in texts(generator, [np.array([1], np.int32)])] == [[number]]
        time.sleep(0.1)
    generator.close()


def one_answer(server: Faulty, given: OpenAiOptions | None = None) -> list[int]:
    """The text of one request, without the checks before a run."""
    server.count = 2
    generator = OpenAiGenerator(given or options(server.url), Generation.of(HOW), 1, None)
    try:
        return [int(token) for token in texts(generator, [np.array([1], np.int32)])[0]]
    finally:
        generator.close()


def test_an_answer_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LARGEST", 1000)
    with pytest.raises(RunError, match="before its answer was complete") as caught:
        one_answer(Faulty(lambda handler, count: reply(handler, 200, b"x" * 2000)))
    assert "larger than 1,000 bytes" in caught.value.why


def test_a_fault_of_the_backend_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Faulty(lambda handler, count: reply(handler, 200, whole([5])))
    for owner, name in ((exchange, "piece_of"), (OpenAiGenerator, "body")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, lambda *given: 1 / 0)
            with pytest.raises(RunError, match="the generator failed") as caught:
                one_answer(server)
            assert "ZeroDivisionError" in caught.value.why


def test_a_name_whose_every_address_refuses_is_gone() -> None:
    with pytest.raises(RunError, match="accepts no more connections"):
        one_answer(Faulty(dies), options("localhost:1"))


def test_the_host_of_an_address_with_colons_has_brackets() -> None:
    connection = exchange.Connection(Server.of("[::1]:80"), asyncio.new_event_loop(), print, 1.0, 0.0)
    assert connection._headers[0] == ("Host", "[::1]:80")
    connection._loop.close()


def test_more_requests_than_are_in_flight_wait_and_connections_are_used_again(own: str, prompts: list[Any]) -> None:
    generator = OpenAiGenerator(options(own), Generation.of(HOW), 2, None)
    assert len(texts(generator, prompts[:9])) == 9
    assert len(generator._servers[0]._all) == 2 and generator._outstanding == [0]
    generator.close()
    generator.close()


def test_a_bound_of_first_tokens_needs_streams(own: str, engine: Path) -> None:
    with pytest.raises(UsageError, match="bounds the first token of streams"):
        loaded(options(own, server_first_token_timeout=1.0), engine)


def test_an_answer_that_changes_is_refused(engine: Path) -> None:
    changing = Faulty(lambda handler, count: reply(handler, 200, whole([count])))
    changing.count = 2
    with pytest.raises(RunError, match="answers the same prompt differently"):
        loaded(options(changing.url), engine)


def test_no_server_at_all_is_missing(engine: Path) -> None:
    with pytest.raises(MissingError, match="no server answers at 127"):
        loaded(options("127.0.0.1:1"), engine)


@pytest.mark.parametrize("url", ["ftp://x", "http://", "a:b", "http://u:p@h:1", "h:1/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not a server address"):
        Server.of(url)
    with pytest.raises(UsageError, match="no server is given"):
        BACKEND.options({}, Path())


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        ({"prompt": [1], "model": "x"}, 404, "there is no model 'x'"),
        ({"prompt": [1], "temperature": 0.7}, 400, "temperature is '0.7'"),
        ({"prompt": [1], "max_tokens": 4096}, 400, "it is between 1 and 128"),
        ({"prompt": list(range(2000))}, 400, "the model takes 2,048"),
        ({"prompt": [1, "a"]}, 400, "prompt must be a list of token ids or a text"),
        ([1], 400, "is not a JSON object"),
    ],
)
def test_our_server_refuses_what_it_does_not_do(content: Any, status: int, words: str, own: str) -> None:
    import http.client

    connection = http.client.HTTPConnection(own)
    connection.request("POST", "/v1/completions", json.dumps(content))
    response = connection.getresponse()
    assert response.status == status and words in json.loads(response.read())["error"]["message"]
    connection.request("GET", "/health")  # the connection is still good
    assert connection.getresponse().status == 200
    connection.close()


def test_a_key_is_asked_for(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Service(Texts(direct(engine, True)), DATA, "gptj", None, "secret")) as server:
        url = address(server)
        with pytest.raises(RunError, match="lists no models") as caught:
            loaded(options(url), engine)
        assert "401" in caught.value.why
        monkeypatch.setenv(KEY, "secret")
        loaded(options(url), engine).close()
