"""A web server on this machine whose answers are scripted, for tests of downloads."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 4096  # 1 MiB
OTHER = BODY[::-1]


class Server(ThreadingHTTPServer):
    """Answers every request with the next entry of `script`, then with the last one again and again."""

    daemon_threads = True

    def __init__(self, certificate: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.sent = 0
        self.script: list[Callable[[Handler], None]] = [whole()]
        self.asked: list[dict[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some of these tests are about."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/file.bin?download=1"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        answer = self.server.script[min(len(self.server.asked), len(self.server.script)) - 1]
        self.close_connection = True
        answer(self)

    def do_CONNECT(self) -> None:
        """As a proxy: what a client asks of it to reach an encrypted server."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


Answer = Callable[[Handler], None]


def whole(body: bytes = BODY, etag: str = '"one"', cut: int | None = None, ranges: bool = True, polite: bool = True) -> Answer:
    """Sends `body`, honouring Range and If-Range; ends the connection after `cut` bytes of it."""

    def answer(handler: Handler) -> None:
        asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        tag = {"ETag": etag} if etag else {}
        if asked and ranges and (condition in (None, etag) or not polite):
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                handler.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0, **tag)
                return
            handler.head(206, Content_Range=f"bytes {first}-{len(body) - 1}/{len(body)}", Content_Length=len(body) - first, **tag)
        else:
            first = 0
            handler.head(200, Content_Length=len(body), **tag)
        part = body[first : len(body) if cut is None else max(first, cut)]
        handler.server.sent += len(part)
        handler.wfile.write(part)

    return answer


def status(code: int, body: bytes = b"no", **headers: object) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(code, Content_Length=len(body), **headers)
        handler.wfile.write(body)

    return answer


def chunked(body: bytes, end: bool = True) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        for first in range(0, len(body), 50_000):
            part = body[first : first + 50_000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        if end:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def silent(handler: Handler) -> None:
    time.sleep(5)


def in_turn(*answers: Answer) -> Answer:
    """Mirrors behind one address: each request is answered by the next of them, for ever."""
    next_one = itertools.cycle(answers)
    return lambda handler: next(next_one)(handler)


def one_byte_more(ranges: bool) -> Answer:
    """Breaks the connection one byte later than the last time."""
    cuts = itertools.count(400_000)
    return lambda handler: whole(cut=next(cuts), ranges=ranges)(handler)


def growing(ranges: bool) -> Answer:
    """A file that is longer, and another, at each request; the connection breaks."""
    sizes = itertools.count(500_000, 1000)

    def answer(handler: Handler) -> None:
        size = next(sizes)
        whole(BODY[:size], etag=f'"{size}"', cut=size - 100, ranges=ranges, polite=False)(handler)

    return answer


def trickle(handler: Handler) -> None:
    """20 bytes a second, for ever."""
    handler.head(200, Content_Length=len(BODY))
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"\0\1")
            time.sleep(0.1)


def endless(handler: Handler) -> None:
    """Chunks without an end and without a size."""
    handler.head(200, Transfer_Encoding="chunked")
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"10000\r\n%b\r\n" % (bytes(range(256)) * 256))


def slow_head(handler: Handler) -> None:
    """A header that never ends, one line at a time."""
    with contextlib.suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: 1\r\n")
            time.sleep(0.2)


def two_lengths(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "5")
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY)


def hang_up(handler: Handler) -> None:
    """Closes the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def wrong_range(handler: Handler) -> None:
    """Answers every request with a part that nobody asked for."""
    handler.head(206, Content_Range=f"bytes 100-199/{len(BODY)}", Content_Length=100)
    handler.wfile.write(BODY[100:200])
