"""Detects the accelerators that a run may use, from NVML, the PCI bus and the visible-devices variables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.common.constants import AcceleratorType, Memory
from code.common.typed import natural
from code.machine.accelerator import GPU, MIG
from code.machine.sources import Machine

NVIDIA = "0x10de"
DISPLAY_CLASS = "0x03"


@dataclass(frozen=True)
class Device:
    """One accelerator: its description, UUID, the index of its GPU, and NVML's facts about that GPU."""

    kind: GPU
    uuid: str
    index: int
    facts: Mapping[str, Any]

    @property
    def pci(self) -> str:
        """The PCI address of its GPU in sysfs's form, '0000:3b:00.0'; '' if unknown."""
        bus_id = self.facts.get("pci_bus_id")
        return _sysfs_address(bus_id) if bus_id else ""

    def numa_node(self, nodes: Mapping[int, Sequence[int]]) -> int | None:
        """The NUMA node that this device is attached to, among `nodes` (index → CPUs)."""
        near = set(self.facts.get("cpu_affinity") or ())
        if near:
            best = max(nodes, key=lambda index: len(near & set(nodes[index])) / len(nodes[index]))
            if len(near & set(nodes[best])) > 0 and not near >= {cpu for cpus in nodes.values() for cpu in cpus}:
                return best
        if len(nodes) == 1:
            return next(iter(nodes))
        node = self.facts.get("numa_node")
        return node if isinstance(node, int) and node in nodes else None


@dataclass(frozen=True)
class Devices:
    """Accelerators: all that NVML lists, those visible to a run, and the reason if there are none."""

    everything: tuple[Device, ...] = ()
    visible: tuple[Device, ...] = ()
    driver_version: str = ""
    cuda_version: str = ""
    failure: str = ""
    absent: str = ""
    on_bus: int = 0

    def layout(self) -> dict[Any, int]:
        """Visible accelerators by kind with their counts, in order of first appearance."""
        counts: dict[Any, int] = {}
        for device in self.visible:
            counts[device.kind] = counts.get(device.kind, 0) + 1
        return counts


def read_devices(machine: Machine, notes: list[str]) -> Devices:
    """Query NVML; if it is absent or fails, look for GPUs on the PCI bus and in the device tree."""
    answer = machine.probe("nvml") or {"absent": "NVML was not queried"}
    on_bus = len(_nvidia_on_bus(machine))
    if "absent" in answer or "error" in answer:
        integrated = _jetson(machine)
        if integrated is not None:
            return Devices((integrated,), (integrated,), absent=str(answer.get("absent", "")))
        failure = str(answer.get("error", ""))
        if failure:
            notes.append(f"NVML failed: {failure}; no GPU can be used until this is fixed (make doctor)")
        elif on_bus:
            notes.append(f"{on_bus} NVIDIA GPUs are on the PCI bus, but NVML is absent: {answer['absent']}")
        return Devices(failure=failure, absent=str(answer.get("absent", "")), on_bus=on_bus)

    everything = tuple(device for gpu in answer.get("gpus", []) for device in _devices(gpu, machine, notes))
    return Devices(
        everything=everything,
        visible=_visible(everything, machine, notes),
        driver_version=str(answer.get("driver_version") or ""),
        cuda_version=str(answer.get("cuda_version") or ""),
        on_bus=on_bus,
    )


def _devices(facts: dict[str, Any], machine: Machine, notes: list[str]) -> list[Device]:
    index = int(facts.get("index", 0))
    node = natural(machine.text(f"/sys/bus/pci/devices/{_sysfs_address(facts.get('pci_bus_id'))}/numa_node"))
    if node is not None:
        facts = {**facts, "numa_node": node}
    capability = facts.get("compute_capability")
    compute_sm = None if not capability else 10 * int(capability[0]) + int(capability[1])
    name = str(facts.get("name") or "unknown GPU")
    size = facts.get("memory_bytes")
    power = facts.get("power_limit_max_w")
    common: dict[str, Any] = {"max_power_limit": power, "pci_id": facts.get("pci_id"), "compute_sm": compute_sm}
    if not facts.get("mig_enabled"):
        kind = AcceleratorType.Discrete if size else AcceleratorType.Integrated
        vram = Memory.to_1024_base(size) if size else None
        return [Device(GPU(name, kind, vram, **common), str(facts.get("uuid") or ""), index, facts)]
    if not facts.get("mig_devices"):
        notes.append(f"GPU {index} ({name}) is in MIG mode without slices: it cannot be used")
    parts = facts.get("mig_devices") or []
    return [Device(_slice(name, part, common), str(part.get("uuid") or ""), index, facts) for part in parts]


def _slice(name: str, part: Mapping[str, Any], common: Mapping[str, Any]) -> MIG:
    """The MIG slice that NVML calls `part`; sizes are those of its profile ("3g.40gb"), else NVML's own."""
    profile = str(part.get("profile") or "")
    stated = re.search(r"([0-9]{1,3})g\.([0-9]{1,5})gb", profile)
    vram = Memory.to_1024_base(int(stated.group(2)) << 30) if stated else Memory.to_1024_base(part.get("memory_bytes") or 0)
    gpcs = part.get("gpcs") or (int(stated.group(1)) if stated else None)
    return MIG(f"{name} MIG-{profile}", AcceleratorType.Discrete, vram, **common, num_gpcs=gpcs)


def _sysfs_address(bus_id: Any) -> str:
    """NVML's "00000001:00:00.0" in sysfs's form, "0001:00:00.0"."""
    domain, _, rest = str(bus_id or "").partition(":")
    return f"{domain[-4:]}:{rest}".lower()


def _visible(devices: tuple[Device, ...], machine: Machine, notes: list[str]) -> tuple[Device, ...]:
    allowed = machine.environ("NVIDIA_VISIBLE_DEVICES")
    if allowed in ("none", "void"):
        notes.append("NVIDIA_VISIBLE_DEVICES hides every GPU")
        return ()
    if allowed not in (None, "", "all"):
        devices = _left_by_runtime(devices, str(allowed), notes)
    wanted = machine.environ("CUDA_VISIBLE_DEVICES")
    if wanted is None:
        return devices
    chosen: list[Device] = []
    for item in (part.strip() for part in wanted.split(",")):
        hits = _named(devices, item)
        if not hits:  # the CUDA runtime ignores the first invalid entry and all behind it
            notes.append(f"CUDA_VISIBLE_DEVICES={wanted}: {item!r} is not a device, so it and everything after it are ignored")
            break
        chosen.extend(hit for hit in hits if hit not in chosen)
    return tuple(chosen)


def _named(devices: tuple[Device, ...], item: str) -> list[Device]:
    """The devices that an entry of CUDA_VISIBLE_DEVICES means: a number, or the beginning of a device's or its GPU's UUID."""
    if not item:
        return []
    if item.removeprefix("-").isdigit():
        return [device for device in devices if device.index == natural(item)]
    own = [device for device in devices if device.uuid.startswith(item)]
    return own or [device for device in devices if str(device.facts.get("uuid", "")).startswith(item)]


def _left_by_runtime(devices: tuple[Device, ...], allowed: str, notes: list[str]) -> tuple[Device, ...]:
    """The devices selected by NVIDIA_VISIBLE_DEVICES. In a container NVML lists only these, and the numbers are the host's."""
    items = [part.strip() for part in allowed.split(",") if part.strip()]
    if len(items) >= len(devices):
        return devices  # the container runtime has applied it
    left = tuple(device for device in devices if any(_means(devices, item, device) for item in items))
    if not left:
        notes.append(f"NVIDIA_VISIBLE_DEVICES={allowed} names none of this machine's GPUs, so it is ignored")
        return devices
    return left


def _means(devices: Sequence[Device], item: str, device: Device) -> bool:
    """Whether an entry of NVIDIA_VISIBLE_DEVICES means a device: by number, by '0:1', or by the beginning of its or its GPU's UUID."""
    if item.isdigit():
        return device.index == natural(item)
    if ":" in item:
        return bool(device.uuid) and device.uuid == _numbered_slice(devices, item)
    return device.uuid.startswith(item) or str(device.facts.get("uuid", "")).startswith(item)


def _numbered_slice(devices: Sequence[Device], item: str) -> str:
    """The UUID of the slice that '0:1' means to NVIDIA's container runtime: GPU 0, its second slice; '' for anything else."""
    gpu, colon, place = item.partition(":")
    own = [device.uuid for device in devices if colon and device.index == natural(gpu) and isinstance(device.kind, MIG)]
    number = natural(place)
    return own[number] if number is not None and number < len(own) else ""


def _nvidia_on_bus(machine: Machine) -> list[str]:
    root = "/sys/bus/pci/devices"
    found = []
    for address in machine.entries(root):
        kind = machine.text(f"{root}/{address}/class") or ""
        if kind.startswith(DISPLAY_CLASS) and machine.text(f"{root}/{address}/vendor") == NVIDIA:
            found.append(address)
    return found


def _jetson(machine: Machine) -> Device | None:
    model = "".join(c for c in machine.text("/sys/firmware/devicetree/base/model") or "" if c.isprintable())
    if not re.search(r"Jetson|Orin|Xavier|NGX", model):
        return None
    return Device(GPU(model, AcceleratorType.Integrated, None, None, None, None), "", 0, {"name": model})
