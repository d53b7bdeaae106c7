"""The transfer of one file from one source into its part file.

Bytes go to `<target>.part`, which survives a killed run and is resumed if the server still has the same file (RFC 9110:
Range, If-Range). `<target>.part.json` remembers which file that was.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import urllib.error
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import FileIO
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.console import Progress
from code.common.download import connection, contents, mirror
from code.common.download.patience import Effort, LostError, Patience, RefusedError
from code.common.download.record import Pinned
from code.common.errors import RunError
from code.common.files import atomic_write, storage_error
from code.common.typed import natural

_BLOCK = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
NO_SIZE_LIMIT = 1 << 34
"""Bytes that are taken at most from a server that states no size, of a file of which none is known."""


@dataclass(frozen=True)
class Wanted:
    """The file to transfer.

    Args:
        label: its name in messages.
        limit: bytes above which it is another file, 0 if unknown; only of use where its size is not pinned.
    """

    target: Path
    pinned: Pinned
    label: str
    limit: int = 0

    @property
    def most(self) -> int:
        """Bytes that a server may send."""
        return self.pinned.size or self.limit or NO_SIZE_LIMIT


class Transfer:
    """The transfer of a file from one source.

    Args:
        source: a URL, or the path of a file in a mirror's folder.
        part: the part file, opened for appending.
    """

    def __init__(self, source: str, wanted: Wanted, part: FileIO, patience: Patience) -> None:
        self.source, self.wanted, self.part, self.patience = source, wanted, part, patience
        self.size = wanted.pinned.size
        self.have = os.fstat(part.fileno()).st_size
        self.state_path = wanted.target.with_name(wanted.target.name + ".part.json")
        self.effort = Effort(patience, self.have)
        self.sniffed = False
        self.resumed = False

    @property
    def place(self) -> str:
        """The source, for messages."""
        return self.source if mirror.is_local(self.source) else connection.shown(self.source)

    def run(self) -> None:
        """Transfer all bytes, retrying as `patience` allows. RefusedError where this source does not give them; RunError for the disk."""
        if mirror.is_local(self.source):
            self._copy()
            return
        with Progress(f"downloading {self.wanted.label}", self.size, "B") as progress:
            while True:
                try:
                    return self._try(progress)
                except LostError as lost:
                    self.effort.heard |= lost.answered
                    self.effort.rest(lost, connection.host_of(self.source))

    def forget(self) -> None:
        """Discard the bytes received so far."""
        self.part.truncate(0)
        self.have = 0
        self.sniffed = False
        self.state_path.unlink(missing_ok=True)

    def _copy(self) -> None:
        size = mirror.size_of(self.source)
        self.forget()
        self._require_space(size)
        for block in mirror.blocks(self.source):
            self._keep(block)

    def _try(self, progress: Progress) -> None:
        known = self._state()
        headers = {"Accept-Encoding": "identity"}
        if known is not None and self.have:
            headers["Range"] = f"bytes={self.have}-"
            if known["validator"]:
                headers["If-Range"] = known["validator"]
        limit = self.patience.silence
        if not self.effort.heard:
            limit = max(0.1, min(limit, self.effort.offline_left()))
        try:
            response = connection.ask(self.source, headers, limit)
        except urllib.error.HTTPError as error:
            self.effort.heard = True
            with error:
                self._answered_error(error, known)
            return
        self.effort.heard = True
        with response:
            total = self._agree(response, known)
            progress.total = total
            self._receive(response, total, progress)

    def _state(self) -> dict[str, Any] | None:
        """What is recorded of the part file; None for one of another source, which is kept until this one sends its first byte."""
        with contextlib.suppress(OSError, ValueError):
            state = jsonfile.read_object(self.state_path)
            if all(isinstance(state.get(key), str) and state[key].isprintable() for key in ("url", "etag", "validator")):
                return {"total": None, **state} if state["url"] == self.source else None
        self.forget()
        return None

    def _answered_error(self, error: urllib.error.HTTPError, known: dict[str, Any] | None) -> None:
        if error.code == 416 and self.have and known is not None:
            total = _content_range(error.headers.get("Content-Range", ""))[1]
            if total == self.have == known["total"] and _same(error.headers.get("ETag", ""), known):
                return  # nothing is left to send
            self._start_over("the file on the server changed since the first attempt")
            raise LostError("the file on the server changed since the first attempt")
        failure = connection.failure_of_status(error, self.source)
        if isinstance(failure, RefusedError):
            with contextlib.suppress(OSError, HTTPException, ValueError):
                head, _ = connection.first_bytes(error, contents.HEAD, self.patience.silence)
                said = contents.wrong_start(head, self.wanted.target.name)
                if said.startswith("the server sent an error"):
                    failure = RefusedError(f"{failure} ({said.partition(': ')[2]})", failure.fix)
        raise failure from error

    def _agree(self, response: HTTPResponse, known: dict[str, Any] | None) -> int | None:
        """Set the part file to the response's offset and return the full size, None if the server does not state it."""
        total = self._stated_size(response)
        if response.status == 206:
            total = self._continue(response, known)
        elif response.status == 200:
            self._begin(known)
        elif response.status == 202:
            wait = connection.retry_after(response.headers.get("Retry-After", ""))
            raise LostError("the server is still preparing the file (202)", wait)
        else:
            raise RefusedError(f"the server answered {response.status} {response.reason} and no file")
        self._require_file(response, total)
        self._require_space((total or self.size or 0) - self.have)
        if not self.have:
            self._write_state(response, total)
        return total

    def _continue(self, response: HTTPResponse, known: dict[str, Any] | None) -> int | None:
        """The server sends a part: the rest of the file, of which the full size is returned."""
        begin, total = _content_range(response.headers.get("Content-Range", ""))
        asked_from = self.have if known is not None else 0
        if begin != asked_from and not asked_from:
            raise RefusedError("the server answered with a part of the file that was not asked for")
        changed = known is not None and (total != known["total"] or not _same(response.headers.get("ETag", ""), known))
        if begin != asked_from or changed:
            why = "the file on the server changed since the first attempt"
            why = why if changed else "the server sends another part of the file than the one asked for"
            self._start_over(why)
            raise LostError(why)
        if known is None:
            self.forget()
        return total

    def _begin(self, known: dict[str, Any] | None) -> None:
        """The server sends the file from its first byte."""
        if self.have and known is not None:
            self._start_over("the server does not resume downloads, and the connection breaks")
        else:
            self.forget()

    def _start_over(self, why: str) -> None:
        self.forget()
        self.effort.restarted(why)

    def _stated_size(self, response: HTTPResponse) -> int | None:
        """The size that the head of the answer states. RefusedError for one that states two."""
        if response.chunked:
            return None
        stated = {part.strip() for text in response.headers.get_all("Content-Length", []) for part in text.split(",")}
        if len(stated) > 1:
            raise RefusedError(f"the server states several sizes: Content-Length {' and '.join(sorted(stated))}")
        return natural(stated.pop(), 2**63) if stated else None

    def _require_file(self, response: HTTPResponse, total: int | None) -> None:
        """RefusedError where the response is not the file that is meant, or a truncated copy would go unnoticed."""
        page = response.headers.get_content_type() == "text/html" and self.wanted.target.suffix not in (".html", ".htm")
        if page:
            raise self._discarded("the server sent a web page (a login, an error?) instead of the file")
        _require_plain(response)
        if self.size is not None and total is not None and total != self.size:
            raise self._discarded(f"the server's file has {total:,} bytes, expected {self.size:,}")
        if total is not None and self.size is None and self.wanted.limit and total > self.wanted.limit:
            raise self._discarded(f"the server's file has {total:,} bytes, expected at most {self.wanted.limit:,}")
        if total is None and not response.chunked and not self.wanted.pinned.tells_whole:
            raise RefusedError("the server does not state the file's size, so a truncated copy would go unnoticed")

    def _discarded(self, why: str) -> RefusedError:
        self.forget()
        return RefusedError(why)

    def _write_state(self, response: HTTPResponse, total: int | None) -> None:
        """Remember which file the part is of."""
        etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        etag, modified = (text if text.isprintable() else "" for text in (etag, modified))
        # If-Range does not allow weak tags (RFC 9110 §13.1.5); they are compared when the response arrives.
        validator = etag if etag and not etag.startswith("W/") else ("" if etag else modified)
        with atomic_write(self.state_path) as out:
            json.dump({"url": self.source, "etag": etag, "validator": validator, "total": total}, out)

    def _require_space(self, needed: int) -> None:
        folder = self.wanted.target.parent
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise RunError(
                f"not enough space for {self.wanted.label} in {folder}",
                f"{needed / 2**20:,.0f} MiB are still to be downloaded and {free / 2**20:,.0f} MiB are free",
                "free some space or set MLPERF_SCRATCH_PATH to a larger disk, then run the same command again",
            )

    def _receive(self, response: HTTPResponse, total: int | None, progress: Progress) -> None:
        limit = total if total is not None else self.wanted.most
        while True:
            try:
                block = response.read1(_BLOCK)
            except (OSError, HTTPException, ValueError) as error:
                raise LostError(connection.words(error)) from error
            if not block:
                break
            self._keep(block)
            if self.have > limit:
                raise self._discarded(f"the server sent {self.have:,} bytes or more, expected at most {limit:,}")
            self._sniff()
            self.effort.received(len(block), self.have)
            progress.update(self.have)
        wanted = total if total is not None else self.size
        if wanted is not None and self.have < wanted:
            raise LostError(f"the connection ended after {self.have:,} of {wanted:,} bytes")
        if not self.have:
            raise LostError("the server sent an empty file")

    def _sniff(self) -> None:
        """Stop early where the first bytes are those of an error page; the complete file is checked in any case."""
        if self.sniffed or self.have < 512:
            return
        self.sniffed = True
        with Path(self.part.name).open("rb") as source:
            why = contents.wrong_start(source.read(contents.HEAD), self.wanted.target.name)
        if why:
            raise self._discarded(why)

    def _keep(self, block: bytes) -> None:
        rest = memoryview(block)
        try:
            while rest:
                written = self.part.write(rest)
                self.have += written
                rest = rest[written:]
        except OSError as error:
            failure = storage_error(error, self.wanted.target)
            failure.why = f"{error.strerror}; the {self.have:,} bytes received so far are kept for the next attempt"
            raise failure from error


def _require_plain(response: HTTPResponse) -> None:
    """RefusedError for a body in a coding that is not undone here."""
    codings = [*response.headers.get_all("Content-Encoding", []), *response.headers.get_all("Transfer-Encoding", [])]
    plain = {"identity", "chunked"} if response.chunked else {"identity"}
    if any(coding.strip().lower() not in plain for coding in codings):
        raise RefusedError(f"the server only sends it encoded as {', '.join(codings)}")


def _same(etag: str, known: dict[str, Any]) -> bool:
    return not etag or not known["etag"] or etag == known["etag"]


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and full size in a Content-Range header."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        return None, None
    first, total = match.groups()
    return natural(first, 2**63), natural(total, 2**63)
