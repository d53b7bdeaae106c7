"""`python -m code.harness.python.llm_server run.json HOST PORT MODEL [TOKENIZER]`: an OpenAI-compatible server over a text generator.

    /v1/completions        prompts as token ids, or as text where there is a tokenizer; streamed or whole
    /v1/chat/completions   conversations, where the checkpoint has a chat template; streamed or whole
    /v1/models, /health, /metrics

The generator batches continuously; its search is the one of run.json, so temperatures and longer texts than its own are refused. A
stream has two parts, the first token and the rest, because that is what a generator reports. With OPENAI_API_KEY set, each request must
carry it. SIGTERM ends the server when the requests in flight have their answers.
"""

from __future__ import annotations

import hmac
import itertools
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from code.backends.generators.base import WAIT_S, Event, TextGenerator
from code.backends.generators.completions import KEY
from code.common import jsonfile
from code.common.errors import HarnessError, MissingError, UsageError
from code.common.parent import end_with_launcher
from code.harness.python import llm_chat
from code.harness.python.generation_run import load
from code.harness.python.llm_chat import ChatTemplate
from code.harness.python.llm_requests import NO_TEMPLATE, OF_PATH, Asked, BadRequestError, Limits, Reader
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import PromptData

LARGEST = 8 << 20
"""Bytes of a request, at most."""
DRAIN_S = 60.0
"""Seconds that requests in flight have after SIGTERM."""
HALF = "\ufffd"
"""What a part of a character is decoded to."""
Arrives: TypeAlias = "queue.SimpleQueue[Event | None]"
"""Where the events of a request arrive; None if the generator fails."""


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
    """What the handlers share: the generator, the model's name, and how answers are written.

    Args:
        key: what each request has to carry; '': nothing.
        template: of conversations; None: there is none.
        without: why there is none.
    """

    def __init__(
        self,
        texts: Texts,
        data: PromptData,
        model: str,
        tokenizer: Any,
        key: str,
        template: ChatTemplate | None = None,
        without: str = NO_TEMPLATE,
    ) -> None:
        how = data.generation
        self.texts, self.model, self.tokenizer, self.key = texts, model, tokenizer, key
        self.limits = Limits(how.min_new_tokens, how.max_new_tokens, data.positions, (how.eos, *how.also_ends))
        self.reader = Reader(model, self.limits, tokenizer, template, without)
        self.stopping = threading.Event()
        self.made = int(time.time())
        self._numbers = itertools.count(1)

    def text(self, tokens: list[int]) -> str:
        """The characters of tokens; '' without a tokenizer."""
        return "" if self.tokenizer is None else str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def head(self, asked: Asked) -> dict[str, Any]:
        """What every part of an answer begins with."""
        name = ("chatcmpl" if asked.chat else "cmpl") + f"-{next(self._numbers)}"
        kind = ("chat.completion.chunk" if asked.stream else "chat.completion") if asked.chat else "text_completion"
        return {"id": name, "object": kind, "created": self.made, "model": self.model}

    @staticmethod
    def choice(asked: Asked, tokens: list[int], text: str, reason: str | None, first: bool = True) -> dict[str, Any]:
        """A completion, or a part of one."""
        said: dict[str, Any] = {"text": text}
        if asked.chat:
            message = {**({"role": "assistant"} if first else {}), "content": text}
            said = {"delta" if asked.stream else "message": message}
        ids = {"token_ids": tokens} if asked.ids else {}
        return {"index": 0, **said, "logprobs": None, "finish_reason": reason, **ids}

    @staticmethod
    def usage(asked: Asked, tokens: int) -> dict[str, int]:
        """Numbers of tokens."""
        prompt = len(asked.prompt)
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

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
            refused = BadRequestError(503, service.texts.failed or "the server is ending")
            return self._json(200, {}) if well else self._json(503, refused.content())
        if not self._allowed():
            return None
        if self.path == "/v1/models":
            entry = {"id": service.model, "object": "model", "created": service.made, "max_model_len": service.limits.positions}
            return self._json(200, {"object": "list", "data": [entry]})
        if self.path == "/metrics":
            return self._send(200, service.metrics().encode(), "text/plain; version=0.0.4")
        return self._json(404, BadRequestError(404, f"there is no {self.path}").content())

    def do_POST(self) -> None:
        """A completion."""
        try:
            length = int(self.headers.get("Content-Length") or -1)
            if not 0 <= length <= LARGEST:
                self.close_connection = True
                why = f"a request has a Content-Length of at most {LARGEST:,} bytes"
                raise BadRequestError(413 if length > LARGEST else 411, why)
            body = self.rfile.read(length)
            if not self._allowed():
                return
            if self.path not in OF_PATH:
                raise BadRequestError(404, f"there is no {self.path}")
            if self.service.stopping.is_set():
                raise BadRequestError(503, "the server is ending")
            try:
                content = jsonfile.parse(body)
            except ValueError as error:
                raise BadRequestError(400, f"the request is not valid JSON: {error}") from error
            asked = self.service.reader.read(self.path, content)
            arrives = self.service.texts.submit(asked.prompt)
            (self._stream if asked.stream else self._whole)(asked, arrives)
        except BadRequestError as error:
            self._json(error.status, error.content())

    def _whole(self, asked: Asked, arrives: Arrives) -> None:
        service = self.service
        while (event := arrives.get()) is not None:
            if event.finished:
                tokens = event.tokens.tolist()[: asked.most]
                choice = service.choice(asked, tokens, service.text(tokens), self._reason(tokens))
                usage = service.usage(asked, len(tokens))
                return self._json(200, {**service.head(asked), "choices": [choice], "usage": usage})
        raise self._failed()

    def _stream(self, asked: Asked, arrives: Arrives) -> None:
        """The first token and the rest. A stream that the generator cannot finish ends with the error, without [DONE]."""
        service, sent, shown, head = self.service, 0, "", self.service.head(asked)
        while (event := arrives.get()) is not None:
            tokens = event.tokens.tolist()[: asked.most]
            if not sent:
                self._begin()
            text = service.text(tokens)
            if not event.finished:
                text = text.rstrip(HALF)  # the rest of a character is in the next token
            reason = self._reason(tokens) if event.finished else None
            choice = service.choice(asked, tokens[sent:], text[len(shown) :], reason, first=not sent)
            self._part({**head, "choices": [choice]})
            sent, shown = len(tokens), text
            if event.finished:
                if asked.usage:
                    self._part({**head, "choices": [], "usage": service.usage(asked, sent)})
                self._chunk(b"data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")
                return
        if not sent:
            raise self._failed()
        self.close_connection = True
        self._part(self._failed().content())

    def _failed(self) -> BadRequestError:
        return BadRequestError(500, f"the generator failed: {self.service.texts.failed}")

    def _reason(self, tokens: list[int]) -> str:
        return "stop" if tokens and tokens[-1] in self.service.limits.ends else "length"

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _part(self, content: Mapping[str, Any]) -> None:
        self._chunk(f"data: {json.dumps(content)}\n\n".encode())

    def _chunk(self, line: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.flush()

    def _allowed(self) -> bool:
        key = self.service.key
        if not key or hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {key}".encode()):
            return True
        refused = BadRequestError(401, f"the request carries another key than {KEY}, or none", code="invalid_api_key")
        self._json(refused.status, refused.content())
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
        chat = _template(Path(tokenizer[0]).parent) if tokenizer else (None, NO_TEMPLATE)
        service = Service(Texts(run.generator), spec.dataset, model, opened, os.environ.get(KEY, ""), *chat)
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
    print(f"ended after {service.texts.answered:,} requests and {service.texts.tokens:,} tokens", flush=True)
    if service.texts.failed:
        print(f"error: the generator failed: {service.texts.failed}", file=sys.stderr, flush=True)
        return 4
    return 0


def _tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))


def _template(folder: Path) -> tuple[ChatTemplate | None, str]:
    """The checkpoint's chat template, or None and why there are no conversations: it has none, or Jinja is not installed."""
    found = llm_chat.find(folder)
    try:
        return (None if found is None else ChatTemplate(*found)), NO_TEMPLATE
    except MissingError as error:
        return None, f"{error.what} ({error.next_step})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
