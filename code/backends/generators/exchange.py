"""Completions over connections that stay open, on an event loop: each connection has one request at a time, streamed or whole.

h11 checks the protocol; asyncio moves the bytes. Nothing here is sent twice: what fails is handed to the request as an error.
"""

from __future__ import annotations

import asyncio
import errno
import json
import select
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import h11

from code.backends.generators.base import failure
from code.backends.generators.completions import (
    STREAMED,
    WHOLE,
    Piece,
    Server,
    cut,
    gone,
    hangs,
    late,
    own_key,
    piece_of,
    refused,
    wrong_kind,
)
from code.common.errors import HarnessError

LARGEST = 1 << 24
"""Bytes of an answer, or of a part of a stream, at most."""
NO_LISTENER = f"[Errno {errno.ECONNREFUSED}]"


class Asker(Protocol):
    """A request, which takes its answer."""

    def piece(self, piece: Piece) -> None:
        """The next part of the text. HarnessError where it cannot be used."""

    def done(self) -> None:
        """The text is whole; the connection is free."""

    def failed(self, error: HarnessError) -> None:
        """There is no answer."""


class Connection(asyncio.Protocol):
    """An open connection.

    Args:
        free: called with it when its request has its answer and it can be used again.
        timeout_s: seconds without a byte after which the server counts as hanging.
        first_s: seconds in which a stream has to bring its first token; 0: as long as `timeout_s` allows.
    """

    def __init__(
        self,
        server: Server,
        loop: asyncio.AbstractEventLoop,
        free: Callable[[Connection], None],
        timeout_s: float,
        first_s: float,
    ) -> None:
        self._server, self._loop, self._free = server, loop, free
        self._timeout_s, self._first_s = timeout_s, first_s
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport
        host = f"[{server.host}]" if ":" in server.host else server.host
        self._headers = [("Host", f"{host}:{server.port}"), ("Content-Type", WHOLE), *own_key().items()]
        self._asker: Asker | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: it is open."""
        self._transport = cast(asyncio.Transport, transport)

    @property
    def usable(self) -> bool:
        """Whether it is open: servers close an idle connection after some seconds, with or without a word."""
        if self._closed or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def ask(self, path: str, content: Mapping[str, Any], asker: Asker) -> None:
        """Send a completion's request."""
        body = json.dumps(content, separators=(",", ":")).encode()
        headers = [*self._headers, ("Content-Length", str(len(body)))]
        events = (h11.Request(method="POST", target=path, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        self._asker, self._streamed = asker, bool(content.get("stream"))
        self._answer: h11.Response | None = None
        self._rest, self._complete, self._ended = b"", False, False
        self._heard = self._loop.time()
        self._first_due = self._heard + self._first_s if self._streamed and self._first_s else float("inf")
        self._timer = self._loop.call_at(self._due, self._waited)
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))

    def close(self) -> None:
        """Close it at once."""
        self._asker = None
        self._stop_waiting()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes of an answer."""
        if self._asker is None:  # nothing was asked
            self._transport.abort()
            return
        self._heard = self._loop.time()
        self._http.receive_data(data)
        self._read()

    def eof_received(self) -> None:
        """asyncio's: the server sends nothing more."""
        if self._asker is not None:
            self._http.receive_data(b"")
            self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: it is closed."""
        self._closed = True
        self._fail(cut(self._server, str(exc or "the connection was closed")))

    def _read(self) -> None:
        try:
            while self._asker is not None:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._fail(cut(self._server, str(error)))
        except HarnessError as error:
            self._fail(error)
        except Exception as error:
            self._fail(failure(error))

    def _take(self, event: Any) -> None:
        if isinstance(event, h11.Response):
            self._answer, self._expected = event, self._is_expected(event)
        elif isinstance(event, h11.Data):
            self._rest += event.data
            if self._streamed and self._expected:
                self._lines()
            if len(self._rest) > LARGEST:
                raise cut(self._server, f"it is larger than {LARGEST:,} bytes")
        elif isinstance(event, h11.EndOfMessage):
            self._whole()
        elif isinstance(event, h11.ConnectionClosed):
            raise cut(self._server, "the connection was closed")

    def _is_expected(self, answer: h11.Response) -> bool:
        """Whether it is a success of the content type that was asked for; a server that names none is believed."""
        kind = _kind(answer)
        right = kind is None or kind.partition(";")[0].strip().lower() == self._wanted
        return right and answer.status_code == 200

    def _lines(self) -> None:
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if not line.startswith(b"data:") or self._ended:
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self._complete = self._ended = True
                continue
            piece = piece_of(self._server, data)
            if piece.tokens or piece.text:
                self._first_due = float("inf")
            cast(Asker, self._asker).piece(Piece(piece.tokens, piece.text, False))
            self._complete = self._complete or piece.finished

    def _whole(self) -> None:
        """The answer has ended."""
        answer = cast(h11.Response, self._answer)
        if answer.status_code != 200:
            raise refused(self._server, answer.status_code, answer.reason.decode("latin-1"), self._rest)
        if not self._expected:
            raise wrong_kind(self._server, str(_kind(answer)), self._wanted, self._rest)
        asker = cast(Asker, self._asker)
        if not self._streamed:
            asker.piece(piece_of(self._server, self._rest))
        elif not self._complete:
            raise cut(self._server, "the stream ended without [DONE]")
        self._asker = None
        self._stop_waiting()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._free(self)
        else:
            self._transport.close()
        asker.done()

    @property
    def _wanted(self) -> str:
        return STREAMED if self._streamed else WHOLE

    @property
    def _due(self) -> float:
        return min(self._heard + self._timeout_s, self._first_due)

    def _waited(self) -> None:
        now = self._loop.time()
        if now >= self._first_due:
            self._fail(late(self._server, self._first_s))
        elif now >= self._due:
            self._fail(hangs(self._server, self._timeout_s))
        else:
            self._timer = self._loop.call_at(self._due, self._waited)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: HarnessError) -> None:
        asker, self._asker = self._asker, None
        self._stop_waiting()
        self._transport.abort()
        if asker is not None:
            asker.failed(error)


def _kind(answer: h11.Response) -> str | None:
    """An answer's content type; None where the server names none."""
    return next((value.decode("latin-1") for name, value in answer.headers if name == b"content-type"), None)


class Connections:
    """The connections to a server, as many as it has requests at once.

    Args:
        timeout_s, first_s: see Connection.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, timeout_s: float, first_s: float) -> None:
        self.server = server
        self._loop, self._timeout_s, self._first_s = loop, timeout_s, first_s
        self._free: list[Connection] = []
        self._all: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()

    def ask(self, path: str, content: Mapping[str, Any], asker: Asker) -> None:
        """Send a request on a connection that is free, or on a new one."""
        while self._free:
            connection = self._free.pop()
            if connection.usable:
                return connection.ask(path, content, asker)
            self._all.remove(connection)
            connection.close()
        task = self._loop.create_task(self._open(path, content, asker))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return None

    def close(self) -> None:
        """Close them all."""
        for task in self._opening:
            task.cancel()
        for connection in self._all:
            connection.close()

    async def _open(self, path: str, content: Mapping[str, Any], asker: Asker) -> None:
        server = self.server
        secure = ssl.create_default_context() if server.secure else None

        def made() -> Connection:
            return Connection(server, self._loop, self._free.append, self._timeout_s, self._first_s)

        try:
            opening = self._loop.create_connection(made, server.host, server.port, ssl=secure)
            _, connection = await asyncio.wait_for(opening, self._timeout_s)
        except (asyncio.TimeoutError, TimeoutError):
            return asker.failed(hangs(server, self._timeout_s))
        except OSError as error:
            refuses = isinstance(error, ConnectionRefusedError) or NO_LISTENER in str(error)
            return asker.failed((gone if refuses else cut)(server, str(error)))
        self._all.append(connection)
        return connection.ask(path, content, asker)
