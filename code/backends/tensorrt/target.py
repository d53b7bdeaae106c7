"""The GPU that an engine is built for: the selected system's or this machine's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.backends.tensorrt.options import BOTH
from code.backends.tensorrt.sdk import Flavour
from code.common.errors import MissingError, UsageError
from code.fields.consumer import Consumer
from code.machine.detect import detect
from code.systems.data.gpus import GPUS
from code.systems.known_hardware import KnownGPU, KnownMIG, listed_name
from code.systems.system_list import KnownSystem, System

READS = Consumer("TensorRT builder", ("system", "device_kind"), engine=True, backends=BOTH)


@dataclass(frozen=True)
class Target:
    """A kind of GPU.

    Args:
        gpu: its known name, such as 'A100_SXM4_40GB', or the driver's name for it.
        compute: compute capability times ten, 80 for 8.0.
        memory: bytes of device memory; 0 when unknown.
    """

    gpu: str
    compute: int
    memory: int = 0

    @property
    def capability(self) -> str:
        """The compute capability as text, such as '8.0'."""
        return f"{self.compute // 10}.{self.compute % 10}"


def target_of(values: Mapping[str, Any]) -> Target:
    """The GPU of the workload's system.

    Raises:
        UsageError: the system has no GPU, or its compute capability is unknown.
    """
    name = READS.of(values).get("system")
    system = KnownSystem.get(name) if name else None
    if system is None:
        return _detected()
    kinds = list(system.value.accelerator_conf.layout)
    if not kinds:
        raise UsageError(
            f"{system.name} has no NVIDIA GPU",
            "TensorRT engines are for GPUs",
            "select a GPU system with --system=…, or run with --backend=openvino",
        )
    kind = _chosen(kinds, READS.of(values).get("device_kind"))
    name = system.accelerator if len(kinds) == 1 else ""
    return Target(_known_name(kind, name or listed_name(kind)), _compute(system, kind), _bytes(getattr(kind, "vram", None)))


def _chosen(kinds: Sequence[Any], wanted: str | None) -> Any:
    """The kind of GPU called `wanted`; the first where none is."""
    return next((kind for kind in kinds if wanted and wanted in (listed_name(kind), _known_name(kind, ""))), kinds[0])


def _compute(system: System, kind: Any) -> int:
    """The compute capability of a system's GPU, times ten; where its description leaves it open, that of this machine's first."""
    found = detect().gpus
    compute = getattr(kind, "compute_sm", None)
    if not isinstance(compute, int) and found and found[0].kind.compute_sm:
        compute = found[0].kind.compute_sm
    if not isinstance(compute, int):
        raise UsageError(
            f"the compute capability of {system.name}'s GPU is unknown",
            "the system's description does not give it",
            "set compute_sm in code/common/systems/custom_list.py, or build on the machine itself",
        )
    return compute


def _detected() -> Target:
    found = detect().gpus
    if not found:
        raise MissingError(
            "this machine has no NVIDIA GPU",
            "TensorRT engines are for GPUs",
            "select a GPU system with --system=… and --backend=tensorrt_rtx, or run with --backend=openvino",
        )
    gpu = found[0].kind
    compute = gpu.compute_sm if isinstance(gpu.compute_sm, int) else 0
    return Target(str(getattr(gpu.name, "name", gpu.name)), compute, _bytes(gpu.vram))


def here() -> Target | None:
    """This machine's first GPU; None without one."""
    return _detected() if detect().gpus else None


def require_buildable(target: Target, flavour: Flavour, module: Any) -> None:
    """UsageError or MissingError if `flavour` cannot build for `target` on this machine."""
    if flavour.crosses:
        known = capabilities(module)
        if target.compute not in known:
            raise UsageError(
                f"TensorRT-RTX cannot build for {target.gpu}: compute capability {target.capability}",
                f"it targets {', '.join(f'{c // 10}.{c % 10}' for c in sorted(known))}: of the known GPUs "
                + ", ".join(name for name, row in GPUS.items() if row.compute_sm in known),
                "choose one of these with --system=…, or build on that machine with --backend=tensorrt",
            )
        return
    machine = here()
    step = "build on a machine that has it, or for compute capability 7.5, 8.x or 12.x with --backend=tensorrt_rtx"
    if machine is None:
        raise MissingError(f"TensorRT needs the {target.gpu} that it builds for", "this machine has no NVIDIA GPU", step)
    if machine.compute != target.compute:
        raise UsageError(
            f"TensorRT cannot build for {target.gpu} (compute capability {target.capability}) here",
            f"this machine's GPU is {machine.gpu} with {machine.capability}, and TensorRT times kernels on the GPU itself",
            step,
        )


def capabilities(module: Any) -> frozenset[int]:
    """The compute capabilities, times ten, that the module's builder can target."""
    return frozenset(int(m[1]) for m in (re.fullmatch(r"SM(\d+)", n) for n in dir(module.ComputeCapability)) if m)


def _known_name(kind: Any, name: str) -> str:
    if name and (name in KnownGPU or name in KnownMIG):
        return name
    return str(getattr(getattr(kind, "name", ""), "name", getattr(kind, "name", ""))) or "GPU"


def _bytes(size: Any) -> int:
    size = getattr(size, "o", size)
    size = getattr(size, "values", [size])[0] if not hasattr(size, "to_bytes") else size
    size = getattr(size, "o", size)
    return int(size.to_bytes()) if hasattr(size, "to_bytes") and not isinstance(size, int) else 0
