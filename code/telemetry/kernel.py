"""Files of /proc that are read ten times a second, through one descriptor each.

psutil opens the file anew, reads it line by line and makes an object for each processor: 0.28 ms for /proc/stat and 0.37 ms for
/proc/meminfo on two busy cores, where one pread and a split take 0.14 and 0.07 ms.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from code.telemetry.source import UNKNOWN

CHUNK = 1 << 16
USER, NICE, SYSTEM, IRQ, SOFTIRQ, STEAL = 1, 2, 3, 6, 7, 8
"""Fields of a line 'cpuN …' of /proc/stat, in ticks (proc(5)). User time includes that of guests."""
KIBI = 1024


class Kept:
    """A file that stays open. It reads as empty where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._size = CHUNK
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = -1

    def read(self) -> bytes:
        """Its content now."""
        while self._file >= 0:
            try:
                content = os.pread(self._file, self._size, 0)
            except OSError:
                break
            if len(content) < self._size:
                return content
            self._size *= 2
        return b""

    def close(self) -> None:
        """End its use."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Counters:
    """The kernel's counters of each processor, and of context switches.

    Args:
        root: root of /proc.
    """

    def __init__(self, root: Path) -> None:
        self._stat, self._memory = Kept(root / "proc/stat"), Kept(root / "proc/meminfo")
        self._tick = os.sysconf("SC_CLK_TCK")

    def times(self, cpus: Sequence[int]) -> list[float]:
        """Busy and stolen seconds of one processor after the other; UNKNOWN for one that is not there."""
        wanted, found = {f"cpu{cpu}".encode(): cpu for cpu in cpus}, dict[int, tuple[float, float]]()
        for line in self._stat.read().split(b"\n"):
            if not line.startswith(b"cpu"):
                break  # processors come first
            words = line.split()
            if words[0] in wanted and len(words) > STEAL:
                busy = sum(int(words[place]) for place in (USER, NICE, SYSTEM, IRQ, SOFTIRQ))
                found[wanted[words[0]]] = (busy / self._tick, int(words[STEAL]) / self._tick)
        return [value for cpu in cpus for value in found.get(cpu, (UNKNOWN, UNKNOWN))]

    def switches(self) -> float:
        """Context switches since the machine started."""
        return _number(self._stat.read(), b"\nctxt ")

    def memory(self) -> float:
        """Bytes of memory in use: all but what a program could get."""
        content = b"\n" + self._memory.read()
        return (_number(content, b"\nMemTotal:") - _number(content, b"\nMemAvailable:")) * KIBI

    def close(self) -> None:
        """End their use."""
        self._stat.close()
        self._memory.close()


def _number(content: bytes, before: bytes) -> float:
    """The number behind a word; UNKNOWN without it."""
    words = content.partition(before)[2][:40].split()
    return float(words[0]) if words and words[0].isdigit() else UNKNOWN
