"""The timing cache, which saves TensorRT from timing the same kernels again.

One file per module, version and compute capability, below build/engines/.timing, with a first line that says which. A cache of
another version, or a damaged one, is renamed with a warning and replaced. Concurrent builds merge into the same file under a lock.
TensorRT-RTX does not time kernels at build time and does not use one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from code.backends.locks import locked
from code.backends.tensorrt.sdk import Messages
from code.backends.tensorrt.target import Target
from code.common import console, paths
from code.common.files import atomic_write, storage_error

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class TimingCache:
    """The cache of one module, version and compute capability."""

    module: str
    version: str
    compute: int

    @classmethod
    def of(cls, module: str, version: str, target: Target) -> TimingCache:
        """The cache for a build."""
        return cls(module, version, target.compute)

    @property
    def file(self) -> Path:
        """Path of the cache file."""
        return paths.engine_dir() / ".timing" / f"{self.module}-{self.version}-sm{self.compute}.cache"

    @property
    def _head(self) -> bytes:
        words = {"timing_cache": self.module, "version": self.version, "compute": self.compute}
        return json.dumps(words, sort_keys=True).encode() + b"\n"

    def read(self) -> bytes:
        """The cached data; empty, with a warning, if it belongs to another version or GPU."""
        try:
            data = self.file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise storage_error(error, self.file) from error
        if data.startswith(self._head):
            return data[len(self._head) :]
        first = data.split(b"\n", 1)[0][:200].decode("utf-8", "replace")
        self._put_aside(
            f"it was written for {first!r}, but this is {self.module} {self.version} for compute capability {self.compute / 10}"
        )
        return b""

    def attach(self, config: trt.IBuilderConfig, messages: Messages) -> None:
        """Load the cached timings into the builder."""
        data = self.read()
        before = len(messages.problems())
        cache = _created(config, data)
        if data and (cache is None or len(messages.problems()) > before):
            self._put_aside(messages.last() if messages.problems() else "TensorRT rejects it")
            messages.all.clear()
            cache = _created(config, b"")
        if cache is not None:
            config.set_timing_cache(cache, False)

    def keep(self, config: trt.IBuilderConfig) -> None:
        """Write the timings, merged with those that other builds have added meanwhile."""
        cache = config.get_timing_cache()
        if cache is None:
            return
        with locked(self.file.with_suffix(".lock")):
            data = self.read()
            other = _created(config, data) if data else None
            if other is not None:
                cache.combine(other, True)
            with atomic_write(self.file, "wb") as out:
                out.write(self._head)
                out.write(bytes(cache.serialize()))

    def _put_aside(self, why: str) -> None:
        aside = self.file.with_suffix(".unused")
        console.warn(f"ignoring the timing cache {paths.shown(self.file)}: {why}; it is kept as {aside.name}")
        self.file.replace(aside)


def _created(config: trt.IBuilderConfig, data: bytes) -> trt.ITimingCache | None:
    """None for data that TensorRT rejects; some versions raise, others return None."""
    try:
        return config.create_timing_cache(data)
    except (RuntimeError, TypeError, ValueError):
        return None
