"""BERT, Offline: throughput. One stream per core, and batches of one length.

Expected values are public v4.1 results: the median where several submitted, else scaled from the nearest accelerator by
count, and by speed where it is another one: the geometric mean of the ratios of memory bandwidth and dense INT8 throughput.
"""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class OfflineGPUBaseConfig(GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.Offline
    gpu_batch_size = {"bert": 256}
    gpu_inference_streams = 2


class OfflineCPUBaseConfig(CPUBaseConfig):
    """Defaults for CPU systems: the core count determines streams, and a short measurement the expected throughput."""

    scenario = Scenario.Offline
    cpu_batch_size = {"bert": 16}
    cpu_inference_streams = Detected("cores")
    offline_expected_qps = Probed("samples_per_second", 1.2)


class HighAccuracyCPU(OfflineCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, independent of the default."""

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


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.A100_SXM4_40GBx1
    offline_expected_qps = 3450  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx1_HighAccuracy(A100_SXM4_40GBx1):
    precision = "fp16"
    offline_expected_qps = A100_SXM4_40GBx1.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx8(A100_SXM4_40GBx1):
    system = KnownSystem.A100_SXM4_40GBx8
    offline_expected_qps = 27_400  # by speed from 8 x H100_SXM_80GB (8 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx8_HighAccuracy(A100_SXM4_40GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM4_40GBx8
    offline_expected_qps = A100_SXM4_40GBx8.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.A100_SXM_80GBx1
    offline_expected_qps = 3950  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx1_HighAccuracy(A100_SXM_80GBx1):
    precision = "fp16"
    offline_expected_qps = A100_SXM_80GBx1.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx8(A100_SXM_80GBx1):
    system = KnownSystem.A100_SXM_80GBx8
    offline_expected_qps = 31_400  # by speed from 8 x H100_SXM_80GB (8 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx8_HighAccuracy(A100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM_80GBx8
    offline_expected_qps = A100_SXM_80GBx8.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.A100_PCIe_80GBx1
    offline_expected_qps = 3690  # by speed from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx1_HighAccuracy(A100_PCIe_80GBx1):
    precision = "fp16"
    offline_expected_qps = A100_PCIe_80GBx1.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx8(A100_PCIe_80GBx1):
    system = KnownSystem.A100_PCIe_80GBx8
    offline_expected_qps = 28_700  # by speed from 8 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx8_HighAccuracy(A100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.A100_PCIe_80GBx8
    offline_expected_qps = A100_PCIe_80GBx8.offline_expected_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H100_SXM_80GBx1
    offline_expected_qps = 9010  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx1_HighAccuracy(H100_SXM_80GBx1):
    precision = "fp8"
    offline_expected_qps = 7850  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8
    offline_expected_qps = 71_700  # median of 8 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx8_HighAccuracy(H100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.H100_SXM_80GBx8
    offline_expected_qps = 61_900  # median of 8 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx8):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class ND_H100_v5_HighAccuracy(H100_SXM_80GBx8_HighAccuracy):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H100_PCIe_80GBx1
    offline_expected_qps = 5830  # by count from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx1_HighAccuracy(H100_PCIe_80GBx1):
    precision = "fp8"
    offline_expected_qps = 5070  # by count from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx8(H100_PCIe_80GBx1):
    system = KnownSystem.H100_PCIe_80GBx8
    offline_expected_qps = 45_400  # a v4.1 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx8_HighAccuracy(H100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.H100_PCIe_80GBx8
    offline_expected_qps = 38_500  # a v4.1 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_NVL_94GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H100_NVL_94GBx1
    offline_expected_qps = 6040  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_NVL_94GBx1_HighAccuracy(H100_NVL_94GBx1):
    precision = "fp8"
    offline_expected_qps = 5100  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    offline_expected_qps = 8980  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx1_HighAccuracy(H200_SXM_141GBx1):
    precision = "fp8"
    offline_expected_qps = 8020  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    offline_expected_qps = 71_800  # median of 6 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx8_HighAccuracy(H200_SXM_141GBx1_HighAccuracy):
    system = KnownSystem.H200_SXM_141GBx8
    offline_expected_qps = 64_200  # median of 6 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class GH200_96GB_ARMx1(OfflineGPUBaseConfig):
    system = KnownSystem.GH200_96GB_ARMx1
    offline_expected_qps = 9530  # median of 2 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class GH200_96GB_ARMx1_HighAccuracy(GH200_96GB_ARMx1):
    precision = "fp8"
    offline_expected_qps = 8440  # median of 2 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L4x1(OfflineGPUBaseConfig):
    system = KnownSystem.L4x1
    gpu_batch_size = {"bert": 64}
    offline_expected_qps = 964  # by count from 2 x L4 (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L4x1_HighAccuracy(L4x1):
    precision = "fp8"
    offline_expected_qps = 785  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40x1(OfflineGPUBaseConfig):
    system = KnownSystem.L40x1
    offline_expected_qps = 2330  # by speed from 2 x L40S (4 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40x1_HighAccuracy(L40x1):
    precision = "fp8"
    offline_expected_qps = 1630  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(OfflineGPUBaseConfig):
    system = KnownSystem.L40Sx1
    offline_expected_qps = 3320  # by count from 2 x L40S (4 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx1_HighAccuracy(L40Sx1):
    precision = "fp8"
    offline_expected_qps = 2320  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    offline_expected_qps = 26_500  # by count from 4 x L40S (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx8_HighAccuracy(L40Sx1_HighAccuracy):
    system = KnownSystem.L40Sx8
    offline_expected_qps = 17_600  # by speed from 8 x H100_PCIe_80GB (1 result)
