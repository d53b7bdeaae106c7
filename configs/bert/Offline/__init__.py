"""BERT, Offline: throughput. One stream per core, and batches of one length.

Expected values are the highest public figures of the same accelerators (code/systems/data: results, and vendors' configs): LoadGen makes
a run that was expected to be slower than it is too short to be VALID. Without one they are scaled from the nearest, by count, and by
speed where it is another accelerator: the geometric mean of the ratios of memory bandwidth and dense INT8 throughput. Batches and
streams are those of vendors' configs where there is one.
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
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 3450  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx1_HighAccuracy(A100_SXM4_40GBx1):
    precision = "fp16"
    offline_expected_qps = 1750  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx8(A100_SXM4_40GBx1):
    system = KnownSystem.A100_SXM4_40GBx8
    offline_expected_qps = 30_000  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx8_HighAccuracy(A100_SXM4_40GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM4_40GBx8
    offline_expected_qps = 15_000  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.A100_SXM_80GBx1
    gpu_batch_size = {"bert": 1280}
    gpu_inference_streams = 1
    offline_expected_qps = 3950  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx1_HighAccuracy(A100_SXM_80GBx1):
    precision = "fp16"
    gpu_batch_size = {"bert": 512}
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
    gpu_batch_size = {"bert": 1024}
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
    gpu_batch_size = {"bert": 1280}
    gpu_inference_streams = 1
    offline_expected_qps = 9400  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx1_HighAccuracy(H100_SXM_80GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 8200  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8
    offline_expected_qps = 75_200  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx8_HighAccuracy(H100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.H100_SXM_80GBx8
    offline_expected_qps = 65_600  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx8):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class ND_H100_v5_HighAccuracy(H100_SXM_80GBx8_HighAccuracy):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H100_PCIe_80GBx1
    gpu_batch_size = {"bert": 1280}
    offline_expected_qps = 5830  # by count from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx1_HighAccuracy(H100_PCIe_80GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 5070  # by count from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx8(H100_PCIe_80GBx1):
    system = KnownSystem.H100_PCIe_80GBx8
    offline_expected_qps = 47_100  # by count from best of 2 v4.1 results on 2 x H100_PCIe_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx8_HighAccuracy(H100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.H100_PCIe_80GBx8
    offline_expected_qps = 40_600  # by count from a v4.1 result on 2 x H100_PCIe_80GB


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_NVL_94GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H100_NVL_94GBx1
    gpu_batch_size = {"bert": 1280}
    offline_expected_qps = 6040  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_NVL_94GBx1_HighAccuracy(H100_NVL_94GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 5100  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(OfflineGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    gpu_batch_size = {"bert": 1280}
    gpu_inference_streams = 1
    offline_expected_qps = 9400  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx1_HighAccuracy(H200_SXM_141GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 8200  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    offline_expected_qps = 75_200  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxQ)
class H200_SXM_141GBx8_MaxQ(H200_SXM_141GBx8):
    power_limit = 400  # as in Server
    offline_expected_qps = 54_100  # NVIDIA's v4.1 MaxQ result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx8_HighAccuracy(H200_SXM_141GBx1_HighAccuracy):
    system = KnownSystem.H200_SXM_141GBx8
    offline_expected_qps = 65_600  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxQ)
class H200_SXM_141GBx8_HighAccuracy_MaxQ(H200_SXM_141GBx8_HighAccuracy):
    power_limit = 450  # as in Server
    offline_expected_qps = 46_600  # NVIDIA's v4.1 MaxQ result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class GH200_96GB_ARMx1(OfflineGPUBaseConfig):
    system = KnownSystem.GH200_96GB_ARMx1
    gpu_batch_size = {"bert": 1280}
    gpu_inference_streams = 1
    offline_expected_qps = 10_000  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class GH200_96GB_ARMx1_HighAccuracy(GH200_96GB_ARMx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 8780  # best of 2 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L4x1(OfflineGPUBaseConfig):
    system = KnownSystem.L4x1
    gpu_batch_size = {"bert": 16}
    offline_expected_qps = 1000  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L4x1_HighAccuracy(L4x1):
    precision = "fp8"
    gpu_inference_streams = 1
    offline_expected_qps = 785  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40x1(OfflineGPUBaseConfig):
    system = KnownSystem.L40x1
    gpu_batch_size = {"bert": 1024}
    offline_expected_qps = 3400  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40x1_HighAccuracy(L40x1):
    precision = "fp8"
    offline_expected_qps = 2320  # by speed from NVIDIA's v4.1 config for L40Sx1


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(OfflineGPUBaseConfig):
    system = KnownSystem.L40Sx1
    gpu_batch_size = {"bert": 32}
    offline_expected_qps = 3480  # by count from best of 3 v4.1 results on 4 x L40S


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx1_HighAccuracy(L40Sx1):
    precision = "fp8"
    offline_expected_qps = 3300  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    offline_expected_qps = 27_900  # by count from best of 3 v4.1 results on 4 x L40S


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx8_HighAccuracy(L40Sx1_HighAccuracy):
    system = KnownSystem.L40Sx8
    offline_expected_qps = 26_400  # by count from NVIDIA's v4.1 config for L40Sx1
