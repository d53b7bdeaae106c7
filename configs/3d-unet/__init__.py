"""3D-UNet: what its configs have in common, by kind of device."""

from configs.configuration import *


class UNet3DConfiguration(BenchmarkConfiguration):
    """Every 3D-UNet config."""

    benchmark = Benchmark.UNET3D


class GPUBaseConfig(UNet3DConfiguration):
    """3D-UNet on NVIDIA GPUs: the MLPerf model, TensorRT engines. A batch is of windows, 128 voxels a side."""

    backend = "tensorrt"
    model_variant = "reference"
    precision = "int8"


class CPUBaseConfig(UNet3DConfiguration):
    """3D-UNet on processors: the tiny model unless told otherwise, OpenVINO engines."""

    backend = "openvino"
    model_variant = "tiny"
    precision = "fp32"
