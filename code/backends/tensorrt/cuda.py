"""The CUDA calls of the Python harness behind one interface, from cuda-bindings or from PyCUDA.

cuda-bindings is preferred. Machines for which it has no wheel, such as Jetson with JetPack, have PyCUDA. Both are imported when a device
is opened. PyCUDA is the driver API: its primary context is the one that TensorRT uses. A thread has to push it, and to pop it again
before it ends, or PyCUDA ends the process.

Not executed on hardware: PyCUDA. tests/unit/test_cuda_calls.py runs both through stand-ins of the packages that record each call.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from code.backends.base import missing_sdk
from code.common.errors import MissingError, RunError

NEXT = "run `make doctor` to check the driver and the GPU's memory"
Bytes = NDArray[np.uint8]
"""Page-locked host memory, uint8 [size]."""


@dataclass(frozen=True)
class Found:
    """A device as CUDA describes it: `uuid` as NVML writes it or '' where the package does not tell, `bus` as '0000:3b:00.0'."""

    name: str
    uuid: str
    bus: str
    compute: int

    @property
    def capability(self) -> str:
        """The compute capability, such as '8.0'."""
        return f"{self.compute // 10}.{self.compute % 10}"


class Cuda(Protocol):
    """One device. Every call fails with a RunError that has CUDA's words."""

    package: str
    """The package that it is opened with."""

    def found(self) -> Found:
        """The device, as CUDA describes it."""

    def current(self) -> AbstractContextManager[None]:
        """Make the device current on the calling thread for a block, in which every other call belongs. May be nested."""

    def device_memory(self, size: int) -> int:
        """The address of `size` new bytes on the device. They stay as long as this object."""

    def host_memory(self, size: int) -> Bytes:
        """`size` new page-locked bytes. They stay as long as this object."""

    def stream(self) -> Any:
        """A new stream; `handle` gives what TensorRT takes."""

    def handle(self, stream: Any) -> int:
        """The cudaStream_t of a stream."""

    def to_device(self, device: int, host: Bytes, stream: Any) -> None:
        """Copy `host` to an address of the device, in the order of `stream`."""

    def to_host(self, host: Bytes, device: int, stream: Any) -> None:
        """Fill `host` from an address of the device, in the order of `stream`."""

    def synchronise(self, stream: Any) -> None:
        """Wait for everything in a stream."""


class CudaBindings:
    """The CUDA runtime through cuda-bindings."""

    package = "cuda.bindings"

    def __init__(self, device: int) -> None:
        self._api: Any = importlib.import_module("cuda.bindings.runtime")
        self._device = device

    def _call(self, name: str, *arguments: Any) -> Any:
        code, *results = getattr(self._api, name)(*arguments)
        if code != self._api.cudaError_t.cudaSuccess:
            _, text = self._api.cudaGetErrorString(code)
            raise RunError(f"{name} failed", text.decode() if isinstance(text, bytes) else str(text), NEXT)
        return results[0] if results else None

    def found(self) -> Found:
        """What the runtime says; no context is created for it."""
        _require_shown(self._device, int(self._call("cudaGetDeviceCount")))
        facts = self._call("cudaGetDeviceProperties", self._device)
        name = facts.name.decode() if isinstance(facts.name, bytes) else str(facts.name)
        bus = f"{facts.pciDomainID:04x}:{facts.pciBusID:02x}:{facts.pciDeviceID:02x}.0"
        text = bytes(value & 0xFF for value in facts.uuid.bytes).hex()
        uuid = "GPU-" + "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
        return Found(name.rstrip("\0"), uuid, bus, 10 * int(facts.major) + int(facts.minor))

    @contextmanager
    def current(self) -> Iterator[None]:
        """The runtime has a current device on each thread, which stays."""
        self._call("cudaSetDevice", self._device)
        yield

    def device_memory(self, size: int) -> int:
        """Device memory."""
        return int(self._call("cudaMalloc", size))

    def host_memory(self, size: int) -> Bytes:
        """Page-locked memory."""
        address = int(self._call("cudaHostAlloc", size, self._api.cudaHostAllocDefault))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def stream(self) -> Any:
        """A cudaStream_t."""
        return self._call("cudaStreamCreate")

    def handle(self, stream: Any) -> int:
        """Its address."""
        return int(stream)

    def to_device(self, device: int, host: Bytes, stream: Any) -> None:
        """An asynchronous copy."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", device, host.ctypes.data, host.nbytes, kind, stream)

    def to_host(self, host: Bytes, device: int, stream: Any) -> None:
        """An asynchronous copy."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", host.ctypes.data, device, host.nbytes, kind, stream)

    def synchronise(self, stream: Any) -> None:
        """Wait."""
        self._call("cudaStreamSynchronize", stream)


class PyCuda:
    """The CUDA driver through PyCUDA."""

    package = "pycuda"

    def __init__(self, device: int) -> None:
        self._api: Any = importlib.import_module("pycuda.driver")
        with self._explained("cuInit"):
            self._api.init()
            self._device = self._api.Device(device)
            self._context = self._device.retain_primary_context()
        self._memory: list[Any] = []  # PyCUDA frees an allocation with its last reference

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except self._api.Error as error:
            raise RunError(f"{name} failed", str(error), NEXT) from error

    def found(self) -> Found:
        """What the driver says; PyCUDA does not tell the UUID."""
        with self._explained("cuDeviceGetAttribute"):
            major, minor = self._device.compute_capability()
            return Found(str(self._device.name()), "", str(self._device.pci_bus_id()).lower(), 10 * int(major) + int(minor))

    @contextmanager
    def current(self) -> Iterator[None]:
        """Push the context, and pop it at the end of the block."""
        with self._explained("cuCtxPushCurrent"):
            self._context.push()
        try:
            yield
        finally:
            self._api.Context.pop()

    def device_memory(self, size: int) -> int:
        """Device memory."""
        with self._explained("cuMemAlloc"):
            self._memory.append(self._api.mem_alloc(size))
        return int(self._memory[-1])

    def host_memory(self, size: int) -> Bytes:
        """Page-locked memory."""
        with self._explained("cuMemHostAlloc"):
            memory: Bytes = self._api.pagelocked_empty(size, np.uint8)
        self._memory.append(memory)
        return memory

    def stream(self) -> Any:
        """A pycuda.driver.Stream."""
        with self._explained("cuStreamCreate"):
            return self._api.Stream()

    def handle(self, stream: Any) -> int:
        """Its address."""
        return int(stream.handle)

    def to_device(self, device: int, host: Bytes, stream: Any) -> None:
        """An asynchronous copy."""
        with self._explained("cuMemcpyHtoDAsync"):
            self._api.memcpy_htod_async(device, host, stream)

    def to_host(self, host: Bytes, device: int, stream: Any) -> None:
        """An asynchronous copy."""
        with self._explained("cuMemcpyDtoHAsync"):
            self._api.memcpy_dtoh_async(host, device, stream)

    def synchronise(self, stream: Any) -> None:
        """Wait."""
        with self._explained("cuStreamSynchronize"):
            stream.synchronize()


def _require_shown(device: int, count: int) -> None:
    if device >= count:
        raise RunError(
            f"there is no device {device} in this process",
            f"CUDA shows {count} device{'s' if count != 1 else ''}",
            "check CUDA_VISIBLE_DEVICES, and run the harness through `make run_harness`",
        )


PACKAGES: tuple[Callable[[int], Cuda], ...] = (CudaBindings, PyCuda)
"""In order of preference."""


def open_device(device: int = 0) -> Cuda:
    """A device of this process by its number. MissingError when neither package is installed."""
    missing: list[ImportError] = []
    for package in PACKAGES:
        try:
            return package(device)
        except ImportError as error:
            missing.append(error)
    raise _neither(missing)


def _neither(missing: list[ImportError]) -> MissingError:
    error = missing_sdk(CudaBindings.package, "tensorrt", missing[0])
    why = "; ".join(str(one) for one in missing)
    return MissingError(error.what, why, f"{error.next_step}; on Jetson install pycuda, which has no wheel of cuda-bindings")
