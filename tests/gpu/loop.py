"""A bare loop on a TensorRT engine through Python: rates, CUDA graphs and their memory. Needs tensorrt, cuda-bindings and a GPU."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.backends.tensorrt.sdk import Messages, logger
from tests.gpu.bench import NeedsError
from tests.gpu.engines import tensorrt


class Cuda:
    """The runtime's calls, each checked."""

    def __init__(self) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise NeedsError(f"the Python package cuda-bindings: {error}") from error
        self.api: Any = runtime

    def __call__(self, name: str, *arguments: Any) -> Any:
        code, *results = getattr(self.api, name)(*arguments)
        if code != self.api.cudaError_t.cudaSuccess:
            raise RuntimeError(f"{name}: {self.api.cudaGetErrorString(code)[1]!r}")
        return results[0] if len(results) == 1 else results or None

    def free_bytes(self) -> int:
        """Free memory of the device."""
        self("cudaDeviceSynchronize")
        return int(self("cudaMemGetInfo")[0])


class Loop:
    """An engine with a context, a stream and buffers for one shape at a time."""

    def __init__(self, folder: Path) -> None:
        self.module = tensorrt()
        self.cuda = Cuda()
        self.cuda("cudaSetDevice", 0)
        self._logger = logger(self.module, Messages())
        self._runtime = self.module.Runtime(self._logger)
        self.engine = self._runtime.deserialize_cuda_engine((folder / "engine.plan").read_bytes())
        self.stream = self.cuda("cudaStreamCreate")
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        is_input = self.module.TensorIOMode.INPUT
        self.inputs = [name for name in names if self.engine.get_tensor_mode(name) == is_input]
        self.outputs = [name for name in names if name not in self.inputs]
        self.context = self.new_context()

    def new_context(self) -> Any:
        """Another context of the engine."""
        context = self.engine.create_execution_context()
        if context is None:
            raise RuntimeError("no memory for a context")
        return context

    def bind(self, context: Any, batch: int, length: int) -> dict[str, tuple[int, Any]]:
        """Set shapes and addresses; name → (address, host array) of each output."""
        random = np.random.default_rng(1)
        for name in self.inputs:
            kind = np.dtype(self.module.nptype(self.engine.get_tensor_dtype(name)))
            values = random.integers(1000, 10000, (batch, length)) if name == "input_ids" else np.ones((batch, length))
            array = values.astype(kind)
            address = int(self.cuda("cudaMalloc", array.nbytes))
            to_device = self.cuda.api.cudaMemcpyKind.cudaMemcpyHostToDevice
            self.cuda("cudaMemcpy", address, array.ctypes.data, array.nbytes, to_device)
            context.set_input_shape(name, (batch, length))
            context.set_tensor_address(name, address)
        found = {}
        for name in self.outputs:
            kind = np.dtype(self.module.nptype(self.engine.get_tensor_dtype(name)))
            host = np.empty(tuple(context.get_tensor_shape(name)), kind)
            address = int(self.cuda("cudaMalloc", host.nbytes))
            context.set_tensor_address(name, address)
            found[name] = (address, host)
        return found

    def rate(self, batch: int, length: int, seconds: float) -> float:
        """Samples per second of batches one after the other, inputs on the device."""
        self.bind(self.context, batch, length)
        for _ in range(3):
            self.enqueue(self.context)
        self.cuda("cudaStreamSynchronize", self.stream)
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            for _ in range(8):
                self.enqueue(self.context)
            self.cuda("cudaStreamSynchronize", self.stream)
            count += 8
        return batch * count / (time.monotonic() - begin)

    def enqueue(self, context: Any) -> None:
        """Queue a batch."""
        if not context.execute_async_v3(int(self.stream)):
            raise RuntimeError("TensorRT refuses a batch")

    def capture(self, context: Any) -> Any:
        """A batch as an executable graph."""
        self.cuda("cudaStreamBeginCapture", self.stream, self.cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        accepted = context.execute_async_v3(int(self.stream))
        graph = self.cuda("cudaStreamEndCapture", self.stream)
        if not accepted:
            raise RuntimeError("TensorRT cannot be captured")
        made = self.cuda("cudaGraphInstantiate", graph, 0)
        self.cuda("cudaGraphDestroy", graph)
        return made

    def launch(self, graph: Any) -> None:
        """Queue a graph."""
        self.cuda("cudaGraphLaunch", graph, self.stream)

    def answers(self, outputs: dict[str, tuple[int, Any]]) -> list[NDArray[Any]]:
        """The outputs of what was queued last."""
        self.cuda("cudaStreamSynchronize", self.stream)
        for address, host in outputs.values():
            self.cuda("cudaMemcpy", host.ctypes.data, address, host.nbytes, self.cuda.api.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        return [host.copy() for _, host in outputs.values()]


def graph_order(folder: Path, batch: int, length: int) -> dict[str, Any]:
    """Whether a graph gives the answers of a plain call when the context computed a batch before its capture, and when it did not."""
    loop = Loop(folder)
    plain = loop.bind(loop.context, batch, length)
    loop.enqueue(loop.context)
    expected = loop.answers(plain)
    found: dict[str, Any] = {}
    for order in ("enqueue_first", "capture_first"):
        context = loop.new_context()
        outputs = loop.bind(context, batch, length)
        if order == "enqueue_first":
            loop.enqueue(context)
            loop.answers(outputs)
        try:
            loop.launch(loop.capture(context))
            answers = loop.answers(outputs)
            found[order] = "equal" if all(np.array_equal(a, b) for a, b in zip(expected, answers, strict=True)) else "different"
        except RuntimeError as error:
            found[order] = f"failed: {error}"
            with contextlib.suppress(RuntimeError):
                loop.cuda("cudaStreamSynchronize", loop.stream)
    return found


def graph_bytes(folder: Path, batch: int, lengths: list[int]) -> dict[str, Any]:
    """Device memory that executable graphs take, each of one length."""
    loop = Loop(folder)
    loop.bind(loop.context, batch, max(lengths))
    loop.enqueue(loop.context)
    sizes = []
    for length in lengths:
        loop.bind(loop.context, batch, length)
        loop.enqueue(loop.context)
        before = loop.cuda.free_bytes()
        graph = loop.capture(loop.context)
        loop.launch(graph)
        sizes.append(before - loop.cuda.free_bytes())
    return {"graphs": len(sizes), "bytes": sizes, "mean_bytes": round(sum(sizes) / len(sizes))}
