"""What is different on this machine from the system of a published result."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any, NamedTuple

from code.machine.detect import DetectedSystem
from code.submission.reproduce.published import PublishedResult
from code.systems.description import describe

COMPARED = {
    "number_of_nodes": "nodes",
    "accelerator_model_name": "accelerator",
    "accelerators_per_node": "accelerators of a node",
    "accelerator_memory_capacity": "accelerator memory",
    "accelerator_host_interconnect": "accelerator's connection",
    "accelerator_interconnect": "accelerators among each other",
    "host_processor_model_name": "processor",
    "host_processors_per_node": "processors of a node",
    "host_processor_core_count": "cores of a processor",
    "host_memory_capacity": "memory",
    "host_storage_type": "storage",
    "operating_system": "operating system",
    "framework": "framework",
    "other_software_stack": "software",
}
"""Field of system descriptions → what it is called here."""
SPEED = frozenset(
    (
        "number_of_nodes",
        "accelerator_model_name",
        "accelerators_per_node",
        "accelerator_memory_capacity",
        "host_processor_model_name",
        "host_processors_per_node",
        "host_processor_core_count",
    )
)
"""Fields that decide how fast a system is."""


class Compared(NamedTuple):
    """One property on both sides; `matters` where it decides the speed."""

    what: str
    there: str
    here: str
    same: bool
    matters: bool


def compare(result: PublishedResult, detected: DetectedSystem) -> list[Compared]:
    """Every property that the result's system description or its log states."""
    ours = describe(detected, "this machine")
    rows = []
    for name, title in COMPARED.items():
        there, here = _text(result.system.get(name)), _text(ours.get(name))
        if there:
            rows.append(Compared(title, there, here or "not detected", _plain(there) == _plain(here), name in SPEED))
    there = _version(result.log.version) if result.log else ""
    if there:
        here = _installed("mlcommons-loadgen")
        rows.append(Compared("LoadGen", there, here, there == here, False))
    return rows


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _plain(text: str) -> str:
    """A value without spelling: 'NVIDIA H200-SXM-141GB' and 'h200 sxm 141 GB' are the same, and so are '0' and 'N/A'."""
    words = re.sub(r"[^a-z0-9.]", "", text.lower().replace("nvidia", "").replace("(r)", "").replace("(tm)", ""))
    return "" if words in ("na", "0", "none") else words


def _version(text: str) -> str:
    """'4.1' of '4.1 @ commit'."""
    return text.partition("@")[0].strip()


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
