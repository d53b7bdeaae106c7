"""`python -m code.harness.python.llm_server run.json HOST PORT MODEL [TOKENIZER]`: an OpenAI-compatible server over a text generator.

    /v1/completions        prompts as token ids, or as text where there is a tokenizer; streamed or whole
    /v1/models, /health, /metrics

The generator batches continuously; its search is the one of run.json, so temperatures and longer texts than its own are refused. A
stream has two parts, the first token and the rest, because that is what a generator reports. With OPENAI_API_KEY set, each request must
carry it. SIGTERM ends the server when the requests in flight have their answers.
"""

from __future__ import annotations

import hmac
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.generators.base import WAIT_S, Event, TextGenerator
from code.backends.generators.completions import KEY
from code.common import jsonfile
from code.common.errors import HarnessError, UsageError
from code.common.parent import end_with_launcher
from code.harness.python.generation_run import load
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import PromptData

LARGEST = 8 << 20
"""Bytes of a request, at most."""
DRAIN_S = 60.0
"""Seconds that requests in flight have after SIGTERM."""


class BadRequestError(Exception):
    """A request that cannot be answered: an HTTP status and the reason."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Asked:
    """A completion's request."""

    prompt: tuple[int, ...]
    most: int
    stream: bool
    ids: bool


class Texts:
    """A generator that many threads ask: one thread drives it and hands each its events."""

    def __init__(self, generator: TextGenerator) -> None:
        self._generator = generator
        self._waiting: dict[int, queue.SimpleQueue[Event | None]] = {}
        self._lock = threading.Lock()
        self._next = 0
        self.failed = ""
        self.answered, self.tokens = 0, 0
        threading.Thread(target=self._drive, name="generator", daemon=True).start()

    @property
    def running(self) -> int:
        """Requests without their whole answer."""
        return len(self._waiting)

    def submit(self, prompt: tuple[int, ...]) -> queue.SimpleQueue[Event | None]:
        """Where the events of a prompt arrive; None if the generator fails."""
        arrives: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._waiting[number] = arrives
        if self.failed:
            arrives.put(None)
        self._generator.submit(number, np.asarray(prompt, dtype=np.int32))
        return arrives

    def _drive(self) -> None:
        try:
            while True:
                for event in self._generator.advance(WAIT_S):
                    with self._lock:
                        arrives = self._waiting.pop(event.request) if event.finished else self._waiting[event.request]
                        if event.finished:
                            self.answered += 1
                            self.tokens += len(event.tokens)
                    arrives.put(event)
        except Exception as error:
            self.failed = str(error) or type(error).__name__
            with self._lock:
                for arrives in self._waiting.values():
                    arrives.put(None)


class Service:
    """What the handlers share: the generator, the model's name and limits."""

    def __init__(self, texts: Texts, data: PromptData, model: str, tokenizer: Any, key: str) -> None:
        self.texts, self.model, self.tokenizer, self.key = texts, model, tokenizer, key
        self.most, self.positions = data.generation.max_new_tokens, data.positions
        self.ends = (data.generation.eos, *data.generation.also_ends)
        self.stopping = threading.Event()
        self.made = int(time.time())

    def asked(self, content: Any) -> Asked:
        """A request's content, checked. BadRequestError for what this server does not do."""
        if not isinstance(content, dict):
            raise BadRequestError(400, "the request is not a JSON object")
        if content.get("model") not in (None, "", self.model):
            raise BadRequestError(404, f"there is no model {content['model']!r}; this server has {self.model!r}")
        for name, usual in (("temperature", 0), ("n", 1), ("best_of", 1)):
            if content.get(name) not in (None, usual):
                raise BadRequestError(400, f"{name} is {content[name]!r}; this server's search is greedy and gives one text")
        most = content.get("max_tokens", self.most)
        if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= self.most:
            raise BadRequestError(400, f"max_tokens is {most!r}; it is between 1 and {self.most}")
        prompt = self._prompt(content.get("prompt"))
        if not prompt or len(prompt) + most > self.positions:
            raise BadRequestError(
                400, f"the prompt has {len(prompt):,} tokens; with {most} more the model takes {self.positions:,}"
            )
        return Asked(prompt, most, bool(content.get("stream")), bool(content.get("return_token_ids")))

    def _prompt(self, given: Any) -> tuple[int, ...]:
        if isinstance(given, list) and all(isinstance(one, int) and 0 <= one < 1 << 31 for one in given):
            return tuple(given)
        if isinstance(given, str) and self.tokenizer is not None:
            return tuple(self.tokenizer.encode(given, add_special_tokens=True).ids)
        raise BadRequestError(400, "prompt must be a list of token ids" + (" or a text" if self.tokenizer is not None else ""))

    def text(self, tokens: list[int]) -> str:
        """The characters of tokens; '' without a tokenizer."""
        return "" if self.tokenizer is None else str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def choice(self, tokens: list[int], text: str, ids: bool, reason: str | None) -> dict[str, Any]:
        """A completion, or a part of one, as OpenAI's interface has it."""
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason, **({"token_ids": tokens} if ids else {})}
        return {"id": "cmpl", "object": "text_completion", "created": self.made, "model": self.model, "choices": [choice]}

    def metrics(self) -> str:
        """Counters as Prometheus reads them."""
        rows = {"requests_running": self.texts.running, "requests_total": self.texts.answered, "tokens_total": self.texts.tokens}
        return "".join(f"llm_server_{name} {value}\n" for name, value in rows.items())


class Handler(BaseHTTPRequestHandler):
    """One connection, which stays open."""

    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: a run has thousands a second."""

    def do_GET(self) -> None:
        """Health, models and counters."""
        service = self.service
        if self.path == "/health":
            well = not service.texts.failed and not service.stopping.is_set()
            why = {} if well else {"error": {"message": service.texts.failed or "the server is ending"}}
            return self._json(200 if well else 503, why)
        if not self._allowed():
            return None
        if self.path == "/v1/models":
            entry = {"id": service.model, "object": "model", "created": service.made, "max_model_len": service.positions}
            return self._json(200, {"object": "list", "data": [entry]})
        if self.path == "/metrics":
            return self._send(200, service.metrics().encode(), "text/plain; version=0.0.4")
        return self._json(404, {"error": {"message": f"there is no {self.path}"}})

    def do_POST(self) -> None:
        """A completion."""
        try:
            length = int(self.headers.get("Content-Length") or -1)
            if not 0 <= length <= LARGEST:
                self.close_connection = True
                raise BadRequestError(
                    413 if length > LARGEST else 411, f"a request has a Content-Length of at most {LARGEST:,} bytes"
                )
            body = self.rfile.read(length)
            if not self._allowed():
                return
            if self.path != "/v1/completions":
                raise BadRequestError(404, f"there is no {self.path}")
            if self.service.stopping.is_set():
                raise BadRequestError(503, "the server is ending")
            try:
                content = jsonfile.parse(body)
            except ValueError as error:
                raise BadRequestError(400, f"the request is not valid JSON: {error}") from error
            self._complete(self.service.asked(content))
        except BadRequestError as error:
            self._json(error.status, {"error": {"message": str(error), "type": "invalid_request_error"}})

    def _complete(self, asked: Asked) -> None:
        service, sent = self.service, 0
        arrives = service.texts.submit(asked.prompt)
        while True:
            event = arrives.get()
            if event is None:
                if sent:
                    self.close_connection = True  # a stream that ends without [DONE] is no answer
                    return None
                raise BadRequestError(500, f"the generator failed: {service.texts.failed}")
            tokens = event.tokens.tolist()[: asked.most]
            ended = bool(tokens) and tokens[-1] in service.ends
            if not asked.stream:
                if event.finished:
                    return self._json(200, service.choice(tokens, service.text(tokens), asked.ids, "stop" if ended else "length"))
                continue
            if not sent:
                self._begin()
            before = service.text(tokens[:sent])
            reason = ("stop" if ended else "length") if event.finished else None
            self._part(json.dumps(service.choice(tokens[sent:], service.text(tokens)[len(before) :], asked.ids, reason)))
            sent = len(tokens)
            if event.finished:
                self._part("[DONE]")
                self.wfile.write(b"0\r\n\r\n")
                return None

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _part(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()

    def _allowed(self) -> bool:
        key = self.service.key
        if not key or hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {key}".encode()):
            return True
        self._json(401, {"error": {"message": f"the request carries another key than {KEY}, or none"}})
        return False

    def _json(self, status: int, content: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Listening(ThreadingHTTPServer):
    """A thread for each connection; a closed connection is no error."""

    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that closed its connection needs no traceback; anything else is one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"llm_server: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def served(service: Service, host: str, port: int) -> Listening:
    """A listening server. UsageError where the address cannot be used."""
    handler = type("OwnHandler", (Handler,), {"service": service})
    try:
        return Listening((host, port), handler)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}", error.strerror or str(error), "choose another with --server_port=PORT"
        ) from error


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    end_with_launcher()
    try:
        file, host, port, model, *tokenizer = arguments
        spec = contract.read(Path(file))
        if not isinstance(spec.dataset, PromptData):
            raise UsageError(
                "only text generators can be served", f"{model} has no prompts", "choose a benchmark that generates text"
            )
        run = load(spec)
        opened = _tokenizer(Path(tokenizer[0])) if tokenizer else None
        service = Service(Texts(run.generator), spec.dataset, model, opened, os.environ.get(KEY, ""))
        server = served(service, host, int(port))
    except HarnessError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_status
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stopping.set())
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    print(f"serving {model} at http://{host}:{server.server_port}", flush=True)
    while not service.stopping.wait(0.5) and not service.texts.failed:
        pass
    end = time.monotonic() + DRAIN_S
    while service.texts.running and not service.texts.failed and time.monotonic() < end:
        time.sleep(0.05)
    server.shutdown()
    run.close()
    if service.texts.failed:
        print(f"error: the generator failed: {service.texts.failed}", file=sys.stderr, flush=True)
        return 4
    return 0


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
