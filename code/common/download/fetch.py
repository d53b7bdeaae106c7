"""Download one file so that it is either complete or absent, from the first of several sources that has it.

The part file of the transfer is compared with the pinned size and digest, or by its content where none is pinned; its digest is
kept in `<target>.sha256` (readable by `sha256sum -c`), and only then does it get its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import FileIO
from pathlib import Path
from urllib.parse import urlsplit

from code.common import console
from code.common.download import contents, mirror
from code.common.download.patience import Patience, RefusedError
from code.common.download.record import Pinned, check_existing, record_path, recorded, write_record
from code.common.download.transfer import Transfer, Wanted
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import sha256 as digest_of
from code.common.files import storage_error


class OfflineError(MissingError):
    """No source of a file could be reached."""


def fetch(
    urls: str | Sequence[str],
    target: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    label: str,
    manual_steps: str,
    limit: int = 0,
    known_as: Path | None = None,
    patience: Patience | None = None,
) -> Path:
    """Ensure that `target` is the file at one of `urls`; does nothing if it already is. $MLPERF_MIRROR is asked first.

    Args:
        urls: the sources in the order in which they are asked.
        sha256: its digest in hex; if unknown, the first download's digest is recorded and later ones must match it.
        md5: the published digest, if the publisher gives no SHA-256.
        size: its size in bytes, None if unknown.
        label: the file's name in messages.
        manual_steps: how to get the file by hand if the download fails.
        limit: bytes above which it is another file; 0 if unknown.
        known_as: the path by which a mirror has it, if it is not `target`.

    Returns:
        `target`.

    Raises:
        OfflineError: no source can be reached.
        MissingError: no source has the file, or they send something else, or an existing `target` is a different file.
        RunError: no space, no write permission, or another process is downloading the same file.
    """
    target = Path(target)
    published = [urls] if isinstance(urls, str) else list(urls)
    for url in published:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UsageError(f"cannot download {url}", "only http and https are supported", manual_steps)
    pinned = Pinned(sha256, md5, size)
    if check_existing(target, pinned):
        return target
    sources = [*mirror.sources(mirror.known_name(known_as or target)), *published]
    wanted = Wanted(target, pinned, label, limit)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _claimed(target) as part:
            if not check_existing(target, pinned):
                _from_first(sources, wanted, known_as or target, part, patience or Patience(), manual_steps)
    except OSError as error:
        raise storage_error(error, target) from error
    return target


def _from_first(
    sources: Sequence[str], wanted: Wanted, known_as: Path, part: FileIO, patience: Patience, manual_steps: str
) -> None:
    """Transfer and accept the file from the first source that gives it."""
    if not sources:
        raise MissingError(f"nobody publishes {wanted.label}", f"{mirror.VARIABLE} is not set", manual_steps)
    name = mirror.known_name(known_as)
    own = mirror.sources(name)
    refused: list[tuple[Transfer, RefusedError]] = []
    for source in sources:
        file = wanted
        if source in own and not wanted.pinned.sha256:
            file = replace(wanted, pinned=replace(wanted.pinned, sha256=mirror.digest(name)))
        transfer = Transfer(source, file, part, patience)
        try:
            transfer.run()
            return _accept(transfer)
        except RefusedError as error:
            refused.append((transfer, error))
            if source is not sources[-1]:
                console.warn(f"{wanted.label}: {transfer.place}: {error}; trying the next source")
    raise _failure(refused, manual_steps) from refused[-1][1]


def _failure(refused: Sequence[tuple[Transfer, RefusedError]], manual_steps: str) -> MissingError:
    """The error for a file that no source gave."""
    last = refused[-1][0]
    alone = len(refused) == 1
    reasons = "; ".join(str(error) if alone else f"{tried.place}: {error}" for tried, error in refused)
    kept = f" ({last.have:,} bytes are kept for the next attempt)" if last.have else ""
    place = last.place if alone else f"any of {len(refused)} sources"
    fixes = dict.fromkeys(error.fix for _, error in refused if error.fix)
    step = f"{'; '.join(fixes)}; or {manual_steps}" if fixes else manual_steps
    offline = all(error.offline for tried, error in refused if not mirror.is_local(tried.source))
    return (OfflineError if offline else MissingError)(
        f"could not download {last.wanted.label} from {place}", reasons + kept, step
    )


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


def _accept(transfer: Transfer) -> None:
    """Verify the complete part file and rename it to the target. RefusedError for another file."""
    os.fsync(transfer.part.fileno())
    target, pinned = transfer.wanted.target, transfer.wanted.pinned
    path = target.with_name(target.name + ".part")
    with path.open("rb") as source:
        why = contents.wrong_start(source.read(contents.HEAD), target.name)
    found = digest_of(path)
    why = why or pinned.differs(path, found)
    if not why and not (pinned.sha256 or pinned.md5):
        why = contents.wrong_content(path, target.name)
    kept = recorded(target)
    if not why and not pinned.sha256 and kept not in (None, found):
        why = f"its SHA-256 is {found}, and an earlier download had {kept}; remove {record_path(target)} if that was expected"
    if why:
        transfer.forget()
        raise RefusedError(f"{why}; the download was discarded")
    path.replace(target)
    write_record(target, found)
