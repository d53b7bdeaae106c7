"""CPU and memory limits of a container or a service's control group (cgroup v1 and v2).

Kernel documentation: admin-guide/cgroup-v2.rst (cpu.max, memory.max) and admin-guide/cgroup-v1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from code.common.typed import natural
from code.machine.sources import Machine

ROOT = "/sys/fs/cgroup"
NO_LIMIT = 1 << 60
"""A v1 memory limit of at least this many bytes means no limit."""


@dataclass(frozen=True)
class Allowance:
    """The tightest limits found: CPUs (possibly fractional) and bytes; None without a limit."""

    cpus: float | None = None
    memory_bytes: int | None = None


class Texts(Protocol):
    """What has files: a machine, or a tree that stands for one."""

    def text(self, path: str) -> str | None:
        """The content of a file; None where it cannot be read."""


def read_allowance(machine: Machine) -> Allowance:
    """Read the limits of this process's groups and of all their parents."""
    cpus: list[float] = []
    sizes: list[int] = []
    for controllers, path in _groups(machine):
        if not controllers:
            for folder in _upwards(ROOT, path):
                cpus.extend(_cpu_max(machine.text(f"{folder}/cpu.max")))
                sizes.extend(_bytes(machine.text(f"{folder}/memory.max")))
        if "cpu" in controllers:
            for folder in _upwards(f"{ROOT}/cpu", path):
                cpus.extend(_quota(machine.text(f"{folder}/cpu.cfs_quota_us"), machine.text(f"{folder}/cpu.cfs_period_us")))
        if "memory" in controllers:
            for folder in _upwards(f"{ROOT}/memory", path):
                sizes.extend(_bytes(machine.text(f"{folder}/memory.limit_in_bytes")))
    return Allowance(min(cpus, default=None), min(sizes, default=None))


def cpu_stats(machine: Texts) -> Iterator[str]:
    """cpu.stat of this process's groups for processors, and of all their parents."""
    for controllers, path in _groups(machine):
        if not controllers or "cpu" in controllers:
            for folder in _upwards(f"{ROOT}/cpu" if controllers else ROOT, path):
                yield f"{folder}/cpu.stat"


def _groups(machine: Texts) -> Iterator[tuple[list[str], str]]:
    """This process's groups: (controllers, path), where v2 has no controllers."""
    for line in (machine.text("/proc/self/cgroup") or "").splitlines():
        _, first, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if first and second:
            yield [name for name in controllers.split(",") if name], path


def _upwards(root: str, path: str) -> list[str]:
    """The group's folder and its parents up to the root. A path outside the container's view ("/../x") gives only the root."""
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    return ["/".join([root, *parts[:depth]]) for depth in range(len(parts), -1, -1)]


def _cpu_max(text: str | None) -> list[float]:
    words = (text or "").split()
    return _quota(words[0], words[1]) if len(words) == 2 else []


def _quota(quota: str | None, period: str | None) -> list[float]:
    time, of = natural(quota), natural(period)
    return [time / of] if time is not None and of else []


def _bytes(text: str | None) -> list[int]:
    size = natural(text, NO_LIMIT - 1)
    return [] if size is None else [size]
