"""Public results in tokens per second: what each machine reached with llama3.1-8b.

Closed division, one node, weights of fp4 on Blackwell and of fp8 elsewhere; TensorRT-LLM's but for two of vLLM (Red Hat). The rounds'
results are published at https://github.com/mlcommons/inference_results_v5.1 and …_v6.0.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import NamedTuple

BENCHMARK = "llama3.1-8b"
TOKENS = 128
"""Tokens of a summary, by which tokens per second become samples per second: the most that it has, and what nearly all have."""
SCENARIOS = ("Offline", "Server", "Interactive")
VLLM = ("RedHat",)
"""Submitters who ran vLLM, whose rates say little of TensorRT-LLM's."""


class Run(NamedTuple):
    """A submitted system: tokens per second in each scenario, None for one without a result."""

    round: str
    submitter: str
    system: str
    accelerator: str
    accelerators: int
    offline: float
    server: float
    interactive: float | None


TOKEN_RESULTS: tuple[Run, ...] = (
    Run("v5.1", "Dell", "XE9680L_B200_SXM_180GBx8_TRT", "B200_SXM_180GB", 8, 143309, 128787, 102907),
    Run("v5.1", "Dell", "XE9685L_B200_SXM_180GBx8_TRT", "B200_SXM_180GB", 8, 143904, 128794, None),
    Run("v5.1", "GigaComputing", "G894-SD1_B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 142136, 128660, 102829),
    Run("v5.1", "Google", "B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 141138, 119628, None),
    Run("v5.1", "Lenovo", "SR780a_V3_B200SXMx8_TRT", "B200_SXM_180GB", 8, 146960, 128689, None),
    Run("v5.1", "NVIDIA", "B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 136752, 128541, 102903),
    Run("v5.1", "Oracle", "B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 145789, 128649, None),
    Run("v5.1", "Supermicro", "AS-4126GS-NBR-LCC_B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 142955, 128701, 122269),
    Run("v5.1", "Supermicro", "SYS-422GS-NBRT-LCC_B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 141056, 122331, None),
    Run("v6.0", "HPE", "HPE_ProLiant_XD685_B200_SXM_192GBx8_TRT", "B200_SXM_180GB", 8, 152625, 131270, 126143),
    Run("v6.0", "Lambda_SIT", "B200-SXM-180GBx8_TRT", "B200_SXM_180GB", 8, 160403, 130008, 128750),
    Run("v6.0", "ASUSTeK", "XA_NB3I-E12_B300x8_TRT", "B300_SXM_270GB", 8, 166745, 148067, None),
    Run("v6.0", "GigaComputing", "G894-SD3-AAX7_B300-SXM-270GBx8_TRT", "B300_SXM_270GB", 8, 150707, 141484, 128633),
    Run("v6.0", "NVIDIA", "B300-SXM-270GBx8_TRT", "B300_SXM_270GB", 8, 165432, 141565, None),
    Run("v5.1", "RedHat", "XE8640_4xH100_vLLM", "H100_SXM_80GB", 1, 5777.08, 5103.99, None),
    Run("v5.1", "Quanta_Cloud_Technology", "D75E-4U_H200-NVL-141GBx4_TRT", "H200_NVL", 4, 25180.8, 25753.8, 21944.1),
    Run("v6.0", "Cisco", "X210M8_X580P_H200NVL_141GBx4_TRT", "H200_NVL", 4, 24216.6, 25731.6, None),
    Run("v5.1", "Cisco", "C845A_H200_NVLx8_TRT", "H200_NVL", 8, 50776.8, 38696.9, None),
    Run("v6.0", "Dell", "XE7740_H200_NVL_141GBx8_TRT", "H200_NVL", 8, 53193.6, 45075.8, None),
    Run("v5.1", "Cisco", "C885_H200x8_TRT", "H200_SXM_141GB", 8, 58304.3, 41291, None),
    Run("v5.1", "HPE", "HPE_Cray_XD670_H200_SXM_141GBx8_TRT", "H200_SXM_141GB", 8, 66036.8, 64914.6, 53475.2),
    Run("v5.1", "Quanta_Cloud_Technology", "D74U-7U_H200-SXM-141GBx8_TRT", "H200_SXM_141GB", 8, 56917.3, 57970.4, 54117.6),
    Run("v5.1", "RedHat", "IBM_Cloud_gx3-48x240x2l40s_vLLM", "L40S", 1, 1642.22, 1207.14, None),
    Run("v6.0", "HPE", "HPE_PROLIANT_DL145_RTX_PRO_4500_PCIE_32GBx1_TRT_DC_TRT", "RTX_PRO_4500", 1, 2340.75, 2081.34, None),
    Run("v6.0", "HPE", "HPE_Proliant_DL380_RTX_PRO_4500_PCIe_32GBx5_DC_TRT", "RTX_PRO_4500", 5, 11665, 11352.1, None),
    Run("v6.0", "HPE", "HPE_Proliant_DL385_RTX_PRO_6000_PCIe_96GBx2_TRT_10_11_0_33_TRT", "RTX_PRO_6000", 2, 12433.3, 11898.8, 10459.6),
    Run("v6.0", "HPE", "HPE_Proliant_DL385_RTX_PRO_6000_PCIe_96GBx2_TRT_10_14_1_48_TRT", "RTX_PRO_6000", 2, 12495.2, 11899.7, 10589.3),
    Run("v6.0", "Cisco", "X215M8_X580P_RTXPro6000_96GBx4_TRT", "RTX_PRO_6000", 4, 24013.5, 23423.9, None),
    Run("v6.0", "HPE", "HPE_Proliant_DL385_RTX_PRO_6000_PCIe_96GBx4_TRT_10_11_0_33_TRT", "RTX_PRO_6000", 4, 23265.7, 22916.3, 19991.1),
    Run("v6.0", "HPE", "HPE_Proliant_DL385_RTX_PRO_6000_PCIe_96GBx4_TRT_10_14_1_48_TRT", "RTX_PRO_6000", 4, 23556.7, 23227.2, 20118.9),
    Run("v5.1", "HPE", "HPE_PROLIANT_DL380A_RTX_PRO_6000_PCIE_96GBx8_TRT_TRT", "RTX_PRO_6000", 8, 46841.8, 46060, 36052.3),
    Run("v6.0", "ASUSTeK", "ESC8000A_E13P_RTX_PRO_6000_PCIE_96GBx8_TRT", "RTX_PRO_6000", 8, 48791, 48531.3, 34241),
    Run("v6.0", "ASUSTeK", "ESC8000_E12P_RTX_PRO_6000_PCIE_96GBx8_TRT", "RTX_PRO_6000", 8, 48613.8, 47581, None),
    Run("v6.0", "Dell", "XE7745_RTXPro6000_PCIe_96GBx8_TRT", "RTX_PRO_6000", 8, 49036.1, 45008.6, None),
    Run("v6.0", "HPE", "HPE_PROLIANT_DL380A_RTX_PRO_6000_PCIE_96GBx8_TRT_10_14_1_48_TRT", "RTX_PRO_6000", 8, 49580.2, 48794.3, 44087.3),
    Run("v6.0", "HPE", "HPE_PROLIANT_DL380A_RTX_PRO_6000_PCIE_96GBx10_TRT_10_14_1_48_TRT", "RTX_PRO_6000", 10, 60679.9, 59632.7, 53054.7),
)  # fmt: skip


class TokenGroup(NamedTuple):
    """Results on machines with the same accelerators, in samples per second; `rounds` is a phrase."""

    accelerator: str
    accelerators: int
    scenario: str
    rates: tuple[float, ...]
    rounds: str

    @property
    def median(self) -> float:
        """The median of the results."""
        return statistics.median(self.rates)


def groups() -> Iterator[TokenGroup]:
    """The results of each system and scenario, of all rounds together: rounds that follow each other differ little."""
    found: dict[tuple[str, int, str], list[tuple[str, float]]] = {}
    for row in TOKEN_RESULTS:
        for scenario, rate in zip(SCENARIOS, (row.offline, row.server, row.interactive), strict=True):
            if rate is not None:
                found.setdefault((row.accelerator, row.accelerators, scenario), []).append((row.round, rate / TOKENS))
    for key, values in found.items():
        yield TokenGroup(*key, tuple(rate for _, rate in values), " and ".join(sorted({name for name, _ in values})))
