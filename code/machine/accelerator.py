"""Accelerators of a system: GPUs and MIG slices, and their counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from code.common.constants import AcceleratorType, AliasedName, Memory
from code.machine.base import Hardware, Matchable

__all__ = ["GPU", "MIG", "Accelerator", "AcceleratorConfiguration", "AcceleratorType"]


@dataclass(frozen=True, repr=False)
class Accelerator(Hardware):
    """Base class of devices that run engines."""

    name: str | AliasedName | Matchable
    accelerator_type: AcceleratorType | Matchable


@dataclass(frozen=True, repr=False)
class GPU(Accelerator):
    """One GPU as its driver reports it.

    Fields: `vram` is the device's memory (None on integrated GPUs that share the host's), `max_power_limit` is in watts,
    `pci_id` is "0x<device><vendor>" in hexadecimal as nvidia-smi prints pci.device_id, and `compute_sm` is ten times the
    compute capability (80 for 8.0).
    """

    vram: Memory | Matchable | None = None
    max_power_limit: float | Matchable | None = None
    pci_id: str | AliasedName | Matchable | None = None
    compute_sm: int | Matchable | None = None


@dataclass(frozen=True, repr=False)
class MIG(GPU):
    """One slice of a GPU in multi-instance mode; `num_gpcs` counts its compute slices (1 in "1g.5gb")."""

    num_gpcs: int | Matchable | None = None


@dataclass(frozen=True, repr=False)
class AcceleratorConfiguration(Hardware):
    """A system's accelerators: `layout` maps each kind to its count."""

    layout: dict[Any, int]

    def __hash__(self) -> int:
        return hash(tuple(self.layout.items()))

    def get_accelerators(self) -> list[Any]:
        """The kinds of accelerators, in the order of the layout."""
        return list(self.layout)

    def num_gpus(self) -> int:
        """Number of whole GPUs."""
        return sum(count for kind, count in self.layout.items() if isinstance(kind, GPU) and not isinstance(kind, MIG))

    def num_migs(self) -> int:
        """Number of MIG slices."""
        return sum(count for kind, count in self.layout.items() if isinstance(kind, MIG))
