"""Base classes of Llama 3.1 8B's configs, by kind of device."""

from configs.configuration import *


class Llama8BConfiguration(BenchmarkConfiguration):
    """Base class of all Llama 3.1 8B configs."""

    benchmark = Benchmark.LLAMA3_1_8B


class CPUBaseConfig(Llama8BConfiguration):
    """Llama 3.1 8B on CPUs: the tiny model by default, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
