"""The report, served on loopback while runs go on: each page is made when it is asked for."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from code.common.errors import HarnessError
from code.results.page import index, write
from code.submission import pages
from code.submission.stage import runs

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""Host names that a browser may ask by: another one is a page elsewhere whose name was pointed here (DNS rebinding)."""
WATCHED = (runs.METADATA, runs.INCOMPLETE, runs.AUDIT_FILE)
HTML = "text/html; charset=utf-8"


class Site:
    """The pages of the runs below a log folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = Path(tempfile.mkdtemp(prefix="mlperf-dashboard-"))

    def close(self) -> None:
        """Remove the pages that were made."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def state(self) -> str:
        """A digest that changes where a run starts, ends or is removed."""
        found = []
        for path, _, files in os.walk(self.root):
            for name in WATCHED:
                if name in files:
                    try:
                        found.append(f"{path}/{name} {(Path(path) / name).stat().st_mtime_ns}")
                    except FileNotFoundError:
                        continue
        found += [str(folder) for folder in pages.running() if self.root in folder.parents]
        return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()

    def index(self) -> str:
        """The index of all runs as they are now."""
        everything, _ = runs.scan(self.root)
        entries = [pages.entry_of(one, pages.page_of(one).file_name if one.complete else "") for one in everything]
        return index.page(pages.ordered([*entries, *pages.others(self.root)]), live=True)

    def page(self, name: str) -> str | None:
        """A run's page by its file name; None for one that there is not."""
        for one in runs.scan(self.root)[0]:
            made_of = pages.page_of(one)
            if one.complete and made_of.file_name == name:
                try:
                    return write.write_run(made_of, self._folder).read_text(encoding="utf-8")
                except HarnessError:
                    return None
        return None


class Server(ThreadingHTTPServer):
    """Serves a site. OSError where the port is taken."""

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__((HOST, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    server: Server

    def do_GET(self) -> None:
        """Send the page of a path. A browser that has gone away meanwhile is ignored."""
        with contextlib.suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in NAMES:
            self._send(403, "text/plain", "only localhost is served")
            return
        name = self.path.partition("?")[0].lstrip("/") or "index.html"
        if name == "state":
            self._send(200, "text/plain", self.server.site.state())
            return
        text = self.server.site.index() if name == "index.html" else self.server.site.page(name)
        if text is None:
            self._send(404, "text/plain", f"no page {name}")
        else:
            self._send(200, HTML, text)

    def _send(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src data:; frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for each request."""
