"""Known systems, one row per family.

Columns: the name in configs and the system ID in results ("{}" is the count of accelerators);
processors (None: any of either architecture; an architecture's name: any of that one); the accelerator, a key of GPUS or MIGS;
the counts that public rounds have (of Grace Blackwell also those of whole racks, which are several machines); the least host
memory. `platform` is a cloud whose machines alone match the row; `retired` is what
to say of systems that current rounds no longer list.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """Systems that differ only in their number of accelerators."""

    name: str
    system_id: str
    cpus: tuple[str, ...] | None
    accelerator: str
    counts: tuple[int, ...]
    memory: str
    platform: str = ""
    retired: str = ""


EPYC = ("AMD_EPYC_7742",)
X86 = ("AMD_EPYC_7742", "x86_64_Generic")
ALTRA = ("Neoverse_N1_ARM",)
GRACE = ("GraceHopper_ARM",)
ANY_X86 = ("x86_64",)
ANY_ARM = ("aarch64",)
SPR_C = ("Intel_Xeon_Platinum_8480C",)
SPR_P = ("Intel_Xeon_Platinum_8480P",)
EPYC_MILAN = ("AMD_EPYC_7313P",)
DROPPED = "retired: vendors dropped it from current rounds, and this project has no configs for it; add your own"

FAMILIES: tuple[Family, ...] = (
    # Blackwell
    Family("B200_SXM_180GBx{}", "B200-SXM-180GBx{}", ANY_X86, "B200_SXM_180GB", (1, 2, 4, 8, 16), "100 GiB"),
    Family("B300_SXM_270GBx{}", "B300-SXM-270GBx{}", ANY_X86, "B300_SXM_270GB", (1, 2, 4, 8), "100 GiB"),
    Family("RTX_PRO_6000_96GBx{}", "RTX-PRO-6000-96GBx{}", ANY_X86, "RTX_PRO_6000", (1, 2, 4, 8, 10), "100 GiB"),
    Family("RTX_PRO_4500_32GBx{}", "RTX-PRO-4500-32GBx{}", ANY_X86, "RTX_PRO_4500", (1, 2, 4, 5, 8), "100 GiB"),
    # Grace Blackwell: four GPUs a tray, eighteen trays a rack
    Family("GB200_NVL72_186GB_ARMx{}", "GB200-NVL72_GB200-186GB_aarch64x{}", ANY_ARM, "GB200_GraceBlackwell_186GB",
           (1, 2, 4, 8, 16, 20, 64, 72), "500 GiB"),
    Family("ND_GB200_v6", "ND_GB200_v6", ANY_ARM, "GB200_GraceBlackwell_186GB", (4,), "500 GiB", platform="azure"),
    Family("GB300_NVL72_288GB_ARMx{}", "GB300-NVL72_GB300-288GB_aarch64x{}", ANY_ARM, "GB300_GraceBlackwell_288GB",
           (1, 2, 4, 8, 16, 64, 72, 288), "500 GiB"),
    # Grace Hopper
    Family("GH200_96GB_ARMx{}", "GH200-GraceHopper-Superchip_GH200-96GB_aarch64x{}", GRACE, "GH200_GraceHopper_96GB",
           (1,), "500 GiB"),
    Family("GH200_144GB_ARMx{}", "GH200-GraceHopper-Superchip_GH200-144GB_aarch64x{}", GRACE, "GH200_GraceHopper_144GB",
           (1, 2), "600 GiB"),
    # Ada
    Family("L40x{}", "L40x{}", EPYC_MILAN, "L40", (1, 2, 4, 8), "100 GiB"),
    Family("L4x{}", "L4x{}", EPYC_MILAN, "L4", (1, 2, 4, 8), "100 GiB"),
    Family("L40Sx{}", "L40Sx{}", EPYC, "L40S", (1, 2, 4, 8), "100 GiB"),
    Family("RTX_4000_Ada_20GBx{}", "RTX-4000-Ada-20GBx{}", ANY_X86, "RTX_4000_Ada", (1, 2, 4), "30 GiB"),
    Family("RTX_2000E_Ada_16GBx{}", "RTX-2000E-Ada-16GBx{}", ANY_X86, "RTX_2000E_Ada", (1,), "30 GiB"),
    Family("GeForceRTX_4090x{}", "GeForceRTX4090x{}", None, "GeForceRTX_4090", (1, 2), "30 GiB"),
    # Hopper
    Family("H200_SXM_141GBx{}", "H200-SXM-141GBx{}", SPR_C, "H200_SXM_141GB", (1, 2, 4, 8), "30 GiB"),
    Family("H200_SXM_141GB_CTSx{}", "H200-SXM-141GB-CTSx{}", SPR_C, "H200_SXM_141GB_CTS", (1, 2, 4, 8), "2 TB"),
    Family("H200_NVL_141GBx{}", "H200-NVL-141GBx{}", ANY_X86, "H200_NVL", (1, 2, 4, 8, 10), "30 GiB"),
    Family("H100_NVL_94GBx{}", "H100-NVL-94GBx{}", SPR_P, "H100_NVL", (1, 2, 3, 4, 8), "30 GiB"),
    Family("H100_SXM_80GBx{}", "DGX-H100_H100-SXM-80GBx{}", SPR_C, "H100_SXM_80GB", (1, 2, 4, 8), "30 GiB"),
    Family("ND_H100_v5", "ND_H100_v5", SPR_C, "H100_SXM_80GB", (8,), "1700 GiB", platform="azure"),
    Family("H100_PCIe_80GBx{}", "H100-PCIe-80GBx{}", EPYC, "H100_PCIe_80GB", (1, 2, 4, 8), "100 GiB"),
    Family("H100_PCIe_80GB_ARMx{}", "H100-PCIe-80GB_aarch64x{}", ALTRA, "H100_PCIe_80GB", (1, 2, 4, 8), "100 GiB"),
    # A100 on PCIe
    Family("NC96ads_A100_v4", "NC96ads_A100_v4", ANY_X86, "A100_PCIe_80GB", (4,), "800 GiB", platform="azure"),
    Family("A100_PCIe_40GB_ARMx{}", "A100-PCIe_aarch64x{}", ALTRA, "A100_PCIe_40GB", (1, 2, 4), "30 GiB"),
    Family("A100_PCIe_80GBx{}", "A100-PCIe-80GBx{}", X86, "A100_PCIe_80GB", (1, 8), "30 GiB"),
    Family("A100_PCIe_80GB_ARMx{}", "A100-PCIe-80GB_aarch64x{}", ALTRA, "A100_PCIe_80GB", (1, 2, 4), "30 GiB"),
    Family("A100_PCIe_40GB_MIG_{}x1g_5gb", "A100-PCIe-MIG_{}x1g.5gb", EPYC, "A100_PCIe_40GB_1GPC", (1,), "1 TiB"),
    Family("A100_PCIe_40GB_ARM_MIG_{}x1g_5gb", "A100-PCIe_aarch64-MIG_{}x1g.5gb", ALTRA, "A100_PCIe_40GB_1GPC",
           (1,), "1 TiB"),
    Family("A100_PCIe_80GB_MIG_{}x1g_10gb", "A100-PCIe-80GB-MIG_{}x1g.10gb", EPYC, "A100_PCIe_80GB_1GPC", (1,), "1 TB"),
    Family("A100_PCIe_80GB_ARM_MIG_{}x1g_10gb", "A100-PCIe-80GB_aarch64-MIG_{}x1g.10gb", ALTRA, "A100_PCIe_80GB_1GPC",
           (1,), "1 TiB"),
    # A100 on SXM
    Family("A100_SXM4_40GBx{}", "DGX-A100_A100-SXM4-40GBx{}", X86, "A100_SXM4_40GB", (1, 8), "30 GiB"),
    Family("A100_SXM_80GBx{}", "DGX-A100_A100-SXM-80GBx{}", X86, "A100_SXM_80GB", (1, 8), "30 GiB"),
    Family("A100_SXM_80GB_ARMx{}", "A100-SXM-80GB_aarch64x{}", ALTRA, "A100_SXM_80GB", (1, 8), "1 TB"),
    Family("A100_SXM4_40GB_MIG_{}x1g_5gb", "DGX-A100_A100-SXM4-40GB-MIG_{}x1g.5gb", EPYC, "A100_SXM4_40GB_1GPC",
           (1,), "1 TiB"),
    Family("A100_SXM_80GB_MIG_{}x1g_10gb", "DGX-A100_A100-SXM-80GB-MIG_{}x1g.10gb", EPYC, "A100_SXM_80GB_1GPC",
           (1,), "1 TiB"),
    Family("A100_SXM_80GB_ARM_MIG_{}x1g_10gb", "A100-SXM-80GB_aarch64_MIG_{}x1g.10gb", ALTRA, "A100_SXM_80GB_1GPC",
           (1,), "1 TB"),
    # Other Ampere
    Family("GeForceRTX_3080x{}", "GeForceRTX3080x{}", None, "GeForceRTX_3080", (1,), "30 GiB"),
    Family("GeForceRTX_3090x{}", "GeForceRTX3090x{}", None, "GeForceRTX_3090", (1,), "30 GiB"),
    Family("A10x{}", "A10x{}", EPYC, "A10", (1, 8), "0.9 TiB"),
    Family("A30x{}", "A30x{}", EPYC, "A30", (1, 8), "0.5 TiB"),
    Family("A2x{}", "A2x{}", None, "A2", (1, 2), "100 GiB"),
    Family("A30_MIG_{}x1g_6gb", "A30-MIG_{}x1g.6gb", EPYC, "A30_1GPC", (1,), "0.5 TiB"),
    # Turing
    Family("T4x{}", "T4x{}", ANY_X86, "T4", (1, 8, 20), "32 GiB"),
    # Embedded
    Family("Orin", "Orin", ("ARM_V8_Generic",), "Orin", (1,), "7 GiB"),
    Family("Orin_NX", "Orin_NX", ("ARM_V8_Generic",), "Orin_NX", (1,), "7 GiB"),
    # Retired
    Family("A100_SXM_80GB_ROx{}", "DGX-Station-A100_A100-SXM-80GBx{}", X86, "A100_SXM_80GB_RO", (1, 4), "30 GiB",
           retired=DROPPED),
    Family("A100_SXM_80GB_RO_MIG_{}x1g_10gb", "DGX-Station-A100_A100-SXM-80GB-MIG_{}x1g.10gb", EPYC,
           "A100_SXM_80GB_RO_1GPC", (7, 28), "1 TiB", retired=DROPPED),
    Family("A100_SXM4_40GB_MIG_{}x1g_5gb", "DGX-A100_A100-SXM4-40GB-MIG_{}x1g.5gb", EPYC, "A100_SXM4_40GB_1GPC",
           (56,), "1 TiB", retired=DROPPED),
    Family("A100_SXM_80GB_MIG_{}x1g_10gb", "DGX-A100_A100-SXM-80GB-MIG_{}x1g.10gb", EPYC, "A100_SXM_80GB_1GPC",
           (7, 56), "1 TiB", retired=DROPPED),
    Family("A100_SXM_80GB_ARM_MIG_{}x1g_10gb", "A100-SXM-80GB_aarch64_MIG_{}x1g.10gb", ALTRA, "A100_SXM_80GB_1GPC",
           (7, 56), "1 TB", retired=DROPPED),
    Family("A100_PCIe_80GB_MIG_{}x1g_10gb", "A100-PCIe-80GB-MIG_{}x1g.10gb", EPYC, "A100_PCIe_80GB_1GPC",
           (7, 56), "1 TB", retired=DROPPED),
    Family("A30_MIG_{}x1g_6gb", "A30-MIG_{}x1g.6gb", EPYC, "A30_1GPC", (32,), "0.5 TiB", retired=DROPPED),
    Family("AGX_Xavier", "AGX_Xavier", ("NVIDIA_Carmel_ARM_V8",), "AGX_Xavier", (1,), "30 GiB", retired=DROPPED),
    Family("Xavier_NX", "Xavier_NX", ("NVIDIA_Carmel_ARM_V8",), "Xavier_NX", (1,), "7 GiB", retired=DROPPED),
    Family("DRIVE_A100_PCIE", "Drive-A100-PCIex1", ("Intel_Xeon_Silver_4314",), "DRIVE_A100_PCIE", (1,), "30 GB",
           retired=DROPPED),
    Family("A100_PCIe_40GBx{}", "A100-PCIex{}", X86, "A100_PCIe_40GB", (1, 8), "30 GiB", retired=DROPPED),
)  # fmt: skip

CPU_SYSTEMS: dict[str, str] = {"CPU_x86_64": "x86_64", "CPU_aarch64": "aarch64"}
"""Systems without accelerators, by architecture. Their ID is derived from the processor's model and the number of sockets."""
