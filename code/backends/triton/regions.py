"""System shared memory that a Triton server reads inputs from and writes outputs to."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from code.common.errors import RunError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHM = Path("/dev/shm")  # nosec B108  # regions of system shared memory
ALIGNED = 64
LEAST_BYTES = 1 << 16
_numbers = itertools.count()


class Registry(Protocol):
    """A server that regions are made known to."""

    def register(self, name: str, key: str, size: int) -> None:
        """Let the server open the region `key` of `size` bytes under a name."""

    def unregister(self, name: str) -> None:
        """Let it close the region."""


class Region:
    """A region of system shared memory that the server knows. It grows, and its name is gone as soon as the server has opened it."""

    def __init__(self, server: Registry) -> None:
        self._server = server
        self._memory: mmap.mmap | None = None
        self._bytes = 0
        self.name = ""

    def hold(self, sizes: Sequence[int]) -> list[int]:
        """Offsets of parts of these sizes in bytes; the region grows where it is too small."""
        offsets, end = [], 0
        for size in sizes:
            offsets.append(end)
            end += -(-size // ALIGNED) * ALIGNED
        if end > self._bytes:
            self._grow(max(LEAST_BYTES, 1 << (end - 1).bit_length()))
        return offsets

    def view(self, offset: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array on a part of the region."""
        assert self._memory is not None
        return np.frombuffer(self._memory, dtype, int(np.prod(shape, dtype=np.int64)), offset).reshape(shape)

    def _grow(self, size: int) -> None:
        if self._memory is not None:
            self._server.unregister(self.name)
        name = f"harness-{os.getpid()}-{next(_numbers)}"
        path = SHM / name
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(handle, 0, size)
                self._memory = mmap.mmap(handle, size)
            finally:
                os.close(handle)
            self._server.register(name, f"/{name}", size)
        except OSError as error:
            raise RunError(
                f"{size >> 20} MiB of shared memory cannot be allocated in {SHM}",
                error.strerror or str(error),
                "free some, or pass tensors in messages: --triton_shared_memory=false",
            ) from error
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
        self.name, self._bytes = name, size
