"""What OpenAI-compatible servers are asked and answer: their addresses, the pieces of completions, and the errors that they mean."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
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


def get(server: Server, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Status and body of a GET. MissingError where the server cannot be reached, RunError where it hangs or answers by halves."""
    kind = http.client.HTTPSConnection if server.secure else http.client.HTTPConnection
    connection = kind(server.host, server.port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers=own_key())
        response = connection.getresponse()
        return response.status, response.read()
    except TimeoutError as error:
        raise hangs(server, timeout_s) from error
    except ConnectionRefusedError as error:
        raise MissingError(f"no server answers at {server.url}", str(error), "start it, or correct --server_urls") from error
    except (http.client.HTTPException, OSError) as error:
        raise cut(server, str(error) or type(error).__name__) from error
    finally:
        connection.close()


def own_key() -> dict[str, str]:
    """The header with the key of the environment; {} without one."""
    key = os.environ.get(KEY, "")
    return {"Authorization": f"Bearer {key}"} if key else {}


def piece_of(server: Server, data: bytes) -> Piece:
    """The piece of a text in an answer, or in a part of a stream. RunError where it is none, with the server's words."""
    try:
        content = jsonfile.parse(data)
    except ValueError as error:
        what = f"{server.url} did not answer with a completion"
        raise RunError(what, f"its JSON is not complete: {words_of(data)}"[:WORDS], "see the server's log") from error
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
        what = f"{server.url} {'failed during an answer' if failed else 'did not answer with a completion'}"
        raise RunError(what, words_of(data) or type(error).__name__, "see the server's log") from error


def refused(server: Server, status: int, reason: str, body: bytes) -> RunError:
    """The error that an answer with another status than 200 means."""
    what = f"{server.url} answered {status}"
    return RunError(what, words_of(body) or reason, "look into the server's own log; the run ends at the first error")


def wrong_kind(server: Server, given: str, kind: str, body: bytes) -> RunError:
    """The error that an answer of another content type means."""
    what = f"{server.url} answered with {given[:80]}, not {kind}"
    return RunError(what, words_of(body) or "the answer is empty", "it must be an OpenAI-compatible server; see its log")


def hangs(server: Server, timeout_s: float) -> RunError:
    """The error of a server that sends nothing."""
    what = f"{server.url} sent nothing for {timeout_s:g} s"
    return RunError(what, "a request is waiting for its answer", "see the server's log, or raise --server_timeout")


def late(server: Server, first_s: float) -> RunError:
    """The error of a stream without its first token."""
    what = f"{server.url} sent no token within {first_s:g} s"
    return RunError(what, "server_first_token_timeout bounds the first token", "lower the load, or raise the bound")


def cut(server: Server, why: str) -> RunError:
    """The error of an answer that is not whole."""
    return RunError(f"{server.url} ended a request before its answer was complete", why, "see the server's log")


def gone(server: Server, why: str) -> RunError:
    """The error of a server that was there before and accepts no connection."""
    return RunError(
        f"{server.url} accepts no more connections", f"it answered before, and has ended since: {why}", "see the server's log"
    )


def words_of(data: bytes) -> str:
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
