"""Host processors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from code.common.constants import AliasedName, CPUArchitecture
from code.machine.base import Hardware, Matchable

__all__ = ["CPU", "CPUArchitecture", "CPUConfiguration"]


@dataclass(frozen=True, repr=False)
class CPU(Hardware):
    """One socket's processor: `core_count` is per socket, `threads_per_core` is 1 or 2."""

    name: str | AliasedName | Matchable
    architecture: CPUArchitecture | Matchable
    core_count: int | Matchable
    threads_per_core: int | Matchable


@dataclass(frozen=True, repr=False)
class CPUConfiguration(Hardware):
    """A system's processors: `layout` maps each kind to its number of sockets."""

    layout: dict[Any, Any]

    def __hash__(self) -> int:
        return hash(tuple(self.layout.items()))

    def get_cpus(self) -> list[Any]:
        """The kinds of processors."""
        return list(self.layout)

    def get_architecture(self) -> Any:
        """The architecture of the first processor; None if there is none or any is accepted."""
        for cpu in self.layout:
            architecture = getattr(cpu, "architecture", None)
            if isinstance(architecture, CPUArchitecture):
                return architecture
            for value in getattr(cpu, "values", ()):
                if isinstance(getattr(value, "architecture", None), CPUArchitecture):
                    return value.architecture
        return None
