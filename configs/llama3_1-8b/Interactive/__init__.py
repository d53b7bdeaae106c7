"""Llama 3.1 8B, Interactive: Server with a first token within 500 ms and 30 ms for each further one.

Target rates are 0.9 of the median of public results of the same accelerators (code/systems/data/token_results.py), in articles/s: tokens/s
by 128, the most that a summary has. Without a result of that count they are scaled from the nearest one.
"""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b")


class InteractiveGPUBaseConfig(ParentConfig.GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.Interactive
    gpu_batch_size = {"llama3.1-8b": 256}
    gpu_inference_streams = 1


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


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(InteractiveGPUBaseConfig, ParentConfig.H200_SXM_141GB):
    system = KnownSystem.H200_SXM_141GBx1
    server_target_qps = 47.3  # by count from median of 2 v5.1 results on 8 x H200_SXM_141GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    server_target_qps = 378  # median of 2 v5.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx4(InteractiveGPUBaseConfig, ParentConfig.H200_NVL_141GB):
    system = KnownSystem.H200_NVL_141GBx4
    server_target_qps = 154  # a v5.1 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx8(H200_NVL_141GBx4):
    system = KnownSystem.H200_NVL_141GBx8
    server_target_qps = 309  # by count from a v5.1 result on 4 x H200_NVL


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx1(InteractiveGPUBaseConfig, ParentConfig.B200_SXM_180GB):
    system = KnownSystem.B200_SXM_180GBx1
    gpu_batch_size = {"llama3.1-8b": 512}
    server_target_qps = 99.0  # by count from median of 6 v5.1 and v6.0 results on 8 x B200_SXM_180GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx8(B200_SXM_180GBx1):
    system = KnownSystem.B200_SXM_180GBx8
    server_target_qps = 792  # median of 6 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B300_SXM_270GBx8(InteractiveGPUBaseConfig, ParentConfig.B300_SXM_270GB):
    system = KnownSystem.B300_SXM_270GBx8
    gpu_batch_size = {"llama3.1-8b": 512}
    server_target_qps = 904  # a v6.0 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx1(InteractiveGPUBaseConfig, ParentConfig.RTX_PRO_6000_96GB):
    system = KnownSystem.RTX_PRO_6000_96GBx1
    server_target_qps = 37.0  # by count from median of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx2(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx2
    server_target_qps = 74.0  # median of 2 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx4(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx4
    server_target_qps = 141  # median of 2 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx8(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx8
    server_target_qps = 253  # median of 3 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx10(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx10
    server_target_qps = 373  # a v6.0 result
