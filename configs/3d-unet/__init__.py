"""Base classes of 3D-UNet's configs, by kind of device."""

from configs.configuration import *


class UNet3DConfiguration(BenchmarkConfiguration):
    """Base class of all 3D-UNet configs."""

    benchmark = Benchmark.UNET3D


class GPUBaseConfig(UNet3DConfiguration):
    """3D-UNet on NVIDIA GPUs: the MLPerf model, TensorRT engines. A batch is of windows, 128 voxels a side."""

    backend = "tensorrt"
    model_variant = "reference"
    precision = "int8"


class CPUBaseConfig(UNet3DConfiguration):
    """3D-UNet on CPUs: the tiny model by default, OpenVINO engines."""

    backend = "openvino"
    model_variant = "tiny"
    precision = "auto"  # fp32 until another one is proved and measured here
