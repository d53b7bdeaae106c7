"""Llama 3.1 8B at the edge, SingleStream: the latency of one article after the other."""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b-edge")


class SingleStreamCPUBaseConfig(ParentConfig.CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.SingleStream
    cpu_batch_size = {"llama3.1-8b-edge": 1}
    cpu_inference_streams = 1
    single_stream_expected_latency_ns = Probed("latency_ns", 0.7)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(SingleStreamCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(SingleStreamCPUBaseConfig):
    system = KnownSystem.CPU_aarch64
