"""systems/<name>.json: the MLPerf description of each known system that has configs, but for what only its owner knows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from code.machine.base import MATCH_ANY
from code.machine.cpu import CPU
from code.systems.data.description_fields import REQUIRED
from code.systems.data.gpus import GPUS
from code.systems.data.interconnects import INTERCONNECTS, NONE
from code.systems.description import TODO, description_path, unfinished, write_description
from code.systems.system_list import KnownSystem, System


def template(system: System) -> dict[str, Any]:
    """The description of a known system: every required field, "" for what its owner fills in."""
    content: dict[str, Any] = dict.fromkeys(REQUIRED, "")
    content.update(
        system_name=system.system_id,
        system_type_detail=NONE,
        number_of_nodes=1,
        host_networking_topology=NONE,
        **_host(system),
        **_accelerators(system),
    )
    content[TODO] = unfinished(content)
    return content


def write(names: Iterable[str]) -> list[Path]:
    """Write the descriptions of the named systems; values that an owner has filled in are kept. Returns the paths."""
    paths = []
    for name in names:
        paths.append(description_path(name))
        write_description(paths[-1], template(KnownSystem[name]))
    return paths


def _host(system: System) -> dict[str, Any]:
    """The processor, where the system has one exact kind."""
    (kind,) = system.value.host_cpu_conf.layout
    if not isinstance(kind, CPU) or kind.name is MATCH_ANY:
        return {}
    cores = {"host_processor_core_count": kind.core_count} if isinstance(kind.core_count, int) else {}
    return {"host_processor_model_name": str(kind.name), **cores}


def _accelerators(system: System) -> dict[str, Any]:
    if not system.accelerators:
        names = [name for name in REQUIRED if name.startswith("accelerator_")]
        return {"accelerators_per_node": "0", **dict.fromkeys(names, NONE)}
    to_host, between = INTERCONNECTS[system.accelerator]
    return {
        "accelerators_per_node": system.accelerators,
        "accelerator_model_name": GPUS[system.accelerator].names[0],
        "accelerator_memory_capacity": (GPUS[system.accelerator].vram or ("",))[0],
        "accelerator_memory_configuration": GPUS[system.accelerator].memory_kind,
        "accelerator_host_interconnect": to_host,
        "accelerator_interconnect": between if system.accelerators > 1 else NONE,
    }
