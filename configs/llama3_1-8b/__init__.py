"""Base classes of Llama 3.1 8B's configs, by kind of device."""

from configs.configuration import *


class Llama8BConfiguration(BenchmarkConfiguration):
    """Base class of all Llama 3.1 8B configs."""

    benchmark = Benchmark.LLAMA3_1_8B


class GPUBaseConfig(Llama8BConfiguration):
    """Llama 3.1 8B on NVIDIA GPUs: the MLPerf model by TensorRT-LLM's LLM API; configs of systems with fp8 or fp4 select it.

    A batch is the most requests in flight. In Offline they are what fits: a prompt of a thousand tokens has keys and values of 64 MiB in
    fp8, beside weights of 8 GB in fp8 or 5 GB in fp4. In Server and Interactive they are also what a GPU's public rate fills within the
    bound of a token (100 ms, 30 ms): tokens per second times that time, rounded up to a power of two.
    """

    backend = "tensorrt_llm_api"
    model_variant = "reference"
    precision = "bf16"
    max_num_tokens = 8192


class CPUBaseConfig(Llama8BConfiguration):
    """Llama 3.1 8B on CPUs: the tiny model by default, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
