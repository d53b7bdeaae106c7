"""The CUDA interface of the Python harness: the calls that each package gets, through stand-ins of the packages that record them.

The stand-ins have the functions of cuda-bindings 12 and of PyCUDA 2026, computed in host memory: a copy moves bytes, a block outside of
`current` fails, a context that stays pushed is counted. They prove the order and the arguments of calls, not that a GPU answers.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.backends.tensorrt import cuda
from code.common.errors import MissingError, RunError

Calls = list[tuple[Any, ...]]


class Memory:
    """Host memory that stands for a device's: address → bytes."""

    def __init__(self) -> None:
        self.blocks: dict[int, Any] = {}

    def new(self, size: int) -> int:
        block = (ctypes.c_uint8 * size)()
        self.blocks[ctypes.addressof(block)] = block
        return ctypes.addressof(block)


def bindings(calls: Calls, fails: str = "") -> ModuleType:
    """A stand-in of cuda.bindings.runtime."""
    module, memory = ModuleType("cuda.bindings.runtime"), Memory()
    ok, bad = "cudaSuccess", "cudaErrorMemoryAllocation"
    module.cudaError_t = SimpleNamespace(cudaSuccess=ok)  # type: ignore[attr-defined]
    module.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # type: ignore[attr-defined]
    module.cudaHostAllocDefault = 0  # type: ignore[attr-defined]
    module.cudaGetErrorString = lambda code: (ok, b"out of memory")  # type: ignore[attr-defined]

    def function(name: str, result: Any) -> None:
        def call(*arguments: Any) -> tuple[Any, ...]:
            calls.append((name, *arguments))
            if name == fails:
                return (bad,)
            made = result(*arguments)
            return (ok,) if made is None else (ok, made)

        setattr(module, name, call)

    function("cudaSetDevice", lambda device: None)
    function("cudaMalloc", memory.new)
    function("cudaHostAlloc", lambda size, flags: memory.new(size))
    function("cudaStreamCreate", lambda: 77)
    function("cudaMemcpyAsync", lambda to, source, size, kind, stream: ctypes.memmove(to, source, size) and None)
    function("cudaStreamSynchronize", lambda stream: None)
    return module


class Failure(Exception):
    """pycuda.driver.Error."""


class Driver(ModuleType):
    """A stand-in of pycuda.driver, with a stack of contexts for each thread."""

    Error = Failure

    def __init__(self, calls: Calls, fails: str) -> None:
        super().__init__("pycuda.driver")
        self._calls, self._fails, self._memory, self._stacks = calls, fails, Memory(), threading.local()
        self.Context = SimpleNamespace(pop=self._pop)

    @property
    def pushed(self) -> list[int]:
        """The contexts of this thread."""
        return getattr(self._stacks, "all", [])

    def _noted(self, name: str, *arguments: Any) -> None:
        self._calls.append((name, *arguments))
        if name == self._fails:
            raise Failure(f"{name} failed: out of memory")
        assert self.pushed or name in ("init", "Device", "push"), f"{name} without a context on this thread"

    def _push(self, device: int) -> None:
        self._noted("push", device)
        self._stacks.all = [*self.pushed, device]

    def _pop(self) -> None:
        self._noted("pop")
        self._stacks.all = self.pushed[:-1]

    def init(self) -> None:
        self._noted("init")

    def Device(self, number: int) -> Any:  # noqa: N802
        self._noted("Device", number)
        context = SimpleNamespace(push=lambda: self._push(number))
        return SimpleNamespace(retain_primary_context=lambda: context)

    def Stream(self) -> Any:  # noqa: N802
        self._noted("Stream")
        return SimpleNamespace(handle=77, synchronize=lambda: self._noted("synchronize"))

    def mem_alloc(self, size: int) -> Allocation:
        self._noted("mem_alloc", size)
        return Allocation(self._memory.new(size))

    def pagelocked_empty(self, size: int, dtype: Any) -> Any:
        self._noted("pagelocked_empty", size)
        return np.zeros(size, dtype)

    def memcpy_htod_async(self, to: int, source: Any, stream: Any) -> None:
        self._noted("memcpy_htod_async", source.nbytes)
        ctypes.memmove(to, source.ctypes.data, source.nbytes)

    def memcpy_dtoh_async(self, to: Any, source: int, stream: Any) -> None:
        self._noted("memcpy_dtoh_async", to.nbytes)
        ctypes.memmove(to.ctypes.data, source, to.nbytes)


class Allocation:
    """pycuda.driver.DeviceAllocation."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __int__(self) -> int:
        return self._address


def pycuda(calls: Calls, fails: str = "") -> Driver:
    """A stand-in of pycuda.driver."""
    return Driver(calls, fails)


def install(monkeypatch: pytest.MonkeyPatch, runtime: ModuleType | None, driver: ModuleType | None) -> None:
    """Let `import` find these and nothing else of the two packages."""
    for name, module in (("cuda.bindings.runtime", runtime), ("pycuda.driver", driver)):
        monkeypatch.setitem(sys.modules, name, module)  # None makes an import fail
        for parent in (name.rpartition(".")[0], name.partition(".")[0]):
            monkeypatch.setitem(sys.modules, parent, None if module is None else ModuleType(parent))


MAKERS = {"cuda.bindings": bindings, "pycuda": pycuda}


def opened(
    monkeypatch: pytest.MonkeyPatch, package: str, fails: str = "", device: int = 1
) -> tuple[cuda.Cuda, Calls, ModuleType]:
    calls: Calls = []
    module = MAKERS[package](calls, fails)
    install(monkeypatch, module if package == "cuda.bindings" else None, module if package == "pycuda" else None)
    return cuda.open_device(device), calls, module


@pytest.mark.parametrize("package", MAKERS)
def test_a_batch_goes_to_the_device_and_back(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    one, calls, _ = opened(monkeypatch, package)
    assert one.package == package
    sent = np.arange(16, dtype=np.uint8)
    with one.current():
        stream, device, host = one.stream(), one.device_memory(32), one.host_memory(32)
        host[:16] = sent
        one.to_device(device, host[:16], stream)
        host[:] = 0
        one.to_host(host[:16], device, stream)
        one.synchronise(stream)
    assert np.array_equal(host[:16], sent) and not host[16:].any()
    assert one.handle(stream) == 77
    assert len(calls) == {"cuda.bindings": 7, "pycuda": 10}[package]


def test_the_calls_of_cuda_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    one, calls, _ = opened(monkeypatch, "cuda.bindings")
    with one.current():
        device, host = one.device_memory(8), one.host_memory(8)
        one.to_device(device, host[:4], 77)
        one.to_host(host[:4], device, 77)
    address = host.ctypes.data
    assert calls == [
        ("cudaSetDevice", 1),
        ("cudaMalloc", 8),
        ("cudaHostAlloc", 8, 0),
        ("cudaMemcpyAsync", device, address, 4, 1, 77),
        ("cudaMemcpyAsync", address, device, 4, 2, 77),
    ]


def test_pycuda_takes_back_each_context_that_it_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise PyCUDA ends the process with the thread. Two devices and nested blocks included."""
    one, calls, module = opened(monkeypatch, "pycuda", device=0)
    other = cuda.open_device(1)

    def lane() -> None:
        with one.current(), other.current():
            assert module.pushed == [0, 1]
        with pytest.raises(RuntimeError), one.current():
            raise RuntimeError

    thread = threading.Thread(target=lane)
    thread.start()
    thread.join()
    assert [call for call in calls if call[0] in ("push", "pop")] == [
        *[("push", 0), ("push", 1), ("pop",), ("pop",)],
        *[("push", 0), ("pop",)],
    ]
    assert module.pushed == []


@pytest.mark.parametrize(("package", "call"), [("cuda.bindings", "cudaMalloc"), ("pycuda", "mem_alloc")])
def test_a_failure_has_the_words_of_cuda(monkeypatch: pytest.MonkeyPatch, package: str, call: str) -> None:
    one, _, _ = opened(monkeypatch, package, fails=call)
    with pytest.raises(RunError) as caught, one.current():
        one.device_memory(8)
    assert "out of memory" in caught.value.why and "make doctor" in caught.value.next_step


def test_cuda_bindings_is_preferred_and_neither_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, bindings([]), pycuda([]))
    assert cuda.open_device().package == "cuda.bindings"
    install(monkeypatch, None, None)
    with pytest.raises(MissingError) as caught:
        cuda.open_device()
    assert (
        "cuda.bindings" in caught.value.what and "pycuda" in caught.value.next_step and "make tensorrt" in caught.value.next_step
    )
