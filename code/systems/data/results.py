"""Public results one by one: what each machine reached, by which other machines are predicted.

Closed division, valid, TensorRT, one node, in samples per second (Server: completed samples per second). The rounds' results are
published at https://github.com/mlcommons/inference_results_v4.1, …_v5.1 and …_v6.0.
"""

from __future__ import annotations

from typing import NamedTuple


class Machine(NamedTuple):
    """A submitted system: benchmark → (Offline, Server), None for a scenario without a result."""

    round: str
    submitter: str
    system: str
    accelerator: str
    accelerators: int
    rates: dict[str, tuple[float | None, float | None]]


MACHINES: tuple[Machine, ...] = (
    Machine("v4.1", "HPE", "GH200-GraceHopper-Superchip_GH200-144GB_aarch64x1_TRT", "GH200_GraceHopper_144GB", 1, {
        "gptj-99": (38.1559, 36.42), "gptj-99.9": (38.1559, 36.42),
    }),
    Machine("v4.1", "NVIDIA", "GH200-GraceHopper-Superchip_GH200-144GB_aarch64x1_TRT", "GH200_GraceHopper_144GB", 1, {
        "gptj-99": (38.0825, 36.43), "gptj-99.9": (38.0825, 36.43),
    }),
    Machine("v4.1", "Oracle", "GH200-GraceHopper-Superchip_GH200-96GB_aarch64x1_TRT", "GH200_GraceHopper_96GB", 1, {
        "3d-unet-99": (6.73664, None), "3d-unet-99.9": (6.73664, None), "bert-99": (9864.25, 6501.91),
        "bert-99.9": (8779.27, 4502.76), "gptj-99": (39.0601, 31.3), "gptj-99.9": (39.0601, 31.3),
    }),
    Machine("v4.1", "Quanta_Cloud_Technology", "GH200-GraceHopper-Superchip_GH200-96GB_aarch64x1_TRT", "GH200_GraceHopper_96GB", 1, {
        "3d-unet-99": (6.77957, None), "3d-unet-99.9": (6.77957, None), "bert-99": (9196.01, 7103.12),
        "bert-99.9": (8092.46, 6600.99), "gptj-99": (40.6336, 31.31), "gptj-99.9": (40.6336, 31.31),
    }),
    Machine("v4.1", "Supermicro", "GH200-GraceHopper-Superchip_GH200-96GB_aarch64x1_TRT", "GH200_GraceHopper_96GB", 1, {
        "gptj-99": (38.543, 31.3), "gptj-99.9": (38.543, 31.3),
    }),
    Machine("v4.1", "ASUSTeK", "ESC4000A_E12_4XH100_TRT", "H100_NVL", 4, {
        "3d-unet-99": (21.5153, None), "3d-unet-99.9": (21.5153, None), "bert-99": (24173.2, 17001.6),
        "bert-99.9": (20380, 16002.5), "gptj-99": (101.239, 87.97), "gptj-99.9": (101.239, 87.97),
    }),
    Machine("v4.1", "Dell", "R760xa_H100NVL_PCIe_94GBx4_TRT", "H100_NVL", 4, {
        "3d-unet-99": (22.2878, None), "3d-unet-99.9": (22.2825, None), "bert-99": (24851.2, 20104.7),
        "bert-99.9": (20729.6, 17600.1), "gptj-99": (104.223, 91.85),
    }),
    Machine("v4.1", "HPE", "HPE_ProLiant_DL380a_H100_NVL_94GBx4_TRT", "H100_NVL", 4, {
        "3d-unet-99": (21.5112, None), "3d-unet-99.9": (21.5112, None), "bert-99": (23937.5, 19202.4),
        "bert-99.9": (20087.7, 15003.9),
    }),
    Machine("v4.1", "Lenovo", "SR675_V3_8xH100_NVL_TRT", "H100_NVL", 8, {
        "3d-unet-99": (43.6883, None), "3d-unet-99.9": (43.6883, None), "bert-99": (47655.3, 35006.8),
        "gptj-99": (203.965, 189.62),
    }),
    Machine("v4.1", "Cisco", "C245M8_H100_PCIe_80GBx2_TRT", "H100_PCIe_80GB", 2, {
        "bert-99": (11576, 9060.77), "gptj-99": (47.376, 47.23),
    }),
    Machine("v4.1", "Dell", "R760_H100_PCIe_80GBx2_TRT", "H100_PCIe_80GB", 2, {
        "3d-unet-99": (9.31163, None), "3d-unet-99.9": (9.31163, None), "bert-99": (11758.6, 9145.69),
        "bert-99.9": (10138.8, 8252.92), "gptj-99": (48.0736, 39.99), "gptj-99.9": (48.0736, 39.99),
    }),
    Machine("v4.1", "Dell", "R760xa_H100_PCIe_80GBx4_TRT", "H100_PCIe_80GB", 4, {
        "3d-unet-99": (18.6131, None), "3d-unet-99.9": (18.6131, None), "bert-99": (23238.4, 17880),
    }),
    Machine("v4.1", "Quanta_Cloud_Technology", "D54U_3U_H100_PCIe_80GBx4_TRT", "H100_PCIe_80GB", 4, {
        "3d-unet-99": (18.447, None), "3d-unet-99.9": (18.447, None), "bert-99": (23131.4, 17759.2),
    }),
    Machine("v4.1", "ASUSTeK", "ESC8000A_E12_H100x8_TRT", "H100_PCIe_80GB", 8, {
        "3d-unet-99": (37.1373, None), "3d-unet-99.9": (37.1373, None), "bert-99": (45409.8, 35365.6),
        "bert-99.9": (38464.2, 32007.7), "gptj-99": (189.543, 115.75), "gptj-99.9": (189.543, 115.75),
    }),
    Machine("v4.1", "Dell", "XE8640_H100_SXM_80GBx4_TRT", "H100_SXM_80GB", 4, {
        "3d-unet-99": (25.6625, None), "3d-unet-99.9": (25.6625, None), "bert-99": (35524.8, 28667.8),
        "bert-99.9": (31392.5, 25392.6), "gptj-99": (144.446, 144.79), "gptj-99.9": (144.446, 144.79),
    }),
    Machine("v4.1", "Dell", "XE9640_H100_SXM_80GBx4_TRT", "H100_SXM_80GB", 4, {
        "bert-99": (36051.2, 28348.3), "bert-99.9": (31412.4, 24854.8),
    }),
    Machine("v4.1", "Fujitsu", "GX2560M7_H100_SXM_80GBx4_TRT", "H100_SXM_80GB", 4, {
        "3d-unet-99": (25.6741, None), "3d-unet-99.9": (25.6741, None), "bert-99": (36110.8, 28605.3),
        "bert-99.9": (31575.2, 25504.8), "gptj-99": (144.358, 139.17), "gptj-99.9": (144.358, 139.17),
    }),
    Machine("v4.1", "ASUSTeK", "ESC_N8_E11_H100x8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (51.6944, None), "3d-unet-99.9": (51.6944, None), "bert-99": (70661.2, 57005.2),
        "bert-99.9": (62371.4, 51213.8), "gptj-99": (288.081, 278.65), "gptj-99.9": (288.081, 278.65),
    }),
    Machine("v4.1", "Dell", "XE9680_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (51.8056, None), "3d-unet-99.9": (51.8056, None), "bert-99": (70594, 56011.6),
        "bert-99.9": (61736.4, 49611.8),
    }),
    Machine("v4.1", "Google", "DGX-H100_H100-SXM-80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (51.3841, None), "3d-unet-99.9": (51.3841, None),
    }),
    Machine("v4.1", "HPE", "HPE_Cray_XD670_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (52.0396, None), "3d-unet-99.9": (52.0344, None), "bert-99": (71560.3, 56729.3),
        "bert-99.9": (62207.3, 51210.8), "gptj-99": (286.26, 282.65),
    }),
    Machine("v4.1", "NVIDIA", "DGX-H100_H100-SXM-80GBx8_TRT", "H100_SXM_80GB", 8, {
        "gptj-99": (286.084, 278.75), "gptj-99.9": (286.084, 278.75),
    }),
    Machine("v4.1", "Supermicro", "AS_4125GS_TNHR2_LCC_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (52.298, None), "3d-unet-99.9": (52.298, None), "bert-99": (72222.5, 57846.1),
        "bert-99.9": (61490.8, 51049.3), "gptj-99": (283.177, 287.11), "gptj-99.9": (283.177, 287.11),
    }),
    Machine("v4.1", "Supermicro", "AS_8125GS_TNHR_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (52.1198, None), "3d-unet-99.9": (52.1198, None), "bert-99": (71861.8, 57488.7),
        "bert-99.9": (61128, 50729.6), "gptj-99": (281.434, 279.77), "gptj-99.9": (281.434, 279.77),
    }),
    Machine("v4.1", "Supermicro", "SYS_421GE_TNHR2_LCC_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (52.2025, None), "3d-unet-99.9": (52.2025, None), "bert-99": (72876, 58928.5),
        "bert-99.9": (62036.9, 52049.4), "gptj-99": (287.075, 285.88), "gptj-99.9": (287.075, 285.88),
    }),
    Machine("v4.1", "Supermicro", "SYS_821GE_TNHR_H100_SXM_80GBx8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (52.2038, None), "3d-unet-99.9": (52.2038, None), "bert-99": (71806.2, 57928.3),
        "bert-99.9": (62153.9, 51570.7), "gptj-99": (287.009, 284.57), "gptj-99.9": (287.009, 284.57),
    }),
    Machine("v4.1", "Sustainable_Metal_Cloud", "SMC_H100_SXM_80GBX8_TRT", "H100_SXM_80GB", 8, {
        "3d-unet-99": (51.8258, None), "3d-unet-99.9": (51.8258, None), "bert-99": (69043.2, 56008.8),
        "bert-99.9": (61778.8, 49613), "gptj-99": (285.669, 278.75),
    }),
    Machine("v4.1", "NVIDIA", "H200-SXM-141GBx1_TRT", "H200_SXM_141GB", 1, {
        "gptj-99": (37.3842, 34.87), "gptj-99.9": (37.3842, 34.87),
    }),
    Machine("v4.1", "Dell", "XE9680_H200_SXM_141GBx8_TRT", "H200_SXM_141GB", 8, {
        "3d-unet-99": (54.6196, None), "3d-unet-99.9": (54.6196, None), "bert-99": (73791, 58091.3),
        "bert-99.9": (65322.6, 51213.5), "gptj-99": (293.311, 291.87), "gptj-99.9": (293.311, 291.87),
    }),
    Machine("v4.1", "GigaComputing", "GIGABYTE_G593_SD1_H200_SXM_141GBx8_TRT", "H200_SXM_141GB", 8, {
        "3d-unet-99": (54.3608, None), "3d-unet-99.9": (54.3608, None), "bert-99": (73765.6, 58090.2),
        "bert-99.9": (64368.8, 51213.7), "gptj-99": (290.453, 278.99), "gptj-99.9": (290.453, 278.99),
    }),
    Machine("v4.1", "Lenovo", "H200_SXM_141GBx8_TRT", "H200_SXM_141GB", 8, {
        "3d-unet-99": (54.3653, None), "3d-unet-99.9": (54.3653, None), "bert-99": (70319.1, 56811.1),
        "bert-99.9": (62102.5, 51211), "gptj-99": (287.815, 285.74),
    }),
    Machine("v4.1", "Lenovo", "Lenovo_8xH200_TRT", "H200_SXM_141GB", 8, {
        "3d-unet-99": (54.5565, None), "3d-unet-99.9": (54.5565, None), "bert-99": (70369.8, 56012.5),
        "bert-99.9": (64983.6, 52814), "gptj-99": (297.857, 286.74), "gptj-99.9": (297.857, 286.74),
    }),
    Machine("v4.1", "NVIDIA", "H200-SXM-141GBx8_TRT", "H200_SXM_141GB", 8, {
        "3d-unet-99": (54.7136, None), "3d-unet-99.9": (54.7136, None), "bert-99": (73309.5, 57609.3),
        "bert-99.9": (63950.4, 51212), "gptj-99": (291.103, 278.89), "gptj-99.9": (291.103, 278.89),
    }),
    Machine("v4.1", "NVIDIA", "H200-SXM-141GBx8_TRT_MaxQ", "H200_SXM_141GB", 8, {
        "3d-unet-99": (41.664, None), "3d-unet-99.9": (41.664, None), "bert-99": (54063.2, 41599.4),
        "bert-99.9": (46534.6, 39804.3), "gptj-99": (189.806, 169.58), "gptj-99.9": (189.806, 169.58),
    }),
    Machine("v4.1", "Lenovo", "Lenovo_2xL4_TRT", "L4", 2, {
        "3d-unet-99": (2.21588, None), "bert-99": (1928.07, None),
    }),
    Machine("v4.1", "Cisco", "C240M7_L40Sx2_TRT", "L40S", 2, {
        "bert-99": (6684.77, 6761.33), "gptj-99": (25.3286, 25.13),
    }),
    Machine("v4.1", "Cisco", "C245M8_L40Sx2_TRT", "L40S", 2, {
        "bert-99": (6844.6, 6741.2), "gptj-99": (25.0666, 25.01),
    }),
    Machine("v4.1", "Cisco", "X210c_L40SX2_TRT", "L40S", 2, {
        "bert-99": (6590.32, 6781.43), "gptj-99": (25.3111, 25.01), "gptj-99.9": (25.3111, 25.01),
    }),
    Machine("v4.1", "Lenovo", "Lenovo_2xL40S_TRT", "L40S", 2, {
        "3d-unet-99": (7.79867, None), "bert-99": (6502.66, None), "gptj-99": (24.9034, None),
    }),
    Machine("v4.1", "Lenovo", "SR650_V3_3xL40S_TRT", "L40S", 3, {
        "3d-unet-99": (11.6149, None), "bert-99": (9480.82, 9302), "gptj-99": (37.5891, 35.87),
    }),
    Machine("v4.1", "Dell", "R760xa_L40Sx4_TRT", "L40S", 4, {
        "bert-99": (13903.8, 13853.7),
    }),
    Machine("v4.1", "HPE", "HPE_ProLiant_DL380a_L40S_PCIe_48GBx4_TRT", "L40S", 4, {
        "3d-unet-99": (15.4388, None), "bert-99": (12981.8, 12904.6),
    }),
    Machine("v4.1", "Quanta_Cloud_Technology", "D54U_3U_L40S_PCIe_48GBx4_TRT", "L40S", 4, {
        "3d-unet-99": (15.551, None), "bert-99": (13248.3, 12002.4), "gptj-99": (50.1911, 44.88),
        "gptj-99.9": (50.1911, 44.88),
    }),
    Machine("v4.1", "Fujitsu", "CDI_L40Sx8_TRT", "L40S", 8, {
        "gptj-99": (100.171, 100.05), "gptj-99.9": (100.171, 100.05),
    }),
    Machine("v4.1", "Fujitsu", "CDI_L40Sx16_TRT", "L40S", 16, {
        "3d-unet-99": (61.09, None),
    }),
    Machine("v4.1", "ConnectTechInc", "Orin_TRT", "Orin", 1, {
        "gptj-99": (0.927649, None),
    }),
    Machine("v4.1", "NVIDIA", "Orin_TRT", "Orin", 1, {
        "gptj-99": (0.934398, None),
    }),
    Machine("v5.1", "GATEOverflow", "rtx4090x2-nvidia-gpu-TensorRT-default_config", "GeForceRTX_4090", 2, {
        "3d-unet-99": (8.34576, None),
    }),
    Machine("v5.1", "Lenovo", "SE100_RTX2000E_Ada_16GBx1_TRT", "RTX_2000E_Ada", 1, {
        "3d-unet-99": (0.610839, None), "3d-unet-99.9": (0.610839, None),
    }),
    Machine("v6.0", "Lenovo", "SE455I_V3_TRT", "L4", 2, {
        "3d-unet-99": (2.18794, None), "3d-unet-99.9": (2.18794, None), "bert-99": (1521.11, None),
    }),
)  # fmt: skip
