"""The check that a device of this process is the one that the placement chose.

CUDA numbers devices in the order of CUDA_VISIBLE_DEVICES, NVML in its own: a device is recognised by its UUID, never by its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.tensorrt.cuda import Found
from code.common.errors import RunError

WHOLE_GPU = "GPU-"
"""How the UUID of a whole GPU begins; CUDA and NVML name MIG slices differently."""


AMPERE = 80
"""The least compute capability, times ten, of engines for `ampere_plus`."""


def require_chosen(device: int, found: Found, name: str, pci: str, folder: Path, details: Mapping[str, Any]) -> None:
    """RunError for another device than the chosen one, or one of another compute capability than the engine is for.

    Args:
        device: its number in this process.
        name: its name in run.json; one that is no UUID of a whole GPU does not tell which GPU it is.
        pci: its PCI address in run.json; '' does not tell either.
        details: the engine's sidecar.
    """
    other = name.startswith(WHOLE_GPU) and found.uuid and found.uuid.lower() != name.lower()
    if other or (pci and found.bus.lower() != pci.lower()):
        raise RunError(
            f"device {device} of this process is not {name}" + (f" at {pci}" if pci else ""),
            f"it is {found.uuid} ({found.name}, {found.bus})",
            "CUDA_VISIBLE_DEVICES must list the devices of run.json in their order; run through `make run_harness`",
        )
    if not runs_on(found, details):
        raise RunError(
            f"the engine {folder.name} is for compute capability {details['compute_capability']} ({details.get('gpu')})",
            f"device {device} is {found.name} ({found.bus}) with {found.capability}",
            "build one for this system: make generate_engines with its own --system, or without --system",
        )


def runs_on(found: Found, details: Mapping[str, Any]) -> bool:
    """Whether a device runs the engine of this sidecar (TensorRT developer guide, "Hardware Compatibility")."""
    if found.capability == details["compute_capability"]:
        return True
    return details.get("hardware_compatibility") == "ampere_plus" and found.compute >= AMPERE
