"""Requests to one OpenAI-compatible server: completions and chat completions, streamed or whole, over connections that stay open."""

from __future__ import annotations

import http.client
import json
import os
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from code.common import jsonfile
from code.common.errors import MissingError, RunError, UsageError

KEY = "OPENAI_API_KEY"
"""Environment variable of the key that a server may ask for; it is never logged."""
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
WHOLE, STREAMED = "application/json", "text/event-stream"
LONGEST_LINE = 1 << 24
WORDS = 300
"""Most characters that are quoted of a server's answer."""


@dataclass(frozen=True)
class Server:
    """A server's address.

    Args:
        url: as the user wrote it, 'host:port' or 'http://host:port'.
    """

    url: str
    host: str
    port: int
    secure: bool

    @classmethod
    def of(cls, url: str) -> Server:
        """The address in `url`. UsageError for one that is none."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise _no_address(url, str(error)) from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
            raise _no_address(url, "a server's address is host:port")
        return cls(url, parts.hostname, port, parts.scheme == "https")


def _no_address(url: str, why: str) -> UsageError:
    return UsageError(f"{url!r} is not a server address", why, "write --server_urls=HOST:PORT, several separated by commas")


@dataclass(frozen=True)
class Piece:
    """A part of a text as it arrives.

    Args:
        tokens: its token ids; () where the server gives none.
        text: its characters.
        finished: whether the server says that the text is complete.
    """

    tokens: tuple[int, ...]
    text: str
    finished: bool


@dataclass(frozen=True)
class _Wait:
    """A stream's time until its first token.

    Args:
        until: when it is over, in monotonic seconds.
    """

    until: float

    @property
    def over(self) -> bool:
        """Whether the first token is late."""
        return time.monotonic() >= self.until

    def left(self, most: float) -> float:
        """Seconds to wait for the next byte."""
        return max(1e-3, min(most, self.until - time.monotonic()))


class Connection:
    """A connection to a server, which one thread uses for one request after the other.

    Args:
        timeout_s: seconds without a byte after which the server counts as hanging.
        first_s: seconds in which a stream has to bring its first token; 0: as long as `timeout_s` allows.
    """

    def __init__(self, server: Server, timeout_s: float, first_s: float = 0.0) -> None:
        self.server, self._timeout_s, self._first_s = server, timeout_s, first_s
        kind = http.client.HTTPSConnection if server.secure else http.client.HTTPConnection
        self._http = kind(server.host, server.port, timeout=timeout_s)

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET. MissingError where the server cannot be reached, RunError where it hangs."""
        response = self._sent("GET", path, None)
        return response.status, self._read(response)

    def complete(self, asked: Mapping[str, Any], path: str = COMPLETIONS) -> Iterator[Piece]:
        """The pieces of a completion, the last of them finished. RunError with the server's words where it fails.

        Args:
            path: of the interface, COMPLETIONS or CHAT.
        """
        streamed = bool(asked.get("stream"))
        waits = _Wait(time.monotonic() + self._first_s) if streamed and self._first_s else None
        response = self._sent("POST", path, asked, waits)
        self._require_answer(response, STREAMED if streamed else WHOLE)
        if not streamed:
            piece = self._piece(self._read(response))
            yield Piece(piece.tokens, piece.text, True)
            return
        finished = False
        while line := self._line(response, waits):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                finished = True
                break
            piece = self._piece(data)
            if waits is not None and (piece.tokens or piece.text):
                waits = None
                self._limit(self._timeout_s)
            yield Piece(piece.tokens, piece.text, False)
            finished = finished or piece.finished
        self._read(response)
        if not finished:
            raise self._cut("the stream ended without [DONE]")
        yield Piece((), "", True)

    def _sent(
        self, method: str, path: str, content: Mapping[str, Any] | None, waits: _Wait | None = None
    ) -> http.client.HTTPResponse:
        body = None if content is None else json.dumps(content, separators=(",", ":")).encode()
        key = os.environ.get(KEY, "")
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._leave_if_closed()
        try:
            self._http.request(method, path, body, headers)
            self._limit(waits.left(self._timeout_s) if waits else self._timeout_s)
            return self._http.getresponse()
        except TimeoutError as error:
            raise self._hangs(waits) from error
        except http.client.HTTPException as error:
            raise self._cut(str(error) or type(error).__name__) from error
        except ConnectionRefusedError as error:
            if content is not None:  # it has answered a GET before
                raise RunError(
                    f"{self.server.url} accepts no more connections",
                    "it answered before, and has ended since",
                    "see the server's log",
                ) from error
            raise MissingError(
                f"no server answers at {self.server.url}", str(error), "start it, or correct --server_urls"
            ) from error
        except OSError as error:
            raise self._cut(str(error)) from error

    def _leave_if_closed(self) -> None:
        """Open a new connection where the server has closed an idle one, as servers do after some seconds; nothing was sent on it."""
        own = self._http.sock
        if own is not None and select.select([own], [], [], 0)[0]:
            self._http.close()

    def _limit(self, seconds: float) -> None:
        if self._http.sock is not None:
            self._http.sock.settimeout(seconds)

    def _require_answer(self, response: http.client.HTTPResponse, kind: str) -> None:
        """RunError, with the server's words, for anything but a success of this content type."""
        if response.status != 200:
            words = _message(self._read(response))
            what = f"{self.server.url} answered {response.status}"
            raise RunError(what, words or response.reason, "look into the server's own log; the run ends at the first error")
        self._require_kind(response, kind)

    def _require_kind(self, response: http.client.HTTPResponse, kind: str) -> None:
        """RunError for an answer of another content type; a server that names none is believed."""
        given = response.headers.get("Content-Type")
        if given is None or given.partition(";")[0].strip().lower() == kind:
            return
        words = _message(self._read(response))
        what = f"{self.server.url} answered with {given[:80]}, not {kind}"
        raise RunError(what, words or "the answer is empty", "it must be an OpenAI-compatible server; see its log")

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except TimeoutError as error:
            raise self._hangs(None) from error
        except (http.client.HTTPException, OSError) as error:
            raise self._cut(str(error) or type(error).__name__) from error

    def _line(self, response: http.client.HTTPResponse, waits: _Wait | None) -> bytes:
        if waits is not None:
            self._limit(waits.left(self._timeout_s))
        try:
            line = response.readline(LONGEST_LINE)
        except TimeoutError as error:
            raise self._hangs(waits) from error
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise self._cut(str(error) or type(error).__name__) from error
        if waits is not None and waits.over:
            raise self._hangs(waits)
        return line

    def _piece(self, data: bytes) -> Piece:
        try:
            content = jsonfile.parse(data)
        except ValueError as error:
            what = f"{self.server.url} did not answer with a completion"
            raise RunError(what, f"its JSON is not complete: {_message(data)}"[:WORDS], "see the server's log") from error
        try:
            if not content["choices"] and "usage" in content:
                return Piece((), "", False)  # what a stream used, after its last token
            choice = content["choices"][0]
            tokens = choice.get("token_ids") or ()
            message = choice.get("message") or choice.get("delta") or choice
            text = message.get("content" if message is not choice else "text") or ""
            return Piece(tuple(int(token) for token in tokens), str(text), bool(choice.get("finish_reason")))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            failed = isinstance(content, dict) and "error" in content
            what = f"{self.server.url} {'failed during an answer' if failed else 'did not answer with a completion'}"
            raise RunError(what, _message(data) or type(error).__name__, "see the server's log") from error

    def _hangs(self, waits: _Wait | None) -> RunError:
        if waits is not None and waits.over:
            what = f"{self.server.url} sent no token within {self._first_s:g} s"
            return RunError(what, "server_first_token_timeout bounds the first token", "lower the load, or raise the bound")
        what = f"{self.server.url} sent nothing for {self._timeout_s:g} s"
        return RunError(what, "a request is waiting for its answer", "see the server's log, or raise --server_timeout")

    def _cut(self, why: str) -> RunError:
        return RunError(f"{self.server.url} ended a request before its answer was complete", why, "see the server's log")


def _message(data: bytes) -> str:
    """What a server says of an error: of OpenAI's shape, of FastAPI's, or the beginning of its text."""
    try:
        content = jsonfile.parse(data)
    except ValueError:
        return data.decode("utf-8", "replace").strip()[:WORDS]
    if isinstance(content, dict):
        error = content.get("error", content)
        words = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        return str(words or content)[:WORDS]
    return str(content)[:WORDS]
