"""BERT, MultiStream: the latency of eight samples at a time.

Expected latencies are 12 samples' share of public v4.1 Offline figures, which is about what a query of eight takes; where the
accelerator has none, of the nearest one's, scaled by speed: the geometric mean of the ratios of memory bandwidth and INT8 throughput.
"""

from configs.bert import CPUBaseConfig, GPUBaseConfig
from configs.configuration import *


class MultiStreamGPUBaseConfig(GPUBaseConfig):
    """Defaults for GPU systems."""

    scenario = Scenario.MultiStream
    gpu_batch_size = {"bert": 8}
    gpu_inference_streams = 1


class MultiStreamCPUBaseConfig(CPUBaseConfig):
    """Defaults for CPU systems."""

    scenario = Scenario.MultiStream
    cpu_batch_size = {"bert": 4}
    cpu_inference_streams = Detected("cores")
    multi_stream_expected_latency_ns = Probed("query_latency_ns", 0.7)


class HighAccuracyCPU(MultiStreamCPUBaseConfig):
    """99.9 % of the reference accuracy: fp32, independent of the default."""

    precision = "fp32"


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(MultiStreamCPUBaseConfig):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_x86_64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_x86_64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_aarch64(MultiStreamCPUBaseConfig):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class CPU_aarch64_HighAccuracy(HighAccuracyCPU):
    system = KnownSystem.CPU_aarch64


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.A100_SXM4_40GBx1
    multi_stream_expected_latency_ns = 3_480_000  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx1_HighAccuracy(A100_SXM4_40GBx1):
    precision = "fp16"
    multi_stream_expected_latency_ns = A100_SXM4_40GBx1.multi_stream_expected_latency_ns * 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM4_40GBx8(A100_SXM4_40GBx1):
    system = KnownSystem.A100_SXM4_40GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM4_40GBx8_HighAccuracy(A100_SXM4_40GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM4_40GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.A100_SXM_80GBx1
    multi_stream_expected_latency_ns = 3_040_000  # by speed from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx1_HighAccuracy(A100_SXM_80GBx1):
    precision = "fp16"
    multi_stream_expected_latency_ns = A100_SXM_80GBx1.multi_stream_expected_latency_ns * 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_SXM_80GBx8(A100_SXM_80GBx1):
    system = KnownSystem.A100_SXM_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_SXM_80GBx8_HighAccuracy(A100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.A100_SXM_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.A100_PCIe_80GBx1
    multi_stream_expected_latency_ns = 3_260_000  # by speed from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx1_HighAccuracy(A100_PCIe_80GBx1):
    precision = "fp16"
    multi_stream_expected_latency_ns = A100_PCIe_80GBx1.multi_stream_expected_latency_ns * 2  # fp16 runs at half of int8's rate


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class A100_PCIe_80GBx8(A100_PCIe_80GBx1):
    system = KnownSystem.A100_PCIe_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class A100_PCIe_80GBx8_HighAccuracy(A100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.A100_PCIe_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.H100_SXM_80GBx1
    multi_stream_expected_latency_ns = 1_330_000  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx1_HighAccuracy(H100_SXM_80GBx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 1_530_000  # by count from 4 x H100_SXM_80GB (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_SXM_80GBx8(H100_SXM_80GBx1):
    system = KnownSystem.H100_SXM_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_SXM_80GBx8_HighAccuracy(H100_SXM_80GBx1_HighAccuracy):
    system = KnownSystem.H100_SXM_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class ND_H100_v5(H100_SXM_80GBx8):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class ND_H100_v5_HighAccuracy(H100_SXM_80GBx8_HighAccuracy):
    system = KnownSystem.ND_H100_v5


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.H100_PCIe_80GBx1
    multi_stream_expected_latency_ns = 2_060_000  # by count from 2 x H100_PCIe_80GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx1_HighAccuracy(H100_PCIe_80GBx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 2_370_000  # by count from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_PCIe_80GBx8(H100_PCIe_80GBx1):
    system = KnownSystem.H100_PCIe_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_PCIe_80GBx8_HighAccuracy(H100_PCIe_80GBx1_HighAccuracy):
    system = KnownSystem.H100_PCIe_80GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H100_NVL_94GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.H100_NVL_94GBx1
    multi_stream_expected_latency_ns = 1_990_000  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H100_NVL_94GBx1_HighAccuracy(H100_NVL_94GBx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 2_360_000  # by count from 4 x H100_NVL (3 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.H200_SXM_141GBx1
    multi_stream_expected_latency_ns = 1_340_000  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx1_HighAccuracy(H200_SXM_141GBx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 1_500_000  # by count from 8 x H200_SXM_141GB (6 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class H200_SXM_141GBx8(H200_SXM_141GBx1):
    system = KnownSystem.H200_SXM_141GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class H200_SXM_141GBx8_HighAccuracy(H200_SXM_141GBx1_HighAccuracy):
    system = KnownSystem.H200_SXM_141GBx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class GH200_96GB_ARMx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.GH200_96GB_ARMx1
    multi_stream_expected_latency_ns = 1_260_000  # from 1 x GH200_GraceHopper_96GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class GH200_96GB_ARMx1_HighAccuracy(GH200_96GB_ARMx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 1_420_000  # from 1 x GH200_GraceHopper_96GB (2 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L4x1(MultiStreamGPUBaseConfig):
    system = KnownSystem.L4x1
    multi_stream_expected_latency_ns = 12_400_000  # by count from 2 x L4 (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L4x1_HighAccuracy(L4x1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 15_300_000  # by speed from 2 x H100_PCIe_80GB (1 result)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40x1(MultiStreamGPUBaseConfig):
    system = KnownSystem.L40x1
    multi_stream_expected_latency_ns = 3_520_000  # 12 samples at the Offline rate, NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40x1_HighAccuracy(L40x1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 5_170_000  # 12 samples at the Offline rate, by speed from NVIDIA's v4.1 config for L40Sx1


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(MultiStreamGPUBaseConfig):
    system = KnownSystem.L40Sx1
    multi_stream_expected_latency_ns = 3_620_000  # by count from 2 x L40S (4 results)


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx1_HighAccuracy(L40Sx1):
    precision = "fp8"
    multi_stream_expected_latency_ns = 3_630_000  # 12 samples at the Offline rate, NVIDIA's v4.1 config


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx8_HighAccuracy(L40Sx1_HighAccuracy):
    system = KnownSystem.L40Sx8
