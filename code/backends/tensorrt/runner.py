"""Serialised engine → answers, for the Python harness.

One execution context, one CUDA stream and one set of page-locked and device buffers per lane; copies and kernels of a lane are
asynchronous on its stream, so that lanes overlap. Needs an NVIDIA GPU and its driver.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import Arrays, EngineSpec
from code.backends.tensorrt.builder import registry_step
from code.backends.tensorrt.chosen import require_chosen
from code.backends.tensorrt.cuda import Cuda, open_device
from code.backends.tensorrt.profiles import Shape
from code.backends.tensorrt.sdk import Flavour, Messages, logger, sdk, sizes
from code.backends.tensorrt.target import Target, here
from code.common.errors import MissingError, RunError
from code.common.files import sha256
from code.harness.schema.options import TensorRtOptions

if TYPE_CHECKING:
    import tensorrt as trt

REBUILD = "rebuild it: make generate_engines RUN_ARGS='… --force_build'"
SIDECAR = "engine.json"


def load(flavour: Flavour, folder: Path, spec: EngineSpec) -> TrtEngine:
    """Check the engine against its sidecar and the device of `spec`, and deserialise it there.

    All devices of a process share the runtime, its logger and one mapping of the plan.

    Raises:
        MissingError: no GPU, no driver, or a package is not installed.
        RunError: the device is not the chosen one; the engine is damaged, built for another GPU, or rejected by TensorRT.
    """
    details = read_details(folder)
    plan = require_whole(folder, details)
    require_gpu(folder, details)
    options = spec.options if isinstance(spec.options, TensorRtOptions) else TensorRtOptions()
    cuda = open_device(spec.device)
    require_chosen(spec.device, cuda.found(), spec.name, spec.pci, folder, details)
    stat = plan.stat()
    with cuda.current():
        shared = _shared(flavour, options.plugin_libs, options.version_compatible)
        engine = shared.runtime.deserialize_cuda_engine(_mapped(plan, stat.st_mtime_ns, stat.st_size))
    if engine is None:
        raise RunError(f"{flavour.label} cannot load the engine {folder.name}", shared.messages.last(), REBUILD)
    graphs = options.use_graphs and flavour.crosses
    return TrtEngine(shared.module, shared.runtime, engine, shared.messages, cuda, graphs)


@dataclass(frozen=True)
class Shared:
    """What the devices of a process share: TensorRT takes one logger for all of them."""

    module: Any
    messages: Messages
    listener: trt.ILogger
    runtime: trt.Runtime


@cache
def _shared(flavour: Flavour, plugins: Sequence[str], host_code: bool) -> Shared:
    module = sdk(flavour)
    messages = Messages()
    registry_step(module, [Path(file) for file in plugins])
    listener = logger(module, messages)
    runtime: trt.Runtime = module.Runtime(listener)
    if host_code:
        runtime.engine_host_code_allowed = True
    return Shared(module, messages, listener, runtime)


@lru_cache(maxsize=8)
def _mapped(plan: Path, _changed: int, _size: int) -> mmap.mmap:
    """A plan file, mapped once for all devices: it can be hundreds of megabytes."""
    with plan.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def read_details(folder: Path) -> Mapping[str, Any]:
    """The sidecar's details of the engine. RunError when it has none."""
    try:
        details = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))["details"]
        return dict(details)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"cannot read engine.json of the engine {folder.name}", str(error), REBUILD) from error


def require_whole(folder: Path, details: Mapping[str, Any]) -> Path:
    """The plan file; RunError if it differs from the one that was built."""
    plan = folder / str(details.get("engine"))
    stat = plan.stat() if plan.is_file() else None
    if stat is None or _digest(plan, stat.st_mtime_ns, stat.st_size) != details.get("sha256"):
        raise RunError(f"the engine {folder.name} is damaged", f"{plan.name} differs from the file that was built", REBUILD)
    return plan


@lru_cache(maxsize=8)
def _digest(plan: Path, _changed: int, _size: int) -> str:
    return sha256(plan)


def require_gpu(folder: Path, details: Mapping[str, Any]) -> Target:
    """This machine's first GPU; MissingError without one."""
    machine = here()
    if machine is None:
        raise MissingError(
            f"the engine {folder.name} needs an NVIDIA GPU of compute capability {details['compute_capability']}",
            "this machine has none, or its driver does not respond",
            "run on a machine with that GPU; `make doctor` shows what is missing; here, run with --backend=openvino",
        )
    return machine


def require_same_gpu(folder: Path, details: Mapping[str, Any]) -> None:
    """MissingError without a GPU, RunError for an engine built for another GPU than this machine's first."""
    machine = require_gpu(folder, details)
    if machine.capability != details["compute_capability"]:
        raise RunError(
            f"the engine {folder.name} is for compute capability {details['compute_capability']} ({details.get('gpu')})",
            f"this machine's GPU is {machine.gpu} with {machine.capability}",
            "build one for this system: make generate_engines with its own --system, or without --system",
        )


class Buffer:
    """One tensor's page-locked host memory and device memory, `size` bytes each."""

    def __init__(self, cuda: Cuda, size: int) -> None:
        self.size = size
        self._cuda = cuda
        self.device = cuda.device_memory(size)
        self.bytes = cuda.host_memory(size)

    def view(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
        """An array view of the start of the host memory."""
        count = int(np.prod(shape)) * dtype.itemsize
        return self.bytes[:count].view(dtype).reshape(shape)

    def to_device(self, size: int, stream: Any) -> None:
        """Copy the first `size` bytes, on `stream`."""
        self._cuda.to_device(self.device, self.bytes[:size], stream)

    def to_host(self, size: int, stream: Any) -> None:
        """Copy the first `size` bytes back, on `stream`."""
        self._cuda.to_host(self.bytes[:size], self.device, stream)


class TrtEngine:
    """A deserialised engine."""

    def __init__(
        self, module: Any, runtime: trt.Runtime, engine: trt.ICudaEngine, messages: Messages, cuda: Cuda, graphs: bool
    ) -> None:
        self._module = module
        self._runtime = runtime
        self._engine = engine
        self._messages = messages
        self._cuda = cuda
        self._graphs = graphs
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self.inputs: Sequence[str] = [n for n in names if engine.get_tensor_mode(n) == module.TensorIOMode.INPUT]
        self.outputs: Sequence[str] = [n for n in names if n not in self.inputs]

    def stream(self) -> TrtStream:
        """A new stream with its own context. RunError when GPU memory is insufficient."""
        with self._cuda.current():
            context = self._context()
            if context is None:
                raise RunError(
                    "not enough GPU memory for another execution context",
                    self._messages.last(),
                    "lower gpu_inference_streams or gpu_batch_size; `make check_engines` shows what a context needs",
                )
            return TrtStream(self._module, self._engine, context, self.inputs, self.outputs, self._messages, self._cuda)

    def _context(self) -> Any:
        engine: Any = self._engine
        if not self._graphs:
            return engine.create_execution_context()
        chosen = engine.create_runtime_config()
        chosen.cuda_graph_strategy = self._module.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return engine.create_execution_context(chosen)


class TrtStream:
    """One execution context on one CUDA stream."""

    def __init__(
        self,
        module: Any,
        engine: trt.ICudaEngine,
        context: trt.IExecutionContext,
        inputs: Sequence[str],
        outputs: Sequence[str],
        messages: Messages,
        cuda: Cuda,
    ) -> None:
        self._context = context
        self._messages = messages
        self._cuda = cuda
        self._stream = cuda.stream()
        self._handle = cuda.handle(self._stream)
        self._names = list(inputs)
        self._dtypes = {n: _dtype(module, engine, n) for n in (*inputs, *outputs)}
        self._spans = [
            {n: _least_and_most(engine.get_tensor_profile_shape(n, index)) for n in inputs}
            for index in range(engine.num_optimization_profiles)
        ]
        self._profile = 0
        self._buffers = self._allocate(outputs)
        self._outputs = list(outputs)

    def infer(self, inputs: Arrays) -> Arrays:
        """Run one batch and wait; the outputs are views that the next call on this stream overwrites."""
        with self._cuda.current():
            return self._infer(inputs)

    def _infer(self, inputs: Arrays) -> Arrays:
        self._use_profile({n: inputs[n].shape for n in self._names})
        for name in self._names:
            array = inputs[name]
            buffer, dtype = self._buffers[name], self._dtypes[name]
            np.copyto(buffer.view(array.shape, dtype), array, casting="same_kind")
            self._context.set_input_shape(name, array.shape)
            buffer.to_device(array.size * dtype.itemsize, self._stream)
        shapes = {name: sizes(self._context.get_tensor_shape(name)) for name in self._outputs}
        if not self._context.execute_async_v3(self._handle):
            raise RunError("TensorRT cannot run a batch", self._messages.last(), REBUILD)
        for name, shape in shapes.items():
            self._buffers[name].to_host(int(np.prod(shape)) * self._dtypes[name].itemsize, self._stream)
        self._cuda.synchronise(self._stream)
        return {name: self._buffers[name].view(shape, self._dtypes[name]) for name, shape in shapes.items()}

    def _allocate(self, outputs: Sequence[str]) -> dict[str, Buffer]:
        """Allocate buffers for the largest shapes of any profile; their addresses never change."""
        largest: dict[str, int] = {}
        for index, spans in enumerate(self._spans):
            self._set_profile(index)
            for name, (_, most) in spans.items():
                self._context.set_input_shape(name, most)
                largest[name] = max(largest.get(name, 1), int(np.prod(most)) * self._dtypes[name].itemsize)
            for name in outputs:
                size = int(np.prod(sizes(self._context.get_tensor_shape(name)))) * self._dtypes[name].itemsize
                largest[name] = max(largest.get(name, 1), size)
        buffers = {name: Buffer(self._cuda, size) for name, size in largest.items()}
        for name, buffer in buffers.items():
            self._context.set_tensor_address(name, buffer.device)
        return buffers

    def _use_profile(self, shapes: Mapping[str, Shape]) -> None:
        """Keep the current profile if it covers the batch, else switch to the first that does."""
        order = [self._profile, *[i for i in range(len(self._spans)) if i != self._profile]]
        for index in order:
            if all(_within(shapes[n], *span) for n, span in self._spans[index].items()):
                self._set_profile(index)
                return
        raise RunError(
            f"no optimisation profile of the engine covers a batch of shape {list(next(iter(shapes.values())))}",
            f"its profiles go up to {[list(next(iter(s.values()))[1]) for s in self._spans]}",
            "rebuild the engine with the gpu_batch_size and lengths of this run",
        )

    def _set_profile(self, index: int) -> None:
        if index == self._profile:
            return
        if not self._context.set_optimization_profile_async(index, self._handle):
            raise RunError(f"TensorRT cannot switch to profile {index}", self._messages.last(), REBUILD)
        self._cuda.synchronise(self._stream)
        self._profile = index


def _dtype(module: Any, engine: trt.ICudaEngine, name: str) -> np.dtype[Any]:
    """A tensor's numpy type; RunError for a type that numpy does not have."""
    kind = engine.get_tensor_dtype(name)
    try:
        found: np.dtype[Any] = np.dtype(module.nptype(kind))
    except TypeError as error:
        raise RunError(
            f"the harness cannot pass the engine's tensor '{name}', which is {getattr(kind, 'name', kind)}",
            "numpy has no such type; layers between inputs and outputs may have any",
            f"cast this tensor in the ONNX graph, then {REBUILD}",
        ) from error
    return found


def _least_and_most(spans: Sequence[trt.Dims]) -> tuple[Shape, Shape]:
    return sizes(spans[0]), sizes(spans[2])


def _within(shape: Shape, least: Shape, most: Shape) -> bool:
    return len(shape) == len(least) and all(low <= size <= high for low, size, high in zip(least, shape, most, strict=True))
