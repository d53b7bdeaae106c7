"""Options of TensorRT's builder and runtime, from a workload's fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.errors import MissingError
from code.fields.consumer import Consumer
from code.harness.schema.options import TensorRtOptions

TENSORRT, TENSORRT_RTX = "tensorrt", "tensorrt_rtx"
BOTH = (TENSORRT, TENSORRT_RTX)

ENGINE = Consumer(
    "TensorRT builder",
    (
        "precision",
        "use_fp8",
        "workspace_size",
        "builder_optimization_level",
        "version_compatible",
        "profiling_verbosity",
        "plugin_libs",
        "allow_unfused",
    ),
    engine=True,
    backends=BOTH,
)
HARDWARE = Consumer("TensorRT builder", ("hardware_compatibility",), engine=True, backends=(TENSORRT,))
RUNTIME = Consumer("TensorRT runtime", ("version_compatible", "plugin_libs"), backends=BOTH)
RTX_RUNTIME = Consumer("TensorRT-RTX runtime", ("use_graphs",), backends=(TENSORRT_RTX,))
"""TensorRT-RTX's runtime captures graphs itself, with either harness."""
CPP_ENGINE = Consumer(
    "TensorRT engine of the C++ harness",
    (
        "gpu_copy_streams",
        "graphs_max_memory",
        "graphs_max_seqlen",
        "sliding_window_on_device",
        "start_from_device",
        "use_graphs",
        "use_spin_wait",
        "version_compatible",
    ),
    backends=BOTH,
    languages=("cpp",),
    notes={
        "gpu_copy_streams": "has one batch in flight on each stream",
        "graphs_max_memory": "does not capture graphs",
        "graphs_max_seqlen": "does not capture graphs by length",
        "sliding_window_on_device": "cuts and accumulates windows on the CPU",
        "start_from_device": "copies every batch from host memory",
        "use_graphs": "launches kernels one by one",
        "use_spin_wait": "waits as the driver chooses",
    },
)


@dataclass(frozen=True)
class BuildOptions:
    """Builder settings other than the graph, the target and the profiles.

    Args:
        workspace_size: bytes; None: TensorRT decides.
        builder_optimization_level: 0 to 5; None: TensorRT decides.
        hardware_compatibility: 'none', 'ampere_plus' or 'same_compute_capability'; None when unset, and for TensorRT-RTX,
            which compiles kernels for the GPU when it loads an engine.
        profiling_verbosity: 'none', 'layer_names_only' or 'detailed', which the check of fused attention needs and is the default.
        plugins: existing libraries to load.
        allow_unfused: build an engine whose attention is not fused, too.
    """

    precision: str
    workspace_size: int | None
    builder_optimization_level: int | None
    hardware_compatibility: str | None
    version_compatible: bool
    profiling_verbosity: str
    plugins: tuple[Path, ...]
    allow_unfused: bool

    @classmethod
    def of(cls, values: Mapping[str, Any], crosses: bool) -> BuildOptions:
        """The options in a workload's fields; MissingError for a plugin library that does not exist.

        Args:
            crosses: whether engines are built for a compute capability instead of this machine's GPU.
        """
        read = ENGINE.of(values)
        return cls(
            precision="fp8" if read.get("use_fp8") else str(read["precision"]),
            workspace_size=read.get("workspace_size"),
            builder_optimization_level=read.get("builder_optimization_level"),
            hardware_compatibility=None if crosses else HARDWARE.of(values).get("hardware_compatibility"),
            version_compatible=bool(read.get("version_compatible")),
            profiling_verbosity=read.get("profiling_verbosity") or "detailed",
            plugins=plugin_files(read.get("plugin_libs") or ()),
            allow_unfused=bool(read.get("allow_unfused")),
        )


def load_options(values: Mapping[str, Any]) -> TensorRtOptions:
    """How the harness loads and runs an engine; options that the Python harness ignores cause a warning earlier."""
    run, cpp = RUNTIME.of(values), CPP_ENGINE.of(values)
    windows = cpp.get("sliding_window_on_device")
    return TensorRtOptions(
        use_graphs=bool(cpp.get("use_graphs") or RTX_RUNTIME.of(values).get("use_graphs")),
        graphs_max_seqlen=int(cpp.get("graphs_max_seqlen") or 0),
        graphs_max_memory=int(cpp.get("graphs_max_memory") or 0),
        gpu_copy_streams=int(cpp.get("gpu_copy_streams") or 1),
        use_spin_wait=bool(cpp.get("use_spin_wait")),
        start_from_device=bool(cpp.get("start_from_device")),
        sliding_window_on_device=None if windows is None else bool(windows),
        version_compatible=bool(run.get("version_compatible") or cpp.get("version_compatible")),
        plugin_libs=tuple(str(file.resolve()) for file in plugin_files(run.get("plugin_libs") or ())),
    )


def plugin_files(words: Any) -> tuple[Path, ...]:
    """The libraries of --plugin_libs; MissingError for one that does not exist."""
    files = tuple(Path(str(word)) for word in words)
    for file in files:
        if not file.is_file():
            raise MissingError(
                f"the plugin library {file} does not exist", "plugin_libs lists it", "build it, or remove it from --plugin_libs"
            )
    return files
