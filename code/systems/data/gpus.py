"""Known GPUs, one row each.

Columns: the name in configs; the names reported by drivers (the first is displayed; early drivers reported many
boards as "NVIDIA Graphics Device"); memory; maximum power limit in watts; PCI device IDs (vendor 10DE is NVIDIA's); compute
capability times ten; and from the vendor's data sheets memory bandwidth in GB/s, dense INT8 throughput in TOPS (estimates are
scaled by these two) and the kind of memory. None means that any value is accepted. B300 and GB300 compute INT8 at a fifteenth of
FP8's rate, so theirs is FP8's. Names by PCI ID are those of NVIDIA's open kernel modules (g_nv_name_released.h).
"""

from __future__ import annotations

from typing import NamedTuple


class GPURow(NamedTuple):
    """One kind of GPU."""

    names: tuple[str, ...]
    vram: tuple[str, ...] | None
    max_power_limit: float | None
    pci: tuple[str, ...] | None
    compute_sm: int | None
    bandwidth: float
    int8_tops: float
    memory_kind: str
    patterns: tuple[str, ...] = ()
    integrated: bool = False


EARLY = "NVIDIA Graphics Device"

GPUS: dict[str, GPURow] = {
    # Blackwell and Grace Blackwell
    "B200_SXM_180GB": GPURow(("NVIDIA B200", EARLY), ("180 GiB",), 1000.0, ("2901",), 100, 8000, 4500, "HBM3e"),
    "B300_SXM_270GB": GPURow(
        ("NVIDIA B300 SXM6 AC", "NVIDIA B300", EARLY), ("268 GiB",), 1100.0, ("3182",), 103, 8000, 4500, "HBM3e",
    ),
    "GB200_GraceBlackwell_186GB": GPURow(("NVIDIA GB200", EARLY), ("186 GiB",), 1200.0, ("2941",), 100, 8000, 5000, "HBM3e"),
    "GB300_GraceBlackwell_288GB": GPURow(("NVIDIA GB300", EARLY), ("277 GiB",), 1400.0, ("31C2",), 103, 8000, 5000, "HBM3e"),
    "RTX_PRO_6000": GPURow(
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition",), ("96 GiB",), 600.0, ("2BB5",), 120, 1597, 1000, "GDDR7",
    ),
    "RTX_PRO_4500": GPURow(("NVIDIA RTX PRO 4500 Blackwell",), ("32 GiB",), 200.0, ("2C31",), 120, 896, 422, "GDDR7"),
    # Grace Hopper
    "GH200_GraceHopper_96GB": GPURow(
        ("NVIDIA GH200 480GB", "GH200 480GB", "NVIDIA GH200 96GB HBM3", EARLY),
        ("96 GiB",), 900.0, ("2342",), 90, 4000, 1979, "HBM3",
    ),
    "GH200_GraceHopper_144GB": GPURow(
        ("NVIDIA GH200 144G HBM3e", "GH200 144G HBM3e", EARLY),
        ("144 GiB",), 900.0, ("2348",), 90, 4900, 1979, "HBM3e",
    ),
    # Ada
    "L4": GPURow(("NVIDIA L4", "L4", EARLY), ("23 GiB",), 72.0, ("27B8",), 89, 300, 242, "GDDR6"),
    "L40": GPURow(("NVIDIA L40", "L40", EARLY), ("45 GiB",), 300.0, ("26B5",), 89, 864, 362, "GDDR6"),
    "L40S": GPURow(("NVIDIA L40S", "L40S"), ("45 GiB",), 350.0, ("26B9",), 89, 864, 733, "GDDR6"),
    "RTX_4000_Ada": GPURow(("NVIDIA RTX 4000 Ada Generation",), ("20 GiB",), 130.0, ("27B2",), 89, 360, 164, "GDDR6"),
    "RTX_2000E_Ada": GPURow(
        ("NVIDIA RTX 2000E Ada Generation", "NVIDIA RTX 2000 Ada Generation"), ("16 GiB",), 50.0, ("28B0",), 89, 224, 96, "GDDR6",
    ),
    "GeForceRTX_4090": GPURow(("NVIDIA GeForce RTX 4090",), ("24 GiB",), 450.0, ("2684",), 89, 1008, 661, "GDDR6X"),
    # Hopper
    "H100_SXM_80GB": GPURow(("NVIDIA H100 80GB HBM3",), ("80 GiB",), 700.0, ("2330", "233F"), 90, 3350, 1979, "HBM3"),
    "H100_PCIe_80GB": GPURow(("NVIDIA H100 PCIe", EARLY), ("80 GiB",), 350.0, ("2331",), 90, 2000, 1513, "HBM2e"),
    "H100_NVL": GPURow(("NVIDIA H100 NVL",), ("94 GiB",), 400.0, ("2321",), 90, 3900, 1671, "HBM3"),
    "H200_SXM_141GB": GPURow(("NVIDIA H200",), ("140 GiB",), 700.0, ("2335",), 90, 4800, 1979, "HBM3e"),
    "H200_SXM_141GB_CTS": GPURow(("NVIDIA H200",), ("140 GiB",), 1000.0, ("2335",), 90, 4800, 1979, "HBM3e"),
    "H200_NVL": GPURow(("NVIDIA H200 NVL",), ("140 GiB",), 600.0, ("233B",), 90, 4800, 1671, "HBM3e"),
    # Ampere
    "A100_PCIe_40GB": GPURow(
        ("A100-PCIe-40GB", "A100-PCIe", "NVIDIA A100-PCIe", "NVIDIA A100-PCIe-40GB", "NVIDIA A100 40GB PCIe"),
        ("40 GiB",), 250.0, ("20F1", "20BF"), 80, 1555, 624, "HBM2",
    ),
    "A100_PCIe_80GB": GPURow(
        ("A100-PCIe-80GB", "NVIDIA A100-PCIe-80GB", "NVIDIA A100 80GB PCIe"),
        ("80 GiB",), 300.0, ("20B5",), 80, 1935, 624, "HBM2e",
    ),
    "A100_SXM4_40GB": GPURow(("A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"), ("40 GiB",), 400.0, ("20B0",), 80, 1555, 624, "HBM2"),
    "A100_SXM_80GB": GPURow(
        ("A100-SXM-80GB", "NVIDIA A100-SXM-80GB", "NVIDIA A100-SXM4-80GB"),
        ("80 GiB",), 400.0, ("20B2",), 80, 2039, 624, "HBM2e",
    ),
    "A100_SXM_80GB_RO": GPURow(  # the same board at the power limit of a workstation
        ("A100-SXM-80GB", "NVIDIA A100-SXM-80GB", "NVIDIA A100-SXM4-80GB"),
        ("80 GiB",), 275.0, ("20B2",), 80, 2039, 624, "HBM2e",
    ),
    "GeForceRTX_3080": GPURow(
        ("GeForce RTX 3080", "NVIDIA GeForce RTX 3080"),
        ("10 GiB",), 320.0, ("2206",), 86, 760, 238, "GDDR6X",
    ),
    "GeForceRTX_3090": GPURow(
        ("GeForce RTX 3090", "NVIDIA GeForce RTX 3090", "Quadro RTX A6000", "RTX A6000"),
        ("24 GiB",), 350.0, ("2204", "2230"), 86, 936, 284, "GDDR6X",
    ),
    "A10": GPURow(("A10", "NVIDIA A10"), ("24 GiB",), 150.0, ("2236",), 86, 600, 250, "GDDR6"),
    "A40": GPURow(("A40", "NVIDIA A40"), ("45 GiB",), 300.0, ("2235",), 86, 696, 299, "GDDR6"),
    "A30": GPURow(("A30", "NVIDIA A30"), ("24 GiB",), 165.0, ("20B7",), 80, 933, 330, "HBM2"),
    "A2": GPURow(("A2", "NVIDIA A2"), ("15 GiB",), 60.0, ("25B6",), 86, 200, 36, "GDDR6"),
    "DRIVE_A100_PCIE": GPURow(
        ("DRIVE A100 PCIE", "NVIDIA DRIVE A100 PCIE", "DRIVE A100"),
        ("32 GiB",), None, ("20BB",), 80, 1555, 624, "HBM2",
    ),
    # Turing
    "T4": GPURow(
        ("T4", "Tesla T4", "T4 32GB", "NVIDIA T4", "NVIDIA Tesla T4"),
        ("16 GiB", "32 GiB"), 70.0, ("1EB8", "1EB9"), 75, 320, 130, "GDDR6",
    ),
    # Jetson: the GPU shares the host's memory and is not a PCI device
    "AGX_Xavier": GPURow(("Jetson-AGX",), None, None, None, 72, 137, 22, "LPDDR4x", integrated=True),
    "Xavier_NX": GPURow(
        ("NVIDIA Jetson Xavier NX Developer Kit",),
        None, None, None, 72, 60, 14, "LPDDR4x", (".*Xavier NX.*",), integrated=True,
    ),
    "Orin": GPURow(
        ("Orin", "Orin (nvgpu)"),
        None, None, None, None, 205, 85, "LPDDR5",
        ("(NVIDIA Jetson AGX Orin)|(NVIDIA Jetson AGX Orin Developer Kit)",),
        integrated=True,
    ),
    "Orin_NX": GPURow(
        ("Orin_NX",),
        None, None, None, None, 102, 50, "LPDDR5", ("(NVIDIA Orin NX Developer Kit)|(NGX007)",), integrated=True,
    ),
}  # fmt: skip
