"""BERT, Server: arrivals at random, each answered within 130 ms.

Target rates are 0.9 of public results of the same accelerators (code/systems/data): of the median where several submitted; without one, of
a vendor's config. Without either they are scaled from the nearest accelerator by count, and by speed where it is another one: the
geometric mean of the ratios of memory bandwidth and INT8 throughput. Batches and streams are those of vendors'
configs where there is one.
"""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class ServerGPUBaseConfig(GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.Server
    gpu_batch_size = {"bert": 64}
    gpu_inference_streams = 2
    deque_timeout_usec = 30000


class ServerCPUBaseConfig(CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.Server
    cpu_batch_size = {"bert": 8}
    cpu_inference_streams = Detected("cores")
    server_target_qps = Probed("samples_per_second", 0.6)


class HighAccuracyCPU(ServerCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, independent of the default."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(ServerCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx1(ServerGPUBaseConfig):
    system = KnownSystem.A100_SXM4_40GBx1
    server_target_qps = 2460  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx1_HighAccuracy(A100_SXM4_40GBx1):
    precision = "fp16"
    server_target_qps = A100_SXM4_40GBx1.server_target_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx8(A100_SXM4_40GBx1):
    system = KnownSystem.A100_SXM4_40GBx8
    server_target_qps = 19_700  # by speed from 8 x H100_SXM_80GB (8 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx8_HighAccuracy(A100_SXM4_40GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM4_40GBx8
    server_target_qps = A100_SXM4_40GBx8.server_target_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx1(ServerGPUBaseConfig):
    system = KnownSystem.A100_SXM_80GBx1
    server_target_qps = 2820  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx1_HighAccuracy(A100_SXM_80GBx1):
    precision = "fp16"
    gpu_batch_size = {"bert": 24}
    server_target_qps = A100_SXM_80GBx1.server_target_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx8(A100_SXM_80GBx1):
    system = KnownSystem.A100_SXM_80GBx8
    gpu_batch_size = {"bert": 48}
    server_target_qps = 22_600  # by speed from 8 x H100_SXM_80GB (8 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx8_HighAccuracy(A100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM_80GBx8
    server_target_qps = A100_SXM_80GBx8.server_target_qps // 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx1(ServerGPUBaseConfig):
    system = KnownSystem.A100_PCIe_80GBx1
    server_target_qps = 2590  # by speed from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx1_HighAccuracy(A100_PCIe_80GBx1):
    precision = "fp16"
    server_target_qps = 1220  # by count from NVIDIA's v4.1 config for A100_PCIe_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx8(A100_PCIe_80GBx1):
    system = KnownSystem.A100_PCIe_80GBx8
    server_target_qps = 20_700  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx8_HighAccuracy(A100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.A100_PCIe_80GBx8
    server_target_qps = 9720  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx1(ServerGPUBaseConfig):
    system = KnownSystem.H100_SXM_80GBx1
    gpu_batch_size = {"bert": 128}
    server_target_qps = 6440  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx1_HighAccuracy(H100_SXM_80GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 512}
    server_target_qps = 5710  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8
    server_target_qps = 51_500  # median of 8 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx8_HighAccuracy(H100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.H100_SXM_80GBx8
    gpu_inference_streams = 1
    server_target_qps = 46_000  # median of 8 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx8):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class ND_H100_v5_HighAccuracy(H100_SXM_80GBx8_HighAccuracy):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx1(ServerGPUBaseConfig):
    system = KnownSystem.H100_PCIe_80GBx1
    gpu_batch_size = {"bert": 256}
    server_target_qps = 4100  # by count from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx1_HighAccuracy(H100_PCIe_80GBx1):
    precision = "fp8"
    server_target_qps = 3710  # by count from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx8(H100_PCIe_80GBx1):
    system = KnownSystem.H100_PCIe_80GBx8
    gpu_batch_size = {"bert": 64}
    server_target_qps = 31_800  # a v4.1 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx8_HighAccuracy(H100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.H100_PCIe_80GBx8
    gpu_batch_size = {"bert": 512}
    server_target_qps = 28_800  # a v4.1 result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_NVL_94GBx1(ServerGPUBaseConfig):
    system = KnownSystem.H100_NVL_94GBx1
    server_target_qps = 4320  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_NVL_94GBx1_HighAccuracy(H100_NVL_94GBx1):
    precision = "fp8"
    server_target_qps = 3600  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(ServerGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    gpu_batch_size = {"bert": 128}
    server_target_qps = 6440  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx1_HighAccuracy(H200_SXM_141GBx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 512}
    server_target_qps = 5760  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8
    server_target_qps = 51_500  # median of 6 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxQ)
class H200_SXM_141GBx8_MaxQ(H200_SXM_141GBx8):
    power_limit = 400  # NVIDIA's v4.1 config
    server_target_qps = 41_500  # NVIDIA's v4.1 MaxQ result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx8_HighAccuracy(H200_SXM_141GBx1_HighAccuracy):
    system = KnownSystem.H200_SXM_141GBx8
    gpu_inference_streams = 1
    server_target_qps = 46_100  # median of 6 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxQ)
class H200_SXM_141GBx8_HighAccuracy_MaxQ(H200_SXM_141GBx8_HighAccuracy):
    power_limit = 450  # NVIDIA's v4.1 config
    server_target_qps = 39_700  # NVIDIA's v4.1 MaxQ result


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class GH200_96GB_ARMx1(ServerGPUBaseConfig):
    system = KnownSystem.GH200_96GB_ARMx1
    gpu_batch_size = {"bert": 256}
    server_target_qps = 6120  # median of 2 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class GH200_96GB_ARMx1_HighAccuracy(GH200_96GB_ARMx1):
    precision = "fp8"
    gpu_batch_size = {"bert": 512}
    server_target_qps = 5000  # median of 2 v4.1 results


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L4x1(ServerGPUBaseConfig):
    system = KnownSystem.L4x1
    gpu_batch_size = {"bert": 16}
    server_target_qps = 810  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L4x1_HighAccuracy(L4x1):
    precision = "fp8"
    server_target_qps = 486  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40x1(ServerGPUBaseConfig):
    system = KnownSystem.L40x1
    server_target_qps = 1350  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40x1_HighAccuracy(L40x1):
    precision = "fp8"
    server_target_qps = 1350  # NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(ServerGPUBaseConfig):
    system = KnownSystem.L40Sx1
    server_target_qps = 3040  # by count from 2 x L40S (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx1_HighAccuracy(L40Sx1):
    precision = "fp8"
    server_target_qps = 1700  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    server_target_qps = 23_200  # by count from 4 x L40S (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx8_HighAccuracy(L40Sx1_HighAccuracy):
    system = KnownSystem.L40Sx8
    server_target_qps = 13_200  # by speed from 8 x H100_PCIe_80GB (1 result)
