"""Llama 3.1 8B, Interactive: Server with a first token within 500 ms and 30 ms for each further one."""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b")


class InteractiveCPUBaseConfig(ParentConfig.CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.Interactive
    cpu_batch_size = {"llama3.1-8b": 16}  # requests in flight of a stream
    cpu_inference_streams = Detected("cores")
    max_num_tokens = 128  # short steps: a new prompt delays the tokens of the others by one step
    server_target_qps = Probed("samples_per_second", 0.4)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(InteractiveCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(InteractiveCPUBaseConfig):
    system = KnownSystem.CPU_aarch64
