"""Host memory."""

from __future__ import annotations

from dataclasses import dataclass

from code.common.constants import ByteSuffix, Memory
from code.machine.base import Hardware, Matchable

__all__ = ["ByteSuffix", "Memory", "MemoryConfiguration"]


@dataclass(frozen=True, repr=False)
class MemoryConfiguration(Hardware):
    """The host's memory and the relative difference within which two machines count as equal."""

    host_memory_capacity: Memory | Matchable
    comparison_tolerance: float = 0.05
