"""Download one file over HTTP so that it is either complete or absent.

Bytes go to `<target>.part`, which survives a killed run and is resumed if the server still has the same file (RFC 9110:
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

from code.common import jsonfile
from code.common.console import Progress
from code.common.download_record import Pinned, check_existing, record_path, recorded, write_record
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import atomic_write, storage_error
from code.common.files import sha256 as digest_of
from code.common.typed import natural

_BLOCK = 1 << 18
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_PAGES = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Patience:
    """Time-outs and retries; times in seconds.

    Attributes:
        offline: give up on a server that never answered after this time.
        silence: time without data after which the connection counts as lost.
        attempts: give up after this many attempts in a row without a single byte.
        pause: before the second attempt; doubles each time, up to `longest_pause`.
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
    """Ensure that `target` is the file at `url`; does nothing if it already is.

    Args:
        sha256: its digest in hex; if unknown, the first download's digest is recorded and later ones must match it.
        md5: the published digest, if the publisher gives no SHA-256.
        size: its size in bytes, None if unknown.
        label: the file's name in messages.
        manual_steps: how to get the file by hand if the download fails.

    Returns:
        `target`.

    Raises:
        MissingError: no network, the server does not have the file or sends something else, or an existing `target` is a
            different file.
        RunError: no space, no write permission, or another process is downloading the same file.
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
    """A transient failure: worth another attempt."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class _Transfer:
    """The transfer of one file into its part file."""

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
        """Transfer all bytes, retrying as `patience` allows."""
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
                        raise self.refused(f"{host} cannot be reached: {lost}") from lost
                    if failures >= self.patience.attempts:
                        raise self.refused(f"{failures} attempts in a row failed, the last with: {lost}") from lost
                    time.sleep(pause)

    def refused(self, why: str) -> MissingError:
        """The error for a download that failed."""
        kept = f" ({self.have:,} bytes are kept for the next attempt)" if self.have else ""
        return MissingError(f"could not download {self.label} from {self.url}", why + kept, self.manual_steps)

    def forget(self) -> None:
        """Discard the bytes received so far."""
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
        """The recorded state of the part file; a part file without one is discarded."""
        with contextlib.suppress(OSError, ValueError):
            state = jsonfile.read(self.state_path)
            if isinstance(state, dict) and state.get("url") == self.url and {"etag", "validator", "total"} <= set(state):
                return state
        self.forget()
        return {"etag": "", "validator": "", "total": None}

    def _open(self, request: urllib.request.Request) -> HTTPResponse:
        """The response to a request, made in its own thread because name resolution has no time-out."""
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
            raise _LostError("the file on the server changed since the first attempt")
        if error.code not in _TRANSIENT:
            raise self.refused(f"the server answered {error.code} {error.reason}; the file may have moved") from error
        wait = error.headers.get("Retry-After", "")
        raise _LostError(f"the server answered {error.code} {error.reason}", float(natural(wait, 60) or 0))

    def _agree(self, response: HTTPResponse, known: dict[str, Any]) -> int | None:
        """Set the part file to the response's offset and return the full size, None if the server does not state it."""
        length = response.headers.get("Content-Length", "")
        total = natural(length, 2**63)
        if response.status == 206:
            begin, total = _content_range(response.headers.get("Content-Range", ""))
            if begin != self.have or total != known["total"] or not self._same(response.headers.get("ETag", ""), known):
                self.forget()
                raise _LostError("the file on the server changed since the first attempt")
        else:
            self.forget()
        self._require_file(response, total)
        self._require_space((total or self.size or 0) - self.have)
        if not self.have:
            self._write_state(response, total)
        return total

    def _require_file(self, response: HTTPResponse, total: int | None) -> None:
        """MissingError where the response is not the file that is meant, or a truncated copy would go unnoticed."""
        page = response.headers.get_content_type() == "text/html" and self.target.suffix not in (".html", ".htm")
        if page:
            self.forget()
            raise self.refused("the server sent a web page (a login, an error?) instead of the file")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self.refused(f"the server only sends it encoded as {response.headers['Content-Encoding']}")
        if self.size is not None and total is not None and total != self.size:
            self.forget()
            raise self.refused(f"the server's file has {total:,} bytes, expected {self.size:,}")
        chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if total is None and not chunked and not self.pinned.tells_whole:
            raise self.refused("the server does not state the file's size, so a truncated copy would go unnoticed")

    def _write_state(self, response: HTTPResponse, total: int | None) -> None:
        """Remember which file the part is of."""
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        # If-Range does not allow weak tags (RFC 9110 §13.1.5); they are compared when the response arrives.
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
                f"{needed / 2**20:,.0f} MiB are still to be downloaded and {free / 2**20:,.0f} MiB are free",
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
                raise self.refused(f"the server sent {sent:,} bytes or more, expected {limit:,}")
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
            failure.why = f"{error.strerror}; the {self.have:,} bytes received so far are kept for the next attempt"
            raise failure from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, including 308 on every Python version, but never from https to http."""

    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The redirected request; refused if it would drop encryption."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.HTTPError(req.full_url, 403, f"redirected to the unencrypted {newurl}", headers, fp)
        if code == 308:
            code = 307  # Python 3.10 does not know 308
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _claimed(target: Path) -> Iterator[FileIO]:
    """The part file, opened for appending and locked by this process."""
    path = target.with_name(target.name + ".part")
    with path.open("ab", buffering=0) as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not target.exists() and not path.samefile(f"/dev/fd/{part.fileno()}"):
                raise FileNotFoundError
        except (BlockingIOError, FileNotFoundError) as error:
            raise RunError(
                f"another process is downloading {target}",
                f"it has locked {path}",
                "wait for it, then run the same command again",
            ) from error
        try:
            yield part
        finally:
            if target.exists() or not os.fstat(part.fileno()).st_size:
                path.unlink(missing_ok=True)
                path.with_name(path.name + ".json").unlink(missing_ok=True)


def _accept(transfer: _Transfer, target: Path) -> None:
    """Verify the complete part file and rename it to `target`."""
    os.fsync(transfer.part.fileno())
    path = target.with_name(target.name + ".part")
    found = digest_of(path)
    why = transfer.pinned.differs(path, found)
    kept = recorded(target)
    if not why and not transfer.pinned.sha256 and kept not in (None, found):
        why = f"its SHA-256 is {found}, and an earlier download had {kept}; remove {record_path(target)} if that was expected"
    if why:
        transfer.forget()
        raise transfer.refused(f"{why}; the download was discarded")
    path.replace(target)
    write_record(target, found)


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and full size in a Content-Range header."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        return None, None
    first, total = match.groups()
    return (int(first) if first else None), (int(total) if total != "*" else None)


def _words(error: BaseException) -> str:
    """An exception's message, or its class name if it has none."""
    return str(error) or type(error).__name__
