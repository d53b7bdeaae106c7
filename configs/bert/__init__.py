"""BERT: what its configs have in common, by kind of device."""

from configs.configuration import *


class BertConfiguration(BenchmarkConfiguration):
    """Every BERT config."""

    benchmark = Benchmark.BERT
    pad_to_multiple_of = 16  # fewer shapes, and whole tiles (documentation/performance.md, "What limits what")


class GPUBaseConfig(BertConfiguration):
    """BERT on NVIDIA GPUs: the MLPerf model, TensorRT engines."""

    backend = "tensorrt"
    model_variant = "reference"
    precision = "int8"
    bert_opt_seqlen = 384


class CPUBaseConfig(BertConfiguration):
    """BERT on processors: the tiny model unless told otherwise, OpenVINO engines."""

    backend = "openvino"
    model_variant = "tiny"
    precision = "fp32"
