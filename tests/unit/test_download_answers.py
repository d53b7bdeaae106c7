"""Answers that are not HTTP as it should be, addresses that are none, and a mirror with faults: each is named and has an end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.common import console, download, paths
from code.common.download import OfflineError, connection, mirror
from code.common.errors import MissingError, UsageError
from tests.download_server import BODY, Answer, Handler, Server, status, whole
from tests.unit.test_download_misbehaviour import BY_HAND, MOST_REQUESTS, QUICK

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def raw(head: bytes, body: bytes = b"hello") -> Answer:
    """An answer as it is given, byte for byte."""
    return lambda handler: handler.wfile.write(head.replace(b"\n", b"\r\n") + b"\r\n" + body) and None


def redirect(to: bytes) -> Answer:
    return raw(b"HTTP/1.1 302 Found\nContent-Length: 0\nLocation: " + to + b"\n", b"")


def slow_refusal(handler: Handler) -> None:
    """A refusal whose text takes longer than anybody waits."""
    handler.head(403, Content_Length=4096)
    for _ in range(4096):
        handler.wfile.write(b"<")
        time.sleep(0.3)


def refused(url: str, target: Path) -> MissingError:
    with pytest.raises(MissingError) as caught:
        download.fetch(url, target, label="the file", manual_steps=BY_HAND, patience=QUICK)
    assert not target.exists()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (redirect(b"http://[::1"), "redirects to an invalid address"),
        (redirect(b"http://127.0.0.1:99999/x"), "redirects to 'http://127.0.0.1:99999/x': Port out of range"),
        (redirect(b"http://127.0.0.1:abc/x"), "redirects to 'http://127.0.0.1:abc/x'"),
        (redirect(b"ftp://127.0.0.1/x"), "its scheme is 'ftp'"),
        (redirect(b"http://localhost:9/x"), "it redirects to localhost, and there: "),
        (raw(b"hello\n"), "does not answer in valid HTTP: hello"),
        (raw(b"HTTP/1.1 abc OK\n"), "does not answer in valid HTTP"),
        (raw(b"HTTP/1.1 200 OK\n" + b"A: b\n" * 200), "more than 100 headers"),
        (raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n", b"5\r\nhello\r\n0\r\n\r\n"), "encoded as gzip, chunked"),
        (raw(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"zz\r\nhello"), "the connection ended within the answer"),
        (
            raw(b"HTTP/1.1 206 P\nContent-Length: 5\nContent-Range: bytes 0-4/" + b"9" * 5000 + b"\n"),
            "does not state the file's size",
        ),
        (
            raw(b"HTTP/1.1 206 P\nContent-Length: 5\nContent-Range: bytes 0-4/9\n"),
            "another part of the file than the one asked for",
        ),
        (raw(b"HTTP/1.1 304 Not Modified\n", b""), "answered 304"),
        (slow_refusal, "answered 403"),
    ],
)
def test_what_is_not_an_answer_ends_with_the_reason(server: Server, tmp_path: Path, answer: Answer, words: str) -> None:
    server.script = [answer]
    error = refused(server.url, tmp_path / "file.bin")
    assert words in error.why
    assert not isinstance(error, OfflineError)  # somebody answered
    assert len(server.asked) <= MOST_REQUESTS


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.1 404 \x1b[2J\x1b[31mred\x07" + b"a" * 50_000 + b"\nContent-Length: 5\n"),
        status(200, b'{"error": "\\u001b[2J\\u001b[31mred"}'),
        status(403, b"<Error><Code>\x1b[2Jred</Code></Error>"),
        raw(b"HTTP/1.1 200 OK\nContent-Length: 5\nContent-Encoding: \x1b[2Jred\n"),
        raw(b"\x1b[2Jred\n"),
    ],
)
def test_a_server_cannot_write_to_the_terminal(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    server.script = [answer]
    error = refused(server.url, tmp_path / "file.bin")
    assert "red" in error.why
    assert error.why.isprintable()
    assert len(error.why) < 1000
    console.fail([error.why, "\x1b[2Jtext of another file\r\n\tand more"])
    assert capsys.readouterr().err == f"{error.why}\n\\x1b[2Jtext of another file\\x0d\n\tand more\n"


@pytest.mark.parametrize("tag", [b'"a\n b"', b'"\xe9"', b""])
def test_a_tag_that_cannot_be_sent_back_is_not(server: Server, tmp_path: Path, tag: bytes) -> None:
    begun = raw(b"HTTP/1.1 200 OK\nETag: " + tag + b"\nContent-Length: %d\n" % len(BODY), BODY[:5000])
    server.script = [begun, whole(etag="")]
    got = download.fetch(server.url, tmp_path / "file.bin", label="f", manual_steps=BY_HAND, patience=QUICK)
    assert got.read_bytes() == BODY


@pytest.mark.parametrize(
    "state",
    [
        {"etag": 5, "validator": {}, "total": "x"},
        {"etag": '"one"', "validator": '"one\r\n"', "total": len(BODY)},
        {"etag": '"one"', "validator": '"one"', "total": -1},
        [],
    ],
)
def test_a_record_of_a_part_that_was_changed_is_not_used(server: Server, tmp_path: Path, state: object) -> None:
    target = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(BODY[:1000])
    record = {"url": server.url, **state} if isinstance(state, dict) else state
    (tmp_path / "file.bin.part.json").write_text(json.dumps(record), encoding="utf-8")
    download.fetch(server.url, target, label="f", manual_steps=BY_HAND, patience=QUICK)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize(
    "proxy", ["http://", "://", "http://[::1", "http://someone:secret@127.0.0.1:port", "http://127.0.0.1:99999", " ", "ftp://x"]
)
def test_a_proxy_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    error = refused("https://files.example.org/x", tmp_path / "file.bin")
    assert "cannot be used" in error.why
    assert "secret" not in str(error)
    assert "HTTPS_PROXY=http://HOST:PORT" in error.next_step


@pytest.mark.parametrize("content", ["", "hello"])
def test_a_file_of_certificates_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (tmp_path / "none.pem").write_text(content, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert "has no certificate that can be read" in refused("https://127.0.0.1:9/x", tmp_path / "file.bin").why


@pytest.fixture
def mirrored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    return paths.build_dir() / "data" / "file.bin"


@pytest.mark.parametrize(
    "given", ["http://", "http:///x", "http://h:abc/", "http://[::1", "s3://bucket/x", "file:///x", "https:/x"]
)
def test_a_mirror_that_is_no_address(mirrored: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(mirror.VARIABLE, given)
    with pytest.raises(UsageError) as caught:
        download.fetch("http://127.0.0.1:9/x", mirrored, label="f", manual_steps=BY_HAND, patience=QUICK)
    assert mirror.VARIABLE in caught.value.what


def test_a_mirror_with_a_signature_a_space_and_another_script(
    server: Server, mirrored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def answer(handler: Handler) -> None:
        asked.append(handler.path)
        (status(404) if "SHA256SUMS" in handler.path else whole())(handler)

    server.script = [answer]
    signature = "sig=" + "s" * 100
    monkeypatch.setenv(mirror.VARIABLE, f"HTTP://someone:secret@127.0.0.1:{server.server_port}/my mirror/ä?{signature}")
    download.fetch("http://127.0.0.1:9/x", mirrored, label="f", manual_steps=BY_HAND, patience=QUICK)
    assert mirrored.read_bytes() == BODY
    assert asked == [f"/my%20mirror/%C3%A4/{name}?{signature}" for name in ("SHA256SUMS", "data/file.bin")]
    shown = mirror.address_shown() + capsys.readouterr().err
    assert "the mirror answered 404" in shown
    assert "secret" not in shown
    assert signature not in shown


@pytest.mark.parametrize("sums", [raw(b"HTTP/1.1 200 OK\nContent-Length: 500\n", b"0" * 64), status(200, b"\xff\xfe\x00")])
def test_digests_of_a_mirror_that_cannot_be_read_are_a_warning(
    server: Server, mirrored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sums: Answer
) -> None:
    server.script = [sums, whole()]
    monkeypatch.setenv(mirror.VARIABLE, server.url.partition("/file.bin")[0])
    download.fetch("http://127.0.0.1:9/x", mirrored, label="f", manual_steps=BY_HAND, patience=QUICK)
    assert "SHA256SUMS of http://127.0.0.1" in capsys.readouterr().err


def test_what_a_mirrors_folder_has_instead_of_the_file(
    server: Server, mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mirror/data"
    folder.mkdir(parents=True)
    monkeypatch.setenv(mirror.VARIABLE, str(folder.parent))
    for make, words in (
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: path.symlink_to(path.name), "cannot be read"),
    ):
        make(folder / "file.bin")
        download.fetch(server.url, mirrored, label="f", manual_steps=BY_HAND, patience=QUICK)
        assert words in capsys.readouterr().err
        mirrored.unlink()
        (folder / "file.bin").rmdir() if (folder / "file.bin").is_dir() else (folder / "file.bin").unlink()


def test_a_part_outlives_a_mirror_without_the_file(
    server: Server, mirrored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script = [whole(cut=400_000)] * 6
    refused(server.url, mirrored)
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    server.script, server.asked = [whole()], []
    download.fetch(server.url, mirrored, label="f", manual_steps=BY_HAND, patience=QUICK)
    assert server.asked[0]["Range"] == "bytes=400000-"


@pytest.mark.parametrize("url", ["http://h/a b", "http:///x", "http://h:x/", "gopher://h/", "x", "http://[::1/", "http://h/\x1b"])
def test_what_is_no_address(url: str) -> None:
    assert connection.fault_of(url)


@pytest.mark.parametrize("url", ["http://h", "https://h:8443/a%20b?c=d", "http://[::1]:80/x", "HTTP://u:p@h/"])
def test_what_is_an_address(url: str) -> None:
    assert connection.fault_of(url) == ""
