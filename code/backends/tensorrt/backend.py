"""TensorRT: engines for NVIDIA GPUs (see documentation/tensorrt.md).

`TensorRt` is both backends: `tensorrt` builds on the GPU that it builds for, `tensorrt_rtx` for a named compute capability anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.base import Backend, EngineSpec
from code.backends.tensorrt.profiles import as_settings, profiles_of
from code.backends.tensorrt.sdk import TENSORRT, Flavour, sdk
from code.backends.tensorrt.sdk import version as version_of
from code.backends.tensorrt.target import Target, require_buildable, target_of
from code.common.errors import UsageError
from code.common.files import sha256

if TYPE_CHECKING:
    from code.backends.tensorrt.runner import TrtEngine

LEAST_COMPUTE = {"fp32": 75, "fp16": 75, "int8": 75, "bf16": 80, "fp8": 89}
"""Precision → the compute capability, times ten, that has units for it."""

FOREIGN_KERNELS = "it names kernels of another vendor's repository; graphs that use them load with --plugin_libs"
IGNORED: dict[str, str] = {
    "use_small_tile_gemm_plugin": FOREIGN_KERNELS,
    "gemm_plugin_fairshare_cache_size": FOREIGN_KERNELS,
    "energy_aware_kernels": "TensorRT has no such switch; use power_limit",
    "active_sms": "TensorRT has no such switch; use MIG or MPS",
    "gpu_copy_streams": "copies run on the stream of their batch",
    "graph_specs": "shapes of CUDA graphs are found at run time",
    "cache_file": "scales are in the ONNX graph; `make calibrate` makes it",
    "input_dtype": "the ONNX graph says it",
    "input_format": "the ONNX graph says it",
    "trtllm_batching_mode": "it is TensorRT-LLM's",
}
"""Fields that configs set and TensorRT engines do not act on, and why."""

CPP_ONLY: dict[str, str] = {
    "graphs_max_seqlen": "it makes no choice of shapes",
    "sliding_window_on_device": "it cuts windows and adds them up on the processor",
    "start_from_device": "it copies every batch from host memory",
}
"""What the Python harness does instead where the C++ harness acts on a field."""


class TensorRt(Backend):
    """One flavour of TensorRT as a backend."""

    device = "GPU"
    makes_precision = False

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.name = flavour.name
        self.label = flavour.label
        self.runtime_key = f"{flavour.name}_version"
        own = frozenset() if flavour.crosses else frozenset({"hardware_compatibility"})
        self.honours = own | {
            "bert_opt_seqlen",
            "builder_optimization_level",
            "gpu_batch_size",
            "gpu_inference_streams",
            "graphs_max_seqlen",
            "length_buckets",
            "plugin_libs",
            "precision",
            "profiling_verbosity",
            "sliding_window_on_device",
            "start_from_device",
            "use_fp8",
            "use_graphs",
            "version_compatible",
            "workspace_size",
        }
        crossing = {"hardware_compatibility": "TensorRT-RTX compiles kernels for the GPU when it loads an engine"}
        self.ignored_because: Mapping[str, str] = {**IGNORED, **(crossing if flavour.crosses else {})}
        # TensorRT-RTX's own runtime captures graphs, whichever harness calls it.
        graphs = {} if flavour.crosses else {"use_graphs": "it launches kernels one by one"}
        self.cpp_only: Mapping[str, str] = {**CPP_ONLY, **graphs}

    def version(self) -> str:
        """The installed version; MissingError when it is not installed."""
        return version_of(self.flavour)

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Target, profiles and builder switches. UsageError for a GPU or a precision that cannot be had."""
        target = target_of(values)
        if self.flavour.crosses:
            require_buildable(target, self.flavour, sdk(self.flavour))
        precision = "fp8" if values.get("use_fp8") else str(values["precision"])
        self._require_precision(precision, target)
        return {
            "precision": precision,
            "strongly_typed": True,
            "sparsity": False,
            "compute_capability": target.capability,
            "gpu": "any of this compute capability" if self.flavour.crosses else target.gpu,
            "profiles": as_settings(profiles_of(values)),
            "workspace_size": values.get("workspace_size"),
            "builder_optimization_level": values.get("builder_optimization_level"),
            "hardware_compatibility": None if self.flavour.crosses else values.get("hardware_compatibility"),
            "version_compatible": bool(values.get("version_compatible")),
            "profiling_verbosity": values.get("profiling_verbosity") or "layer_names_only",
            "plugins": {f.name: sha256(f) for f in self._plugins(values)},
        }

    def device_identity(self) -> str:
        """The kind of device; which one is in the settings, because it follows from the system."""
        return "NVIDIA GPU"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Build the engine; the answer is what the sidecar says of it."""
        from code.backends.tensorrt import builder as tensorrt_builder

        return tensorrt_builder.build(self.flavour, model, values, folder)

    def load(self, folder: Path, spec: EngineSpec) -> TrtEngine:
        """The engine on this machine's GPU."""
        from code.backends.tensorrt import runner as tensorrt_runner

        return tensorrt_runner.load(self.flavour, folder, spec)

    @staticmethod
    def _plugins(values: Mapping[str, Any]) -> list[Path]:
        from code.backends.tensorrt.builder import plugin_files

        return plugin_files(values)

    def _require_precision(self, precision: str, target: Target) -> None:
        least = LEAST_COMPUTE.get(precision)
        if least is None:
            raise UsageError(
                f"{self.label} engines are not built in {precision} here",
                "graphs are made in " + ", ".join(LEAST_COMPUTE),
                "choose one with --precision=…",
            )
        if target.compute < least:
            raise UsageError(
                f"{target.gpu} does not compute in {precision}",
                f"it needs compute capability {least // 10}.{least % 10}, and {target.gpu} has {target.capability}",
                "choose another with --precision=…, such as " + ("fp16" if precision == "bf16" else "int8"),
            )


BACKEND = TensorRt(TENSORRT)
