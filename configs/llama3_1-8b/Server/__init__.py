"""Llama 3.1 8B, Server: arrivals at random, 99 % with a first token within 2 s and 100 ms for each further one.

Target rates are 0.9 of the median of public results of the same accelerators (code/systems/data/token_results.py), in articles/s: tokens/s
by 128, the most that a summary has. Without a result of that count they are scaled from the nearest one.
"""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b")


class ServerGPUBaseConfig(ParentConfig.GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.Server
    gpu_batch_size = {"llama3.1-8b": 256}
    gpu_inference_streams = 1


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


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx1(ParentConfig.H100_SXM_80GB, ServerGPUBaseConfig):
    system = KnownSystem.H100_SXM_80GBx1
    server_target_qps = 35.9  # a v5.1 result with vLLM


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8
    server_target_qps = 287  # by count from a v5.1 result with vLLM on 1 x H100_SXM_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx1):
    system = KnownSystem.ND_H100_v5
    server_target_qps = 287  # by count from a v5.1 result with vLLM on 1 x H100_SXM_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(ParentConfig.H200_SXM_141GB, ServerGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    server_target_qps = 51.0  # by count from median of 3 v5.1 results on 8 x H200_SXM_141GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    server_target_qps = 408  # median of 3 v5.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx4(ParentConfig.H200_NVL_141GB, ServerGPUBaseConfig):
    system = KnownSystem.H200_NVL_141GBx4
    server_target_qps = 181  # median of 2 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx8(H200_NVL_141GBx4):
    system = KnownSystem.H200_NVL_141GBx8
    server_target_qps = 295  # median of 2 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(ParentConfig.L40S, ServerGPUBaseConfig):
    system = KnownSystem.L40Sx1
    server_target_qps = 8.49  # a v5.1 result with vLLM


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    server_target_qps = 67.9  # by count from a v5.1 result with vLLM on 1 x L40S


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx1(ParentConfig.B200_SXM_180GB, ServerGPUBaseConfig):
    system = KnownSystem.B200_SXM_180GBx1
    server_target_qps = 113  # by count from median of 11 v5.1 and v6.0 results on 8 x B200_SXM_180GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx8(B200_SXM_180GBx1):
    system = KnownSystem.B200_SXM_180GBx8
    server_target_qps = 905  # median of 11 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B300_SXM_270GBx8(ParentConfig.B300_SXM_270GB, ServerGPUBaseConfig):
    system = KnownSystem.B300_SXM_270GBx8
    server_target_qps = 995  # median of 3 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx1(ParentConfig.RTX_PRO_6000_96GB, ServerGPUBaseConfig):
    system = KnownSystem.RTX_PRO_6000_96GBx1
    server_target_qps = 41.8  # by count from median of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx2(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx2
    server_target_qps = 83.7  # median of 2 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx4(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx4
    server_target_qps = 163  # median of 3 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx8(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx8
    server_target_qps = 335  # median of 5 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx10(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx10
    server_target_qps = 419  # a v6.0 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_4500_32GBx1(ParentConfig.RTX_PRO_4500_32GB, ServerGPUBaseConfig):
    system = KnownSystem.RTX_PRO_4500_32GBx1
    server_target_qps = 14.6  # a v6.0 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_4500_32GBx5(RTX_PRO_4500_32GBx1):
    system = KnownSystem.RTX_PRO_4500_32GBx5
    server_target_qps = 79.8  # a v6.0 result
