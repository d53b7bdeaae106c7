"""Checks of a graph and a target without a GPU: operators, shapes, types, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.tensorrt.builder import parse
from code.backends.tensorrt.options import BOTH
from code.backends.tensorrt.profiles import Profile, profiles_of, shapes
from code.backends.tensorrt.sdk import Flavour, sdk, sizes
from code.backends.tensorrt.target import Target, capabilities, target_of
from code.common.errors import HarnessError
from code.fields.consumer import Consumer

if TYPE_CHECKING:
    import tensorrt as trt

HEADROOM = 0.92
"""Share of GPU memory for engines; the driver and the CUDA context use the rest."""


MEMORY = Consumer("make check_engines", ("gpu_inference_streams",), backends=BOTH)


@dataclass
class Findings:
    """One (status, subject, message) per check; status is 'ok', 'warning' or 'error'."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, outcome: str, what: str, words: str) -> None:
        """Add a finding."""
        self.lines.append((outcome, what, words))

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(outcome == "error" for outcome, _, _ in self.lines)


def check(flavour: Flavour, model: Path, values: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> Findings:
    """Run all checks that do not need a GPU.

    Args:
        flavour: whose parser reads the graph.
        inputs: one batch of the data set as the harness feeds it, or None when the data are not on this machine.

    Raises MissingError when the package is not installed.
    """
    findings = Findings()
    target = target_of(values)
    _target(findings, flavour, target)
    parsed = parse(flavour, model)
    for problem in parsed.problems:
        findings.add("error", "operators", problem)
    if parsed.problems:
        return findings
    network = parsed.network
    findings.add("ok", "operators", f"{network.num_layers} layers, all known to {flavour.label}'s ONNX parser")
    profiles = _profiles(findings, network, values)
    _data(findings, parsed.module, network, profiles, inputs)
    if profiles:
        _memory(findings, model, network, values, profiles, target)
    return findings


def _target(findings: Findings, flavour: Flavour, target: Target) -> None:
    words = f"{target.gpu}, compute capability {target.capability}"
    if flavour.crosses and target.compute not in capabilities(sdk(flavour)):
        findings.add("warning", "target", f"{words}: only TensorRT on the machine itself builds for it")
    else:
        findings.add("ok", "target", words)


def _profiles(findings: Findings, network: trt.INetworkDefinition, values: Mapping[str, Any]) -> list[Profile]:
    try:
        profiles = profiles_of(values)
        for profile in profiles:
            for index in range(network.num_inputs):
                tensor = network.get_input(index)
                shapes(profile, tensor.name, sizes(tensor.shape))
            findings.add("ok", "profile", profile.words())
        return profiles
    except HarnessError as error:
        findings.add("error", "profile", f"{error.what}: {error.why}")
        return []


def _data(
    findings: Findings,
    module: Any,
    network: trt.INetworkDefinition,
    profiles: Sequence[Profile],
    inputs: Mapping[str, Any] | None,
) -> None:
    if inputs is None:
        findings.add("warning", "data", "shapes not compared: the preprocessed arrays are not on this machine")
        return
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        array = inputs.get(tensor.name)
        if array is None:
            findings.add("error", "data", f"the data set has no array for the input {tensor.name!r}: it has {', '.join(inputs)}")
            continue
        wanted = module.nptype(tensor.dtype)
        if array.dtype != wanted and not (array.dtype.kind == "i" and wanted in ("int32", "int64")) and array.dtype.kind != "i":
            findings.add("error", "data", f"{tensor.name}: the data are {array.dtype}, the graph requires {wanted.__name__}")
            continue
        held = any(_holds(profile, tensor, array.shape) for profile in profiles)
        shape = list(array.shape)
        if profiles and not held:
            findings.add("error", "data", f"{tensor.name}: a batch of the longest samples is {shape}, which no profile covers")
        else:
            findings.add("ok", "data", f"{tensor.name}: {array.dtype} {shape} fits {list(sizes(tensor.shape))}")


def _holds(profile: Profile, tensor: trt.ITensor, shape: Sequence[int]) -> bool:
    least, _, most = shapes(profile, tensor.name, sizes(tensor.shape))
    return len(shape) == len(least) and all(a <= s <= b for a, s, b in zip(least, shape, most, strict=True))


def _memory(
    findings: Findings,
    model: Path,
    network: trt.INetworkDefinition,
    values: Mapping[str, Any],
    profiles: Sequence[Profile],
    target: Target,
) -> None:
    weights, activations = estimate(model, network, profiles)
    streams = max(1, int(MEMORY.of(values).get("gpu_inference_streams") or 1))
    need = weights + streams * activations
    words = f"about {_gib(need)}: weights {_gib(weights)}, {streams} contexts of at most {_gib(activations)}"
    if not target.memory:
        findings.add("warning", "memory", f"{words}; the memory of {target.gpu} is not known")
    elif need > HEADROOM * target.memory:
        findings.add("error", "memory", f"{words}, and {target.gpu} has {_gib(target.memory)}: lower gpu_batch_size or streams")
    else:
        findings.add("ok", "memory", f"{words}; {target.gpu} has {_gib(target.memory)}")


def estimate(model: Path, network: trt.INetworkDefinition, profiles: Sequence[Profile]) -> tuple[int, int]:
    """(bytes of weights, bytes of activations of one context) at the largest shapes.

    Activations: the peak when every tensor of the graph is kept from the layer that produces it to the last that
    reads it. TensorRT fuses layers and needs less; an engine's sidecar has the actual figure.
    """
    return model.stat().st_size, max((_most_alive(network, profile) for profile in profiles), default=0)


def _most_alive(network: trt.INetworkDefinition, profile: Profile) -> int:
    """The most bytes of tensors that live at once, at the largest shapes of a profile."""
    batch = profile.batch.most
    length = profile.length.most if profile.length else 1
    last: dict[str, int] = {}
    made: list[dict[str, int]] = []
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        inputs = [layer.get_input(slot) for slot in range(layer.num_inputs)]
        outputs = [layer.get_output(slot) for slot in range(layer.num_outputs)] if inputs else []  # constants are weights
        last.update({tensor.name: index for tensor in inputs if tensor is not None})
        made.append({tensor.name: _bytes(tensor, batch, length) for tensor in outputs if tensor is not None})
    most = alive = 0
    ending: dict[int, int] = {}
    for index, sizes_of in enumerate(made):
        for name, size in sizes_of.items():
            alive += size
            end = last.get(name, len(made))
            ending[end] = ending.get(end, 0) + size
        most = max(most, alive)
        alive -= ending.pop(index, 0)
    return most


def _bytes(tensor: trt.ITensor, batch: int, length: int) -> int:
    """Bytes of a tensor whose first unknown dimension is the batch and whose other unknown ones are the length."""
    try:
        dims = list(sizes(tensor.shape))
    except ValueError:  # the rank is unknown until runtime
        dims = []
    unknown = [batch, *[length] * 8]
    count = math.prod(d if d >= 0 else unknown.pop(0) for d in dims)
    return int(count * max(1, tensor.dtype.itemsize))


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB"
