"""Recorded digest, size and change time of a file, so that a repeated check costs one `stat` call.

A file whose size and time of change are those of the record is taken to have the recorded digest; one that was copied or touched is
read again and compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from code.common.files import sha256


@dataclass(frozen=True)
class Stamp:
    """Digest, size in bytes, modification time in ns."""

    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path, digest: str | None = None) -> Stamp:
        """The stamp of a file, which is read unless its digest is given. Raises OSError."""
        status = path.stat()
        return cls(digest or sha256(path), status.st_size, status.st_mtime_ns)

    def confirmed(self, path: Path) -> Stamp | None:
        """The current stamp if the content is the recorded one, else None. Raises OSError."""
        status = path.stat()
        if status.st_size != self.size:
            return None
        if status.st_mtime_ns == self.mtime_ns:
            return self
        now = Stamp.of(path)
        return now if now.sha256 == self.sha256 else None
