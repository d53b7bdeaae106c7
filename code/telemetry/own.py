"""What the run itself uses of the machine: processor time, by processor, and memory of this process and its children."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from code.telemetry.source import SLOW_S, Source, Watched

SEARCH_EVERY = 5
"""Readings between two searches for new child processes."""
PROCESSOR, USER, SYSTEM, RESIDENT = 36, 11, 12, 21
"""Fields of /proc/<pid>/stat and /proc/<pid>/task/<tid>/stat after the name, from 0 (proc(5): 39, 14, 15 and 24, which counts pages)."""


@dataclass
class _Own:
    watched: Watched
    processes: list[int] = field(default_factory=list)
    readings: int = 0
    seen: dict[tuple[int, int], float] = field(default_factory=dict)
    by_process: dict[int, float] = field(default_factory=dict)
    by_cpu: dict[int, float] = field(default_factory=dict)

    def read(self) -> Sequence[float]:
        if len(self.processes) < 2 or self.readings % SEARCH_EVERY == 0:
            self.processes = self.tree()
        self.readings += 1
        memory, page, tick = 0.0, os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        for pid in list(self.processes):
            words = self.fields(f"/proc/{pid}/stat")
            if not words:
                self.processes.remove(pid)
                continue
            used = (int(words[USER]) + int(words[SYSTEM])) / tick
            self.by_process[pid] = max(self.by_process.get(pid, 0.0), used)
            memory += float(words[RESIDENT]) * page
            self.threads(pid)
        return [sum(self.by_process.values()), memory, *(self.by_cpu.get(cpu, 0.0) for cpu in self.watched.cpus)]

    def fields(self, path: str) -> list[str]:
        """The fields of a process or thread after its name; [] for one that has ended."""
        words = (self.watched.text(path) or "").rpartition(")")[2].split()
        return words if len(words) > PROCESSOR else []

    def tree(self) -> list[int]:
        """The process and its descendants: from the kernel's lists of children, or from the state of every process where it has none."""
        pids = [self.watched.process]
        for pid in pids:  # grows
            children = self.children(pid)
            if children is None:
                return self.searched()
            pids += children
        return pids

    def children(self, pid: int) -> list[int] | None:
        """Processes that the threads of a process have started; None where the kernel does not list them."""
        if self.watched.text(f"/proc/{pid}/task/{pid}/children") is None:
            return None if pid == self.watched.process else []
        lists = (self.watched.text(f"/proc/{pid}/task/{name}/children") for name in self.names(pid))
        return [int(word) for text in lists for word in (text or "").split()]

    def searched(self) -> list[int]:
        """The same by the parents that every process of the machine names."""
        try:
            return [self.watched.process, *(one.pid for one in psutil.Process(self.watched.process).children(recursive=True))]
        except psutil.Error:
            return []

    def names(self, pid: int) -> list[str]:
        """The threads of a process; [] for one that has ended."""
        try:
            return [name for name in os.listdir(f"{self.watched.root}/proc/{pid}/task") if name.isdigit()]  # noqa: PTH208  # thrice as fast
        except OSError:
            return []

    def threads(self, pid: int) -> None:
        """Give what each thread used since the last reading to the processor that it ran on last."""
        per_second = os.sysconf("SC_CLK_TCK")
        for name in self.names(pid):
            words = self.fields(f"/proc/{pid}/task/{name}/stat")
            if not words:
                continue
            used = (int(words[USER]) + int(words[SYSTEM])) / per_second
            cpu, key = int(words[PROCESSOR]), (pid, int(name))
            self.by_cpu[cpu] = self.by_cpu.get(cpu, 0.0) + max(0.0, used - self.seen.get(key, 0.0))
            self.seen[key] = used


def own(watched: Watched) -> list[Source]:
    """Processor time and resident memory of the process and its descendants."""
    columns = ("cpu_s_total", "resident_bytes", *(f"cpu{cpu}_s_total" for cpu in watched.cpus))
    return [Source("own", columns, _Own(watched).read, SLOW_S)]
