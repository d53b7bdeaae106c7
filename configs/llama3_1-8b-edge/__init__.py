"""Base classes of the configs of Llama 3.1 8B at the edge, by kind of device."""

from configs.configuration import *


class Llama8BEdgeConfiguration(BenchmarkConfiguration):
    """Base class of all Llama 3.1 8B (edge) configs."""

    benchmark = Benchmark.LLAMA3_1_8B_EDGE


class CPUBaseConfig(Llama8BEdgeConfiguration):
    """Llama 3.1 8B on CPUs: the tiny model by default, OpenVINO GenAI engines."""

    backend = "openvino_genai"
    model_variant = "tiny"
    precision = "fp32"
