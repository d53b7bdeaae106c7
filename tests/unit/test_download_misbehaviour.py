"""Whatever a server does, a download ends within a bound, says why, and leaves nothing half or wrong under the file's name.

The bound of each: the seconds of `pytest.mark.timeout`, `MOST_REQUESTS` requests, and `PASSES` times the file's bytes.
"""

from __future__ import annotations

import gzip
import os
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from code.common import download
from code.common.download import OfflineError, Patience, contents
from code.common.errors import MissingError
from tests import download_server as servers
from tests.download_server import BODY, Answer, Server, chunked, status, whole

QUICK = Patience(
    offline=2.0,
    silence=1.0,
    attempts=6,
    pause=0.01,
    longest_pause=0.02,
    longest_wait=5.0,
    restarts=3,
    least_rate=4096,
    window=1.0,
)
MOST_REQUESTS = 400
PASSES = QUICK.restarts + 1
BY_HAND = "fetch it with curl"


@pytest.fixture
def server() -> Iterator[Server]:
    yield from _serve(Server())


def _serve(running: Server) -> Iterator[Server]:
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def get(url: str | list[str], target: Path, **pins: int) -> Path:
    return download.fetch(url, target, label="the file", manual_steps=BY_HAND, patience=QUICK, **pins)


def refused(url: str | list[str], target: Path, **pins: int) -> MissingError:
    with pytest.raises(MissingError) as caught:
        get(url, target, **pins)
    assert not target.exists()
    assert caught.value.exit_status == 3
    assert BY_HAND in caught.value.next_step
    return caught.value


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(whole(cut=400_000, ranges=False), "start over 3 times: the server does not resume", id="cut, no Range"),
        pytest.param(servers.one_byte_more(ranges=True), "B/s", id="one byte more each time"),
        pytest.param(servers.one_byte_more(ranges=False), "start over 3 times", id="one byte more each time, no Range"),
        pytest.param(servers.growing(ranges=True), "start over 3 times: the file on the server changed", id="growing"),
        pytest.param(servers.growing(ranges=False), "start over 3 times", id="growing, no Range"),
        pytest.param(
            servers.in_turn(whole(etag='"one"', cut=400_000), whole(etag='"two"', cut=500_000)),
            "start over 3 times",
            id="two mirrors",
        ),
        pytest.param(
            servers.in_turn(whole(etag='"1"', cut=400_000, polite=False), whole(etag='"2"', cut=500_000, polite=False)),
            "the file on the server changed",
            id="two mirrors that ignore If-Range",
        ),
        pytest.param(servers.trickle, "less than 4,096 B/s for 1 s is given up", id="20 B/s"),
        pytest.param(servers.slow_head, "cannot be reached: no answer", id="a head without an end"),
        pytest.param(servers.hang_up, "cannot be reached", id="hangs up"),
        pytest.param(servers.wrong_range, "a part of the file that was not asked for", id="a part"),
        pytest.param(status(302, Location="/file.bin?download=1"), "redirects lead nowhere", id="redirects in a circle"),
        pytest.param(status(520), "attempts in a row failed, the last with: 127.0.0.1 answered 520", id="520"),
        pytest.param(status(202), "still preparing", id="202"),
        pytest.param(status(429), "too many requests", id="429"),
        pytest.param(status(503, Retry_After=86_400), "asks to wait 24 h", id="a day's wait"),
        pytest.param(servers.two_lengths, "several sizes: Content-Length 1048576 and 5", id="two lengths"),
    ],
)
def test_each_ends(server: Server, tmp_path: Path, answer: Answer, words: str) -> None:
    server.script = [answer]
    error = refused(server.url, tmp_path / "file.bin")
    assert words in error.why
    assert len(server.asked) <= MOST_REQUESTS
    assert server.sent <= PASSES * len(BODY)


@pytest.mark.timeout(20)
def test_chunks_without_an_end_stop_at_the_limit(server: Server, tmp_path: Path) -> None:
    server.script = [servers.endless]
    assert "or more, expected at most 200,000" in refused(server.url, tmp_path / "file.bin", limit=200_000).why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(20)
def test_a_wait_is_kept_whether_in_seconds_or_as_a_date(server: Server, tmp_path: Path) -> None:
    until = formatdate(time.time() + 2, usegmt=True)
    server.script = [status(429, Retry_After=until), status(520), status(503, Retry_After=0), whole()]
    begun = time.time()
    assert get(server.url, tmp_path / "file.bin").read_bytes() == BODY
    assert time.time() - begun >= 0.9  # a date has no fractions of a second


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("code", "words", "fix"),
    [
        (401, "asks for an account", "log in"),
        (403, "refuses access", BY_HAND),
        (404, "may have moved", BY_HAND),
        (410, "was removed", BY_HAND),
        (407, "asks for a user name and password", "HTTPS_PROXY=http://USER"),
    ],
)
def test_each_refusal_has_its_own_words(server: Server, tmp_path: Path, code: int, words: str, fix: str) -> None:
    server.script = [status(code)]
    error = refused(server.url, tmp_path / "file.bin")
    assert words in error.why
    assert str(code) in error.why
    assert fix in error.next_step
    assert len(server.asked) == 1


def test_what_a_store_says_is_passed_on(server: Server, tmp_path: Path) -> None:
    body = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    server.script = [status(403, body)]
    assert "AccessDenied" in refused(server.url, tmp_path / "file.bin").why


def test_a_login_elsewhere_is_named(server: Server, tmp_path: Path) -> None:
    server.script = [status(302, Location="http://team.cloudflareaccess.com/cdn-cgi/access/login")]
    assert "asks for an account" in refused(server.url, tmp_path / "file.bin").why


def nifti(voxels: int = 24) -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 2, 3, 4, 1, 1, 1, 1)
    struct.pack_into("<h", header, 72, 16)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + bytes(2 * voxels), mtime=0)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
PAGE = b"\xef\xbb\xbf\n <?xml version='1.0'?><!-- hello --><!DOCTYPE html><p>please log in"
DENIED = b"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>AccessDenied</Code></Error>"
ONNX = b"\x08\x08" + b"\x3a\x03" + b"abc"  # ir_version: 8, graph: three bytes


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("model.onnx", PAGE, "web page"),
        ("model.onnx", PAGE[3:].decode().encode("utf-16"), "web page"),
        ("model.bin", b'{"error": "Repository not found"}', "Repository not found"),
        ("data.json", b'{"error": "quota exceeded"}', "quota exceeded"),
        ("model.bin", b'\xef\xbb\xbf{"message": "Not Found", "status": "404"}', "Not Found"),
        ("model.bin", DENIED, "AccessDenied"),
        ("model.bin", LFS, "Git LFS pointer"),
        ("model.onnx", LFS, "Git LFS pointer"),
        ("image.nii.gz", nifti()[:-9], "not a complete gzip file"),
        ("image.nii.gz", nifti()[:-4] + b"abcd", "not a complete gzip file"),
        ("image.nii.gz", nifti(20), "392 of 400 bytes"),
        ("image.nii.gz", gzip.compress(b"hello" * 100, mtime=0), "not a NIfTI image"),
        ("image.nii.gz", b"hello", "not a complete gzip file"),
        ("archive.zip", b"PK\3\4" + bytes(100), "not a complete ZIP archive"),
        ("model.onnx", ONNX[:-1], "not a complete ONNX model"),
        ("model.onnx", b"\x08\x08", "no version and graph"),
        ("model.onnx", b"hello, world", "ONNX"),
        ("data.json", b'{"data": [1, 2', "not valid JSON"),
        ("list.txt", b"\xff\xfe\xfd\xfc", "not UTF-8"),
        ("table.parquet", b"PAR1 and then no more", "not a complete Parquet file"),
    ],
)
@pytest.mark.parametrize("send", [status, chunked], ids=["with a size", "in chunks"])
def test_what_is_not_the_file_never_gets_its_name(
    server: Server, tmp_path: Path, name: str, body: bytes, words: str, send: object
) -> None:
    server.script = [status(200, body) if send is status else chunked(body)]
    assert words in refused(server.url, tmp_path / name).why
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("image.nii.gz", nifti()),
        ("model.onnx", ONNX),
        ("data.json", b'{"data": [], "error": 0, "message": "a data set with such a key", "version": 1}'),
        ("page.html", b"<html>wanted</html>"),
        ("list.txt", "æøå\n".encode()),
    ],
)
def test_what_is_the_file_gets_its_name(server: Server, tmp_path: Path, name: str, body: bytes) -> None:
    server.script = [status(200, body)]
    assert get(server.url, tmp_path / name).read_bytes() == body


def test_a_real_model_is_one() -> None:
    from code.benchmarks.bert import tiny

    assert contents.wrong_content(tiny.MODEL, "model.onnx") == ""


def test_the_next_source_is_asked(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.script = [status(404), whole()]
    assert get([server.url, server.url + "&old"], tmp_path / "file.bin").read_bytes() == BODY
    assert "404" in capsys.readouterr().err


def test_bytes_of_the_first_source_outlive_a_second_that_has_nothing(server: Server, tmp_path: Path) -> None:
    dead = server.url + "&dead"
    server.script = [whole(cut=400_000)] * 6 + [status(404)]
    error = refused([server.url, dead], tmp_path / "file.bin")
    assert server.url in error.why
    assert dead in error.why
    assert "400,000 bytes are kept" in error.why
    server.script, server.asked = [whole()], []
    get([server.url, dead], tmp_path / "file.bin")
    assert server.asked[0]["Range"] == "bytes=400000-"


def test_only_a_download_that_reached_nobody_is_offline(server: Server, tmp_path: Path) -> None:
    server.script = [status(404)]
    assert not isinstance(refused(["http://127.0.0.1:9/x", server.url], tmp_path / "file.bin"), OfflineError)
    assert isinstance(refused("http://127.0.0.1:9/x", tmp_path / "file.bin"), OfflineError)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody signed, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "cert")]
    subprocess.run(command, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return both


@pytest.mark.timeout(20)
def test_a_certificate_that_is_not_trusted(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for server in _serve(Server(str(certificate))):
        error = refused(server.url, tmp_path / "file.bin")
        assert "the certificate of 127.0.0.1 is not trusted: self-signed certificate" in error.why.replace(
            "self signed", "self-signed"
        )
        assert "SSL_CERT_FILE" in error.next_step
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert get(server.url, tmp_path / "file.bin").read_bytes() == BODY
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
        assert "SSL_CERT_FILE names" in refused(server.url, tmp_path / "other.bin").why


@pytest.mark.timeout(20)
def test_an_address_that_does_not_speak_https(server: Server, tmp_path: Path) -> None:
    assert "no encrypted connection" in refused(server.url.replace("http:", "https:"), tmp_path / "file.bin").why
    assert ssl.OPENSSL_VERSION


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.timeout(20)
@pytest.mark.usefixtures("proxied")
def test_each_fault_of_a_proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, far = tmp_path / "file.bin", "https://files.example.org/file.bin"
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:secret@127.0.0.1:{server.server_port}")
    server.script = [status(407)]
    error = refused(far, target)
    assert "asks for a user name and password" in error.why
    assert "secret" not in str(error)
    server.script = [status(403)]
    assert "does not let files.example.org through: it answered 403" in refused(far, target).why
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    error = refused(far, target)
    assert "the proxy http://127.0.0.1:9 (HTTPS_PROXY, HTTP_PROXY) does not answer" in error.why
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    assert "its scheme is 'socks5'" in refused(far, target).why


@pytest.mark.usefixtures("proxied")
def test_a_password_in_an_address_is_sent_to_its_host_alone(server: Server, tmp_path: Path) -> None:
    for other in _serve(Server()):
        there = other.url.replace("127.0.0.1", "localhost")
        server.script, other.script = [status(302, Location=there)], [status(404)]
        error = refused(server.url.replace("//", "//user:secret@"), tmp_path / "file.bin")
        assert "secret" not in str(error)
        assert server.asked[0]["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.asked[0]
