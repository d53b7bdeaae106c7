"""BERT, Server: arrivals at random, each answered within 130 ms."""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class ServerGPUBaseConfig(GPUBaseConfig):
    """Any GPU system."""

    scenario = Scenario.Server
    gpu_batch_size = {"bert": 64}
    gpu_inference_streams = 2
    gpu_copy_streams = 1
    deque_timeout_usec = 30000
    soft_drop = 0.99


class ServerCPUBaseConfig(CPUBaseConfig):
    """Any processor."""

    scenario = Scenario.Server
    cpu_batch_size = {"bert": 8}
    cpu_inference_streams = Detected("cores")
    server_target_qps = Probed("samples_per_second", 0.6)


class HighAccuracyCPU(ServerCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, whatever the default becomes."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64
