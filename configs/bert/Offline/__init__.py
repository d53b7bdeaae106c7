"""BERT, Offline: throughput. One stream per core, and batches of one length."""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class OfflineGPUBaseConfig(GPUBaseConfig):
    """Any GPU system."""

    scenario = Scenario.Offline
    gpu_batch_size = {"bert": 256}
    gpu_inference_streams = 2
    gpu_copy_streams = 2


class OfflineCPUBaseConfig(CPUBaseConfig):
    """Any processor; its size decides streams, and a short measurement the expected throughput."""

    scenario = Scenario.Offline
    cpu_batch_size = {"bert": 16}
    cpu_inference_streams = Detected("cores")
    offline_expected_qps = Probed("samples_per_second", 1.1)


class HighAccuracyCPU(OfflineCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, whatever the default becomes."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64
