"""BERT, MultiStream: the latency of eight samples at a time."""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class MultiStreamGPUBaseConfig(GPUBaseConfig):
    """Any GPU system."""

    scenario = Scenario.MultiStream
    gpu_batch_size = {"bert": 8}
    gpu_inference_streams = 1
    gpu_copy_streams = 1


class MultiStreamCPUBaseConfig(CPUBaseConfig):
    """Any processor."""

    scenario = Scenario.MultiStream
    cpu_batch_size = {"bert": 4}
    cpu_inference_streams = Detected("cores")
    multi_stream_expected_latency_ns = Probed("query_latency_ns", 0.7)


class HighAccuracyCPU(MultiStreamCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, whatever the default becomes."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(MultiStreamCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(MultiStreamCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64
