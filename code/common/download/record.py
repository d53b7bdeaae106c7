"""The digest of a downloaded file, kept beside it as `<file>.sha256`.

The first line is what `sha256sum -c` reads. The second is a comment with the size and time of change the file had, so that
large files are not read again by every command.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import MissingError
from code.common.files import atomic_write, sha256
from code.common.typed import natural

_RECORD = re.compile(r"(?P<digest>[0-9a-f]{64})  .*\n(?:# size=(?P<size>\d+) mtime_ns=(?P<mtime>\d+)\n)?")


@dataclass(frozen=True)
class Pinned:
    """What is known of a file before its download: digests in hex, size in bytes; None if unknown."""

    sha256: str | None = None
    md5: str | None = None
    size: int | None = None

    @property
    def tells_whole(self) -> bool:
        """Whether a truncated file would be noticed."""
        return any(known is not None for known in (self.sha256, self.md5, self.size))

    def differs(self, path: Path, digest: str) -> str:
        """How the file, whose SHA-256 is `digest`, differs from what is known; '' if it does not. Raises OSError."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"it has {size:,} bytes, expected {self.size:,}"
        if self.sha256 and digest != self.sha256.lower():
            return f"its SHA-256 is {digest}, not {self.sha256.lower()}"
        if self.md5:
            with path.open("rb") as source:
                found = hashlib.md5(usedforsecurity=False)
                while block := source.read(1 << 20):
                    found.update(block)
            if found.hexdigest() != self.md5.lower():
                return f"its MD5 is {found.hexdigest()}, not {self.md5.lower()}"
        return ""


def record_path(target: Path) -> Path:
    """Path of the record: `<target>.sha256`."""
    return target.with_name(target.name + ".sha256")


def recorded(target: Path) -> str | None:
    """The digest recorded for `target`, or None."""
    return _read(target)[0]


def write_record(target: Path, digest: str) -> None:
    """Record the digest of `target`. RunError if the record cannot be written."""
    status = target.stat()
    with atomic_write(record_path(target)) as out:
        out.write(f"{digest}  {target.name}\n# size={status.st_size} mtime_ns={status.st_mtime_ns}\n")


def check_existing(target: Path, pinned: Pinned) -> bool:
    """Whether `target` exists and is the expected file; a file put there by hand gets a record.

    Raises:
        MissingError: the file is neither the pinned one nor the one first recorded.
    """
    try:
        status = target.stat()
        if status.st_size == 0:
            raise _other(target, "it is empty")
        known, size, mtime = _read(target)
        agrees = known is not None and pinned.sha256 in (None, known) and pinned.size in (None, status.st_size)
        if agrees and (size, mtime) == (status.st_size, status.st_mtime_ns):
            return True
        found = sha256(target)
        why = pinned.differs(target, found)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MissingError(f"cannot read {target}", error.strerror or str(error), "check the file's permissions") from error
    if not why and not pinned.sha256 and known not in (None, found):
        why = f"its SHA-256 is {found} and was {known} when first recorded"
    if why:
        raise _other(target, why)
    write_record(target, found)
    return True


def _other(target: Path, why: str) -> MissingError:
    return MissingError(
        f"{target} is not the expected file",
        why,
        f"remove it (`rm {target} {record_path(target)}`) and run the same command again",
    )


def _read(target: Path) -> tuple[str | None, int | None, int | None]:
    try:
        match = _RECORD.match(record_path(target).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None, None, None
    if match is None:
        return None, None, None
    size, mtime = match["size"], match["mtime"]
    return match["digest"], natural(size, 2**63), natural(mtime, 2**63)
