"""Llama 3.1 8B, Offline: tokens/s.

Expected values are the highest public results of the same accelerators (code/systems/data/token_results.py), in articles/s: tokens/s by
128, the most that a summary has. LoadGen makes a run that was expected to be slower than it is too short to be VALID, so a count's own
results matter less than the highest per accelerator.
"""

from importlib import import_module

from configs.configuration import *

ParentConfig = import_module("configs.llama3_1-8b")


class OfflineGPUBaseConfig(ParentConfig.GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.Offline
    gpu_batch_size = {"llama3.1-8b": 256}
    gpu_inference_streams = 1


class OfflineCPUBaseConfig(ParentConfig.CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.Offline
    cpu_batch_size = {"llama3.1-8b": 64}  # requests in flight of a stream
    cpu_inference_streams = Detected("cores")
    offline_expected_qps = Probed("samples_per_second", 1.1)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx1(ParentConfig.H100_SXM_80GB, OfflineGPUBaseConfig):
    system = KnownSystem.H100_SXM_80GBx1
    offline_expected_qps = 45.2  # a v5.1 result with vLLM


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8
    offline_expected_qps = 362  # by count from a v5.1 result with vLLM on 1 x H100_SXM_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx1):
    system = KnownSystem.ND_H100_v5
    offline_expected_qps = 362  # by count from a v5.1 result with vLLM on 1 x H100_SXM_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(ParentConfig.H200_SXM_141GB, OfflineGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    offline_expected_qps = 64.5  # by count from best of 3 v5.1 results on 8 x H200_SXM_141GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    offline_expected_qps = 516  # best of 3 v5.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx4(ParentConfig.H200_NVL_141GB, OfflineGPUBaseConfig):
    system = KnownSystem.H200_NVL_141GBx4
    offline_expected_qps = 208  # by count from best of 2 v5.1 and v6.0 results on 8 x H200_NVL


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_NVL_141GBx8(H200_NVL_141GBx4):
    system = KnownSystem.H200_NVL_141GBx8
    offline_expected_qps = 416  # best of 2 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(ParentConfig.L40S, OfflineGPUBaseConfig):
    system = KnownSystem.L40Sx1
    offline_expected_qps = 12.9  # a v5.1 result with vLLM


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    offline_expected_qps = 103  # by count from a v5.1 result with vLLM on 1 x L40S


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx1(ParentConfig.B200_SXM_180GB, OfflineGPUBaseConfig):
    system = KnownSystem.B200_SXM_180GBx1
    offline_expected_qps = 157  # by count from best of 11 v5.1 and v6.0 results on 8 x B200_SXM_180GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B200_SXM_180GBx8(B200_SXM_180GBx1):
    system = KnownSystem.B200_SXM_180GBx8
    offline_expected_qps = 1260  # best of 11 v5.1 and v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class B300_SXM_270GBx8(ParentConfig.B300_SXM_270GB, OfflineGPUBaseConfig):
    system = KnownSystem.B300_SXM_270GBx8
    offline_expected_qps = 1310  # best of 3 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx1(ParentConfig.RTX_PRO_6000_96GB, OfflineGPUBaseConfig):
    system = KnownSystem.RTX_PRO_6000_96GBx1
    offline_expected_qps = 48.9  # by count from best of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx2(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx2
    offline_expected_qps = 97.7  # best of 2 v6.0 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx4(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx4
    offline_expected_qps = 196  # by count from best of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx8(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx8
    offline_expected_qps = 391  # by count from best of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_6000_96GBx10(RTX_PRO_6000_96GBx1):
    system = KnownSystem.RTX_PRO_6000_96GBx10
    offline_expected_qps = 489  # by count from best of 2 v6.0 results on 2 x RTX_PRO_6000


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_4500_32GBx1(ParentConfig.RTX_PRO_4500_32GB, OfflineGPUBaseConfig):
    system = KnownSystem.RTX_PRO_4500_32GBx1
    offline_expected_qps = 18.3  # a v6.0 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class RTX_PRO_4500_32GBx5(RTX_PRO_4500_32GBx1):
    system = KnownSystem.RTX_PRO_4500_32GBx5
    offline_expected_qps = 91.5  # by count from a v6.0 result on 1 x RTX_PRO_4500
