"""The dashboard: the report of a log folder, served on loopback, that follows what happens there."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from code.submission import pages
from code.submission.dashboard import Handler, Server, Site
from tests.unit.acting import Act
from tests.unit.submission import made


@pytest.fixture
def served(logs: Path) -> Iterator[str]:
    site = Site(logs)
    with Server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()
    site.close()


def get(address: str, host: str = "") -> str:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def test_it_serves_the_index_and_the_page_of_each_run(served: str, logs: Path) -> None:
    text = get(served)
    assert text.count("<tr data-best") == 8 and "const LIVE = true" in text
    (link,) = {line.split('"')[0] for line in text.split('href="')[1:] if "Server_PerformanceOnly" in line.split('"')[0]}
    assert "INVALID" in get(served + link)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(served + "none.html")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(served + "../../etc/passwd")


def test_a_page_elsewhere_cannot_read_it(served: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(served, host="evil.example:80")


def test_nothing_of_a_page_is_kept_or_fetched_from_elsewhere(served: str) -> None:
    for path, kind in (("", "text/html"), ("state", "text/plain"), ("?x=1", "text/html")):
        with urllib.request.urlopen(served + path, timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith(kind) and answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert int(answer.headers["Content-Length"]) == len(answer.read())


def test_a_browser_that_goes_away_is_ignored() -> None:
    def write(_: bytes) -> None:
        raise BrokenPipeError

    handler = Handler.__new__(Handler)
    handler.headers, handler.path, handler.request_version = {"Host": "evil:1"}, "/", "HTTP/1.1"  # type: ignore[assignment]
    handler.requestline, handler.client_address = "GET / HTTP/1.1", ("127.0.0.1", 1)
    handler.wfile = SimpleNamespace(write=write)  # type: ignore[assignment]
    handler.do_GET()


def test_its_state_changes_where_a_run_starts(served: str, logs: Path) -> None:
    before = get(served + "state")
    assert get(served + "state") == before
    folder = made.run_folder(logs, "Offline").parent / "Offline.9"
    folder.mkdir()
    (folder / "INCOMPLETE").write_text("")
    assert get(served + "state") != before and "incomplete" in get(served)


def test_runs_of_other_folders_do_not_change_it(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(logs)
    here, elsewhere = made.run_folder(logs, "Offline"), tmp_path / "elsewhere/system/bert-99/Offline"
    states = []
    for going_on in ((), (elsewhere,), (elsewhere, here), (here,)):
        monkeypatch.setattr(pages, "running", lambda going_on=going_on: frozenset(going_on))
        states.append(site.state())
    site.close()
    assert states[0] == states[1] != states[2] == states[3]


def test_a_run_that_goes_on_is_told_from_one_that_was_interrupted(logs: Path) -> None:
    folder = made.run_folder(logs, "Offline").parent / "Offline.9"
    folder.mkdir()
    (folder / "INCOMPLETE").write_text("")
    assert folder not in pages.running()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(folder / "run.json")]) as child:
        until = time.monotonic() + 10
        while folder not in pages.running() and time.monotonic() < until:
            time.sleep(0.05)
        assert [one.word for one in pages.others(logs)] == ["running"]
        child.kill()
    assert [one.word for one in pages.others(logs)] == ["incomplete"]


def test_runs_are_put_side_by_side(act: Act, logs: Path, tmp_path: Path) -> None:
    two = ",".join(str(made.run_folder(logs, name)) for name in ("Offline", "Server"))
    status, text = act("report", f"--log_dir={logs}", f"--report_dir={tmp_path / 'report'}", f"--compare={two}")
    assert status == 0 and "8 pages" in text and (tmp_path / "report/compare.html").is_file()
    status, text = act("report", f"--log_dir={logs}", f"--compare={logs}")
    assert status == 2 and "two or more runs are compared" in text
    status, text = act("report", f"--log_dir={logs}", f"--compare={logs},{tmp_path}")
    assert status == 2 and "is not a run folder" in text
