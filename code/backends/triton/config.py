"""config.pbtxt of a model that Triton serves: its tensors, instances, batching and buffers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.errors import RunError, UsageError
from code.fields.consumer import Consumer, Readable

READS = Consumer(
    "Triton's model",
    (
        *("instance_group_count", "preferred_batch_size", "max_queue_delay_usec", "request_timeout_usec", "output_pinned_memory"),
        *("gather_kernel_buffer_threshold",),
    ),
    served=True,
)
"""Fields of config.pbtxt. Source: triton-inference-server/common, protobuf/model_config.proto."""
TYPES = {1: "FP32", 2: "UINT8", 3: "INT8", 6: "INT32", 7: "INT64", 9: "BOOL", 10: "FP16", 11: "FP64"}
"""ONNX's number of an element type → Triton's name."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Args:
        type: Triton's name, such as 'INT64'.
        dims: without the batch; -1 for one that varies.
    """

    name: str
    type: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Instances:
    """Copies of a model on one device.

    Args:
        count: batches that are computed at once.
        gpu: the GPU's number in the server's process; None for processors.
    """

    count: int
    gpu: int | None = None


@dataclass(frozen=True)
class Settings:
    """What fields set of a model.

    Args:
        instance_count: of each device, instead of its streams; None: its streams.
        preferred: batch sizes that Triton's batcher waits for.
        delay_us: how long it waits for them; None: the batcher is off unless sizes are preferred.
        timeout_us: how long a request may wait in the queue; 0: for ever.
        pinned_output: whether outputs pass through pinned memory; None: Triton's default.
        gather_threshold: pieces of a batch from which a kernel gathers them; 0: Triton's default.
    """

    instance_count: int | None = None
    preferred: tuple[int, ...] = ()
    delay_us: int | None = None
    timeout_us: int = 0
    pinned_output: bool | None = None
    gather_threshold: int = 0

    @property
    def batches(self) -> bool:
        """Whether Triton joins requests to batches."""
        return bool(self.preferred) or self.delay_us is not None


def settings_of(values: Readable, batch: int) -> Settings:
    """The settings of a workload. UsageError for batch sizes that are none, or larger than `batch`, the engine's largest."""
    read = READS.of(values)
    text = str(read["preferred_batch_size"] or "")
    sizes = re.sub(r"[\[\](){}]", " ", text).replace(",", " ").split()
    if not all(size.isascii() and size.isdigit() and 0 < int(size) <= batch for size in sizes):
        raise UsageError(
            f"preferred_batch_size cannot be {text[:60]!r}",
            f"it lists whole numbers from 1 to {batch}, the largest batch of the engine",
            "write them as 8,16",
        )
    delay = read["max_queue_delay_usec"]
    return Settings(
        read["instance_group_count"] or None,
        tuple(sorted({int(size) for size in sizes})),
        None if delay is None else int(delay),
        int(read["request_timeout_usec"] or 0),
        read["output_pinned_memory"],
        int(read["gather_kernel_buffer_threshold"] or 0),
    )


def tensors(graph: Path) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of an ONNX graph whose first dimension is the batch. RunError for a type that Triton has not."""
    import onnx

    model = onnx.load(str(graph), load_external_data=False).graph
    weights = {one.name for one in model.initializer}
    return (
        tuple(_tensor(one) for one in model.input if one.name not in weights),
        tuple(_tensor(one) for one in model.output),
    )


def _tensor(one: Any) -> Tensor:
    found = one.type.tensor_type
    if found.elem_type not in TYPES:
        raise RunError(
            f"Triton cannot serve {one.name}", f"it has no type for ONNX's {found.elem_type}", "serve the graph in fp32 or fp16"
        )
    dims = tuple(dim.dim_value if dim.dim_value > 0 else -1 for dim in found.shape.dim)
    return Tensor(one.name, TYPES[found.elem_type], dims[1:])


def text(
    name: str,
    runtime: str,
    batch: int,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    instances: Instances,
    settings: Settings,
    parameters: Mapping[str, str],
) -> str:
    """config.pbtxt.

    Args:
        runtime: 'python', or a platform such as 'tensorrt_plan'.
        batch: the largest batch.
        parameters: texts for the Python backend.
    """
    kind = "platform" if "_" in runtime else "backend"
    lines = [f"name: {_quoted(name)}", f"{kind}: {_quoted(runtime)}", f"max_batch_size: {batch}"]
    for what, listed in (("input", inputs), ("output", outputs)):
        for tensor in listed:
            dims = ", ".join(map(str, tensor.dims))
            lines.append(f"{what} {{ name: {_quoted(tensor.name)} data_type: TYPE_{tensor.type} dims: [ {dims} ] }}")
    count = settings.instance_count or instances.count
    where = "kind: KIND_CPU" if instances.gpu is None or runtime == "python" else f"kind: KIND_GPU gpus: [ {instances.gpu} ]"
    lines.append(f"instance_group {{ count: {count} {where} }}")
    lines += [*_batching(settings), *_optimization(settings)]
    for key, value in parameters.items():
        lines.append(f"parameters {{ key: {_quoted(key)} value {{ string_value: {_quoted(value)} }} }}")
    return "\n".join(lines) + "\n"


def _batching(settings: Settings) -> list[str]:
    if not settings.batches and not settings.timeout_us:
        return []
    parts = [f"preferred_batch_size: [ {', '.join(map(str, settings.preferred))} ]"] if settings.preferred else []
    parts.append(f"max_queue_delay_microseconds: {settings.delay_us or 0}")
    if settings.timeout_us:
        parts.append(f"default_queue_policy {{ timeout_action: REJECT default_timeout_microseconds: {settings.timeout_us} }}")
    return [f"dynamic_batching {{ {' '.join(parts)} }}"]


def _optimization(settings: Settings) -> list[str]:
    parts = []
    if settings.pinned_output is not None:
        parts.append(f"output_pinned_memory {{ enable: {str(settings.pinned_output).lower()} }}")
    if settings.gather_threshold:
        parts.append(f"gather_kernel_buffer_threshold: {settings.gather_threshold}")
    return [f"optimization {{ {' '.join(parts)} }}"] if parts else []


def _quoted(value: str) -> str:
    """A string of protobuf's text format, whose escapes are JSON's for ASCII but for \\u."""
    if not value.isascii():
        raise UsageError(
            f"Triton cannot be given {value!r}", "its config takes ASCII here", "choose a path without other letters"
        )
    return json.dumps(value)
