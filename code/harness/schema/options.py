"""Options of each backend's engines: run.json's engines[].options.

Each option has the name of the config field that it comes from. The C++ harness reads its engines' options in
code/harness/cpp/engines and lists their names with --capabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from code.harness.schema.reader import Range, Size


@dataclass(frozen=True)
class NoOptions:
    """An engine without options."""


@dataclass(frozen=True)
class TensorRtOptions:
    """TensorRT and TensorRT for RTX.

    Args:
        use_graphs: launch through CUDA graphs, captured while warming up.
        graphs_max_seqlen: longest batch that graphs are captured for; 0: any.
        graphs_max_memory: device memory for graphs, MiB; 0: an eighth of what is free.
        gpu_copy_streams: batches of a stream that are copied, or wait, while another one computes.
        use_spin_wait: keep a core busy while waiting for the device, which wakes sooner.
        start_from_device: copy the inputs' whole arrays to the device before the run.
        sliding_window_on_device: cut and sum windows on the GPU; null: if the harness has the kernels.
        version_compatible: the engine contains code, which the run may execute.
        plugin_libs: TensorRT plugin libraries to load.
    """

    use_graphs: bool = False
    graphs_max_seqlen: Annotated[int, Range(0, 1 << 20)] = 0
    graphs_max_memory: Annotated[int, Range(0, 1 << 24)] = 0
    gpu_copy_streams: Annotated[int, Range(1, 4095)] = 1
    use_spin_wait: bool = False
    start_from_device: bool = False
    sliding_window_on_device: bool | None = None
    version_compatible: bool = False
    plugin_libs: tuple[Annotated[str, Size(1)], ...] = ()


@dataclass(frozen=True)
class SimulatedOptions:
    """The simulated engine: a table of batch times, and a fault to inject.

    Args:
        batches, lengths: batch sizes and lengths of the table, ascending.
        microseconds: [batch][length]; values in between are interpolated.
        slowdown: a factor per device; 1 beyond the end of the list.
        fault: 'throw', 'short' (too few answers), 'hang' or ''.
        fault_after: batches per stream before the fault.
        load_s: load time, seconds.
        at_once: batches that a device computes at the same time, each in its time of the table.
    """

    batches: Annotated[tuple[Annotated[float, Range(0, 1e9)], ...], Size(1)]
    lengths: Annotated[tuple[Annotated[float, Range(0, 1e9)], ...], Size(1)]
    microseconds: Annotated[tuple[Annotated[tuple[Annotated[float, Range(0, 1e12)], ...], Size(1)], ...], Size(1)]
    slowdown: tuple[Annotated[float, Range(0, 1e6)], ...] = ()
    fault: Literal["", "throw", "short", "hang"] = ""
    fault_after: Annotated[int, Range(0, 10**12)] = 0
    load_s: Annotated[float, Range(0, 86_400)] = 0.0
    at_once: Annotated[int, Range(1, 4096)] = 1

    def complaint(self) -> str:
        """A check that JSON Schema cannot express: the problem with the table, or ''."""
        ascending = all(list(axis) == sorted(axis) for axis in (self.batches, self.lengths))
        rows = len(self.microseconds) == len(self.batches) and all(len(row) == len(self.lengths) for row in self.microseconds)
        if ascending and rows:
            return ""
        return "batches and lengths must ascend, and microseconds needs a row for each batch with a number for each length"


@dataclass(frozen=True)
class OpenVinoGenAiOptions:
    """OpenVINO GenAI.

    Args:
        kv_cache_gb: most memory for the KV cache, GiB; null: what the batch needs.
        kv_cache_precision: numeric format of the KV cache; null: that of the computation.
        max_num_tokens: most tokens in a step; null: the backend's default.
        prompt_lookup: tokens of the prompt that a greedy search guesses in each step; 0: none.
    """

    kv_cache_gb: Annotated[float, Range(0, 1e6)] | None = None
    kv_cache_precision: Literal["f32", "bf16", "f16", "u8"] | None = None
    max_num_tokens: Annotated[int, Range(0, 1 << 30)] | None = None
    prompt_lookup: Annotated[int, Range(0, 64)] = 0


@dataclass(frozen=True)
class TensorRtLlmOptions:
    """TensorRT-LLM.

    Args:
        trtllm_batching_mode, trtllm_batch_sched_policy: TensorRT-LLM's names; null: in-flight batching without eviction.
        kvcache_free_gpu_mem_frac: share of free GPU memory for the KV cache; null: the backend's default.
    """

    trtllm_batching_mode: str | None = None
    trtllm_batch_sched_policy: str | None = None
    kvcache_free_gpu_mem_frac: Annotated[float, Range(0, 1)] | None = None


@dataclass(frozen=True)
class TensorRtLlmApiOptions:
    """TensorRT-LLM's LLM API.

    Args:
        trtllm_batch_sched_policy: TensorRT-LLM's name; null: without eviction.
        kvcache_free_gpu_mem_frac: share of free GPU memory for the KV cache; null: the backend's default.
    """

    trtllm_batch_sched_policy: str | None = None
    kvcache_free_gpu_mem_frac: Annotated[float, Range(0, 1)] | None = None


@dataclass(frozen=True)
class PyTorchOptions:
    """Hugging Face models in PyTorch.

    Args:
        torch_kv_cache: whether the KV cache grows with each token, or has its greatest size from the beginning.
        torch_compile: mode of torch.compile for the pass of a token; 'off': not compiled.
    """

    torch_kv_cache: Literal["dynamic", "static"] = "dynamic"
    torch_compile: Literal["off", "default", "reduce-overhead", "max-autotune"] = "off"


@dataclass(frozen=True)
class OpenAiOptions:
    """OpenAI-compatible servers.

    Args:
        server_urls: their addresses, host:port.
        served_model: the model's name there; '': the only one that a server lists.
        server_tokens: whether a server returns token ids, or its text is tokenised again.
        server_timeout: seconds without a byte after which a server counts as hanging.
        server_api: prompts as they are (completions), or each as a user's message (chat).
        server_first_token_timeout: seconds in which a stream has to bring its first token; 0: no bound of its own.
    """

    server_urls: Annotated[tuple[Annotated[str, Size(1)], ...], Size(1)]
    served_model: str = ""
    server_tokens: Literal["ids", "text"] = "ids"
    server_timeout: Annotated[float, Range(0, 86_400, above=True)] = 600.0
    server_api: Literal["completions", "chat"] = "completions"
    server_first_token_timeout: Annotated[float, Range(0, 86_400)] = 0.0


@dataclass(frozen=True)
class TritonOptions:
    """An engine behind Triton Inference Server.

    Args:
        url: host:port of the endpoint of its protocol.
        models: the model of each device, by the device's index.
        shared_memory: pass tensors in system shared memory, which needs a server on this machine.
        protocol: how it is asked.
    """

    url: Annotated[str, Size(1)]
    models: Annotated[tuple[Annotated[str, Size(1)], ...], Size(1)]
    shared_memory: bool = True
    protocol: Literal["grpc", "http"] = "grpc"

    def model_of(self, device: int) -> str:
        """The model of a device; the last one where there are fewer."""
        return self.models[min(device, len(self.models) - 1)]


@dataclass(frozen=True)
class TritonInProcessOptions:
    """An engine behind a Triton server inside the harness process, asked by its C API.

    Args:
        library: its library, libtritonserver.so.
        backends: folder of its backends.
        repository: its models.
        models: the model of each device, by the device's index.
        log: its log file; '': standard error.
        statistics: where its models' statistics go when it ends; '': nowhere.
        region_prefix: how the names of its Python backend's shared memory begin.
        buffer_threads: threads that copy the parts of a batch; 0: Triton's default.
    """

    library: Annotated[str, Size(1)]
    backends: Annotated[str, Size(1)]
    repository: Annotated[str, Size(1)]
    models: Annotated[tuple[Annotated[str, Size(1)], ...], Size(1)]
    region_prefix: Annotated[str, Size(1)]
    log: str = ""
    statistics: str = ""
    buffer_threads: Annotated[int, Range(0, 4096)] = 0


@dataclass(frozen=True)
class TritonLlmOptions:
    """A model of Triton's TensorRT-LLM backend.

    Args:
        url: host:port of the server's gRPC endpoint.
        model: its name there.
        timeout: seconds without a response after which a server counts as hanging.
    """

    url: Annotated[str, Size(1)]
    model: Annotated[str, Size(1)]
    timeout: Annotated[float, Range(0, 86_400, above=True)] = 600.0


@dataclass(frozen=True)
class ApartOptions:
    """An engine in a process of its own.

    Args:
        runtime: the backend that loads it there.
        options: that backend's options.
    """

    runtime: Annotated[str, Size(1)]
    options: Mapping[str, Any]

    def complaint(self) -> str:
        """A check that JSON Schema cannot express: '' or what is wrong with the runtime."""
        return "" if self.runtime in OPTIONS and self.runtime != "apart" else f"runtime {self.runtime!r} is not a backend"


@dataclass(frozen=True)
class RemoteOptions:
    """A device of a node of a run over several machines.

    Args:
        library: the ZeroMQ library; '': the system's.
        node: its name.
        endpoints: where its lanes listen, one for each stream; of a text generator, where it takes prompts and where its texts come from.
        server_key: the node's public CURVE key.
        lost: a file that says that the node is lost and others take its batches; '': none.
        ahead: batches in flight on a lane; of a text generator one more than the requests that wait at the node while many wait here.
        io_threads: of ZeroMQ, for this device.
    """

    library: str
    node: Annotated[str, Size(1)]
    endpoints: Annotated[tuple[Annotated[str, Size(1)], ...], Size(1)]
    server_key: Annotated[str, Size(1)]
    lost: str = ""
    ahead: Annotated[int, Range(1, 64)] = 1
    io_threads: Annotated[int, Range(1, 64)] = 1


Options = (
    NoOptions
    | TensorRtOptions
    | SimulatedOptions
    | OpenVinoGenAiOptions
    | TensorRtLlmOptions
    | TensorRtLlmApiOptions
    | PyTorchOptions
    | OpenAiOptions
    | TritonOptions
    | TritonInProcessOptions
    | TritonLlmOptions
    | ApartOptions
    | RemoteOptions
)

OPTIONS: Mapping[str, type] = {
    "null": NoOptions,
    "simulated": SimulatedOptions,
    "openvino": NoOptions,
    "onnxruntime": NoOptions,
    "tensorrt": TensorRtOptions,
    "tensorrt_rtx": TensorRtOptions,
    "openvino_genai": OpenVinoGenAiOptions,
    "tensorrt_llm": TensorRtLlmOptions,
    "tensorrt_llm_api": TensorRtLlmApiOptions,
    "pytorch": PyTorchOptions,
    "openai": OpenAiOptions,
    "triton": TritonOptions,
    "triton_in_process": TritonInProcessOptions,
    "triton_llm": TritonLlmOptions,
    "apart": ApartOptions,
    "remote": RemoteOptions,
}
"""Backend → the class of its options; a backend that is not listed has none."""
