"""Public results of MLPerf Inference rounds, by which expected values of other machines are estimated.

Closed division, valid, TensorRT, one node: the median and the best of all submissions with the same accelerators, in samples per
second (Server: completed samples per second), and latencies of SingleStream. The rounds' results are published at
https://github.com/mlcommons/inference_results_v4.1, …_v5.1 and …_v6.0.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """The median and the best of `submissions` results on machines with that many `accelerators`."""

    accelerator: str
    accelerators: int
    benchmark: str
    scenario: str
    samples_per_second: float
    best: float
    submissions: int
    round: str = "v4.1"


PUBLISHED: tuple[Published, ...] = (
    Published("GH200_GraceHopper_144GB", 1, "gptj-99", "Offline", 38.1192, 38.1559, 2),
    Published("GH200_GraceHopper_144GB", 1, "gptj-99", "Server", 36.425, 36.43, 2),
    Published("GH200_GraceHopper_144GB", 1, "gptj-99.9", "Offline", 38.1192, 38.1559, 2),
    Published("GH200_GraceHopper_144GB", 1, "gptj-99.9", "Server", 36.425, 36.43, 2),
    Published("GH200_GraceHopper_96GB", 1, "3d-unet-99", "Offline", 6.75811, 6.77957, 2),
    Published("GH200_GraceHopper_96GB", 1, "3d-unet-99.9", "Offline", 6.75811, 6.77957, 2),
    Published("GH200_GraceHopper_96GB", 1, "bert-99", "Offline", 9530.13, 9864.25, 2),
    Published("GH200_GraceHopper_96GB", 1, "bert-99", "Server", 6802.51, 7103.12, 2),
    Published("GH200_GraceHopper_96GB", 1, "bert-99.9", "Offline", 8435.86, 8779.27, 2),
    Published("GH200_GraceHopper_96GB", 1, "bert-99.9", "Server", 5551.88, 6600.99, 2),
    Published("GH200_GraceHopper_96GB", 1, "gptj-99", "Offline", 39.0601, 40.6336, 3),
    Published("GH200_GraceHopper_96GB", 1, "gptj-99", "Server", 31.3, 31.31, 3),
    Published("GH200_GraceHopper_96GB", 1, "gptj-99.9", "Offline", 39.0601, 40.6336, 3),
    Published("GH200_GraceHopper_96GB", 1, "gptj-99.9", "Server", 31.3, 31.31, 3),
    Published("H100_NVL", 4, "3d-unet-99", "Offline", 21.5153, 22.2878, 3),
    Published("H100_NVL", 4, "3d-unet-99.9", "Offline", 21.5153, 22.2825, 3),
    Published("H100_NVL", 4, "bert-99", "Offline", 24173.2, 24851.2, 3),
    Published("H100_NVL", 4, "bert-99", "Server", 19202.4, 20104.7, 3),
    Published("H100_NVL", 4, "bert-99.9", "Offline", 20380, 20729.6, 3),
    Published("H100_NVL", 4, "bert-99.9", "Server", 16002.5, 17600.1, 3),
    Published("H100_NVL", 4, "gptj-99", "Offline", 102.731, 104.223, 2),
    Published("H100_NVL", 4, "gptj-99", "Server", 89.91, 91.85, 2),
    Published("H100_NVL", 4, "gptj-99.9", "Offline", 101.239, 101.239, 1),
    Published("H100_NVL", 4, "gptj-99.9", "Server", 87.97, 87.97, 1),
    Published("H100_NVL", 8, "3d-unet-99", "Offline", 43.6883, 43.6883, 1),
    Published("H100_NVL", 8, "3d-unet-99.9", "Offline", 43.6883, 43.6883, 1),
    Published("H100_NVL", 8, "bert-99", "Offline", 47655.3, 47655.3, 1),
    Published("H100_NVL", 8, "bert-99", "Server", 35006.8, 35006.8, 1),
    Published("H100_NVL", 8, "gptj-99", "Offline", 203.965, 203.965, 1),
    Published("H100_NVL", 8, "gptj-99", "Server", 189.62, 189.62, 1),
    Published("H100_PCIe_80GB", 2, "3d-unet-99", "Offline", 9.31163, 9.31163, 1),
    Published("H100_PCIe_80GB", 2, "3d-unet-99.9", "Offline", 9.31163, 9.31163, 1),
    Published("H100_PCIe_80GB", 2, "bert-99", "Offline", 11667.3, 11758.6, 2),
    Published("H100_PCIe_80GB", 2, "bert-99", "Server", 9103.23, 9145.69, 2),
    Published("H100_PCIe_80GB", 2, "bert-99.9", "Offline", 10138.8, 10138.8, 1),
    Published("H100_PCIe_80GB", 2, "bert-99.9", "Server", 8252.92, 8252.92, 1),
    Published("H100_PCIe_80GB", 2, "gptj-99", "Offline", 47.7248, 48.0736, 2),
    Published("H100_PCIe_80GB", 2, "gptj-99", "Server", 43.61, 47.23, 2),
    Published("H100_PCIe_80GB", 2, "gptj-99.9", "Offline", 48.0736, 48.0736, 1),
    Published("H100_PCIe_80GB", 2, "gptj-99.9", "Server", 39.99, 39.99, 1),
    Published("H100_PCIe_80GB", 4, "3d-unet-99", "Offline", 18.53, 18.6131, 2),
    Published("H100_PCIe_80GB", 4, "3d-unet-99.9", "Offline", 18.53, 18.6131, 2),
    Published("H100_PCIe_80GB", 4, "bert-99", "Offline", 23184.9, 23238.4, 2),
    Published("H100_PCIe_80GB", 4, "bert-99", "Server", 17819.6, 17880, 2),
    Published("H100_PCIe_80GB", 8, "3d-unet-99", "Offline", 37.1373, 37.1373, 1),
    Published("H100_PCIe_80GB", 8, "3d-unet-99.9", "Offline", 37.1373, 37.1373, 1),
    Published("H100_PCIe_80GB", 8, "bert-99", "Offline", 45409.8, 45409.8, 1),
    Published("H100_PCIe_80GB", 8, "bert-99", "Server", 35365.6, 35365.6, 1),
    Published("H100_PCIe_80GB", 8, "bert-99.9", "Offline", 38464.2, 38464.2, 1),
    Published("H100_PCIe_80GB", 8, "bert-99.9", "Server", 32007.7, 32007.7, 1),
    Published("H100_PCIe_80GB", 8, "gptj-99", "Offline", 189.543, 189.543, 1),
    Published("H100_PCIe_80GB", 8, "gptj-99", "Server", 115.75, 115.75, 1),
    Published("H100_PCIe_80GB", 8, "gptj-99.9", "Offline", 189.543, 189.543, 1),
    Published("H100_PCIe_80GB", 8, "gptj-99.9", "Server", 115.75, 115.75, 1),
    Published("H100_SXM_80GB", 4, "3d-unet-99", "Offline", 25.6683, 25.6741, 2),
    Published("H100_SXM_80GB", 4, "3d-unet-99.9", "Offline", 25.6683, 25.6741, 2),
    Published("H100_SXM_80GB", 4, "bert-99", "Offline", 36051.2, 36110.8, 3),
    Published("H100_SXM_80GB", 4, "bert-99", "Server", 28605.3, 28667.8, 3),
    Published("H100_SXM_80GB", 4, "bert-99.9", "Offline", 31412.4, 31575.2, 3),
    Published("H100_SXM_80GB", 4, "bert-99.9", "Server", 25392.6, 25504.8, 3),
    Published("H100_SXM_80GB", 4, "gptj-99", "Offline", 144.402, 144.446, 2),
    Published("H100_SXM_80GB", 4, "gptj-99", "Server", 141.98, 144.79, 2),
    Published("H100_SXM_80GB", 4, "gptj-99.9", "Offline", 144.402, 144.446, 2),
    Published("H100_SXM_80GB", 4, "gptj-99.9", "Server", 141.98, 144.79, 2),
    Published("H100_SXM_80GB", 8, "3d-unet-99", "Offline", 52.0396, 52.298, 9),
    Published("H100_SXM_80GB", 8, "3d-unet-99.9", "Offline", 52.0344, 52.298, 9),
    Published("H100_SXM_80GB", 8, "bert-99", "Offline", 71683.2, 72876, 8),
    Published("H100_SXM_80GB", 8, "bert-99", "Server", 57246.9, 58928.5, 8),
    Published("H100_SXM_80GB", 8, "bert-99.9", "Offline", 61907.9, 62371.4, 8),
    Published("H100_SXM_80GB", 8, "bert-99.9", "Server", 51130.1, 52049.4, 8),
    Published("H100_SXM_80GB", 8, "gptj-99", "Offline", 286.172, 288.081, 8),
    Published("H100_SXM_80GB", 8, "gptj-99", "Server", 281.21, 287.11, 8),
    Published("H100_SXM_80GB", 8, "gptj-99.9", "Offline", 286.547, 288.081, 6),
    Published("H100_SXM_80GB", 8, "gptj-99.9", "Server", 282.17, 287.11, 6),
    Published("H200_SXM_141GB", 1, "gptj-99", "Offline", 37.3842, 37.3842, 1),
    Published("H200_SXM_141GB", 1, "gptj-99", "Server", 34.87, 34.87, 1),
    Published("H200_SXM_141GB", 1, "gptj-99.9", "Offline", 37.3842, 37.3842, 1),
    Published("H200_SXM_141GB", 1, "gptj-99.9", "Server", 34.87, 34.87, 1),
    Published("H200_SXM_141GB", 8, "3d-unet-99", "Offline", 54.4609, 54.7136, 6),
    Published("H200_SXM_141GB", 8, "3d-unet-99.9", "Offline", 54.4609, 54.7136, 6),
    Published("H200_SXM_141GB", 8, "bert-99", "Offline", 71839.6, 73791, 6),
    Published("H200_SXM_141GB", 8, "bert-99", "Server", 57210.2, 58091.3, 6),
    Published("H200_SXM_141GB", 8, "bert-99.9", "Offline", 64159.6, 65322.6, 6),
    Published("H200_SXM_141GB", 8, "bert-99.9", "Server", 51212.8, 52814, 6),
    Published("H200_SXM_141GB", 8, "gptj-99", "Offline", 290.778, 297.857, 6),
    Published("H200_SXM_141GB", 8, "gptj-99", "Server", 282.365, 291.87, 6),
    Published("H200_SXM_141GB", 8, "gptj-99.9", "Offline", 291.103, 297.857, 5),
    Published("H200_SXM_141GB", 8, "gptj-99.9", "Server", 278.99, 291.87, 5),
    Published("Orin", 1, "gptj-99", "Offline", 0.931024, 0.934398, 2),
    Published("L4", 2, "3d-unet-99", "Offline", 2.21588, 2.21588, 1),
    Published("L4", 2, "bert-99", "Offline", 1928.07, 1928.07, 1),
    Published("L40S", 2, "3d-unet-99", "Offline", 7.79867, 7.79867, 1),
    Published("L40S", 2, "bert-99", "Offline", 6637.55, 6844.6, 4),
    Published("L40S", 2, "bert-99", "Server", 6761.33, 6781.43, 3),
    Published("L40S", 2, "gptj-99", "Offline", 25.1889, 25.3286, 4),
    Published("L40S", 2, "gptj-99", "Server", 25.01, 25.13, 3),
    Published("L40S", 2, "gptj-99.9", "Offline", 25.3111, 25.3111, 1),
    Published("L40S", 2, "gptj-99.9", "Server", 25.01, 25.01, 1),
    Published("L40S", 3, "3d-unet-99", "Offline", 11.6149, 11.6149, 1),
    Published("L40S", 3, "bert-99", "Offline", 9480.82, 9480.82, 1),
    Published("L40S", 3, "bert-99", "Server", 9302, 9302, 1),
    Published("L40S", 3, "gptj-99", "Offline", 37.5891, 37.5891, 1),
    Published("L40S", 3, "gptj-99", "Server", 35.87, 35.87, 1),
    Published("L40S", 4, "3d-unet-99", "Offline", 15.4949, 15.551, 2),
    Published("L40S", 4, "bert-99", "Offline", 13248.3, 13903.8, 3),
    Published("L40S", 4, "bert-99", "Server", 12904.6, 13853.7, 3),
    Published("L40S", 4, "gptj-99", "Offline", 50.1911, 50.1911, 1),
    Published("L40S", 4, "gptj-99", "Server", 44.88, 44.88, 1),
    Published("L40S", 4, "gptj-99.9", "Offline", 50.1911, 50.1911, 1),
    Published("L40S", 4, "gptj-99.9", "Server", 44.88, 44.88, 1),
    Published("L40S", 8, "gptj-99", "Offline", 100.171, 100.171, 1),
    Published("L40S", 8, "gptj-99", "Server", 100.05, 100.05, 1),
    Published("L40S", 8, "gptj-99.9", "Offline", 100.171, 100.171, 1),
    Published("L40S", 8, "gptj-99.9", "Server", 100.05, 100.05, 1),
    Published("L40S", 16, "3d-unet-99", "Offline", 61.09, 61.09, 1),
    Published("GeForceRTX_4090", 2, "3d-unet-99", "Offline", 8.34576, 8.34576, 1, "v5.1"),
    Published("RTX_2000E_Ada", 1, "3d-unet-99", "Offline", 0.610839, 0.610839, 1, "v5.1"),
    Published("RTX_2000E_Ada", 1, "3d-unet-99.9", "Offline", 0.610839, 0.610839, 1, "v5.1"),
)


class PublishedLatency(NamedTuple):
    """The 90th percentile of a SingleStream result, which one accelerator computes."""

    accelerator: str
    benchmark: str
    milliseconds: float
    round: str


LATENCIES: tuple[PublishedLatency, ...] = (
    PublishedLatency("GeForceRTX_4090", "3d-unet-99", 428.835, "v5.1"),
    PublishedLatency("RTX_2000E_Ada", "3d-unet-99", 3683.79, "v5.1"),
    PublishedLatency("L4", "3d-unet-99", 1880.73, "v6.0"),
    PublishedLatency("L4", "bert-99", 2.16652, "v6.0"),
)
