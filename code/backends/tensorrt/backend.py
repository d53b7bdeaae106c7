"""TensorRT: engines for NVIDIA GPUs (see documentation/tensorrt.md).

`TensorRt` implements both backends: `tensorrt` builds on the target GPU, `tensorrt_rtx` for a named compute capability on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.base import Backend, EngineSpec
from code.backends.tensorrt import options, profiles, target
from code.backends.tensorrt.check import MEMORY
from code.backends.tensorrt.options import BuildOptions
from code.backends.tensorrt.profiles import as_settings, profiles_of
from code.backends.tensorrt.sdk import TENSORRT, Flavour, sdk
from code.backends.tensorrt.sdk import version as version_of
from code.backends.tensorrt.target import Target, require_buildable, target_of
from code.common.errors import UsageError
from code.common.files import sha256
from code.fields.consumer import Consumer
from code.harness.schema.options import TensorRtOptions

if TYPE_CHECKING:
    from code.backends.tensorrt.runner import TrtEngine

LEAST_COMPUTE = {"fp32": 75, "fp16": 75, "int8": 75, "bf16": 80, "fp8": 89}
"""Precision → the minimum compute capability, times ten, that supports it."""


class TensorRt(Backend):
    """One flavour of TensorRT as a backend."""

    device = "GPU"
    makes_precision = False

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.name = flavour.name
        self.label = flavour.label
        self.runtime_key = f"{flavour.name}_version"
        self.reads: tuple[Consumer, ...] = (
            options.ENGINE,
            *(() if flavour.crosses else (options.HARDWARE,)),
            profiles.READS,
            target.READS,
            options.RUNTIME,
            *((options.RTX_RUNTIME,) if flavour.crosses else ()),
            options.CPP_ENGINE,
            MEMORY,
        )

    def version(self) -> str:
        """The installed version; MissingError when it is not installed."""
        return version_of(self.flavour)

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Target, profiles and builder options. UsageError for an unsupported GPU or precision."""
        gpu = target_of(values)
        if self.flavour.crosses:
            require_buildable(gpu, self.flavour, sdk(self.flavour))
        asked = BuildOptions.of(values, self.flavour.crosses)
        self._require_precision(asked.precision, gpu)
        return {
            "precision": asked.precision,
            "strongly_typed": True,
            "sparsity": False,
            "compute_capability": gpu.capability,
            "gpu": "any of this compute capability" if self.flavour.crosses else gpu.gpu,
            "profiles": as_settings(profiles_of(values)),
            "workspace_size": asked.workspace_size,
            "builder_optimization_level": asked.builder_optimization_level,
            "hardware_compatibility": asked.hardware_compatibility,
            "version_compatible": asked.version_compatible,
            "profiling_verbosity": asked.profiling_verbosity,
            "allow_unfused": asked.allow_unfused,
            "plugins": {f.name: sha256(f) for f in asked.plugins},
        }

    def device_identity(self) -> str:
        """The kind of device; the model is in the settings, because it follows from the system."""
        return "NVIDIA GPU"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Build the engine and return the details for the sidecar."""
        from code.backends.tensorrt import builder as tensorrt_builder

        return tensorrt_builder.build(self.flavour, model, values, folder)

    def options(self, values: Mapping[str, Any], folder: Path) -> TensorRtOptions:
        """Options for CUDA graphs, sliding windows and plugins."""
        return options.load_options(values)

    def load(self, folder: Path, spec: EngineSpec) -> TrtEngine:
        """The engine on this machine's GPU."""
        from code.backends.tensorrt import runner as tensorrt_runner

        return tensorrt_runner.load(self.flavour, folder, spec)

    def _require_precision(self, precision: str, target: Target) -> None:
        least = LEAST_COMPUTE.get(precision)
        if least is None:
            raise UsageError(
                f"the {self.label} backend does not build {precision} engines",
                "it supports " + ", ".join(LEAST_COMPUTE),
                "choose one with --precision=…",
            )
        if target.compute < least:
            raise UsageError(
                f"{target.gpu} does not support {precision}",
                f"it needs compute capability {least // 10}.{least % 10}, and {target.gpu} has {target.capability}",
                "choose another with --precision=…, such as " + ("fp16" if precision == "bf16" else "int8"),
            )


BACKEND = TensorRt(TENSORRT)
