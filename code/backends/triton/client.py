"""The engine that asks a Triton server: a connection for each lane, with tensors in system shared memory where the server is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import Arrays, EngineSpec
from code.backends.triton import wires
from code.backends.triton.config import TYPES
from code.backends.triton.regions import Region
from code.backends.triton.wires import Wire
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema.options import TritonOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMPY = {"FP32": "float32", "UINT8": "uint8", "INT8": "int8", "INT32": "int32", "INT64": "int64", "BOOL": "bool"}
NUMPY |= {"FP16": "float16", "FP64": "float64"}


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
        self.options = options
        self.model = model
        server = self.connect()
        if not server.ready(model):
            raise MissingError(
                f"the Triton server at {options.url} does not serve {model}",
                "",
                "give it the repository that `make generate_triton_config` writes, or leave --triton_url out",
            )
        found = server.description(model)
        self.remote_inputs = _remote(found.get("inputs", ()))
        self.remote_outputs = _remote(found.get("outputs", ()))
        self.inputs: Sequence[str] = [one.name for one in self.remote_inputs]
        self.outputs: Sequence[str] = [one.name for one in self.remote_outputs]

    def connect(self) -> Wire:
        """A new connection to its server."""
        return wires.wire(self.options.protocol, self.options.url)

    def stream(self) -> TritonStream:
        """A lane with a connection of its own."""
        return TritonStream(self)


class TritonStream:
    """One request in flight."""

    def __init__(self, engine: TritonEngine) -> None:
        self._engine = engine
        self._server = engine.connect()
        self._memory = {"in": Region(self._server), "out": Region(self._server)} if engine.options.shared_memory else {}
        self._sizes: dict[tuple[tuple[int, ...], ...], list[int]] = {}

    def infer(self, inputs: Arrays) -> Arrays:
        """One request and its answer. The outputs are views that the next call overwrites. RunError with the server's words."""
        sent = self._checked(inputs)
        shapes = tuple(array.shape for array in sent)
        asked, places = self._requested(shapes)
        result = self._server.infer(self._engine.model, self._inputs(sent), asked)
        return self._outputs(result, shapes, places)

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
        fields = [
            self._server.module.InferInput(one.name, list(array.shape), _datatype(one.dtype))
            for one, array in zip(self._engine.remote_inputs, arrays, strict=True)
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
        asked = [self._server.module.InferRequestedOutput(name) for name in self._engine.outputs]
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
                    raise wires.refused(f"it has no output {one.name}")
                continue
            shape = _shape(result.get_output(one.name))
            found[one.name] = self._memory["out"].view(places[number][0], shape, np.dtype(one.dtype))
        if places is None and self._memory:
            self._sizes[shapes] = [found[one.name].nbytes for one in self._engine.remote_outputs]
        return found


class Client:
    """Loads an engine that is served. It is built by the backend that computes behind the server."""

    def load(self, folder: Path, spec: EngineSpec) -> TritonEngine:
        """The model of a device. The folder is the engine that the server computes with; nothing of it is read here."""
        options = spec.options
        if not isinstance(options, TritonOptions):
            raise UsageError("the engine of a Triton server has no address", "run.json gives its options", "run it with make run")
        return TritonEngine(options, options.model_of(spec.device))


def _shape(output: Any) -> tuple[int, ...]:
    """The shape of an output in an answer: a message of gRPC's, or a JSON object of HTTP's."""
    return tuple(int(size) for size in (output["shape"] if isinstance(output, Mapping) else output.shape))


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
