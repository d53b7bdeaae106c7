"""Systems of a `custom_list.json`, the form of rounds since v5.0: descriptions in NVIDIA Mitten's JSON. Nothing is executed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from code.common import jsonfile
from code.common.constants import AcceleratorType, ByteSuffix, CPUArchitecture, Memory
from code.machine.accelerator import GPU, MIG, AcceleratorConfiguration
from code.machine.base import MATCH_ANY, Matchable, MatchFloatApproximate
from code.machine.cpu import CPU, CPUConfiguration
from code.machine.memory import MemoryConfiguration
from code.machine.systems import SystemConfiguration
from code.systems.known_hardware import KnownGPU


def systems_of(text: str) -> tuple[dict[str, SystemConfiguration], list[tuple[int, str]]]:
    """(system name → its configuration, (line, message) of each entry that is none).

    Names become identifiers, as config classes need them. ValueError for text that is not a JSON object.
    """
    content = jsonfile.parse(text)
    if not isinstance(content, dict):
        raise ValueError(f"it is a {type(content).__name__}, not an object of systems by name")
    found: dict[str, SystemConfiguration] = {}
    met = []
    for name, value in content.items():
        try:
            found[re.sub(r"\W", "_", name)] = _system(_fields(value), name)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            line = next((i for i, row in enumerate(text.splitlines(), 1) if f'"{name}"' in row), 1)
            met.append((line, f"{name!r} cannot be read as a system: {type(error).__name__}: {error}"))
    return found, met


def _fields(value: Any) -> Mapping[str, Any]:
    """The fields of a description."""
    fields = value["data"]["fields"]
    if not isinstance(fields, dict):
        raise TypeError("its fields are not an object")
    return fields


def _system(fields: Mapping[str, Any], name: str) -> SystemConfiguration:
    cpu = _fields(fields["cpu"]) if fields.get("cpu") else {}
    architecture = CPUArchitecture.get_match(_enum(cpu.get("architecture")) or "") or MATCH_ANY
    processor = CPU(
        str(cpu["name"]) if cpu.get("name") else MATCH_ANY, architecture, cpu.get("cores_per_group") or MATCH_ANY, MATCH_ANY
    )
    kinds: Counter[GPU] = Counter()
    for group in fields.get("accelerators", {}).get("data", []):
        if group["key.name"] == "DLA":
            continue
        kinds.update(_accelerator(_fields(item), str(group["key.name"])) for item in group["value"])
    return SystemConfiguration(
        CPUConfiguration({processor: MATCH_ANY}),
        _memory(fields.get("host_memory")),
        AcceleratorConfiguration(dict(kinds)),
        MATCH_ANY,
        name,
    )


def _memory(value: Any) -> MemoryConfiguration | Matchable:
    capacity = _fields(value).get("capacity") if value else None
    return MemoryConfiguration(_bytes(capacity)) if capacity else MATCH_ANY


def _accelerator(fields: Mapping[str, Any], kind: str) -> GPU:
    """A GPU, or a MIG slice: the known GPU of its PCI ID, where there is one; of a slice, its name."""
    pci = str(fields["pci_id"]) if fields.get("pci_id") else None
    known = next((k for k in KnownGPU if pci is not None and _same_id(k.value.pci_id, pci)), None)
    if known is not None and kind == "GPU":
        return known.value
    name = fields.get("name") or (known.value.name if known else MATCH_ANY)
    kind_of = _kind(kind, bool(fields.get("is_integrated")))
    vram = fields.get("vram")
    values = (
        name,
        kind_of,
        MatchFloatApproximate(_bytes(vram)) if vram else MATCH_ANY,
        _near(fields.get("max_power_limit")),
        pci or MATCH_ANY,
        known.value.compute_sm if known else MATCH_ANY,
    )
    return MIG(*values, fields.get("num_gpcs") or MATCH_ANY) if kind == "MIG" else GPU(*values)


def _kind(kind: str, integrated: bool) -> AcceleratorType:
    if kind == "MIG":
        return AcceleratorType.MIG
    return AcceleratorType.Integrated if integrated else AcceleratorType.Discrete


def _same_id(known: Any, pci: str) -> bool:
    return str(getattr(known, "name", known)).lower() == pci.lower()


def _near(value: Any) -> Any:
    """A number within the file's tolerance."""
    number = value["data"]["start"] if isinstance(value, dict) else value
    return MATCH_ANY if number is None else MatchFloatApproximate(float(number))


def _bytes(value: Any) -> Memory:
    """An amount of memory, or the start of a range of them."""
    data = value["data"]
    if "start" in data:
        return _bytes(data["start"])
    return Memory(float(data["num_bytes"]), ByteSuffix.B)


def _enum(value: Any) -> str | None:
    return str(value["name"]) if isinstance(value, dict) else None
