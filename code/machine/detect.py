"""Detection of this machine: processors, memory, accelerators, NUMA nodes, and container limits.

`detect()` never runs at import, and its result is cached. `detect(capture)` returns a recorded machine.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

from code.common.constants import CPUArchitecture, Memory
from code.common.typed import natural
from code.machine.accelerator import AcceleratorConfiguration
from code.machine.cgroup import Allowance, read_allowance
from code.machine.cpu import CPU, CPUConfiguration
from code.machine.gpus import Device, Devices, read_devices
from code.machine.memory import MemoryConfiguration
from code.machine.processors import Processors, cpu_list, read_processors
from code.machine.sources import CapturedMachine, LiveMachine, Machine
from code.machine.systems import NUMAConfiguration, NUMANode, SystemConfiguration, intervals

KERNEL_KB = 1000
"""Bytes in the "kB" of /proc/meminfo as host_memory_capacity counts them. The kernel means 1024; existing custom_list.py files
and results count 1000, and only with the same convention do detected and listed sizes compare equal."""

AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What DMI's chassis has as its asset tag on Azure, and on no other Hyper-V."""


@dataclass(frozen=True)
class DetectedSystem:
    """One machine.

    Fields: `config` is what prints as detected_system; `usable_cores` counts physical cores that this process may keep busy
    (affinity and container quota respected) and `usable_cpus` lists its logical CPUs; `isa` holds the instruction sets that
    decide speed; `memory_bytes` is what a run may use and `memory_total_bytes` what is built in; `devices` are the visible
    accelerators; `platform` is a cloud's name or ""; `notes` are messages about what could not be detected.
    """

    config: SystemConfiguration
    processors: Processors
    devices: Devices
    allowance: Allowance
    usable_cores: int
    usable_cpus: tuple[int, ...]
    isa: frozenset[str]
    memory_bytes: int
    memory_total_bytes: int
    platform: str
    numa_nodes: dict[int, tuple[int, ...]]
    notes: tuple[str, ...]
    machine: Machine = field(repr=False, compare=False)

    @property
    def gpus(self) -> tuple[Device, ...]:
        """The accelerators that a run may use: whole GPUs and MIG slices."""
        return self.devices.visible

    @property
    def source(self) -> str:
        """'this machine', or the capture's path."""
        return self.machine.origin if isinstance(self.machine, CapturedMachine) else "this machine"


def detect(capture: Path | str | None = None) -> DetectedSystem:
    """This machine, or the one in a capture. Cached after the first call; `forget()` clears the cache.

    Raises MissingError or UsageError for a capture that is absent or unreadable.
    """
    return _detected(None if capture is None else Path(capture))


@functools.lru_cache(maxsize=32)
def _detected(capture: Path | None) -> DetectedSystem:
    return examine(LiveMachine() if capture is None else CapturedMachine.read(capture))


def forget() -> None:
    """Drop the cached result, so that the next call detects again."""
    _detected.cache_clear()


def examine(machine: Machine) -> DetectedSystem:
    """Combine the facts from one machine's sources."""
    notes: list[str] = []
    processors = read_processors(machine, notes)
    allowance = read_allowance(machine)
    total_kb = _memory_kb(machine, notes)
    devices = read_devices(machine, notes)
    nodes = _numa_nodes(machine)

    given = machine.probe("affinity")
    cpus = tuple(given) if given else tuple(processors.cores)
    cores = len({processors.cores.get(cpu, (0, cpu)) for cpu in cpus}) or processors.total_cores
    if allowance.cpus is not None:
        cores = min(cores, max(1, int(allowance.cpus)))
    total = total_kb * 1024
    usable = total if allowance.memory_bytes is None else min(total, allowance.memory_bytes)

    cpu = CPU(processors.model, processors.architecture, processors.cores_per_socket, processors.threads_per_core)
    config = SystemConfiguration(
        host_cpu_conf=CPUConfiguration({cpu: processors.sockets}),
        host_mem_conf=MemoryConfiguration(Memory.to_1000_base(total_kb * KERNEL_KB)),
        accelerator_conf=AcceleratorConfiguration(devices.layout()),
        numa_conf=_numa_configuration(nodes, devices),
    )
    return DetectedSystem(
        config=config,
        processors=processors,
        devices=devices,
        allowance=allowance,
        usable_cores=max(1, cores),
        usable_cpus=cpus,
        isa=processors.isa,
        memory_bytes=usable,
        memory_total_bytes=total,
        platform=_platform(machine, processors),
        numa_nodes=nodes,
        notes=(*notes, *_misfits(machine)),
        machine=machine,
    )


def _misfits(machine: Machine) -> list[str]:
    """A note on what a capture holds that no probe answers."""
    found = machine.misfits if isinstance(machine, CapturedMachine) else []
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    return [f"the capture has answers that cannot be right, which were left out: {'; '.join(found[:3])}{more}"] if found else []


def _memory_kb(machine: Machine, notes: list[str]) -> int:
    for line in (machine.text("/proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        size = natural(value.split()[0]) if name == "MemTotal" and value.split() else None
        if size is not None:
            return size
    notes.append("/proc/meminfo could not be read: the host's memory is unknown")
    return 0


def _numa_nodes(machine: Machine) -> dict[int, tuple[int, ...]]:
    """NUMA nodes with processors, and their logical CPUs."""
    found = {}
    for name in machine.entries("/sys/devices/system/node"):
        number = natural(name[4:], most=4095) if name.startswith("node") else None
        if number is not None:
            cpus = cpu_list(machine.text(f"/sys/devices/system/node/{name}/cpulist") or "")
            if cpus:
                found[number] = tuple(cpus)
    return dict(sorted(found.items()))


def _numa_configuration(nodes: dict[int, tuple[int, ...]], devices: Devices) -> NUMAConfiguration | None:
    if not nodes:
        return None
    found = {}
    for index, cpus in nodes.items():
        near = [place for place, device in enumerate(devices.visible) if device.numa_node(nodes) == index]
        found[index] = NUMANode(index, list(intervals(list(cpus))), near)
    return NUMAConfiguration(found, len(nodes))


def _platform(machine: Machine, processors: Processors) -> str:
    """A cloud's name, 'wsl' for a virtual machine of Windows, or ''."""
    vendor = (machine.text("/sys/class/dmi/id/sys_vendor") or "").lower()
    product = (machine.text("/sys/class/dmi/id/product_name") or "").lower()
    if "microsoft" in (machine.text("/proc/sys/kernel/osrelease") or "").lower():
        return "wsl"
    if processors.hypervisor == "Microsoft" or ("microsoft" in vendor and "virtual" in product):
        tag = machine.text("/sys/class/dmi/id/chassis_asset_tag")
        return "azure" if tag in (None, "", AZURE_TAG) else ""  # another tag: Hyper-V of one's own
    if "amazon" in vendor:
        return "aws"
    if "google" in vendor:
        return "gcp"
    return ""


__all__ = ["CPUArchitecture", "DetectedSystem", "detect", "examine", "forget"]
