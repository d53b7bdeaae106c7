"""The description of a whole machine: processors, memory, accelerators, NUMA nodes, and the system ID used in results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from code.common.constants import Memory
from code.machine.accelerator import AcceleratorConfiguration
from code.machine.base import Hardware, Matchable
from code.machine.cpu import CPUConfiguration
from code.machine.memory import MemoryConfiguration

__all__ = ["Interval", "NUMAConfiguration", "NUMANode", "SystemConfiguration", "intervals"]


@dataclass(frozen=True)
class Interval:
    """The integers from `start` to `end`, inclusive. Prints as "0-23" or "7"."""

    start: int
    end: int | None = None

    def __post_init__(self) -> None:
        if self.end is None:
            object.__setattr__(self, "end", self.start)
        elif self.end < self.start:
            low, high = self.end, self.start
            object.__setattr__(self, "start", low)
            object.__setattr__(self, "end", high)

    def to_list(self) -> list[int]:
        """The integers as a list."""
        return list(range(self.start, (self.start if self.end is None else self.end) + 1))

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start}-{self.end}"


def intervals(numbers: list[int]) -> list[Interval]:
    """The shortest ascending list of intervals that covers exactly `numbers`."""
    found: list[Interval] = []
    for number in sorted(set(numbers)):
        if found and found[-1].end == number - 1:
            found[-1] = Interval(found[-1].start, number)
        else:
            found.append(Interval(number))
    return found


@dataclass(frozen=True)
class NUMANode:
    """One node: its index, its logical CPUs, and the indices of the GPUs attached to it."""

    index: int
    cpus: list[Interval]
    gpus: list[int]


@dataclass(frozen=True, repr=False)
class NUMAConfiguration(Hardware):
    """All NUMA nodes by index. As a string, the `numa_config` field's form: "<gpus>:<cpus>" per node, joined by "&"."""

    numa_nodes: dict[int, NUMANode]
    num_numa_nodes: int

    def __hash__(self) -> int:
        return hash((tuple(self.numa_nodes), self.num_numa_nodes))

    @classmethod
    def from_str(cls, text: str) -> NUMAConfiguration:
        """Read "0,1:0-23&2,3:24-47". Raises ValueError for anything else."""
        nodes: dict[int, NUMANode] = {}
        parts = text.split("&")
        for index, part in enumerate(parts):
            if not part:
                continue
            gpus, separator, cpus = part.partition(":")
            if not separator:
                raise ValueError(f"{part!r} is not <gpus>:<cpus>")
            spans = [Interval(*(int(end) for end in span.split("-"))) for span in cpus.split(",")]
            nodes[index] = NUMANode(index, spans, [int(gpu) for gpu in gpus.split(",") if gpu])
        return cls(nodes, len(parts))

    def __str__(self) -> str:
        parts = []
        for index in range(self.num_numa_nodes):
            node = self.numa_nodes.get(index)
            parts.append("" if node is None else f"{','.join(map(str, node.gpus))}:{','.join(map(str, node.cpus))}")
        return "&".join(parts)


@dataclass(frozen=True, repr=False)
class SystemConfiguration(Hardware):
    """One machine, detected or known. Positional and keyword arguments are those of `custom_list.py` files."""

    host_cpu_conf: CPUConfiguration
    host_mem_conf: MemoryConfiguration | Matchable
    accelerator_conf: AcceleratorConfiguration
    numa_conf: NUMAConfiguration | Matchable | None = None
    system_id: str | None = None

    def get_id(self) -> str | None:
        """The system ID, under which logs and results are filed."""
        return self.system_id

    def set_id(self, system_id: str) -> None:
        """Give the machine a system ID."""
        object.__setattr__(self, "system_id", system_id)

    def words(self) -> str:
        """'2 x Intel(R) Xeon(R) Platinum 8480C with 56 cores, 2,164 GB of memory, 8 x H100 SXM'; parts that are not known are left out."""
        parts = [
            f"{count} x {getattr(cpu, 'name', cpu)} with {getattr(cpu, 'core_count', '?')} cores"
            for cpu, count in getattr(self.host_cpu_conf, "layout", {}).items()
        ]
        memory = getattr(self.host_mem_conf, "host_memory_capacity", None)
        if isinstance(memory, Memory):
            parts.append(f"{memory.quantity:,.{0 if memory.quantity >= 100 else 1}f} {memory.byte_suffix.name} of memory")
        accelerators = getattr(self.accelerator_conf, "layout", {})
        parts += [f"{count} x {getattr(one, 'name', one)}" for one, count in accelerators.items()] or ["no accelerator"]
        return ", ".join(parts)

    def get_compute_sm(self) -> Any:
        """The first accelerator's compute capability times ten; None without an accelerator."""
        for accelerator in self.accelerator_conf.layout:
            return getattr(accelerator, "compute_sm", None)
        return None
