"""Matches a detected machine with a known system.

Accelerators must match: PCI ID first, names and aliases second, memory within 5 %, and the count. The architecture must be
the same. A different processor model of that architecture, or slightly less host memory, is a warning. A machine without
accelerators is `CPU_<architecture>`. Without a match, a MissingError compares the three closest systems field by field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from code.common.constants import CPUArchitecture, Memory
from code.common.errors import MissingError
from code.machine.accelerator import GPU, MIG
from code.machine.base import MATCH_ANY, MatchNumericThreshold, accepts
from code.machine.detect import DetectedSystem
from code.machine.memory import MemoryConfiguration
from code.systems.system_list import KnownSystem, System

MEMORY_FLOOR = 0.9
"""Share of a known system's memory below which a machine does not match; between it and the full amount is a warning."""


@dataclass(frozen=True)
class SystemMatch:
    """The result of matching: the known system, the ID for its results, and messages about the match."""

    system: System
    system_id: str
    warnings: tuple[str, ...] = ()


@dataclass
class Comparison:
    """Comparison of one known system with the machine: a row per field as (field, known, here, verdict).

    A verdict is "same", "near" (a warning) or "differs" (a refusal); `distance` orders refused systems.
    """

    system: System
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    distance: float = 0.0
    closeness: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether a field differs by too much."""
        return any(verdict == "differs" for *_, verdict in self.rows)

    def add(self, name: str, known: str, here: str, verdict: str, cost: float = 0.0, warning: str = "") -> None:
        """Record one field's outcome."""
        self.rows.append((name, known, here, verdict))
        self.distance += cost
        if warning:
            self.warnings.append(warning)


def match(detected: DetectedSystem) -> SystemMatch:
    """The known system that matches `detected`; the detected configuration gets that system's ID.

    Raises MissingError (exit status 3) if no known system has accelerators of this kind and number.
    """
    compared = [compare(system, detected) for system in KnownSystem if _eligible(system, detected)]
    accepted = [comparison for comparison in compared if not comparison.refused]
    if not accepted:
        raise _no_match(compared, detected)
    best = min(accepted, key=_preference)
    warnings = [*detected.notes] if detected.devices.failure or (detected.devices.on_bus and not detected.gpus) else []
    warnings += best.warnings
    if best.system.retired:
        warnings.append(f"{best.system.name} is {best.system.retired}")
    system_id = best.system.value.system_id or cpu_system_id(detected)
    detected.config.set_id(system_id)
    return SystemMatch(best.system, system_id, tuple(warnings))


def fitting(detected: DetectedSystem) -> list[System]:
    """Every known system that fits the machine, the best match first."""
    compared = [compare(system, detected) for system in KnownSystem if _eligible(system, detected)]
    return [comparison.system for comparison in sorted((c for c in compared if not c.refused), key=_preference)]


def unregistered_name(detected: DetectedSystem) -> str:
    """The name of an unknown machine, 'UNREGISTERED_<architecture>_<GPU>x<count>'; without a GPU, its processor's model."""
    kinds = detected.config.accelerator_conf.layout
    name, count = next(((str(kind.name), number) for kind, number in kinds.items()), (detected.processors.model, 1))
    return f"UNREGISTERED_{detected.processors.architecture}_{plain_cpu_name(name)}x{count}"


def resolve(name: str, detected: DetectedSystem) -> SystemMatch:
    """The system named by the user, whatever the machine is, with its ID (for a generic CPU system, this machine's).

    Raises UsageError for an unknown name.
    """
    from code.common.errors import unknown
    from code.systems.folders import known_system

    system = known_system(name)
    if system is None:
        raise unknown("system", name, KnownSystem.names())
    warnings = (f"{system.name} is {system.retired}",) if system.retired else ()
    return SystemMatch(system, system.value.system_id or cpu_system_id(detected), warnings)


def cpu_system_id(detected: DetectedSystem) -> str:
    """The ID of a machine without accelerators, "<processor>x<sockets>": letters, digits, "_", "." and "-" only."""
    return f"{plain_cpu_name(detected.processors.model)}x{detected.processors.sockets}"


def plain_cpu_name(model: str) -> str:
    """A processor's model as part of a file name: "Intel(R) Xeon(R) Platinum 8480+" is "Intel_Xeon_Platinum_8480P"."""
    text = re.sub(r"\((?:R|TM|C)\)", " ", model, flags=re.IGNORECASE)
    text = re.sub(r"@\s*[\d.]+\s*GHz|\b\d+-Core Processor\b|\bCPU\b", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\w)\+", "P", text)
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_.-") or "unknown"


def _eligible(system: System, detected: DetectedSystem) -> bool:
    """Whether a system is of the machine's kind: with or without accelerators; a cloud's systems only on that cloud."""
    if system.platform and system.platform != detected.platform:
        return False
    return bool(system.accelerators) == bool(detected.gpus)


def _preference(comparison: Comparison) -> tuple[Any, ...]:
    """Sort key: exact counts first, then users' own systems, a cloud's, current ones, fewest warnings, closest values."""
    system = comparison.system
    partial = any(name == "count" and verdict == "near" for name, *_, verdict in comparison.rows)
    return (
        partial,
        not system.custom,
        not system.platform,
        bool(system.retired),
        round(comparison.closeness, 3),
        len(comparison.warnings),
    )


def compare(system: System, detected: DetectedSystem) -> Comparison:
    """Compare one known system with the machine."""
    outcome = Comparison(system)
    _compare_accelerators(system, detected, outcome)
    _compare_processors(system, detected, outcome)
    _compare_memory(system, detected, outcome)
    return outcome


def _compare_accelerators(system: System, detected: DetectedSystem, outcome: Comparison) -> None:
    known, here = system.value.accelerator_conf.layout, detected.config.accelerator_conf.layout
    if not known and not here:
        return
    if len(known) != 1 or len(here) != 1:
        same = known == here
        outcome.add("accelerators", f"{len(known)} kinds", f"{len(here)} kinds", "same" if same else "differs", 0 if same else 5)
        return
    (wanted, count), (found, present) = next(iter(known.items())), next(iter(here.items()))
    agrees = _compare_kinds(wanted, found, outcome)
    if count == present:
        outcome.add("count", str(count), str(present), "same")
    elif isinstance(wanted, MIG) and agrees and present > count:
        outcome.closeness += present - count
        warning = f"{present} MIG slices are visible and {system.name} uses {count}; set CUDA_VISIBLE_DEVICES to choose which"
        outcome.add("count", str(count), str(present), "near", 0.5, warning)
    else:
        outcome.add("count", str(count), str(present), "differs", 1 + min(abs(count - present), 8) / 8)


def _compare_kinds(wanted: GPU, found: GPU, outcome: Comparison) -> bool:
    """Note how the kinds of accelerator compare; whether they are the same."""
    agrees, why = same_accelerator(wanted, found)
    cost = 0.0 if agrees else _kind_distance(wanted, found)
    outcome.add("accelerator", _kind(wanted), _kind(found), "same" if agrees else "differs", cost)
    if agrees and why:
        outcome.warnings.append(why)
    outcome.closeness += _power_distance(wanted, found)
    return agrees


def _power_distance(wanted: GPU, found: GPU) -> float:
    """The relative difference of the power limits; 0 where one is not known."""
    known, here = wanted.max_power_limit, found.max_power_limit
    if not isinstance(known, (int, float)) or not isinstance(here, (int, float)):
        return 0.0
    return abs(known - here) / max(known, 1.0)


def same_accelerator(known: GPU, found: GPU) -> tuple[bool, str]:
    """Whether `found` is of the known kind, and a remark if the match is not exact.

    The PCI device ID decides if both have one; else name and memory must agree. Memory that differs by more than the
    tolerance means another board, whatever its ID.
    """
    if isinstance(known, MIG) != isinstance(found, MIG):
        return False, ""
    if isinstance(known, MIG) and isinstance(found, MIG) and not accepts(known.num_gpcs, found.num_gpcs):
        return False, ""
    memory = _accepts_memory(known.vram, found.vram)
    if found.pci_id is not None and known.pci_id is not None and known.pci_id is not MATCH_ANY:
        if not accepts(known.pci_id, found.pci_id) or not memory:
            return False, ""
        named = accepts(known.name, found.name)
        return True, "" if named else f"the accelerator reports the name {found.name!r}; matched by its PCI ID {found.pci_id}"
    return bool(accepts(known.name, found.name) and memory), ""


def _accepts_memory(known: Any, found: Any) -> bool:
    if known is None or known is MATCH_ANY or found is None:
        return True
    if isinstance(known, Memory):  # a custom system has the size that was detected
        return isinstance(found, Memory) and abs(known.to_bytes() - found.to_bytes()) <= 0.05 * known.to_bytes()
    return accepts(known, found)


def _kind_distance(known: GPU, found: GPU) -> float:
    distance = 2.0
    if accepts(known.compute_sm, found.compute_sm):
        distance -= 0.5
    if _accepts_memory(known.vram, found.vram):
        distance -= 0.5
    if isinstance(known, MIG) != isinstance(found, MIG):
        distance += 1
    if accepts(known.name, found.name):
        distance -= 0.5
    return distance


def _kind(kind: GPU) -> str:
    vram = kind.vram if isinstance(kind.vram, Memory) else getattr(kind.vram, "o", None)
    size = f", {vram.pretty_string()}" if isinstance(vram, Memory) else ""
    pci = "" if kind.pci_id in (None, MATCH_ANY) else f", {kind.pci_id}"
    return f"{kind.name}{size}{pci}"


def _compare_processors(system: System, detected: DetectedSystem, outcome: Comparison) -> None:
    wanted = system.value.host_cpu_conf
    here = detected.processors
    architecture = wanted.get_architecture()
    cpu, sockets = next(iter(detected.config.host_cpu_conf.layout.items()))
    if architecture is None:
        outcome.add("architecture", "any", here.architecture.name, "same")
        return
    same = architecture is here.architecture
    outcome.add("architecture", architecture.name, here.architecture.name, "same" if same else "differs", 0 if same else 3)
    known = next(iter(wanted.layout))
    described = getattr(known, "values", (known,))
    name = " or ".join(str(value.name) for value in described)
    same_model = any(accepts(value.name, cpu.name) for value in described)
    agrees = same_model or accepts(known, cpu)  # a virtual machine has fewer cores of the same processor
    named = f"{here.model}, {here.cores_per_socket} cores x {sockets}"
    if not system.accelerators and not (accepts(known, cpu) and accepts(wanted.layout[known], sockets)):
        outcome.add("processor", name, named, "differs", 2)  # without accelerators, the processors define the system
    elif agrees or not same:
        outcome.add("processor", name, named, "same" if agrees else "near")
    else:
        warning = f"the processor is {here.model} with {here.cores_per_socket} cores, {system.name} was described with {name}"
        outcome.add("processor", name, named, "near", 0.1, warning)


def _compare_memory(system: System, detected: DetectedSystem, outcome: Comparison) -> None:
    wanted = system.value.host_mem_conf
    if not isinstance(wanted, (MatchNumericThreshold, MemoryConfiguration)):
        return
    least = wanted.o if isinstance(wanted, MatchNumericThreshold) else wanted
    capacity = least.host_memory_capacity
    if not isinstance(capacity, Memory) or not detected.memory_total_bytes:
        return
    # A custom system's size was recorded by detection; a known one is a minimum in true bytes.
    printed = detected.config.host_mem_conf
    assert isinstance(printed, MemoryConfiguration)
    assert isinstance(printed.host_memory_capacity, Memory)
    exact = isinstance(wanted, MemoryConfiguration)
    here = printed.host_memory_capacity.to_bytes() if exact else detected.memory_total_bytes
    bound = capacity.to_bytes() * (1 - least.comparison_tolerance if exact else 1)
    known = f"{'' if exact else 'at least '}{capacity.pretty_string()}"
    shown = Memory.to_1000_base(here).pretty_string() if exact else Memory.to_1024_base(here).pretty_string()
    if here >= bound:
        outcome.add("host memory", known, shown, "same")
    elif here >= MEMORY_FLOOR * capacity.to_bytes():
        outcome.add("host memory", known, shown, "near", 0.2, f"host memory is {shown}, {system.name} expects {known}")
    else:
        outcome.add("host memory", known, shown, "differs", 1.5)


def nearest_systems(compared: list[Comparison], count: int = 3) -> list[Comparison]:
    """The closest systems, current ones before retired ones."""
    return sorted(compared, key=lambda c: (c.distance + (0.5 if c.system.retired else 0.0), c.system.name))[:count]


def comparison_table(compared: list[Comparison]) -> str:
    """The systems and the machine, field by field, as text."""
    near = nearest_systems(compared)
    names = dict.fromkeys(name for comparison in near for name, *_ in comparison.rows)
    cells = [["field", "this machine", *(c.system.name for c in near)], *(_cells(name, near) for name in names)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(f"  {line.rstrip()}" for line in lines)


def _cells(name: str, near: list[Comparison]) -> list[str]:
    """One field of the table: its name, this machine's value and each system's."""
    rows = [next((row for row in comparison.rows if row[0] == name), (name, "", "", "")) for comparison in near]
    here = next((row[2] for row in rows if row[2]), "")
    return [name, here, *(f"{row[1]}{'  <- differs' if row[3] == 'differs' else ''}" for row in rows)]


def _no_match(compared: list[Comparison], detected: DetectedSystem) -> MissingError:
    layout = detected.config.accelerator_conf.layout
    here = ", ".join(f"{count} x {_kind(kind)}" for kind, count in layout.items()) or "no accelerator"
    if detected.processors.architecture is CPUArchitecture.UNKNOWN:
        here += " on an unknown processor architecture"
    why = "no known system has these accelerators in this number"
    if compared:
        why += "; the nearest are:\n" + comparison_table(compared)
    steps = "add this machine with: make add_system NAME=<name>"
    near = nearest_systems(compared, 1)
    if near:
        steps += f"  (or use a known system's configs: --system={near[0].system.name})"
    return MissingError(f"{detected.source} matches no known system: {here}", why, steps)
