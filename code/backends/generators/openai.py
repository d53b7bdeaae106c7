"""Any OpenAI-compatible server as a text generator: vLLM, SGLang, TensorRT-LLM's, llama.cpp's, or `make run_llm_server`.

Prompts are sent as token ids, or, to a server that only chats, as a user's message (`server_api`). A server that returns token ids
(`return_token_ids`) is believed; of another the text is tokenised again with the checkpoint's tokenizer, which need not give the same
ids: `server_tokens` says which, and metadata.json repeats it. A request is never sent twice: an error of a server is a failed run. Of
several servers the one with the fewest outstanding tokens gets the next request.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import EngineSpec
from code.backends.generators import exchange
from code.backends.generators.base import Event, Generation, GeneratorSpec, failure
from code.backends.generators.completions import CHAT, COMPLETIONS, Piece, Server, get
from code.backends.generators.served import ENGINE, IN_FLIGHT, TIMEOUT_S, ServedText
from code.common import jsonfile
from code.common.errors import HarnessError, MissingError, RunError, UsageError, unknown
from code.fields.consumer import Consumer
from code.harness.schema.options import OpenAiOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERVERS = Consumer(
    "OpenAI servers",
    ("server_urls", "served_model", "server_tokens", "server_timeout", "server_first_token_timeout", "server_api"),
    backends=("openai",),
)
TOKENIZER = "tokenizer.json"


class OpenAiGenerator:
    """Requests on their way to servers, over connections that stay open. `advance` runs the event loop that moves their bytes."""

    def __init__(self, options: OpenAiOptions, generation: Generation, capacity: int, tokenizer: Any) -> None:
        self.capacity = capacity
        self._options, self._generation, self._tokenizer = options, generation, tokenizer
        self._path = CHAT if options.server_api == "chat" else COMPLETIONS
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._unexpected)
        times = (options.server_timeout, options.server_first_token_timeout)
        self._servers = [exchange.Connections(Server.of(url), self._loop, *times) for url in options.server_urls]
        self._outstanding = [0] * len(self._servers)
        self._waiting: deque[tuple[int, NDArray[np.int32]]] = deque()
        self._running, self._woken = 0, False
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._failed: HarnessError | None = None

    def submit(self, request: int, prompt: NDArray[np.int32]) -> None:
        """Queue it; `advance` sends it where less than `capacity` are on their way."""
        with self._lock:
            self._waiting.append((request, prompt))
            wake, self._woken = not self._woken, True
        if wake:
            self._loop.call_soon_threadsafe(self._send)

    def advance(self, wait_s: float) -> list[Event]:
        """What has arrived; waits at most `wait_s` for the first. Raises the first error of a server, each time."""
        if not self._events and self._failed is None:
            over = self._loop.call_later(wait_s, self._loop.stop)
            self._loop.run_forever()
            over.cancel()
        if self._failed is not None:
            raise self._failed
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Close the connections; requests still running are abandoned."""
        if self._loop.is_closed() or self._loop.is_running():  # another thread is stuck in it
            return
        for server in self._servers:
            server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def fail(self, error: HarnessError) -> None:
        """End the run with the first error."""
        self._failed = self._failed or error
        self._loop.stop()

    def arrived(self, event: Event) -> None:
        """Hand out an event, with those that arrive at the same time."""
        self._events.append(event)
        self._loop.stop()

    def ended(self, server: int, tokens: int) -> None:
        """A request has its answer, or an error."""
        self._outstanding[server] -= tokens
        self._running -= 1
        self._send()

    def _unexpected(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception of a callback ends the run, because its request would never be answered."""
        self.fail(failure(context.get("exception") or RuntimeError(context["message"])))

    def _send(self) -> None:
        """Send what waits to the server with the fewest outstanding tokens."""
        while self._running < self.capacity:
            with self._lock:
                self._woken = bool(self._waiting)
                if not self._waiting:
                    return
                request, prompt = self._waiting.popleft()
            number = min(range(len(self._servers)), key=lambda n: self._outstanding[n])
            tokens = len(prompt) + self._generation.max_new_tokens
            self._outstanding[number] += tokens
            self._running += 1
            self._servers[number].ask(self._path, self.body(prompt), _Text(self, request, number, tokens))

    def body(self, prompt: NDArray[np.int32]) -> dict[str, Any]:
        """The request for a prompt. `return_token_ids`, `min_tokens` and `stop_token_ids` are vLLM's; others ignore them."""
        how = self._generation
        return {
            "model": self._options.served_model,
            **self._asked_for(prompt),
            "max_tokens": how.max_new_tokens,
            "min_tokens": how.min_new_tokens,
            "stop_token_ids": list(how.ends),
            "temperature": 0,
            "seed": 0,
            "stream": how.stream,
            "return_token_ids": self._options.server_tokens == "ids",
        }

    def _asked_for(self, prompt: NDArray[np.int32]) -> dict[str, Any]:
        if self._path == COMPLETIONS:
            return {"prompt": prompt.tolist()}
        text = self._tokenizer.decode(prompt.tolist(), skip_special_tokens=True)  # the server's template writes special tokens
        return {"messages": [{"role": "user", "content": text}]}

    @property
    def streams(self) -> bool:
        """Whether first tokens are reported."""
        return self._generation.stream

    def ids(self, tokens: list[int], text: str) -> list[int]:
        """The token ids of a text, or of its beginning: those of the server, or of its characters."""
        if self._options.server_tokens == "ids":
            return tokens
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def whole(self, tokens: list[int], text: str, server: int) -> list[int]:
        """The token ids of a whole text. RunError where there are none."""
        found = self.ids(tokens, text)
        if self._options.server_tokens == "text" and len(found) < self._generation.max_new_tokens:
            found = [*found, self._generation.eos]  # what ended the text is no part of it
        if not found:
            raise RunError(
                f"{self._servers[server].server.url} returned no token ids",
                "it answered, but without token_ids" if text else "the answer is empty",
                "run with --server_tokens=text, which tokenises its texts again" if text else "see the server's log",
            )
        return found


class _Text:
    """A request, and what has arrived of its text.

    Args:
        server: index of the server that has it.
        cost: its tokens, as they count for the server.
    """

    def __init__(self, generator: OpenAiGenerator, request: int, server: int, cost: int) -> None:
        self._generator, self._request, self._server, self._cost = generator, request, server, cost
        self._tokens: list[int] = []
        self._text = ""

    def piece(self, piece: Piece) -> None:
        """The next part; the first one is reported at once."""
        first = not self._tokens and not self._text
        self._tokens += piece.tokens
        self._text += piece.text
        if first and self._generator.streams and (ids := self._generator.ids(self._tokens, self._text)):
            self._report(ids[:1], False)

    def done(self) -> None:
        """It is whole."""
        try:
            self._report(self._generator.whole(self._tokens, self._text, self._server), True)
        except RunError as error:
            self._generator.fail(error)
        self._generator.ended(self._server, self._cost)

    def failed(self, error: HarnessError) -> None:
        """There is no text."""
        self._generator.fail(error)

    def _report(self, ids: list[int], finished: bool) -> None:
        self._generator.arrived(Event(self._request, np.asarray(ids, dtype=np.int32), finished))


class OpenAi(ServedText):
    """OpenAI-compatible servers."""

    name = "openai"
    label = "OpenAI"
    runtime_key = "openai_api_version"
    reads = (ENGINE, SERVERS)

    def version(self) -> str:
        """The version of the interface."""
        return "v1"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Keep also what a run needs of the checkpoint: its tokenizer, for servers that return no token ids."""
        made = super().build(model, values, folder)
        if (model / TOKENIZER).is_file():
            shutil.copyfile(model / TOKENIZER, folder / TOKENIZER)
            made["made"] = "of the checkpoint's tokenizer; the server has the engine"
        return made

    def options(self, values: Mapping[str, Any], folder: Path) -> OpenAiOptions:
        """Addresses and name. UsageError without an address."""
        read = SERVERS.of(values)
        urls = tuple(url.strip() for url in str(read.get("server_urls") or "").split(",") if url.strip())
        if not urls:
            raise UsageError(
                "no server is given",
                "the openai backend measures a server that is already running",
                "add --server_urls=HOST:PORT",
            )
        for url in urls:
            Server.of(url)
        found = asked_of_servers(read.get("server_timeout"), read.get("server_first_token_timeout"), read.get("server_api"))
        return replace(
            found,
            server_urls=urls,
            served_model=str(read.get("served_model") or ""),
            server_tokens=read.get("server_tokens") or "ids",
        )

    def recorded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Where the servers are, and what the answers' token ids are."""
        given = self.options(values, Path())
        return {"server_urls": list(given.server_urls), "server_tokens": given.server_tokens, "server_api": given.server_api}

    def load(self, folder: Path, spec: EngineSpec) -> OpenAiGenerator:
        """Check the servers. Each server must be healthy, have the model and answer twice the same."""
        asked = GeneratorSpec.require(spec)
        options = spec.options
        if not isinstance(options, OpenAiOptions):
            raise TypeError(f"a server is loaded with OpenAiOptions, not with {type(options).__name__}")
        if asked.generation.num_beams > 1:
            raise UsageError(
                "servers search greedily",
                f"num_beams is {asked.generation.num_beams}",
                "add --num_beams=1, for the open division",
            )
        if options.server_first_token_timeout and not asked.generation.stream:
            raise UsageError(
                "server_first_token_timeout bounds the first token of streams, and this run has none",
                "first tokens are reported with --use_token_latencies only",
                "leave --server_first_token_timeout out",
            )
        needed = options.server_tokens == "text" or options.server_api == "chat"
        tokenizer = _tokenizer(folder) if needed else None
        longest = asked.longest_prompt + asked.generation.max_new_tokens
        named = [_checked(Server.of(url), options, longest) for url in options.server_urls]
        options = replace(options, served_model=named[0])
        generator = OpenAiGenerator(
            options, asked.generation, max(1, spec.streams * (asked.requests_in_flight or IN_FLIGHT)), tokenizer
        )
        try:
            _require_deterministic(generator)
        except BaseException:
            generator.close()
            raise
        return generator


def asked_of_servers(timeout_s: float | None, first_token_s: float | None, api: Any) -> OpenAiOptions:
    """The options of servers that are not named yet, from the fields; None for one that is not set."""
    return OpenAiOptions(
        server_urls=(),
        server_timeout=float(timeout_s or TIMEOUT_S),
        server_api=api or "completions",
        server_first_token_timeout=float(first_token_s or 0.0),
    )


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    if not (folder / TOKENIZER).is_file():
        raise MissingError(
            "prompts and texts cannot be converted: the checkpoint has no tokenizer.json",
            "server_tokens is text, or server_api is chat",
            "use a server that takes and returns token ids, with --server_tokens=ids and --server_api=completions",
        )
    return Tokenizer.from_file(str(folder / TOKENIZER))


def _checked(server: Server, options: OpenAiOptions, longest: int) -> str:
    """The name of the served model, of a server that is healthy and takes `longest` tokens."""
    status, _ = get(server, "/health", options.server_timeout)
    if status not in (200, 404):  # not every server has it
        raise RunError(f"{server.url} is not healthy", f"/health answers {status}", "see the server's log")
    status, body = get(server, "/v1/models", options.server_timeout)
    listed = _listed(body) if status == 200 else {}
    if not listed:
        raise RunError(f"{server.url} lists no models", f"/v1/models answers {status}", "it must be an OpenAI-compatible server")
    name = options.served_model or (next(iter(listed)) if len(listed) == 1 else "")
    if name not in listed:
        raise unknown("served model", name, listed, "--served_model")
    limit = listed[name]
    if limit is not None and limit < longest:
        raise UsageError(
            f"{server.url} takes {limit:,} tokens of {name}",
            f"the longest prompt and its text have {longest:,}",
            "start the server with a longer context (vLLM: --max-model-len)",
        )
    return name


def _listed(body: bytes) -> dict[str, int | None]:
    """Name → context length of the models that a server lists; None where it does not say."""
    try:
        entries = jsonfile.parse(body)["data"]
        return {str(one["id"]): one["max_model_len"] if isinstance(one.get("max_model_len"), int) else None for one in entries}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _require_deterministic(generator: OpenAiGenerator) -> None:
    """RunError where the same prompt has two answers."""
    prompt = np.asarray([1, 2, 3, 4], dtype=np.int32)
    answers: list[list[int]] = []
    for number in range(2):
        generator.submit(number, prompt)
        while len(answers) <= number:
            answers += [event.tokens.tolist() for event in generator.advance(1.0) if event.finished]
    if answers[0] != answers[1]:
        raise RunError(
            "the server answers the same prompt differently each time",
            f"{len(answers[0])} and {len(answers[1])} tokens, at temperature 0",
            "start it with greedy decoding",
        )


BACKEND = OpenAi()
