"""The engine that asks a Triton server: a gRPC stream for each lane, with tensors in system shared memory where the server is here."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import queue
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import Arrays, EngineSpec
from code.backends.triton import package
from code.backends.triton.config import TYPES
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema.options import TritonOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMPY = {"FP32": "float32", "UINT8": "uint8", "INT8": "int8", "INT32": "int32", "INT64": "int64", "BOOL": "bool"}
NUMPY |= {"FP16": "float16", "FP64": "float64"}
SHM = Path("/dev/shm")  # nosec B108  # regions of system shared memory
QUIET = {"GRPC_VERBOSITY": "NONE", "GLOG_minloglevel": "3"}
"""gRPC would print warnings of its own beside the harness's errors."""
ALIGNED = 64
LEAST_BYTES = 1 << 16
_numbers = itertools.count()


@dataclass(frozen=True)
class Remote:
    """A tensor as the server describes it: its type by NumPy, and its shape with -1 for what varies, the batch included."""

    name: str
    dtype: Any
    shape: tuple[int, ...]

    def problem(self, array: NDArray[Any]) -> str:
        """Why an array cannot be this tensor; '' where it can."""
        if len(array.shape) != len(self.shape) or any(
            want not in (-1, have) for want, have in zip(self.shape, array.shape, strict=True)
        ):
            return f"{self.name} has the shape {list(array.shape)}, and the model takes {list(self.shape)}"
        return ""


class TritonEngine:
    """A model on a server. Raises MissingError where the server or the model is not there, RunError for an engine of other tensors."""

    def __init__(self, options: TritonOptions, model: str) -> None:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        self.grpc = package.client()
        self.options = options
        self.model = model
        client = self.connect()
        with self.asking():
            ready = client.is_model_ready(model)
        if not ready:
            raise MissingError(
                f"the Triton server at {options.url} does not serve {model}",
                "",
                "give it the repository that `make generate_triton_config` writes, or leave --triton_url out",
            )
        with self.asking():
            found = client.get_model_metadata(model, as_json=True)
        self.remote_inputs = _remote(found.get("inputs", ()))
        self.remote_outputs = _remote(found.get("outputs", ()))
        self.inputs: Sequence[str] = [one.name for one in self.remote_inputs]
        self.outputs: Sequence[str] = [one.name for one in self.remote_outputs]

    def connect(self) -> Any:
        """A client with a connection of its own."""
        channel = [("grpc.use_local_subchannel_pool", 1)]
        return self.grpc.InferenceServerClient(self.options.url, channel_args=channel)

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Turns what the client raises into an error of the harness."""
        try:
            yield
        except Exception as error:
            if type(error).__name__ != "InferenceServerException":  # of a package that is imported only here
                raise
            raise self.failed(error) from error

    def failed(self, error: Any) -> RunError:
        """The error for an answer that is one."""
        words = _words(error)
        if "UNAVAILABLE" in str(error) or "stream" in words.lower():
            return unreachable(self.options.url, error)
        return RunError(f"Triton could not compute a batch of {self.model}", words, "see the server's log, triton.txt")

    def stream(self) -> TritonStream:
        """A lane with a connection of its own."""
        return TritonStream(self)


def server_version(url: str) -> str:
    """The version of the server at an address. RunError where none answers."""
    grpc = package.client()
    os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
    try:
        return str(grpc.InferenceServerClient(url).get_server_metadata(as_json=True).get("version", ""))
    except Exception as error:
        if type(error).__name__ != "InferenceServerException":
            raise
        raise unreachable(url, error) from error


class TritonStream:
    """One request in flight, over one gRPC stream."""

    def __init__(self, engine: TritonEngine) -> None:
        self._engine = engine
        self._client = engine.connect()
        self._answers: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._client.start_stream(callback=lambda result, error: self._answers.put((result, error)))
        self._memory = {"in": Region(self._client), "out": Region(self._client)} if engine.options.shared_memory else {}
        self._sizes: dict[tuple[tuple[int, ...], ...], list[int]] = {}

    def infer(self, inputs: Arrays) -> Arrays:
        """One request and its answer. The outputs are views that the next call overwrites. RunError with the server's words."""
        sent = self._checked(inputs)
        shapes = tuple(array.shape for array in sent)
        with self._engine.asking():
            asked, sizes = self._requested(shapes)
            self._client.async_stream_infer(self._engine.model, self._inputs(sent), outputs=asked)
        result, error = self._answers.get()
        if error is not None:
            raise self._engine.failed(error)
        return self._outputs(result, shapes, sizes)

    def _checked(self, inputs: Arrays) -> list[NDArray[Any]]:
        """The arrays in the server's order and types. RunError where they are not what the model takes."""
        engine = self._engine
        problem = ""
        if set(inputs) != set(engine.inputs):
            problem = f"it takes {', '.join(engine.inputs)}; this benchmark sends {', '.join(inputs)}"
        else:
            problem = next(filter(None, (one.problem(inputs[one.name]) for one in engine.remote_inputs)), "")
        if problem:
            raise RunError(
                f"the model {engine.model} at {engine.options.url} is a different one",
                problem,
                "give the server the repository that `make generate_triton_config` writes",
            )
        return [np.ascontiguousarray(inputs[one.name], dtype=one.dtype) for one in engine.remote_inputs]

    def _inputs(self, arrays: Sequence[NDArray[Any]]) -> list[Any]:
        engine = self._engine
        fields = [
            engine.grpc.InferInput(one.name, list(array.shape), _datatype(one.dtype))
            for one, array in zip(engine.remote_inputs, arrays, strict=True)
        ]
        if not self._memory:
            for field, array in zip(fields, arrays, strict=True):
                field.set_data_from_numpy(array)
            return fields
        region = self._memory["in"]
        places = region.hold([array.nbytes for array in arrays])
        for field, array, offset in zip(fields, arrays, places, strict=True):
            region.view(offset, array.shape, array.dtype)[...] = array
            field.set_shared_memory(region.name, array.nbytes, offset)
        return fields

    def _requested(self, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[Any], list[tuple[int, int]] | None]:
        """The outputs to ask for, and the place of each in shared memory; None where they come in the message.

        How large outputs are is learnt from the first answer to inputs of these shapes.
        """
        engine = self._engine
        asked = [engine.grpc.InferRequestedOutput(name) for name in engine.outputs]
        sizes = self._sizes.get(shapes) if self._memory else None
        if sizes is None:
            return asked, None
        region = self._memory["out"]
        places = region.hold(sizes)
        for output, size, offset in zip(asked, sizes, places, strict=True):
            output.set_shared_memory(region.name, size, offset)
        return asked, list(zip(places, sizes, strict=True))

    def _outputs(
        self, result: Any, shapes: tuple[tuple[int, ...], ...], places: Sequence[tuple[int, int]] | None
    ) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for number, one in enumerate(self._engine.remote_outputs):
            if places is None:
                found[one.name] = result.as_numpy(one.name)
                if found[one.name] is None:
                    raise RunError(f"Triton's answer has no output {one.name}", "", "see the server's log, triton.txt")
                continue
            shape = tuple(int(size) for size in result.get_output(one.name).shape)
            found[one.name] = self._memory["out"].view(places[number][0], shape, np.dtype(one.dtype))
        if places is None and self._memory:
            self._sizes[shapes] = [found[one.name].nbytes for one in self._engine.remote_outputs]
        return found


class Region:
    """A region of system shared memory that the server knows. It grows, and its name is gone as soon as the server has opened it."""

    def __init__(self, client: Any) -> None:
        self._client = client
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
            self._client.unregister_system_shared_memory(self.name)
        name = f"harness-{os.getpid()}-{next(_numbers)}"
        path = SHM / name
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(handle, 0, size)
                self._memory = mmap.mmap(handle, size)
            finally:
                os.close(handle)
            self._client.register_system_shared_memory(name, f"/{name}", size)
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


class Client:
    """Loads an engine that is served. It is built by the backend that computes behind the server."""

    def load(self, folder: Path, spec: EngineSpec) -> TritonEngine:
        """The model of a device. The folder is the engine that the server computes with; nothing of it is read here."""
        options = spec.options
        if not isinstance(options, TritonOptions):
            raise UsageError("the engine of a Triton server has no address", "run.json gives its options", "run it with make run")
        return TritonEngine(options, options.model_of(spec.device))


def unreachable(url: str, error: Any) -> RunError:
    """The error for a server that does not answer, or no longer."""
    return RunError(
        f"the Triton server at {url} does not answer",
        _words(error),
        "see whether it runs, and its log; without --triton_url the harness starts one itself",
    )


def _words(error: Any) -> str:
    said = error.message() if hasattr(error, "message") and callable(error.message) else str(error)
    return next((line.strip() for line in str(said).splitlines() if line.strip()), type(error).__name__)


def _remote(listed: Sequence[Mapping[str, Any]]) -> list[Remote]:
    found = []
    for one in listed:
        if one["datatype"] not in NUMPY:
            raise RunError(
                f"the server's tensor {one['name']} is of type {one['datatype']}", "", f"serve {', '.join(TYPES.values())}"
            )
        found.append(Remote(str(one["name"]), NUMPY[one["datatype"]], tuple(int(size) for size in one.get("shape", ()))))
    return found


def _datatype(dtype: Any) -> str:
    return next(name for name, one in NUMPY.items() if one == dtype)


BACKEND = Client()
