"""What an LLM server answers: OpenAI's completions and chat completions over a text generator that batches continuously.

    /v1/completions        prompts as token ids, or as text where there is a tokenizer; streamed or whole
    /v1/chat/completions   conversations, where the checkpoint has a chat template; streamed or whole
    /v1/models, /health, /metrics

The generator's search is fixed, so temperatures and longer texts than its own are refused. A stream has two parts, the first token and
the rest, because that is what a generator reports.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from code.backends.generators.base import WAIT_S, Cancels, Event, TextGenerator
from code.backends.generators.completions import KEY
from code.common import jsonfile
from code.harness.python.http_server import Peer, Request
from code.harness.python.llm_chat import ChatTemplate
from code.harness.python.llm_requests import NO_TEMPLATE, OF_PATH, Asked, BadRequestError, Limits, Reader
from code.harness.schema.datasets import PromptData

LARGE = 64 << 10
"""Bytes of a request above which a thread reads it, so that the others do not wait for its tokenizer."""
JSON = "application/json"
HALF = "\ufffd"
"""What a part of a character is decoded to."""
Arrives: TypeAlias = "Callable[[Event | None], None]"
"""Takes the events of a request; None if the generator fails."""


class Texts:
    """A generator that a server asks: a thread drives it, and hands the events of each step to the server's event loop at once.

    All but that thread is used in the loop's thread only.
    """

    def __init__(self, generator: TextGenerator) -> None:
        self._generator = generator
        self._waiting: dict[int, Arrives] = {}
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_failure: Callable[[], None] = lambda: None
        self._cancelled: set[int] = set()
        self.failed = ""
        self.answered, self.cancelled, self.tokens = 0, 0, 0

    def start(self, loop: asyncio.AbstractEventLoop, on_failure: Callable[[], None]) -> None:
        """Generate for the server of this loop."""
        new, self._loop, self._on_failure = self._loop is None, loop, on_failure
        if new:
            threading.Thread(target=self._drive, name="generator", daemon=True).start()

    @property
    def running(self) -> int:
        """Requests without their whole answer."""
        return len(self._waiting)

    def submit(self, prompt: tuple[int, ...], arrives: Arrives) -> int | None:
        """Generate the text of a prompt. Returns the request's number; None after the generator has failed."""
        if self.failed:
            arrives(None)
            return None
        number = next(self._numbers)
        self._waiting[number] = arrives
        self._generator.submit(number, np.asarray(prompt, dtype=np.int32))
        return number

    def cancel(self, number: int) -> None:
        """Give a text up that nobody waits for, where the generator can. Its last event still arrives."""
        if number in self._waiting and isinstance(self._generator, Cancels):
            self._cancelled.add(number)
            self._generator.cancel(number)

    def _drive(self) -> None:
        try:
            while True:
                events = self._generator.advance(WAIT_S)
                if events:
                    self._post(self._deliver, events)
        except Exception as error:
            self._post(self._fail, str(error) or type(error).__name__)

    def _post(self, work: Callable[..., None], *given: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(work, *given)

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            if not event.finished:
                self._waiting[event.request](event)
                continue
            if event.request in self._cancelled:
                self._cancelled.remove(event.request)
                self.cancelled += 1
            else:
                self.answered += 1
            self.tokens += len(event.tokens)
            self._waiting.pop(event.request)(event)

    def _fail(self, why: str) -> None:
        self.failed = why
        waiting, self._waiting = self._waiting, {}
        for arrives in waiting.values():
            arrives(None)
        self._on_failure()


class Service:
    """The application of a server: the generator, the model's name, and how answers are written.

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
        self.texts, self.model, self.tokenizer = texts, model, tokenizer
        self._key = f"Bearer {key}".encode() if key else b""
        self.limits = Limits(how.min_new_tokens, how.max_new_tokens, data.positions, (how.eos, *how.also_ends))
        self._reader = Reader(model, self.limits, tokenizer, template, without)
        self.stopping = asyncio.Event()
        self._made = int(time.time())
        self._numbers = itertools.count(1)

    def asked(self, request: Request, peer: Peer) -> None:
        """Answer a request, or begin to."""
        try:
            if request.method == "GET":
                peer.answer(*self._shown(request))
            elif request.method != "POST":
                raise BadRequestError(405, f"{request.method} is not answered here; use GET or POST")
            elif len(request.body) > LARGE:
                loop = asyncio.get_running_loop()
                reading = loop.run_in_executor(None, self._read, request)
                reading.add_done_callback(lambda read: self._begin(peer, read.result))
            else:
                self._begin(peer, lambda: self._read(request))
        except BadRequestError as error:
            peer.answer(error.status, encoded(error.content()))

    def _shown(self, request: Request) -> tuple[int, bytes, str]:
        """Health, models and counters: status, body and content type."""
        if request.path == "/health":
            well = not self.texts.failed and not self.stopping.is_set()
            refused = BadRequestError(503, self.texts.failed or "the server is ending")
            return (200, b"{}", JSON) if well else (503, encoded(refused.content()), JSON)
        self._require_key(request)
        if request.path == "/v1/models":
            entry = {"id": self.model, "object": "model", "created": self._made, "max_model_len": self.limits.positions}
            return 200, encoded({"object": "list", "data": [entry]}), JSON
        if request.path == "/metrics":
            rows = {
                "requests_running": self.texts.running,
                "requests_total": self.texts.answered,
                "requests_cancelled_total": self.texts.cancelled,
                "tokens_total": self.texts.tokens,
            }
            lines = [f"llm_server_{name} {value}\n" for name, value in rows.items()]
            return 200, "".join(lines).encode(), "text/plain; version=0.0.4"
        raise BadRequestError(404, f"there is no {request.path}")

    def _read(self, request: Request) -> Asked:
        """The completion that is asked for. BadRequestError for anything else."""
        self._require_key(request)
        if request.path not in OF_PATH:
            raise BadRequestError(404, f"there is no {request.path}")
        if self.stopping.is_set():
            raise BadRequestError(503, "the server is ending")
        try:
            content = jsonfile.parse(request.body)
        except ValueError as error:
            raise BadRequestError(400, f"the request is not valid JSON: {error}") from error
        return self._reader.read(request.path, content)

    def _begin(self, peer: Peer, read: Callable[[], Asked]) -> None:
        try:
            asked = read()
        except BadRequestError as error:
            peer.answer(error.status, encoded(error.content()))
        except Exception as error:
            peer.failed(error)
        else:
            number = self.texts.submit(asked.prompt, Answer(self, asked, peer, next(self._numbers)).arrives)
            if number is not None:
                peer.on_leave(lambda: self.texts.cancel(number))

    def _require_key(self, request: Request) -> None:
        if self._key and not hmac.compare_digest(request.headers.get(b"authorization", b""), self._key):
            raise BadRequestError(401, f"the request carries another key than {KEY}, or none", code="invalid_api_key")

    def text(self, tokens: list[int]) -> str:
        """The characters of tokens; '' without a tokenizer."""
        return "" if self.tokenizer is None else str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def head(self, asked: Asked, number: int) -> dict[str, Any]:
        """What every part of an answer begins with."""
        name = ("chatcmpl" if asked.chat else "cmpl") + f"-{number}"
        kind = ("chat.completion.chunk" if asked.stream else "chat.completion") if asked.chat else "text_completion"
        return {"id": name, "object": kind, "created": self._made, "model": self.model}


class Answer:
    """The answer to a completion, which is written as its events arrive."""

    def __init__(self, service: Service, asked: Asked, peer: Peer, number: int) -> None:
        self._service, self._asked, self._peer = service, asked, peer
        self._head = service.head(asked, number)
        self._sent, self._shown = 0, ""

    def arrives(self, event: Event | None) -> None:
        """The next event of the text."""
        try:
            if event is None:
                self._fail(f"the generator failed: {self._service.texts.failed}")
            elif self._asked.stream:
                self._stream(event)
            elif event.finished:
                self._whole(event)
        except Exception as error:
            self._peer.failed(error)

    def _whole(self, event: Event) -> None:
        tokens = event.tokens.tolist()[: self._asked.most]
        choice = self._choice(tokens, self._service.text(tokens), self._reason(tokens))
        self._peer.answer(200, encoded({**self._head, "choices": [choice], "usage": self._usage(len(tokens))}))

    def _stream(self, event: Event) -> None:
        """The first token or the rest."""
        tokens = event.tokens.tolist()[: self._asked.most]
        text = self._service.text(tokens)
        if not event.finished:
            text = text.rstrip(HALF)  # the rest of a character is in the next token
        reason = self._reason(tokens) if event.finished else None
        choice = self._choice(tokens[self._sent :], text[len(self._shown) :], reason, first=not self._sent)
        part = _line({**self._head, "choices": [choice]})
        self._sent, self._shown = len(tokens), text
        if not event.finished:
            return self._peer.part(part)
        if self._asked.usage:
            part += _line({**self._head, "choices": [], "usage": self._usage(self._sent)})
        return self._peer.end(part + b"data: [DONE]\n\n")

    def _fail(self, why: str) -> None:
        """A stream that cannot be finished ends with the error, without [DONE]."""
        content = BadRequestError(500, why).content()
        if self._sent:
            self._peer.cut(_line(content))
        else:
            self._peer.answer(500, encoded(content))

    def _choice(self, tokens: list[int], text: str, reason: str | None, first: bool = True) -> dict[str, Any]:
        """A completion, or a part of one."""
        asked, written = self._asked, dict[str, Any](text=text)
        if asked.chat:
            message = {**({"role": "assistant"} if first else {}), "content": text}
            written = {"delta" if asked.stream else "message": message}
        ids = {"token_ids": tokens} if asked.ids else {}
        return {"index": 0, **written, "logprobs": None, "finish_reason": reason, **ids}

    def _usage(self, tokens: int) -> dict[str, int]:
        """Numbers of tokens."""
        prompt = len(self._asked.prompt)
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    def _reason(self, tokens: list[int]) -> str:
        return "stop" if tokens and tokens[-1] in self._service.limits.ends else "length"


def encoded(content: Mapping[str, Any]) -> bytes:
    """JSON as it is sent."""
    return json.dumps(content).encode()


def _line(content: Mapping[str, Any]) -> bytes:
    return b"data: " + encoded(content) + b"\n\n"
