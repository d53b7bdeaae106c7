"""Llama 3.1 8B at the edge, Offline: tokens/s."""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b-edge")


class OfflineCPUBaseConfig(ParentConfig.CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.Offline
    cpu_batch_size = {"llama3.1-8b-edge": 64}  # requests in flight of a stream
    cpu_inference_streams = Detected("cores")
    offline_expected_qps = Probed("samples_per_second", 1.1)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_aarch64
