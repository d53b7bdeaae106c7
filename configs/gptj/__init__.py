"""Base classes of GPT-J's configs, by kind of device."""

from configs.configuration import *


class GPTJConfiguration(BenchmarkConfiguration):
    """Base class of all GPT-J configs."""

    benchmark = Benchmark.GPTJ


class GPUBaseConfig(GPTJConfiguration):
    """GPT-J on NVIDIA GPUs: the MLPerf model; configs of systems with fp8 select it.

    A batch is the most requests in flight; how many run is up to the executor, which gives each the keys and values that it needs: with
    four beams up to 1.1 GB in fp16 and half of that in fp8, beside weights of 12 or 6 GB, and on average less than half of it.
    """

    backend = "tensorrt_llm"
    model_variant = "reference"
    precision = "fp16"
    max_num_tokens = 4096  # NVIDIA's v4.1 configs


class CPUBaseConfig(GPTJConfiguration):
    """GPT-J on CPUs: the tiny model by default, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
