"""Known MIG slices: the GPU they are cut from, the profile as the driver names it, and memory.

Names derive from the GPU's: each reported name of the parent followed by " MIG-<profile>".
"""

from __future__ import annotations

from typing import NamedTuple


class MIGRow(NamedTuple):
    """One kind of slice; `gpcs` is its number of compute slices."""

    parent: str
    profile: str
    vram: str
    gpcs: int


MIGS: dict[str, MIGRow] = {
    "A30_1GPC": MIGRow("A30", "1g.6gb", "6 GiB", 1),
    "A100_PCIe_40GB_1GPC": MIGRow("A100_PCIe_40GB", "1g.5gb", "5 GiB", 1),
    "A100_PCIe_80GB_1GPC": MIGRow("A100_PCIe_80GB", "1g.10gb", "10 GiB", 1),
    "A100_SXM4_40GB_1GPC": MIGRow("A100_SXM4_40GB", "1g.5gb", "5 GiB", 1),
    "A100_SXM_80GB_1GPC": MIGRow("A100_SXM_80GB", "1g.10gb", "10 GiB", 1),
    "A100_SXM_80GB_RO_1GPC": MIGRow("A100_SXM_80GB_RO", "1g.10gb", "10 GiB", 1),
}
