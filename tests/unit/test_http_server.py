"""The HTTP server of an LLM server: its connections are bounded and cost no thread, and what is not a request is refused."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from code.common.errors import UsageError
from code.harness.python import http_server
from code.harness.python.http_server import HttpServer, Peer, Request
from tests.served import running

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Answers at once with what was asked, but for /later, which it keeps, and /fails."""

    def __init__(self) -> None:
        self.kept: list[Peer] = []

    def __call__(self, request: Request, peer: Peer) -> None:
        if request.path == "/fails":
            raise KeyError("a\nb")
        if request.path == "/later":
            self.kept.append(peer)
        else:
            peer.answer(200, f"{request.method} {request.path} {len(request.body)}".encode(), "text/plain")


def server_of(application: Any, most: int = 100) -> HttpServer:
    return HttpServer("127.0.0.1", 0, application, lambda status, why: {"refused": status, "why": why}, most)


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[HttpServer]:
    with running(server_of(application)) as found:
        yield found


def connected(server: HttpServer, sent: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    opened.sendall(sent)
    return opened


def answered(opened: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    text = b""
    while b"\r\n\r\n" not in text:
        text += (more := opened.recv(1))
        assert more, "the connection was closed"
    head = text.decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = b""
    while len(body) < length:
        body += opened.recv(length - len(body))
    return int(head.split()[1]), body


def is_closed(opened: socket.socket) -> bool:
    try:
        return opened.recv(1) == b""
    except ConnectionResetError:
        return True


def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_hundreds_of_connections_cost_no_thread(application: Application) -> None:
    with running(server_of(application, 1000)) as server, ExitStack() as opened:
        before = threading.active_count()
        waiting = [opened.enter_context(connected(server)) for _ in range(400)]
        for one in waiting:
            one.sendall(GET)
        assert {answered(one) for one in waiting} == {(200, b"GET /a 0")}
        assert threading.active_count() == before and server.connections == 400
    assert server.loop.is_closed()


def test_further_connections_wait_until_one_is_closed(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "RETRY_S", 0.02)
    with running(server_of(application, 2)) as server:
        one, two = connected(server, GET), connected(server, GET)
        assert [answered(one)[0], answered(two)[0]] == [200, 200]
        with connected(server, GET) as three:
            three.settimeout(0.3)
            with pytest.raises(TimeoutError):
                three.recv(1)
            assert server.connections == 2
            two.close()
            three.settimeout(10)
            assert answered(three)[0] == 200 and server.connections == 2
        one.sendall(GET)
        assert answered(one)[0] == 200
        one.close()
        until(lambda: server.connections == 0)


def test_the_connection_that_is_idle_longest_makes_room(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "RETRY_S", 0.02)
    monkeypatch.setattr(http_server, "IDLE_S", 0.05)
    with running(server_of(application, 2)) as server:
        one, two = connected(server, GET), connected(server, GET)
        assert [answered(one)[0], answered(two)[0]] == [200, 200]
        one.sendall(GET)
        assert answered(one)[0] == 200
        with connected(server, GET) as three:
            assert answered(three)[0] == 200 and is_closed(two)
        one.sendall(GET)
        assert answered(one)[0] == 200
        one.close()
        two.close()


def test_a_request_counts_until_it_is_answered_even_if_the_client_has_gone(application: Application) -> None:
    with running(server_of(application, 1)) as server:
        connected(server, GET.replace(b"/a", b"/later")).close()
        until(lambda: application.kept)
        time.sleep(0.1)
        assert server.connections == 1
        with connected(server, GET) as two:
            peer = application.kept[0]
            server.loop.call_soon_threadsafe(peer.answer, 200, b"late")
            assert answered(two) == (200, b"GET /a 0")


def test_requests_on_one_connection_are_answered_in_turn(server: HttpServer, application: Application) -> None:
    post = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    with connected(server, GET.replace(b"/a", b"/later")) as one:
        until(lambda: application.kept)
        one.sendall(GET)
        one.sendall(post + chunked)
        time.sleep(0.1)
        server.loop.call_soon_threadsafe(application.kept[0].answer, 200, b"first")
        bodies = [answered(one)[1] for _ in range(4)]
        assert bodies == [b"first", b"GET /a 0", b"POST /b 3", b"POST /c 5"]
        one.sendall(GET)
        assert answered(one) == (200, b"GET /a 0")


def test_a_client_that_sends_nothing_more_still_gets_its_answer(server: HttpServer, application: Application) -> None:
    with connected(server, GET.replace(b"/a", b"/later")) as one:
        one.shutdown(socket.SHUT_WR)
        until(lambda: application.kept)
        time.sleep(0.1)
        server.loop.call_soon_threadsafe(application.kept[0].answer, 200, b"late")
        assert answered(one) == (200, b"late") and is_closed(one)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_an_application_is_told_that_the_client_leaves(how: str, when: str, server: HttpServer, application: Application) -> None:
    left: list[str] = []

    def listen() -> None:
        server.loop.call_soon_threadsafe(lambda: application.kept[0].on_leave(lambda: left.append("left")))

    one = connected(server, GET.replace(b"/a", b"/later"))
    until(lambda: application.kept)
    if when == "after":
        listen()
    time.sleep(0.05)
    one.close() if how == "close" else one.shutdown(socket.SHUT_WR)
    time.sleep(0.05)
    if when == "before":
        assert left == [] and server.connections == 1
        listen()
    until(lambda: left)
    assert how == "close" or is_closed(one)
    time.sleep(0.05)
    assert left == ["left"] and server.connections == 1, "the request has no answer yet"
    server.loop.call_soon_threadsafe(application.kept[0].answer, 200, b"nobody reads it")
    until(lambda: server.connections == 0)
    one.close()


def test_a_client_that_breaks_off_is_told_of_at_once(server: HttpServer, application: Application) -> None:
    left: list[str] = []
    one = connected(server, GET.replace(b"/a", b"/later"))
    until(lambda: application.kept)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()  # a reset
    until(lambda: application.kept[0]._gone)
    server.loop.call_soon_threadsafe(lambda: application.kept[0].on_leave(lambda: left.append("left")))
    until(lambda: left)
    server.loop.call_soon_threadsafe(application.kept[0].answer, 200, b"nobody reads it")
    until(lambda: server.connections == 0)


def test_a_client_that_leaves_with_its_answer_is_not_told_of(server: HttpServer, application: Application) -> None:
    left: list[str] = []
    with connected(server, GET.replace(b"/a", b"/later")) as one:
        until(lambda: application.kept)
        peer = application.kept[0]
        server.loop.call_soon_threadsafe(lambda: peer.on_leave(lambda: left.append("left")))
        server.loop.call_soon_threadsafe(peer.answer, 200, b"whole")
        assert answered(one) == (200, b"whole")
        server.loop.call_soon_threadsafe(lambda: peer.on_leave(lambda: left.append("too late")))
        one.sendall(GET)
        assert answered(one)[0] == 200
    until(lambda: server.connections == 0)
    assert left == []


def test_an_answer_in_parts_ends_or_is_seen_to_be_cut(server: HttpServer, application: Application) -> None:
    with connected(server, GET.replace(b"/a", b"/later")) as one, connected(server, GET.replace(b"/a", b"/later")) as two:
        until(lambda: len(application.kept) == 2)
        first, second = application.kept
        for peer in (first, second):
            server.loop.call_soon_threadsafe(peer.part, b"a")
        server.loop.call_soon_threadsafe(first.end, b"b")
        server.loop.call_soon_threadsafe(second.cut, b"c")
        ends = []
        for opened in (one, two):
            text = b""
            while not text.endswith((b"0\r\n\r\n", b"1\r\nc\r\n")):
                text += opened.recv(100)
            assert b"text/event-stream" in text and b"1\r\na\r\n" in text
            ends.append(text)
        assert ends[0].endswith(b"1\r\nb\r\n0\r\n\r\n") and ends[1].endswith(b"1\r\nc\r\n") and is_closed(two)
        one.sendall(GET)
        assert answered(one)[0] == 200


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host"),
        (b"hello\r\n\r\n", 400, "illegal request line"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20000, 431, "too long"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413, "at most 100 bytes"),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"a" * 101 + b"\r\n",
            413,
            "at most 100 bytes",
        ),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na", 408, "did not come"),
        (b"GET / HT", 408, "did not come"),
        (b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n", 500, "see its log"),
    ],
)
def test_what_is_not_a_request_is_refused_and_closed(
    sent: bytes, status: int, why: str, server: HttpServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_server, "LARGEST", 100)
    monkeypatch.setattr(http_server, "PATIENCE_S", 0.2)
    with connected(server, sent) as one:
        found, body = answered(one)
        content = json.loads(body)
        assert found == content["refused"] == status and why in content["why"] and is_closed(one)
    until(lambda: server.connections == 0)
    assert ("error: a request failed: KeyError: " in capfd.readouterr().err) == (status == 500)
    with connected(server, GET) as two:
        assert answered(two)[0] == 200


def test_the_rest_of_a_request_may_come_later(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "PATIENCE_S", 1.5)
    with connected(server, b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n") as one:
        time.sleep(0.1)
        one.sendall(b"a" * 100)
        assert answered(one) == (200, b"POST /b 100")
        time.sleep(1.7)  # it is idle now, and may be
        one.sendall(GET)
        assert answered(one)[0] == 200


def test_a_client_may_ask_whether_to_send_the_body(server: HttpServer) -> None:
    with connected(server, b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n") as one:
        assert one.recv(12) == b"HTTP/1.1 100"
        while not one.recv(1000).endswith(b"\r\n\r\n"):
            pass
        one.sendall(b"ab")
        assert answered(one) == (200, b"POST /b 2")


def test_an_old_client_is_answered_once(server: HttpServer) -> None:
    with connected(server, b"GET /a HTTP/1.0\r\n\r\n") as one:
        assert answered(one) == (200, b"GET /a 0") and is_closed(one)


def test_an_address_that_is_in_use_is_refused(server: HttpServer) -> None:
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{server.port}") as refused:
        HttpServer("127.0.0.1", server.port, print, lambda status, why: {})
    assert "--server_port" in refused.value.next_step
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_the_address_of_ipv6_has_brackets(application: Application) -> None:
    try:
        found = HttpServer("::1", 0, application, lambda status, why: {})
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with running(found) as server, socket.create_connection(("::1", server.port), timeout=10) as one:
        assert server.url == f"http://[::1]:{server.port}"
        one.sendall(GET)
        assert answered(one)[0] == 200


def test_the_limit_of_descriptors_bounds_connections(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (300, 400)}
    monkeypatch.setattr(http_server.resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(http_server.resource, "setrlimit", lambda _, given: limits.update(now=given))
    assert http_server._descriptors(350) == 350 and limits["now"] == (350, 400)
    assert http_server._descriptors(1000) == 400 and http_server._descriptors(200) == 200
    limits["now"] = (-1, -1)
    assert http_server._descriptors(5000) == 5000
