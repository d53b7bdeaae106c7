"""A web server on this machine whose answers are scripted, for tests of downloads."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 4096  # 1 MiB
OTHER = BODY[::-1]


class Server(ThreadingHTTPServer):
    """Answers every request with the next entry of `script`, then with the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[Handler], None]] = [whole()]
        self.asked: list[dict[str, str]] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some of these tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin?download=1"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        answer = self.server.script[min(len(self.server.asked), len(self.server.script)) - 1]
        self.close_connection = True
        answer(self)

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
        handler.wfile.write(body[first : len(body) if cut is None else max(first, cut)])

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
