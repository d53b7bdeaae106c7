"""Devices available to a run: detected or described GPUs and MIG slices, or NUMA nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.machine.accelerator import MIG
from code.machine.detect import DetectedSystem
from code.machine.gpus import Device as DetectedDevice
from code.machine.systems import intervals
from code.systems.estimate import known_name
from code.systems.known_hardware import listed_name
from code.systems.system_list import KnownSystem

if TYPE_CHECKING:
    from code.backends.base import Backend
    from code.plan.workload import Workload


READS = Consumer("placement", ("devices", "numa_config"))


@dataclass(frozen=True)
class Slot:
    """A device available to a run.

    Args:
        number: its number in `--devices`.
        name: its name in logs: the UUID of a GPU or MIG slice if known.
        kind: the device type an engine is built for.
        cores: logical processors close to it, ascending; () for no affinity.
        compute: physical cores used for computation, for NUMA nodes.
        slice: whether it is a MIG slice.
        pci: the PCI address of its GPU, as '0000:3b:00.0'; '' if unknown.
    """

    number: int
    name: str
    kind: str
    cores: tuple[int, ...] = ()
    compute: int = 0
    slice: bool = False
    pci: str = ""


def has_accelerators(system_name: str) -> bool:
    """Whether a known system has GPUs or MIG slices."""
    system = KnownSystem.get(system_name)
    return system is not None and system.accelerators > 0


def of_gpus(workload: Workload, backend: Backend) -> list[Slot]:
    """The system's GPUs: the visible ones, up to the system's count; without any, those in its description.

    UsageError for a system without GPUs.
    """
    system = KnownSystem.get(workload.system_name)
    seen = workload.detected.gpus if backend.device == "GPU" else ()
    if seen:
        most = system.accelerators if system is not None and system.accelerators else len(seen)
        return _with_numa_config(_visible(seen[:most], workload.detected), workload)
    layout = system.value.accelerator_conf.layout if system is not None else {}
    if system is None or not layout:
        raise UsageError(
            f"{workload.system_name} has no GPUs",
            f"{backend.label} runs on GPUs",
            "select a GPU system with --system=…, or run with --backend=openvino",
        )
    kinds = [(kind, system.accelerator if len(layout) == 1 else "") for kind, count in layout.items() for _ in range(count)]
    listed = [
        Slot(i, f"GPU {i}", name or listed_name(kind) or str(kind.name), slice=isinstance(kind, MIG))
        for i, (kind, name) in enumerate(kinds)
    ]
    return _with_numa_config(listed, workload)


def _visible(devices: Sequence[DetectedDevice], detected: DetectedSystem) -> list[Slot]:
    whole = not any(isinstance(device.kind, MIG) for device in devices)
    usable = set(detected.usable_cpus)
    out = []
    for position, device in enumerate(devices):
        near = set(device.facts.get("cpu_affinity") or ()) & usable
        number = device.index if whole else position
        name = device.uuid or f"GPU {number}"
        cores = tuple(sorted(near)) if near and near != usable else ()
        kind = known_name(device.kind) or str(device.kind.name)
        out.append(Slot(number, name, kind, cores, slice=isinstance(device.kind, MIG), pci=device.pci))
    return out


def _with_numa_config(listed: list[Slot], workload: Workload) -> list[Slot]:
    """The GPUs with their cores from numa_config, which numbers devices as `--devices` does."""
    given = READS.of(workload)["numa_config"]
    if not given:
        return listed
    origin = workload.origin("numa_config")
    near: dict[int, tuple[int, ...]] = {}
    for numbers, cores in parse_numa_config(str(given), origin):
        near.update(dict.fromkeys(numbers, cores))
    return [replace(slot, cores=near.get(slot.number, slot.cores)) for slot in listed]


def of_processors(workload: Workload) -> list[Slot]:
    """The accessible NUMA nodes with their cores.

    A machine with at most one node is one device with unbound threads.
    """
    detected = workload.detected
    given = READS.of(workload)["numa_config"]
    if given:
        return _nodes_of_config(str(given), workload.origin("numa_config"), detected)
    nodes = _nodes_in_reach(detected)
    if len(nodes) < 2:
        return [Slot(0, "node 0", "CPU", (), max(1, detected.usable_cores))]
    physical = {number: _physical(cores, detected) for number, cores in nodes.items()}
    # A container's CPU quota may be smaller than the nodes' cores.
    share = min(1.0, detected.usable_cores / max(1, sum(physical.values())))
    return [
        Slot(number, f"node {number}", "CPU", cores, max(1, int(physical[number] * share))) for number, cores in nodes.items()
    ]


def _nodes_of_config(text: str, origin: str, detected: DetectedSystem) -> list[Slot]:
    usable = set(detected.usable_cpus)
    out: list[Slot] = []
    for position, (numbers, cores) in enumerate(parse_numa_config(text, origin)):
        absent = sorted(set(cores) - usable)
        if absent:
            raise UsageError(
                f"numa_config contains processors that are not available: {ranges(tuple(absent))}",
                f"available: {ranges(tuple(sorted(usable)))}",
                "correct it, or leave it out: NUMA nodes are then detected",
                origin,
            )
        number = numbers[0] if len(numbers) == 1 else position
        out.append(Slot(number, f"node {number}", "CPU", cores, max(1, _physical(cores, detected))))
    return out


def _nodes_in_reach(detected: DetectedSystem) -> dict[int, tuple[int, ...]]:
    usable = set(detected.usable_cpus)
    both = {number: tuple(sorted(set(cpus) & usable)) for number, cpus in detected.numa_nodes.items()}
    return {number: cpus for number, cpus in both.items() if cpus}


def _physical(cpus: Sequence[int], detected: DetectedSystem) -> int:
    """Number of physical cores behind these logical processors."""
    return len({detected.processors.cores.get(cpu, (0, cpu)) for cpu in cpus})


def parse_numa_config(text: str, origin: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(device numbers, logical CPUs) of each node in '0-3:0-31&4-7:32-63'. UsageError for anything else."""
    out = []
    for part in text.split("&"):
        left, colon, right = part.partition(":")
        try:
            cores = numbers_of(right)
            if not colon or not cores:
                raise ValueError
            out.append((numbers_of(left), cores))
        except ValueError:
            raise UsageError(
                f"invalid numa_config {text!r}",
                f"{part!r} is not DEVICES:PROCESSORS",
                "write one part per NUMA node, joined by &: 0-3:0-31&4-7:32-63",
                origin,
            ) from None
    return out


def numbers_of(text: str) -> tuple[int, ...]:
    """Parse '0,2-5' → (0, 2, 3, 4, 5); () for ''. ValueError for anything else, or a descending range."""
    out: list[int] = []
    for word in (part.strip() for part in text.split(",") if part.strip()):
        first, dash, last = word.partition("-")
        if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
            raise ValueError(word)
        start, end = int(first), int(last) if dash else int(first)
        if end < start or end - start > 65_536:
            raise ValueError(word)
        out += range(start, end + 1)
    return tuple(dict.fromkeys(out))


def chosen(found: Sequence[Slot], workload: Workload) -> list[Slot]:
    """The devices selected by the field `devices`, all by default. UsageError for one that does not exist, listing those that do."""
    asked, origin = READS.of(workload)["devices"], workload.origin("devices")
    text = str(asked if asked is not None else "").strip()
    if text.lower() in ("", "all"):
        return list(found)
    there = {slot.number: slot for slot in found}
    try:
        numbers = numbers_of(_numbered(found, text))
    except ValueError as error:
        raise UsageError(
            f"invalid devices {text!r}",
            f"{error.args[0]!r} is not a device number, a range of them or the UUID of a device",
            "write --devices=0,2-5, --devices=MIG-… or --devices=all",
            origin,
        ) from None
    absent = [str(number) for number in numbers if number not in there]
    if absent or not numbers:
        listed = ", ".join(
            f"{slot.number} ({slot.name})" if slot.name != f"GPU {slot.number}" else str(slot.number) for slot in found
        )
        raise UsageError(
            f"no device {', '.join(absent)}" if absent else f"devices is {text!r}, which selects none",
            f"available devices are {listed}",
            f"select from these, such as --devices={found[0].number}, or leave --devices out for all",  # nosec B608  # no SQL
            origin,
        )
    return [there[number] for number in numbers]


def _numbered(found: Sequence[Slot], text: str) -> str:
    """The text with the numbers of devices in place of their UUIDs; one that no device has stays."""
    numbers = {slot.name: str(slot.number) for slot in found}
    return ",".join(numbers.get(word.strip(), word) for word in text.split(","))


def ranges(numbers: Sequence[int]) -> str:
    """Format (0, 1, 2, 7) as '0-2,7'."""
    return ",".join(str(span) for span in intervals(list(numbers)))
