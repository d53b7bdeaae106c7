"""Base classes of GPT-J's configs, by kind of device."""

from configs.configuration import *


class GPTJConfiguration(BenchmarkConfiguration):
    """Base class of all GPT-J configs."""

    benchmark = Benchmark.GPTJ


class GPUBaseConfig(GPTJConfiguration):
    """GPT-J on NVIDIA GPUs: the MLPerf model; configs of systems with fp8 select it.

    Batch sizes: with four beams a sample needs about 1.1 GB of KV cache in fp16 and half of that in fp8, besides weights of
    12 or 6 GB.
    """

    backend = "tensorrt_llm"
    model_variant = "reference"
    precision = "fp16"


class CPUBaseConfig(GPTJConfiguration):
    """GPT-J on CPUs: the tiny model by default, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
