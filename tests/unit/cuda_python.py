"""A stand-in for CUDA's Python bindings and TensorRT's Python API, with several devices and no GPU.

It computes y = 2 x on the processor and is as strict as the real ones are about devices: each call on memory, a stream or a context needs
the owner's device current on the calling thread. It proves nothing about TensorRT; it shows what the runner asks of which device.
"""

from __future__ import annotations

import ctypes
import enum
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

LENGTH = 8
MOST = (4, LENGTH)


Error: Any = enum.IntEnum("cudaError_t", {"cudaSuccess": 0, "cudaErrorInvalidValue": 1, "cudaErrorInvalidDevice": 101})


class Machine:
    """The devices that CUDA shows: UUID bytes and compute capability of each; and what was asked of which."""

    def __init__(self, devices: list[tuple[bytes, int]]) -> None:
        self.devices = devices
        self.current = threading.local()
        self.owner: dict[int, int] = {}
        self.memory: dict[int, Any] = {}
        self.engines: list[int] = []
        self.contexts: list[int] = []
        self.executed: list[int] = []
        self.runtimes = 0
        self.lock = threading.Lock()

    @property
    def device(self) -> int:
        """The calling thread's device, which is 0 until one is set."""
        return getattr(self.current, "device", 0)

    def own(self, handle: int) -> bool:
        """Whether a handle belongs to the calling thread's device."""
        return self.owner.get(handle) == self.device

    def allocate(self, size: int, owned: bool) -> int:
        """Memory of `size` bytes; device memory belongs to a device."""
        block = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(block)
        with self.lock:
            self.memory[address] = block
            if owned:
                self.owner[address] = self.device
        return address


def runtime(machine: Machine) -> ModuleType:
    """`cuda.bindings.runtime`."""
    module: Any = ModuleType("cuda.bindings.runtime")
    module.cudaError_t = Error
    module.cudaHostAllocDefault = 0
    module.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def set_device(device: int) -> tuple[Any]:
        if not 0 <= device < len(machine.devices):
            return (Error.cudaErrorInvalidDevice,)
        machine.current.device = device
        return (Error.cudaSuccess,)

    def properties(device: int) -> tuple[Any, Any]:
        uuid, compute = machine.devices[device]
        facts = SimpleNamespace(
            name=b"NVIDIA Stand-in\0", uuid=SimpleNamespace(bytes=uuid), major=compute // 10, minor=compute % 10
        )
        return Error.cudaSuccess, SimpleNamespace(**vars(facts), pciDomainID=0, pciBusID=0x3B + device, pciDeviceID=0)

    def stream_create() -> tuple[Any, int]:
        return Error.cudaSuccess, machine.allocate(1, True)

    def copy(target: int, source: int, size: int, kind: int, stream: int) -> tuple[Any]:
        device = target if kind == 1 else source
        if not machine.own(device) or not machine.own(stream):
            return (Error.cudaErrorInvalidValue,)
        ctypes.memmove(target, source, size)
        return (Error.cudaSuccess,)

    module.cudaSetDevice = set_device
    module.cudaGetDeviceCount = lambda: (Error.cudaSuccess, len(machine.devices))
    module.cudaGetDeviceProperties = properties
    module.cudaGetErrorString = lambda code: (Error.cudaSuccess, code.name.encode())
    module.cudaMalloc = lambda size: (Error.cudaSuccess, machine.allocate(size, True))
    module.cudaHostAlloc = lambda size, flags: (Error.cudaSuccess, machine.allocate(size, False))
    module.cudaStreamCreate = stream_create
    module.cudaStreamSynchronize = lambda stream: (Error.cudaSuccess if machine.own(stream) else Error.cudaErrorInvalidValue,)
    module.cudaMemcpyAsync = copy
    return module  # type: ignore[no-any-return]


class Context:
    """IExecutionContext of a device."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.device = machine, machine.device
        self.shape: tuple[int, ...] = ()
        self.addresses: dict[str, int] = {}
        machine.contexts.append(self.device)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return self.machine.owner.get(address) == self.device

    def execute_async_v3(self, stream: int) -> bool:
        owned = all(self.machine.owner[a] == self.device for a in (stream, *self.addresses.values()))
        if self.machine.device != self.device or not owned:
            return False
        size = int(np.prod(self.shape))
        x, y = (np.ctypeslib.as_array((ctypes.c_float * size).from_address(self.addresses[n])) for n in "xy")
        np.multiply(x, 2, out=y)
        with self.machine.lock:
            self.machine.executed.append(self.device)
        return True


def tensorrt(machine: Machine) -> ModuleType:
    """`tensorrt`."""
    module: Any = ModuleType("tensorrt")
    module.TensorIOMode = enum.Enum("TensorIOMode", ["INPUT", "OUTPUT"])
    module.ILogger = type("ILogger", (), {"__init__": lambda self: None})
    module.nptype = lambda dtype: dtype

    class Engine:
        num_io_tensors, num_optimization_profiles = 2, 1

        def __init__(self) -> None:
            self.device = machine.device
            machine.engines.append(self.device)

        def get_tensor_name(self, index: int) -> str:
            return "xy"[index]

        def get_tensor_mode(self, name: str) -> Any:
            return module.TensorIOMode.INPUT if name == "x" else module.TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str) -> Any:
            return np.float32

        def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
            return [(1, 1), MOST, MOST]

        def create_execution_context(self) -> Context | None:
            return Context(machine) if machine.device == self.device else None

    class Runtime:
        def __init__(self, logger: Any) -> None:
            machine.runtimes += 1

        def deserialize_cuda_engine(self, plan: Any) -> Engine:
            assert bytes(memoryview(plan)) == b"a plan"
            return Engine()

    module.Runtime = Runtime
    return module  # type: ignore[no-any-return]


def install(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runner import the stand-ins."""
    from code.backends.tensorrt import runner
    from code.backends.tensorrt.target import Target

    bindings: Any = ModuleType("cuda.bindings")
    bindings.runtime = runtime(machine)
    modules = {"cuda": ModuleType("cuda"), "cuda.bindings": bindings, "cuda.bindings.runtime": bindings.runtime}
    for name, module in {**modules, "tensorrt": tensorrt(machine)}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(runner, "here", lambda: Target("stand-in", 80))
    runner._shared.cache_clear()
