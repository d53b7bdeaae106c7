"""Locks between processes: two builds of the same thing wait for one another instead of colliding."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from code.common.files import storage_error


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold `file` for the block; others that ask for it wait. The system lets go of it when a process ends, however it ends."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as error:
        raise storage_error(error, file) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
