"""Base classes of Llama 3.1 8B's configs, by kind of device and by accelerator."""

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


class H100_SXM_80GB(GPUBaseConfig):
    precision = "fp8"
    gpu_batch_size = {"llama3.1-8b": 512}


class H200_SXM_141GB(GPUBaseConfig):
    precision = "fp8"
    gpu_batch_size = {"llama3.1-8b": 1024}


class H200_NVL_141GB(GPUBaseConfig):
    precision = "fp8"
    gpu_batch_size = {"llama3.1-8b": 1024}


class L40S(GPUBaseConfig):
    precision = "fp8"
    gpu_batch_size = {"llama3.1-8b": 256}


class B200_SXM_180GB(GPUBaseConfig):
    precision = "fp4"
    gpu_batch_size = {"llama3.1-8b": 2048}


class B300_SXM_270GB(GPUBaseConfig):
    precision = "fp4"
    gpu_batch_size = {"llama3.1-8b": 2048}


class RTX_PRO_6000_96GB(GPUBaseConfig):
    precision = "fp4"
    gpu_batch_size = {"llama3.1-8b": 1024}


class RTX_PRO_4500_32GB(GPUBaseConfig):
    precision = "fp4"
    gpu_batch_size = {"llama3.1-8b": 256}
