"""The timing cache, which saves TensorRT from timing the same kernels again.

One file per module, version and GPU, below build/engines/.timing, with a first line that says which. GPUs of one compute capability time
differently (H100 SXM, H100 PCIe and H200 are all 9.0), so the GPU's name counts too. A cache of another version, or a damaged one, is
renamed with a warning and replaced. Concurrent builds merge into the same file under a lock.
TensorRT-RTX does not time kernels at build time and does not use one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from code.backends.locks import locked
from code.backends.tensorrt.sdk import Messages
from code.backends.tensorrt.target import Target, here
from code.common import console, paths
from code.common.files import atomic_write, storage_error

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass(frozen=True)
class TimingCache:
    """The cache of one module, version and GPU: its compute capability times ten and its name."""

    module: str
    version: str
    compute: int
    gpu: str

    @classmethod
    def of(cls, module: str, version: str, target: Target) -> TimingCache:
        """The cache that belongs to a build: of this machine's GPU, which times the kernels, else of the target."""
        timed = here() or target
        return cls(module, version, timed.compute, timed.gpu)

    @property
    def file(self) -> Path:
        """Path of the cache file."""
        gpu = re.sub(r"[^A-Za-z0-9.]+", "_", self.gpu).strip("_")
        return paths.engine_dir() / ".timing" / f"{self.module}-{self.version}-sm{self.compute}-{gpu}.cache"

    @property
    def _head(self) -> bytes:
        words = {"timing_cache": self.module, "version": self.version, "compute": self.compute, "gpu": self.gpu}
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
        self._put_aside(f"it was written for {first!r}, but this is {self.module} {self.version} for {self.gpu}")
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
