"""Base classes of BERT's configs, by kind of device."""

from configs.configuration import *


class BertConfiguration(BenchmarkConfiguration):
    """Base class of all BERT configs."""

    benchmark = Benchmark.BERT
    pad_to_multiple_of = 16  # fewer shapes, and whole tiles (documentation/performance.md, "Bottlenecks")


class GPUBaseConfig(BertConfiguration):
    """BERT on NVIDIA GPUs: the MLPerf model, TensorRT engines."""

    backend = "tensorrt"
    model_variant = "reference"
    precision = "int8"
    bert_opt_seqlen = 384


class CPUBaseConfig(BertConfiguration):
    """BERT on CPUs: the tiny model by default, OpenVINO engines."""

    backend = "openvino"
    model_variant = "tiny"
    precision = "auto"  # fp32 until another one is proved and measured here
