"""BERT, SingleStream: the latency of one sample after the other."""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class SingleStreamGPUBaseConfig(GPUBaseConfig):
    """Any GPU system."""

    scenario = Scenario.SingleStream
    gpu_batch_size = {"bert": 1}
    gpu_inference_streams = 1
    gpu_copy_streams = 1


class SingleStreamCPUBaseConfig(CPUBaseConfig):
    """Any processor."""

    scenario = Scenario.SingleStream
    cpu_batch_size = {"bert": 1}
    cpu_inference_streams = 1
    single_stream_expected_latency_ns = Probed("latency_ns", 0.7)


class HighAccuracyCPU(SingleStreamCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, whatever the default becomes."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(SingleStreamCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(SingleStreamCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64
