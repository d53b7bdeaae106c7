"""Known processors: reported names (the first is displayed), architecture, cores per socket, threads per core.

None means that any value is accepted; a pattern is a regular expression that a reported name may match instead.
"""

from __future__ import annotations

from typing import NamedTuple


class CPURow(NamedTuple):
    """One kind of processor."""

    names: tuple[str, ...]
    architecture: str
    cores: tuple[int, ...] | None
    threads: tuple[int, ...] | None
    patterns: tuple[str, ...] = ()


CPUS: dict[str, CPURow] = {
    "GraceHopper_ARM": CPURow(
        ("NVIDIA Grace CPU", "aarch64_0", "Neoverse-V2", "Grace A02"), "aarch64", (72,), (1,), ("(?:NVIDIA )?Grace.*",)
    ),
    "Intel_Xeon_Platinum_8480C": CPURow(
        ("Intel(R) Xeon(R) Platinum 8480C", "Intel(R) Xeon(R) Platinum 8480CL"), "x86_64", (56,), (1, 2)
    ),
    "Intel_Xeon_Platinum_8480P": CPURow(("Intel(R) Xeon(R) Platinum 8480+",), "x86_64", (56,), (1, 2)),
    "AMD_EPYC_7742": CPURow(("AMD EPYC 7742 64-Core Processor", "AMD EPYC 7742"), "x86_64", (64, 32), (1, 2)),
    "Intel_Xeon_Platinum_8380": CPURow(("Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz",), "x86_64", (40,), (1, 2)),
    "Intel_Xeon_Platinum_8380H": CPURow(("Intel(R) Xeon(R) Platinum 8380H CPU @ 2.90GHz",), "x86_64", (28,), (1, 2)),
    "Intel_Xeon_Gold_6258R": CPURow(("Intel(R) Xeon(R) Gold 6258R CPU @ 2.70GHz",), "x86_64", (28,), (1, 2)),
    "x86_64_Generic": CPURow(("x86-64 Generic",), "x86_64", None, None, ("(?:AMD|Intel).*",)),
    "Neoverse_N1_ARM": CPURow(("Neoverse-N1", "Ampere Altra Q80-30"), "aarch64", (80,), (1,), ("Ampere.*Altra.*",)),
    "NVIDIA_Carmel_ARM_V8": CPURow(("NVIDIA Carmel (ARMv8.2)", "ARMv8 Processor rev 0 (v8l)"), "aarch64", (2,), (1,)),
    "ARM_V8_Generic": CPURow(("ARM v8 Generic",), "aarch64", None, None, (r"(ARMv8 Processor rev \d+ \(v8.*\))|(Cortex-A78AE)",)),
    "Intel_Xeon_Silver_4314": CPURow(("Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz",), "x86_64", (16,), (2,)),
    "GH100_SXM_CPU": CPURow(("AMD EPYC 7252 8-Core Processor", "AMD EPYC 7252"), "x86_64", (8,), (2,)),
    "AMD_EPYC_7313P": CPURow(("AMD EPYC 7313P 16-Core Processor", "AMD EPYC 7313P"), "x86_64", (16,), (2,)),
}
