"""Requests to one OpenAI-compatible server: /v1/completions with token ids, streamed or whole, over connections that stay open."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from code.common import jsonfile
from code.common.errors import MissingError, RunError, UsageError

KEY = "OPENAI_API_KEY"
"""Environment variable of the key that a server may ask for; it is never logged."""
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


class Connection:
    """A connection to a server, which one thread uses for one request after the other.

    Args:
        timeout_s: seconds without a byte after which the server counts as hanging.
    """

    def __init__(self, server: Server, timeout_s: float) -> None:
        self.server, self._timeout_s = server, timeout_s
        kind = http.client.HTTPSConnection if server.secure else http.client.HTTPConnection
        self._http = kind(server.host, server.port, timeout=timeout_s)

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET. MissingError where the server cannot be reached, RunError where it hangs."""
        response = self._sent("GET", path, None)
        return response.status, self._read(response)

    def complete(self, asked: Mapping[str, Any]) -> Iterator[Piece]:
        """The pieces of a completion, the last of them finished. RunError with the server's words where it fails."""
        response = self._sent("POST", "/v1/completions", asked)
        if response.status != 200:
            words = _message(self._read(response))
            what = f"{self.server.url} answered {response.status}"
            raise RunError(what, words or response.reason, "look into the server's own log; the run ends at the first error")
        if not asked.get("stream"):
            piece = self._piece(self._read(response))
            yield Piece(piece.tokens, piece.text, True)
            return
        finished = False
        while line := self._line(response):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                finished = True
                break
            piece = self._piece(data)
            yield Piece(piece.tokens, piece.text, False)
            finished = finished or piece.finished
        self._read(response)
        if not finished:
            raise self._cut("the stream ended without [DONE]")
        yield Piece((), "", True)

    def _sent(self, method: str, path: str, content: Mapping[str, Any] | None) -> http.client.HTTPResponse:
        body = None if content is None else json.dumps(content, separators=(",", ":")).encode()
        key = os.environ.get(KEY, "")
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            self._http.request(method, path, body, headers)
            return self._http.getresponse()
        except TimeoutError as error:
            raise self._hangs() from error
        except http.client.HTTPException as error:
            raise self._cut(str(error) or type(error).__name__) from error
        except ConnectionRefusedError as error:
            raise MissingError(
                f"no server answers at {self.server.url}", str(error), "start it, or correct --server_urls"
            ) from error
        except OSError as error:
            raise self._cut(str(error)) from error

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except TimeoutError as error:
            raise self._hangs() from error
        except (http.client.HTTPException, OSError) as error:
            raise self._cut(str(error) or type(error).__name__) from error

    def _line(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.readline()
        except TimeoutError as error:
            raise self._hangs() from error
        except (http.client.HTTPException, OSError) as error:
            raise self._cut(str(error) or type(error).__name__) from error

    def _piece(self, data: bytes) -> Piece:
        try:
            content = jsonfile.parse(data)
            choice = content["choices"][0]
            tokens = choice.get("token_ids") or ()
            return Piece(tuple(int(token) for token in tokens), str(choice.get("text") or ""), bool(choice.get("finish_reason")))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            words = _message(data) or type(error).__name__
            raise RunError(f"{self.server.url} did not answer with a completion", words, "see the server's log") from error

    def _hangs(self) -> RunError:
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
