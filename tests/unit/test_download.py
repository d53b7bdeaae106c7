"""A download is whole or absent, whatever the server does. The server is a real one, on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.benchmarks.bert import data
from code.common import download
from code.common.download import Patience
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.rules.benchmark_facts import PublishedFile
from tests.download_server import BODY, OTHER, Answer, Handler, Server, chunked, silent, status, whole

QUICK = Patience(offline=3.0, silence=2.0, attempts=3, pause=0.01, longest_pause=0.02)
BY_HAND = "fetch it with curl and put it there"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "file.bin"


def get(server: Server, target: Path, *, sha256: str | None = None, md5: str | None = None, size: int | None = None) -> Path:
    return download.fetch(
        server.url, target, sha256=sha256, md5=md5, size=size, label="the file", manual_steps=BY_HAND, patience=QUICK
    )


def ranges_of(server: Server) -> list[str | None]:
    return [headers.get("Range") for headers in server.asked]


def names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


DONE = ["file.bin", "file.bin.sha256"]


def test_a_file_comes_whole_with_its_digest(server: Server, target: Path) -> None:
    assert get(server, target) == target
    assert target.read_bytes() == BODY
    assert names(target) == DONE
    checked = subprocess.run(
        ["sha256sum", "-c", "file.bin.sha256"], cwd=target.parent, capture_output=True, text=True, check=True
    )
    assert checked.stdout == "file.bin: OK\n"


def test_a_file_that_is_there_is_not_fetched_again(server: Server, target: Path) -> None:
    get(server, target)
    get(server, target, sha256=hashlib.sha256(BODY).hexdigest().upper(), size=len(BODY))
    assert len(server.asked) == 1


def test_a_connection_that_breaks_is_taken_up_where_it_ended(server: Server, target: Path) -> None:
    server.script = [whole(cut=400_000), whole(cut=700_000), whole()]
    get(server, target)
    assert target.read_bytes() == BODY
    assert ranges_of(server) == [None, "bytes=400000-", "bytes=700000-"]
    assert server.asked[1]["If-Range"] == '"one"'
    assert names(target) == DONE


def test_a_server_that_says_nothing_more_is_asked_again(server: Server, target: Path) -> None:
    def stalls(handler: Handler) -> None:
        handler.head(200, Content_Length=len(BODY), ETag='"one"')
        handler.wfile.write(BODY[:300_000])
        handler.wfile.flush()
        time.sleep(5)

    server.script = [stalls, whole()]
    get(server, target)
    assert target.read_bytes() == BODY
    assert ranges_of(server) == [None, "bytes=300000-"]


def test_a_server_without_ranges_starts_over(server: Server, target: Path) -> None:
    server.script = [whole(cut=400_000, ranges=False), whole(ranges=False)]
    get(server, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("polite", [True, False])
def test_a_file_that_changes_between_tries_is_not_mixed(server: Server, target: Path, polite: bool) -> None:
    server.script = [whole(cut=400_000), whole(OTHER, etag='"two"', polite=polite)]
    get(server, target)
    assert target.read_bytes() == OTHER


def test_a_weak_tag_is_compared_here(server: Server, target: Path) -> None:
    server.script = [whole(etag='W/"one"', cut=400_000), whole(OTHER, etag='W/"two"', polite=False)]
    get(server, target)
    assert "If-Range" not in server.asked[1]
    assert target.read_bytes() == OTHER


def test_a_file_that_changes_its_size_is_not_mixed(server: Server, target: Path) -> None:
    server.script = [whole(etag="", cut=400_000), whole(OTHER[:-5], etag="")]
    get(server, target)
    assert target.read_bytes() == OTHER[:-5]


def test_errors_that_pass_are_waited_for(server: Server, target: Path) -> None:
    server.script = [status(500), status(503, Retry_After=0), whole()]
    get(server, target)
    assert target.read_bytes() == BODY


def test_a_download_that_was_given_up_goes_on_next_time(server: Server, target: Path) -> None:
    server.script = [whole(cut=400_000)]
    with pytest.raises(MissingError) as caught:
        get(server, target)
    assert caught.value.next_step == BY_HAND
    assert "400,000" in caught.value.why
    assert not target.exists()
    server.script = [whole()]
    server.asked.clear()
    get(server, target)
    assert target.read_bytes() == BODY
    assert ranges_of(server) == ["bytes=400000-"]


def test_a_part_that_is_complete_already_is_accepted(server: Server, target: Path) -> None:
    server.script = [whole(cut=400_000)]
    with pytest.raises(MissingError):
        get(server, target)
    (target.parent / "file.bin.part").write_bytes(BODY)  # killed between the last byte and the new name
    server.script = [whole()]
    get(server, target)
    assert target.read_bytes() == BODY


def test_a_part_of_unknown_origin_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / "file.bin.part").write_bytes(b"something else")
    get(server, target)
    assert target.read_bytes() == BODY
    assert ranges_of(server) == [None]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(404), "404"),
        (status(403), "403"),
        (status(200, b"<html>please log in</html>", Content_Type="text/html; charset=utf-8"), "web page"),
        (status(200, b"\n <!DOCTYPE html><p>rate limit</p>", Content_Type="application/octet-stream"), "web page"),
        (status(200, BODY, Content_Encoding="gzip"), "gzip"),
    ],
)
def test_an_answer_that_is_not_the_file_ends_it_at_once(server: Server, target: Path, answer: Answer, said: str) -> None:
    server.script = [answer]
    with pytest.raises(MissingError, match="the file") as caught:
        get(server, target)
    assert said in caught.value.why
    assert caught.value.next_step == BY_HAND
    assert len(server.asked) == 1
    assert names(target) == []


def test_an_empty_file_is_none(server: Server, target: Path) -> None:
    server.script = [status(200, b"")]
    with pytest.raises(MissingError, match="the file"):
        get(server, target)
    assert names(target) == []


def test_a_size_that_is_not_the_pinned_one(server: Server, target: Path) -> None:
    with pytest.raises(MissingError) as caught:
        get(server, target, size=len(BODY) - 1)
    assert "1,048,576" in caught.value.why
    assert names(target) == []


def test_too_many_bytes_are_noticed_while_they_come(server: Server, target: Path) -> None:
    server.script = [chunked(BODY)]
    with pytest.raises(MissingError, match="the file") as caught:
        get(server, target, size=600_000)
    assert "or more" in caught.value.why
    assert names(target) == []


def test_chunks_are_read_to_their_end_and_no_further(server: Server, target: Path) -> None:
    server.script = [chunked(BODY)]
    get(server, target)
    assert target.read_bytes() == BODY


def test_chunks_that_break_off_are_not_a_file(server: Server, target: Path) -> None:
    server.script = [chunked(BODY[:500_000], end=False)]
    with pytest.raises(MissingError, match="the file"):
        get(server, target)
    assert not target.exists()


def test_a_server_that_tells_no_size_is_believed_only_with_a_pin(server: Server, target: Path) -> None:
    def untold(handler: Handler) -> None:
        handler.head(200)
        handler.wfile.write(BODY)

    server.script = [untold]
    with pytest.raises(MissingError, match="the file") as caught:
        get(server, target)
    assert "size" in caught.value.why
    get(server, target, sha256=hashlib.sha256(BODY).hexdigest())
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("pin", ["sha256", "md5"])
def test_a_digest_that_is_not_the_pinned_one(server: Server, target: Path, pin: str) -> None:
    digest = hashlib.new(pin, OTHER).hexdigest()
    with pytest.raises(MissingError, match="the file") as caught:
        get(server, target, sha256=digest if pin == "sha256" else None, md5=digest if pin == "md5" else None)
    assert digest in caught.value.why
    assert names(target) == []
    server.script = [whole(OTHER)]
    get(server, target, sha256=digest if pin == "sha256" else None, md5=digest if pin == "md5" else None)
    assert target.read_bytes() == OTHER


def test_the_digest_seen_first_holds_later(server: Server, target: Path) -> None:
    get(server, target)
    target.unlink()
    server.script = [whole(OTHER, etag='"two"')]
    with pytest.raises(MissingError, match="the file") as caught:
        get(server, target)
    assert "file.bin.sha256" in caught.value.why
    assert names(target) == ["file.bin.sha256"]


def test_a_file_that_was_changed_is_named(server: Server, target: Path) -> None:
    get(server, target)
    target.write_bytes(OTHER)
    with pytest.raises(MissingError) as caught:
        get(server, target)
    assert str(target) in caught.value.what
    assert f"rm {target}" in caught.value.next_step
    assert target.read_bytes() == OTHER  # a user's file is the user's


def test_a_file_put_there_by_hand_is_checked_and_recorded(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(BODY)
    with pytest.raises(MissingError, match="not the expected file"):
        get(server, target, sha256=hashlib.sha256(OTHER).hexdigest())
    with pytest.raises(MissingError, match="not the expected file"):
        get(server, target, size=7)
    get(server, target, sha256=hashlib.sha256(BODY).hexdigest())
    assert names(target) == DONE
    assert server.asked == []


def test_no_space_is_noticed_before_the_first_byte(server: Server, target: Path) -> None:
    def huge(handler: Handler) -> None:
        handler.head(200, Content_Length=2**60)

    server.script = [huge]
    with pytest.raises(RunError, match="not enough space") as caught:
        get(server, target)
    assert "MLPERF_SCRATCH_PATH" in caught.value.next_step
    assert names(target) == []


def test_two_downloads_of_one_file_do_not_mix(server: Server, target: Path) -> None:
    target.parent.mkdir()
    with (target.parent / "file.bin.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="another process"):
            get(server, target)
    get(server, target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: Server, target: Path, code: int) -> None:
    server.script = [status(code, Location="/elsewhere"), whole()]
    get(server, target)
    assert target.read_bytes() == BODY


def test_no_network_is_said_with_what_to_do(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "no-such-host.invalid"):
        with pytest.raises(MissingError) as caught:
            download.fetch(f"http://{host}/x", target, label="the file", manual_steps=BY_HAND, patience=QUICK)
        assert "cannot be reached" in caught.value.why
        assert caught.value.next_step == BY_HAND
        assert names(target) == []


def test_a_server_that_never_answers_is_given_up(server: Server, target: Path) -> None:
    server.script = [silent]
    with pytest.raises(MissingError) as caught:
        get(server, target)
    assert "cannot be reached" in caught.value.why


def test_only_the_web_is_fetched_from(target: Path) -> None:
    with pytest.raises(UsageError, match="file:///etc/passwd"):
        download.fetch("file:///etc/passwd", target, label="x", manual_steps=BY_HAND)


def test_a_place_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(HarnessError, match="models"):
        get(server, tmp_path / "models" / "file.bin")


def test_the_reference_data_set_comes_from_its_published_place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    body = b'{"data": []}'
    server.script = [whole(body)]
    published = PublishedFile("data/squad/dev-v1.1.json", server.url, "a data set", size=len(body))
    monkeypatch.setattr(data.facts, "DEV_SET", published)
    data.download_data("reference")
    assert (tmp_path / "build/data/squad/dev-v1.1.json").read_bytes() == body
    (tmp_path / "build/data/squad/dev-v1.1.json").write_bytes(b"damaged")
    with pytest.raises(MissingError, match="dev-v1"):
        data.download_data("reference")
