"""How busy this machine's processors are with this process's work and with that of others."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = (0, 1, 2, 5, 6)
"""Columns of /proc/stat that count work: user, nice, system, irq, softirq (proc(5)); user includes the time of guests."""
STOLEN = 7


@dataclass(frozen=True)
class Moment:
    """Processor time up to a moment, in seconds.

    Args:
        at: monotonic clock.
        busy: of all processes on the watched processors; None where the kernel does not tell.
        stolen: taken by the hypervisor for other machines.
        own: of this process and the children that it has waited for.
        load: the load average of the last minute; None where unknown.
    """

    at: float
    busy: float | None
    stolen: float
    own: float
    load: float | None


@dataclass(frozen=True)
class Usage:
    """Processors used between two moments, in processors' worth of time.

    Args:
        foreign: used by other processes; None where unknown.
        stolen: taken by the hypervisor.
    """

    seconds: float
    foreign: float | None
    stolen: float


def now(cpus: Sequence[int]) -> Moment:
    """The present moment. Reads two files of /proc.

    Args:
        cpus: the logical processors to watch.
    """
    busy, stolen = _ticks(cpus)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own = sum(one.ru_utime + one.ru_stime for one in usage)
    try:
        load: float | None = os.getloadavg()[0]
    except OSError:
        load = None
    return Moment(time.monotonic(), busy, stolen, own, load)


def between(first: Moment, last: Moment) -> Usage:
    """The use of processors between two moments; children that still run count as other processes."""
    seconds = max(1e-3, last.at - first.at)
    foreign = None
    if first.busy is not None and last.busy is not None:
        foreign = max(0.0, (last.busy - first.busy) - (last.own - first.own)) / seconds
    return Usage(seconds, foreign, max(0.0, last.stolen - first.stolen) / seconds)


def _ticks(cpus: Sequence[int]) -> tuple[float | None, float]:
    """(busy, stolen) seconds of the watched processors."""
    wanted = {f"cpu{number}" for number in cpus}
    per_second = os.sysconf("SC_CLK_TCK")
    busy, stolen, seen = 0, 0, False
    try:
        lines = STAT.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None, 0.0
    for line in lines:
        name, *words = line.split()
        if name in wanted and len(words) > STOLEN and all(word.isdigit() for word in words):
            seen = True
            busy += sum(int(words[column]) for column in BUSY)
            stolen += int(words[STOLEN])
    return (busy / per_second if seen else None), stolen / per_second
