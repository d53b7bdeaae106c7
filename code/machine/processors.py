"""Detects processors with `lscpu`, or from /proc/cpuinfo without it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from code.common.constants import CPUArchitecture
from code.common.typed import natural
from code.machine.sources import Machine

MOST_CPUS = 1 << 16
"""Highest number of a processor, core or socket that is believed."""
HIDDEN_SOCKETS = 4
"""Sockets of one core each from which a virtual machine is taken to hide its topology."""
ISA = {
    "avx2": "avx2",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx512_fp16": "avx512_fp16",
    "amx_tile": "amx_tile",
    "amx_bf16": "amx_bf16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
}
"""The kernel's flag for each instruction set relevant to inference speed, and the name used here."""


_DESIGN = re.compile(r"(?:Neoverse|Cortex|Ampere)-[A-Z0-9]+$", re.IGNORECASE)
ARM_PARTS = {
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd83"): "Neoverse-V3",
    ("0x41", "0xd8e"): "Neoverse-N3",
    ("0xc0", "0xac3"): "Ampere-1",
    ("0xc0", "0xac4"): "Ampere-1a",
}
"""Implementer and part of /proc/cpuinfo, which has no model name on Arm → the design's name, as lscpu prints it."""
GRAVITON = {"Neoverse-N1": "Graviton2", "Neoverse-V1": "Graviton3", "Neoverse-V2": "Graviton4"}
"""Core design → Amazon's processor with it."""


@dataclass(frozen=True)
class Processors:
    """The host's processors. `cores` maps each online logical CPU to its (socket, core)."""

    model: str
    architecture: CPUArchitecture
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    isa: frozenset[str]
    cores: dict[int, tuple[int, int]]
    vendor: str = ""
    hypervisor: str = ""
    max_mhz: float | None = None
    caches: tuple[str, ...] = ()

    @property
    def total_cores(self) -> int:
        """Number of physical cores on all sockets."""
        return self.sockets * self.cores_per_socket


def cpu_list(text: str) -> list[int]:
    """The kernel's list form, "0-3,8,10-11", as numbers up to MOST_CPUS. Anything else is skipped."""
    found: dict[int, None] = {}
    for part in text.replace("\n", ",").split(","):
        first, _, last = part.strip().partition("-")
        start = natural(first, MOST_CPUS)
        if start is not None:
            end = natural(last, MOST_CPUS) if last else start
            found.update(dict.fromkeys(range(start, (start if end is None else end) + 1)))
    return list(found)


def read_processors(machine: Machine, notes: list[str]) -> Processors:
    """Ask lscpu, and /proc/cpuinfo for what it leaves open. What is unknown counts as one, with a note."""
    fields = _lscpu(machine)
    blocks = [] if fields else _cpuinfo(machine)
    if not fields and not blocks:
        notes.append("neither lscpu nor /proc/cpuinfo could be read: the processor is unknown")
    named = fields or (blocks[0] if blocks else {})
    cores = _topology(machine) or _topology_of(blocks)
    sockets, per_socket, threads = _counts(fields, cores)
    architecture = CPUArchitecture.get_match(fields.get("Architecture") or machine.probe("architecture") or "")
    return Processors(
        model=_model(fields, named, machine.text("/sys/class/dmi/id/sys_vendor") or ""),
        architecture=architecture or CPUArchitecture.UNKNOWN,
        sockets=sockets,
        cores_per_socket=per_socket,
        threads_per_core=threads,
        isa=_instruction_sets(named),
        cores=cores,
        vendor=_first(named, "Vendor ID", "vendor_id"),
        hypervisor=fields.get("Hypervisor vendor", ""),
        max_mhz=_number(fields.get("CPU max MHz")),
        caches=tuple(f"{name[:-6]}: {fields[name]}" for name in fields if name.endswith(" cache")),
    )


def _lscpu(machine: Machine) -> dict[str, str]:
    ran = machine.command("lscpu")
    return _fields(ran.stdout) if ran is not None and ran.status == 0 else {}


def _cpuinfo(machine: Machine) -> list[dict[str, str]]:
    """The fields of each logical CPU."""
    text = machine.text("/proc/cpuinfo") or ""
    return [_fields(block) for block in text.split("\n\n") if block.strip()]


def _counts(fields: dict[str, str], cores: dict[int, tuple[int, int]]) -> tuple[int, int, int]:
    """Sockets, cores of a socket and threads of a core: as lscpu says, else counted."""
    physical = len(set(cores.values()))
    counted = len({socket for socket, _ in cores.values()}) or 1
    sockets = _count(fields.get("Socket(s)")) or counted
    per_socket = _count(fields.get("Core(s) per socket")) or max(1, physical // sockets)
    off = len(cpu_list(fields.get("Off-line CPU(s) list", "")))
    if physical and sockets * per_socket > len(cores) + off:  # more than there are logical CPUs
        sockets, per_socket = counted, max(1, physical // counted)
    if fields.get("Hypervisor vendor") and per_socket == 1 and sockets >= HIDDEN_SOCKETS:
        sockets, per_socket = 1, sockets  # a virtual machine that shows each of its processors as a socket
    threads = _count(fields.get("Thread(s) per core")) or (max(1, len(cores) // physical) if physical else 1)
    return sockets, per_socket, threads


def _instruction_sets(named: dict[str, str]) -> frozenset[str]:
    flags = _first(named, "Flags", "flags", "Features").split()
    return frozenset(name for flag, name in ISA.items() if flag in flags)


def _first(fields: dict[str, str], *names: str) -> str:
    """The first of these fields that says something."""
    return next((fields[name] for name in names if fields.get(name)), "")


def _number(text: str | None) -> float | None:
    parts = (text or "").split(".")
    return float(text or "") if len(parts) <= 2 and all(natural(part) is not None for part in parts) else None


def _fields(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip(), value.strip())
    return found


def _count(text: str | None) -> int | None:
    """A count; None if it is absent or the "-" that lscpu prints for a level that does not exist."""
    return natural(text, MOST_CPUS) or None


def _model(fields: dict[str, str], named: dict[str, str], vendor: str) -> str:
    """The processor's name. Arm processors of several makers report the same core design; what tells them apart comes first.

    Args:
        vendor: DMI's maker of the machine.
    """
    names = ("Model name", "model name", "BIOS Model name", "Processor", "cpu model")
    found = next((value for name in names if (value := (fields.get(name) or named.get(name) or "").strip()) not in ("", "-")), "")
    found = found or ARM_PARTS.get((named.get("CPU implementer", ""), named.get("CPU part", "")), "")
    if not _DESIGN.match(found):
        return found or "unknown processor"
    board = _without_speed(fields.get("BIOS Model name", ""))
    if board not in ("", "-") and not board.lower().startswith(("not ", "to be filled", "unknown", "virt")):
        return board
    return f"AWS {GRAVITON[found]}" if "amazon" in vendor.lower() and found in GRAVITON else found


def _without_speed(text: str) -> str:
    """'AWS Graviton4 AWS Graviton4 CPU @ 2.8GHz' is 'AWS Graviton4'."""
    name = re.sub(r"\s*(?:\bCPU\b)?\s*@.*$", "", text.strip())
    return re.sub(r"^(.+?) \1$", r"\1", name)


def _topology(machine: Machine) -> dict[int, tuple[int, int]]:
    ran = machine.command("lscpu", "-p=CPU,CORE,SOCKET")
    cores: dict[int, tuple[int, int]] = {}
    for line in "" if ran is None else ran.stdout.splitlines():
        parts = line.split(",")
        cpu = natural(parts[0], MOST_CPUS)
        if len(parts) == 3 and cpu is not None:
            core, socket = (natural(part, MOST_CPUS) for part in parts[1:])
            cores[cpu] = (socket or 0, cpu if core is None else core)
    return cores


def _topology_of(blocks: list[dict[str, str]]) -> dict[int, tuple[int, int]]:
    cores: dict[int, tuple[int, int]] = {}
    for block in blocks:
        cpu = natural(block.get("processor", ""), MOST_CPUS)
        if cpu is not None:
            core = natural(block.get("core id"), MOST_CPUS)
            cores[cpu] = (natural(block.get("physical id"), MOST_CPUS) or 0, cpu if core is None else core)
    return cores
