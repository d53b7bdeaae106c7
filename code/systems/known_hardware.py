"""Catalogues of known GPUs, MIG slices and processors, built from the tables in `data/`.

`KnownGPU.L40S.value` is a GPU, to be used in `custom_list.py` files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from code.common.constants import AcceleratorType, AliasedName, CPUArchitecture, Memory
from code.machine.accelerator import GPU, MIG
from code.machine.base import MATCH_ANY, MatchAllowList, MatchFloatApproximate
from code.machine.cpu import CPU
from code.systems.catalogue import Catalogue
from code.systems.data.cpus import CPUS
from code.systems.data.gpus import GPUS, GPURow
from code.systems.data.migs import MIGS

__all__ = ["VRAM_TOLERANCE", "Known", "KnownCPU", "KnownGPU", "KnownMIG", "listed_name"]

VRAM_TOLERANCE = 0.05
"""Relative tolerance for a known GPU's memory (firmware and ECC use some of it)."""

V = TypeVar("V")


@dataclass(frozen=True)
class Known(Generic[V]):
    """One known component: its name in configs and its description."""

    name: str
    value: V


def _size(text: str) -> MatchFloatApproximate:
    return MatchFloatApproximate(Memory.from_string(text), rel_tol=VRAM_TOLERANCE)


def _one_of(values: tuple[Any, ...] | None) -> Any:
    if values is None:
        return MATCH_ANY
    return values[0] if len(values) == 1 else MatchAllowList(values)


def _pci(row: GPURow) -> Any:
    if row.pci is None:
        return MATCH_ANY
    first, *others = (f"0x{device}10DE" for device in row.pci)
    return AliasedName(first, others)


def _sm(row: GPURow) -> Any:
    return MATCH_ANY if row.compute_sm is None else row.compute_sm


def _power(row: GPURow) -> Any:
    return MATCH_ANY if row.integrated else row.max_power_limit


def _gpus() -> Mapping[str, Known[GPU]]:
    found = {}
    for name, row in GPUS.items():
        found[name] = Known(
            name,
            GPU(
                name=AliasedName(row.names[0], row.names[1:], row.patterns),
                accelerator_type=AcceleratorType.Integrated if row.integrated else AcceleratorType.Discrete,
                vram=_one_of(None if row.vram is None else tuple(_size(size) for size in row.vram)),
                max_power_limit=_power(row),
                pci_id=_pci(row),
                compute_sm=_sm(row),
            ),
        )
    return found


def _migs() -> Mapping[str, Known[MIG]]:
    found = {}
    for name, row in MIGS.items():
        parent = GPUS[row.parent]
        first, *others = (f"{reported} MIG-{row.profile}" for reported in parent.names)
        found[name] = Known(
            name,
            MIG(
                name=AliasedName(first, others),
                accelerator_type=AcceleratorType.Discrete,
                vram=_size(row.vram),
                max_power_limit=_power(parent),
                pci_id=_pci(parent),
                compute_sm=_sm(parent),
                num_gpcs=row.gpcs,
            ),
        )
    return found


def _cpus() -> Mapping[str, Known[CPU]]:
    return {
        name: Known(
            name,
            CPU(
                name=AliasedName(row.names[0], row.names[1:], row.patterns),
                architecture=CPUArchitecture[row.architecture],
                core_count=_one_of(row.cores),
                threads_per_core=_one_of(row.threads),
            ),
        )
        for name, row in CPUS.items()
    }


KnownGPU: Catalogue[Known[GPU]] = Catalogue("KnownGPU", _gpus)
KnownMIG: Catalogue[Known[MIG]] = Catalogue("KnownMIG", _migs)
KnownCPU: Catalogue[Known[CPU]] = Catalogue("KnownCPU", _cpus)


def listed_name(accelerator: GPU) -> str:
    """The known name of an accelerator that is identical to a known description, as those of systems are; '' otherwise."""
    return next((known.name for known in (*KnownMIG, *KnownGPU) if known.value == accelerator), "")
