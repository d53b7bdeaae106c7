"""A list of systems in the JSON form of rounds since v5.0, with one system of four GPUs."""

from __future__ import annotations

import json
from typing import Any


def description(module: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    data = {"_component_module": module, "_component_classname": name, "_match_ignore_fields": [], "fields": fields}
    return {"__obj_class__": "<class 'nvmitten.system.component.Description'>", "data": data}


def near(value: Any) -> dict[str, Any]:
    return {"__obj_class__": "<class 'nvmitten.interval.NumericRange'>", "data": {"start": value, "rel_tol": 0.05}}


def memory(count: int, base: int) -> dict[str, Any]:
    return {"__obj_class__": "<class 'nvmitten.memory.Memory'>", "data": {"num_bytes": count, "base": base}}


GPU = description(
    "nvmitten.nvidia.accelerator",
    "GPU",
    {"pci_id": "0x233010DE", "vram": near(memory(85520809984, 1024)), "max_power_limit": near(700.0), "is_integrated": False},
)
CPU = description(
    "nvmitten.system.cpu",
    "CPU",
    {"architecture": {"__ENUM__": ["nvmitten.constants", "CPUArchitecture"], "name": "x86_64"}, "vendor": "GenuineIntel"},
)
SYSTEM = description(
    "nvmitten.system.system",
    "System",
    {
        "cpu": CPU,
        "host_memory": description("nvmitten.system.memory", "HostMemory", {"capacity": memory(1583748000000, 1000)}),
        "accelerators": {
            "__obj_class__": "<class 'nvmitten.json_utils.ClassKeyedDict'>",
            "data": [
                {"key.module": "nvmitten.nvidia.accelerator", "key.name": "GPU", "value": [GPU] * 4},
                {"key.module": "nvmitten.nvidia.accelerator", "key.name": "DLA", "value": []},
            ],
        },
    },
)
CUSTOM_JSON = json.dumps({"Rack-H100x4": SYSTEM}, indent=2)
