"""Fetches one file over HTTP so that it is either whole or absent.

Bytes go to `<target>.part`, which survives a killed run and is taken up again where the server still has the same file (RFC 9110:
Range, If-Range). `<target>.part.json` remembers which file that was. The whole file is compared with the pinned size and
SHA-256, its digest is kept in `<target>.sha256` (readable by `sha256sum -c`), and only then does it get its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from code.common.console import Progress
from code.common.download_record import Pinned, check_existing, record_path, recorded, write_record
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import atomic_write, storage_error
from code.common.files import sha256 as digest_of

_BLOCK = 1 << 18
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_PAGES = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Patience:
    """How long to go on, in seconds.

    Attributes:
        offline: until a server that never answered is given up.
        silence: how long a server may say nothing before the connection counts as lost.
        attempts: tries in a row that bring no byte.
        pause: before the second try; each later one is twice as long, up to `longest_pause`.
    """

    offline: float = 10.0
    silence: float = 10.0
    attempts: int = 6
    pause: float = 0.5
    longest_pause: float = 30.0


def fetch(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    label: str,
    manual_steps: str,
    patience: Patience | None = None,
) -> Path:
    """Make sure that `target` is the file behind `url`; nothing is done where it already is.

    Args:
        sha256: its digest in hex where it is known; otherwise the one seen first is kept, and later ones must equal it.
        md5: the digest that the publisher gives, where it is no better one.
        size: its size in bytes where it is known.
        label: what people call the file.
        manual_steps: what to do by hand when the download is not possible.

    Returns:
        `target`.

    Raises:
        MissingError: there is no network, the server has no such file, or it sends something else; or the file that is there
            already is not the one meant.
        RunError: no space, no right to write, or another download of the same file is under way.
    """
    target = Path(target)
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"cannot download {url}", "only http and https are supported", manual_steps)
    pinned = Pinned(sha256, md5, size)
    if check_existing(target, pinned):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _claimed(target) as part:
            if not check_existing(target, pinned):
                transfer = _Transfer(url, target, part, pinned, label, manual_steps, patience or Patience())
                transfer.run()
                _accept(transfer, target)
    except OSError as error:
        raise storage_error(error, target) from error
    return target


class _LostError(Exception):
    """The try failed in a way that another one may mend."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class _Transfer:
    """One file on its way into its part file."""

    def __init__(
        self,
        url: str,
        target: Path,
        part: FileIO,
        pinned: Pinned,
        label: str,
        manual_steps: str,
        patience: Patience,
    ) -> None:
        self.url, self.target, self.part = url, target, part
        self.pinned, self.size = pinned, pinned.size
        self.label, self.manual_steps, self.patience = label, manual_steps, patience
        self.heard = False
        self.have = os.fstat(part.fileno()).st_size
        self.state_path = target.with_name(target.name + ".part.json")
        self.opener = urllib.request.build_opener(_Redirects())
        self.started = time.monotonic()

    def run(self) -> None:
        """Bring all bytes, with as many tries as patience allows."""
        failures = 0
        with Progress(f"downloading {self.label}", self.size, "B") as progress:
            while True:
                before = self.have
                try:
                    return self._try(progress)
                except _LostError as lost:
                    failures = 0 if self.have > before else failures + 1
                    pause = max(lost.wait, min(self.patience.pause * 2 ** max(0, failures - 1), self.patience.longest_pause))
                    if not self.heard and (failures >= min(4, self.patience.attempts) or self._left() - pause <= 0):
                        host = urlsplit(self.url).hostname
                        raise self.refused(f"{host} cannot be reached from here: {lost}") from lost
                    if failures >= self.patience.attempts:
                        raise self.refused(f"{failures} tries in a row failed, the last one so: {lost}") from lost
                    time.sleep(pause)

    def refused(self, why: str) -> MissingError:
        """The error for a download that cannot be done."""
        kept = f" ({self.have:,} bytes are kept for the next try)" if self.have else ""
        return MissingError(f"could not download {self.label} from {self.url}", why + kept, self.manual_steps)

    def forget(self) -> None:
        """Throw away what came so far."""
        self.part.truncate(0)
        self.have = 0
        self.state_path.unlink(missing_ok=True)

    def _left(self) -> float:
        return self.started + self.patience.offline - time.monotonic()

    def _try(self, progress: Progress) -> None:
        known = self._state()
        headers = {"Accept-Encoding": "identity", "User-Agent": "mlperf-inference-harness"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            if known["validator"]:
                headers["If-Range"] = known["validator"]
        try:
            response = self._open(urllib.request.Request(self.url, headers=headers))
        except urllib.error.HTTPError as error:
            with error:
                self._answered_error(error, known)
            return
        with response:
            total = self._agree(response, known)
            progress.total = total
            self._receive(response, total, progress)

    def _state(self) -> dict[str, Any]:
        """What is known of the file in the part file; a part that nothing is known of is thrown away."""
        with contextlib.suppress(OSError, ValueError):
            state = json.loads(self.state_path.read_text(encoding="utf-8"))
            if isinstance(state, dict) and state.get("url") == self.url and {"etag", "validator", "total"} <= set(state):
                return state
        self.forget()
        return {"etag": "", "validator": "", "total": None}

    def _open(self, request: urllib.request.Request) -> HTTPResponse:
        """The response to a request. A thread of its own asks, because looking up a name knows no time limit."""
        limit = self.patience.silence if self.heard else max(0.1, min(self.patience.silence, self._left()))
        box: queue.Queue[HTTPResponse | BaseException] = queue.Queue(1)

        def ask() -> None:
            try:
                box.put(self.opener.open(request, timeout=limit))
            except BaseException as error:
                box.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = box.get(timeout=limit + 0.5)
        except queue.Empty:
            raise _LostError(f"no answer within {limit:.0f} s") from None
        if isinstance(answer, urllib.error.HTTPError):
            self.heard = True
            raise answer
        if isinstance(answer, urllib.error.URLError):
            raise _LostError(str(answer.reason)) from answer
        if isinstance(answer, (OSError, HTTPException)):
            raise _LostError(_words(answer)) from answer
        if isinstance(answer, BaseException):
            raise answer
        self.heard = True
        return answer

    def _answered_error(self, error: urllib.error.HTTPError, known: dict[str, Any]) -> None:
        if error.code == 416 and self.have:
            total = _content_range(error.headers.get("Content-Range", ""))[1]
            if total == self.have == known["total"] and self._same(error.headers.get("ETag", ""), known):
                return  # nothing is left to send
            self.forget()
            raise _LostError("the file on the server is another one than at the first try")
        if error.code not in _TRANSIENT:
            raise self.refused(f"the server answered {error.code} {error.reason}; the file may have moved") from error
        wait = error.headers.get("Retry-After", "")
        raise _LostError(f"the server answered {error.code} {error.reason}", min(float(wait), 60.0) if wait.isdigit() else 0.0)

    def _agree(self, response: HTTPResponse, known: dict[str, Any]) -> int | None:
        """Set the part file to where the response goes on; the whole file's size where the server tells it."""
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        if response.status == 206:
            begin, total = _content_range(response.headers.get("Content-Range", ""))
            if begin != self.have or total != known["total"] or not self._same(response.headers.get("ETag", ""), known):
                self.forget()
                raise _LostError("the file on the server is another one than at the first try")
        else:
            self.forget()
        self._require_file(response, total)
        self._require_space((total or self.size or 0) - self.have)
        if not self.have:
            self._write_state(response, total)
        return total

    def _require_file(self, response: HTTPResponse, total: int | None) -> None:
        """MissingError where the response is not the file that is meant, or nobody could tell whether it came whole."""
        page = response.headers.get_content_type() == "text/html" and self.target.suffix not in (".html", ".htm")
        if page:
            self.forget()
            raise self.refused("the server sent a web page (a login, an error?) instead of the file")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self.refused(f"the server insists on sending it as {response.headers['Content-Encoding']}")
        if self.size is not None and total is not None and total != self.size:
            self.forget()
            raise self.refused(f"the server's file has {total:,} bytes, the one meant has {self.size:,}")
        chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if total is None and not chunked and not self.pinned.tells_whole:
            raise self.refused("the server does not tell the file's size, so a copy that is cut off would look whole")

    def _write_state(self, response: HTTPResponse, total: int | None) -> None:
        """Remember which file the part is of."""
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        # A weak tag may not be sent back as a condition; it is compared when the answer comes.
        validator = etag if etag and not etag.startswith("W/") else ("" if etag else modified)
        with atomic_write(self.state_path) as out:
            json.dump({"url": self.url, "etag": etag, "validator": validator, "total": total}, out)

    def _same(self, etag: str, known: dict[str, Any]) -> bool:
        return not etag or not known["etag"] or etag == known["etag"]

    def _require_space(self, needed: int) -> None:
        free = shutil.disk_usage(self.target.parent).free
        if free < needed:
            raise RunError(
                f"not enough space for {self.label} in {self.target.parent}",
                f"{needed / 2**20:,.0f} MiB are still to come and {free / 2**20:,.0f} MiB are free",
                "free some space or set MLPERF_SCRATCH_PATH to a larger disk, then run the same command again",
            )

    def _receive(self, response: HTTPResponse, total: int | None, progress: Progress) -> None:
        while True:
            try:
                block = response.read1(_BLOCK)
            except (OSError, HTTPException, ValueError) as error:
                raise _LostError(_words(error)) from error
            if not block:
                break
            if not self.have and self.target.suffix not in (".html", ".htm") and block.lstrip()[:14].lower().startswith(_PAGES):
                raise self.refused("the server sent a web page (a login, an error?) instead of the file")
            self._keep(block)
            limit = total if total is not None else self.size
            if limit is not None and self.have > limit:
                sent = self.have
                self.forget()
                raise self.refused(f"the server sent {sent:,} bytes or more, and the file has {limit:,}")
            progress.update(self.have)
        wanted = total if total is not None else self.size
        if wanted is not None and self.have < wanted:
            raise _LostError(f"the connection ended after {self.have:,} of {wanted:,} bytes")
        if not self.have:
            raise _LostError("the server sent an empty file")

    def _keep(self, block: bytes) -> None:
        rest = memoryview(block)
        try:
            while rest:
                written = self.part.write(rest)
                self.have += written
                rest = rest[written:]
        except OSError as error:
            failure = storage_error(error, self.target)
            failure.why = f"{error.strerror}; the {self.have:,} bytes that came so far are kept beside it for the next try"
            raise failure from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, 308 on every Python, but never from https to http."""

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The request for the new place, refused where it would give up encryption."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.HTTPError(req.full_url, 403, f"redirected to the unencrypted {newurl}", headers, fp)
        if code == 308:
            code = 307  # Python 3.10 does not know 308
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _claimed(target: Path) -> Iterator[FileIO]:
    """The part file, opened to append, for this process alone."""
    path = target.with_name(target.name + ".part")
    with path.open("ab", buffering=0) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not target.exists() and not path.samefile(f"/dev/fd/{part.fileno()}"):
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError) as error:
            raise RunError(
                f"another process is downloading {target}", f"it holds {path}", "wait for it, then run the same command again"
            ) from error
        try:
            yield part
        finally:
            if target.exists() or not os.fstat(part.fileno()).st_size:
                path.unlink(missing_ok=True)
                path.with_name(path.name + ".json").unlink(missing_ok=True)


def _accept(transfer: _Transfer, target: Path) -> None:
    """Give the whole part file its name if it is what it should be."""
    os.fsync(transfer.part.fileno())
    path = target.with_name(target.name + ".part")
    found = digest_of(path)
    why = transfer.pinned.differs(path, found)
    kept = recorded(target)
    if not why and not transfer.pinned.sha256 and kept not in (None, found):
        why = f"its SHA-256 is {found}, and an earlier download had {kept}; remove {record_path(target)} if that was expected"
    if why:
        transfer.forget()
        raise transfer.refused(f"{why}; the download was thrown away")
    path.replace(target)
    write_record(target, found)


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and whole size of a Content-Range header."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        return None, None
    first, total = match.groups()
    return (int(first) if first else None), (int(total) if total != "*" else None)


def _words(error: BaseException) -> str:
    """An exception in words, which some of them have none of."""
    return str(error) or type(error).__name__
