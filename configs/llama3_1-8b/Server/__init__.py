"""Llama 3.1 8B, Server: arrivals at random, 99 % with a first token within 2 s and 100 ms for each further one."""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b")


class ServerCPUBaseConfig(ParentConfig.CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.Server
    cpu_batch_size = {"llama3.1-8b": 32}  # requests in flight of a stream
    cpu_inference_streams = Detected("cores")
    server_target_qps = Probed("samples_per_second", 0.6)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_aarch64
