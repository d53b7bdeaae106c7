"""How known accelerators are connected, from the vendor's data sheets: to the host, and to each other.

Key: a name of GPUS or the parent of a MIG slice. Boards whose bridge between two cards is optional have none here: an owner who
fitted one says so in the description.
"""

from __future__ import annotations

NONE = "N/A"

INTERCONNECTS: dict[str, tuple[str, str]] = {
    "A100_PCIe_80GB": ("PCIe Gen4 x16", NONE),
    "A100_SXM4_40GB": ("PCIe Gen4 x16", "12x 3rd Gen NVLink, 600 GB/s"),
    "A100_SXM_80GB": ("PCIe Gen4 x16", "12x 3rd Gen NVLink, 600 GB/s"),
    "B200_SXM_180GB": ("PCIe Gen5 x16", "18x 5th Gen NVLink, 1.8 TB/s"),
    "B300_SXM_270GB": ("PCIe Gen6 x16", "18x 5th Gen NVLink, 1.8 TB/s"),
    "GH200_GraceHopper_96GB": ("NVLink-C2C, 900 GB/s", NONE),
    "H100_NVL": ("PCIe Gen5 x16", NONE),
    "H100_PCIe_80GB": ("PCIe Gen5 x16", NONE),
    "H100_SXM_80GB": ("PCIe Gen5 x16", "18x 4th Gen NVLink, 900 GB/s"),
    "H200_NVL": ("PCIe Gen5 x16", NONE),
    "H200_SXM_141GB": ("PCIe Gen5 x16", "18x 4th Gen NVLink, 900 GB/s"),
    "L4": ("PCIe Gen4 x16", NONE),
    "L40": ("PCIe Gen4 x16", NONE),
    "L40S": ("PCIe Gen4 x16", NONE),
    "RTX_PRO_4500": ("PCIe Gen5 x16", NONE),
    "RTX_PRO_6000": ("PCIe Gen5 x16", NONE),
}
