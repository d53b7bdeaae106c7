"""GPT-J: what its configs have in common, by kind of device."""

from configs.configuration import *


class GPTJConfiguration(BenchmarkConfiguration):
    """Every GPT-J config."""

    benchmark = Benchmark.GPTJ


class GPUBaseConfig(GPTJConfiguration):
    """GPT-J on NVIDIA GPUs: the MLPerf model; systems that compute in fp8 say so.

    Batch sizes: with four beams a sample holds about 1.1 GB of keys and values in fp16 and half of that in fp8, beside weights of
    12 or 6 GB.
    """

    backend = "tensorrt_llm"
    model_variant = "reference"
    precision = "fp16"


class CPUBaseConfig(GPTJConfiguration):
    """GPT-J on processors: the tiny model unless told otherwise, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
