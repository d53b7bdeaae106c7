"""Options of each backend's engines: engines[].options of run.json.

Their names are those of the fields that they come from. The C++ harness reads the options of its own engines in
code/harness/cpp/engines, and tells the names with --capabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from code.harness.schema.reader import Range, Size


@dataclass(frozen=True)
class NoOptions:
    """An engine that has no options."""


@dataclass(frozen=True)
class TensorRtOptions:
    """TensorRT and TensorRT for RTX.

    Args:
        use_graphs: launch through captured CUDA graphs.
        graphs_max_seqlen: longest batch that graphs are captured for; 0: any.
        start_from_device: copy the inputs' whole arrays to the device before the run.
        sliding_window_on_device: cut and add windows up on the GPU; null: where the harness has kernels for it.
        version_compatible: the engine brings code of its own, which may be run.
        plugin_libs: TensorRT plugin libraries to load.
    """

    use_graphs: bool = False
    graphs_max_seqlen: Annotated[int, Range(0, 1 << 20)] = 0
    start_from_device: bool = False
    sliding_window_on_device: bool | None = None
    version_compatible: bool = False
    plugin_libs: tuple[Annotated[str, Size(1)], ...] = ()


@dataclass(frozen=True)
class SimulatedOptions:
    """The simulated engine: how long a batch takes, and which fault it shows.

    Args:
        batches, lengths: batch sizes and lengths of the table, ascending.
        microseconds: [batch][length], between which it interpolates.
        slowdown: a factor for each device; the rest have 1.
        fault: 'throw', 'short' (too few answers), 'hang' or ''.
        fault_after: batches that a stream computes before the fault.
        load_s: seconds that loading takes.
    """

    batches: Annotated[tuple[Annotated[float, Range(0, 1e9)], ...], Size(1)]
    lengths: Annotated[tuple[Annotated[float, Range(0, 1e9)], ...], Size(1)]
    microseconds: Annotated[tuple[Annotated[tuple[Annotated[float, Range(0, 1e12)], ...], Size(1)], ...], Size(1)]
    slowdown: tuple[Annotated[float, Range(0, 1e6)], ...] = ()
    fault: Literal["", "throw", "short", "hang"] = ""
    fault_after: Annotated[int, Range(0, 10**12)] = 0
    load_s: Annotated[float, Range(0, 86_400)] = 0.0

    def complaint(self) -> str:
        """What JSON Schema cannot say: why the table is none, or ''."""
        ascending = all(list(axis) == sorted(axis) for axis in (self.batches, self.lengths))
        rows = len(self.microseconds) == len(self.batches) and all(len(row) == len(self.lengths) for row in self.microseconds)
        if ascending and rows:
            return ""
        return "batches and lengths ascend, and microseconds has a row for each batch with a number for each length"


@dataclass(frozen=True)
class OpenVinoGenAiOptions:
    """OpenVINO GenAI.

    Args:
        kv_cache_gb: most memory for keys and values, GiB; null: what the batch needs.
        kv_cache_precision: their numeric format; null: that of the computation.
        max_num_tokens: most tokens in a step; null: the backend's own number.
    """

    kv_cache_gb: Annotated[float, Range(0, 1e6)] | None = None
    kv_cache_precision: Literal["f32", "bf16", "f16", "u8"] | None = None
    max_num_tokens: Annotated[int, Range(0, 1 << 30)] | None = None


@dataclass(frozen=True)
class TensorRtLlmOptions:
    """TensorRT-LLM.

    Args:
        trtllm_batching_mode, trtllm_batch_sched_policy: names of TensorRT-LLM's own; null: in-flight batching without eviction.
        kvcache_free_gpu_mem_frac: share of free GPU memory for keys and values; null: the backend's own.
    """

    trtllm_batching_mode: str | None = None
    trtllm_batch_sched_policy: str | None = None
    kvcache_free_gpu_mem_frac: Annotated[float, Range(0, 1)] | None = None


Options = NoOptions | TensorRtOptions | SimulatedOptions | OpenVinoGenAiOptions | TensorRtLlmOptions

OPTIONS: Mapping[str, type] = {
    "null": NoOptions,
    "simulated": SimulatedOptions,
    "openvino": NoOptions,
    "onnxruntime": NoOptions,
    "tensorrt": TensorRtOptions,
    "tensorrt_rtx": TensorRtOptions,
    "openvino_genai": OpenVinoGenAiOptions,
    "tensorrt_llm": TensorRtLlmOptions,
}
"""Backend → the class of its options; one that is not here has none."""
