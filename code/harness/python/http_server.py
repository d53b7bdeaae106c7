"""An HTTP/1.1 server on one event loop: connections are bounded in number and cost no thread, and each has one request at a time.

h11 checks the protocol; asyncio moves the bytes. What an application does not answer at once, such as a text that is generated, it
answers later from the loop's thread, and it may ask to be told where the client leaves before. A connection counts until its request has
its answer, even where the client has gone, so that the requests in flight are bounded, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, cast

import h11

from code.common.errors import UsageError, last_words

LARGEST = 8 << 20
"""Bytes of a request's body, at most."""
MOST = 4096
"""Connections, at most; further ones wait in the system's queue until one is closed."""
SPARE = 256
"""File descriptors that are left for everything else."""
BACKLOG = 1024
AT_ONCE = 64
"""Connections that are accepted before anything else is done."""
PATIENCE_S = 60.0
"""Seconds in which the rest of a request has to come."""
IDLE_S = 5.0
"""Seconds without a request after which a connection may be closed for another one."""
RETRY_S = 1.0


@dataclass(frozen=True)
class Request:
    """A request with its whole body; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes


class Peer(asyncio.Protocol):
    """A connection, and what answers its request: `answer`, or `part` and then `end` or `cut`."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._http = h11.Connection(h11.SERVER)
        self._transport: asyncio.Transport
        self._head: h11.Request | None = None
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._busy = self._begun = self._reading = self._gone = self._ended = False
        self._leaves: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: it is open."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.opened(self)

    def data_received(self, data: bytes) -> None:
        """asyncio's: bytes of a request, or of the next one."""
        self._server.works(self)
        self._http.receive_data(data)
        if self._busy:
            self._transport.pause_reading()  # until this request has its answer
        else:
            self._read()

    def eof_received(self) -> bool:
        """asyncio's: the client sends nothing more. An answer that is due is still sent, unless the application gives it up."""
        self._ended = True
        self._http.receive_data(b"")
        if not self._busy:
            self._read()
        return self._busy and self._leaves is None

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's: it is closed."""
        self._gone = True
        self._stop_waiting()
        self._server.closed(self)
        if not self._busy:
            self._server.left()
        elif self._leaves is not None:
            self._leaves()

    def on_leave(self, leaves: Callable[[], None]) -> None:
        """Call `leaves` where the client closes the connection before it has its answer, or only its own side of it.

        The connection is closed then, and counts until the request is answered all the same.
        """
        if self._gone and self._busy:
            leaves()
        elif self._busy:
            self._leaves = leaves
            if self._ended:
                self._transport.close()

    def close(self) -> None:
        """Close it once everything is sent."""
        self._transport.close()

    def answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        """The whole answer."""
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        self._send(h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        self._finished()

    def part(self, data: bytes, kind: str = "text/event-stream") -> None:
        """A part of an answer whose length is not known."""
        self._send(*self._opening(kind), h11.Data(data=data))

    def end(self, data: bytes, kind: str = "text/event-stream") -> None:
        """The last part."""
        self._send(*self._opening(kind), h11.Data(data=data), h11.EndOfMessage())
        self._finished()

    def cut(self, data: bytes) -> None:
        """A part after which the connection is closed, so that the client sees that the answer is not whole."""
        self._send(h11.Data(data=data))
        self._http.send_failed()
        self._finished()

    def failed(self, error: Exception) -> None:
        """A fault of the application: a line in the server's log, and 500 where the answer has not begun."""
        print(f"error: a request failed: {type(error).__name__}: {last_words(error)}", file=sys.stderr, flush=True)
        self._refuse(500, "the server failed; see its log")

    def _opening(self, kind: str) -> list[h11.Event]:
        if self._begun:
            return []
        self._begun = True
        return [h11.Response(status_code=200, headers=[("Content-Type", kind)])]

    def _send(self, *events: h11.Event) -> None:
        if not self._gone:
            self._transport.write(b"".join(self._http.send(event) or b"" for event in events))

    def _finished(self) -> None:
        self._busy = self._begun = False
        self._leaves = None
        if self._gone:
            self._server.left()
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._transport.resume_reading()
            if not self._reading:
                self._read()
        else:
            self._transport.close()

    def _read(self) -> None:
        """Take events of the protocol until a request is whole, or more bytes are needed."""
        self._reading = True
        try:
            while not self._busy and not self._transport.is_closing():
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    self._wait()
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, str(error))
        finally:
            self._reading = False

    def _take(self, event: Any) -> None:
        if isinstance(event, h11.Request):
            self._head, self._headers = event, dict(event.headers)
            if int(self._headers.get(b"content-length", b"0")) > LARGEST:
                self._refuse_large()
            elif self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > LARGEST:
                self._refuse_large()
        elif isinstance(event, h11.EndOfMessage):
            self._ask()
        else:  # the client has closed it
            self._transport.close()

    def _ask(self) -> None:
        head = cast(h11.Request, self._head)
        asked = Request(head.method.decode(), head.target.decode("latin-1"), self._headers, bytes(self._body))
        self._head, self._body, self._busy = None, bytearray(), True
        self._stop_waiting()
        try:
            self._server.application(asked, self)
        except Exception as error:
            self.failed(error)

    def _wait(self) -> None:
        """For the rest of a request, which has to come, or for the next one."""
        if self._head is None and not self._http.trailing_data[0]:
            self._server.rests(self)
        elif self._timer is None:
            self._timer = self._server.loop.call_later(PATIENCE_S, self._refuse, 408, "the rest of the request did not come")

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_large(self) -> None:
        self._refuse(413, f"a request has at most {LARGEST:,} bytes")

    def _refuse(self, status: int, why: str) -> None:
        """An answer to what is not a request of this server, and the end of the connection."""
        self._stop_waiting()
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps(self._server.refusal(status, why)).encode()
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
            self._send(h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
        self._busy = False
        self._leaves = None
        if self._gone:
            self._server.left()
        else:
            self._transport.close()


class HttpServer:
    """Listens, and has the event loop of its connections.

    Args:
        application: called in the loop's thread with each request; the peer takes its answer, then or later.
        refusal: the JSON body of an answer that refuses what is not HTTP, from a status and a reason.
        most: connections at once.

    UsageError where the address cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        application: Callable[[Request, Peer], None],
        refusal: Callable[[int, str], Mapping[str, Any]],
        most: int = MOST,
    ) -> None:
        self.application, self.refusal = application, refusal
        self.connections = 0
        """Open ones, and those whose request has no answer yet."""
        self._most = max(1, min(most, _descriptors(most + SPARE) - SPARE))
        self._peers: set[Peer] = set()
        self._idle: dict[Peer, float] = {}
        self._leaving: Peer | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._accepting: set[asyncio.Task[None]] = set()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {host}:{port}", error.strerror or str(error), "choose another with --server_port=PORT"
            ) from error
        self._listening.setblocking(False)
        self.port = int(self._listening.getsockname()[1])
        self.url = f"http://[{host}]:{self.port}" if family == socket.AF_INET6 else f"http://{host}:{self.port}"
        self.loop = asyncio.new_event_loop()

    def run(self, until: Coroutine[Any, Any, None]) -> None:
        """Serve until the coroutine ends; then every connection is closed."""
        self._resume()
        try:
            self.loop.run_until_complete(until)
        finally:
            self.loop.remove_reader(self._listening)
            self._listening.close()
            for task in self._accepting:
                task.cancel()
            for peer in self._peers:
                peer.close()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def opened(self, peer: Peer) -> None:
        """A connection can be used."""
        self._peers.add(peer)
        self.rests(peer)

    def closed(self, peer: Peer) -> None:
        """A connection is closed; its request may have no answer yet."""
        self._peers.discard(peer)
        self.works(peer)
        if peer is self._leaving:
            self._leaving = None

    def rests(self, peer: Peer) -> None:
        """A connection has no request."""
        self._idle[peer] = self.loop.time()

    def works(self, peer: Peer) -> None:
        """A connection has a part of a request."""
        self._idle.pop(peer, None)

    def left(self) -> None:
        """A connection is closed, and its request is answered."""
        self.connections -= 1
        self._resume()

    def _resume(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._listening.fileno() >= 0:
            self.loop.add_reader(self._listening, self._accept)

    def _pause(self) -> None:
        self.loop.remove_reader(self._listening)
        if self._retry is None:
            self._retry = self.loop.call_later(RETRY_S, self._resume)

    def _accept(self) -> None:
        """Take some of the connections that wait: one does, or this would not be called."""
        if self.connections >= self._most:
            self._make_room()
            return self._pause()
        for _ in range(min(AT_ONCE, self._most - self.connections)):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return None
            except OSError as error:
                print(f"error: no connection can be accepted: {error.strerror}", file=sys.stderr, flush=True)
                return self._pause()
            connection.setblocking(False)
            self.connections += 1
            task = self.loop.create_task(self._open(connection))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)
        return None

    def _make_room(self) -> None:
        """Close the connection that is idle longest, unless one is on its way out already."""
        peer, since = next(iter(self._idle.items()), (None, 0.0))
        if self._leaving is None and peer is not None and self.loop.time() - since >= IDLE_S:
            self._leaving = peer
            peer.close()

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: Peer(self), connection)
        except OSError:
            connection.close()
            self.connections -= 1


def _descriptors(wanted: int) -> int:
    """File descriptors that this process may have; the limit is raised where it is below `wanted` and may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
