"""File locks between processes, so that concurrent builds of the same artefact wait for each other."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from code.common.files import storage_error


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock on `file` for the block; others wait. The kernel releases it when the process ends, however it ends."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as error:
        raise storage_error(error, file) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def held(file: Path) -> bool:
    """Whether a process holds the lock on `file`."""
    try:
        with file.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise storage_error(error, file) from error
    return False
