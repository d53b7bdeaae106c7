"""How busy this machine's processors are with this process's work and with that of others."""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil


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
    """The present moment. Reads /proc/stat.

    Args:
        cpus: the logical processors to watch.
    """
    known = [pair for pair in times(cpus) if not math.isnan(pair[0])]
    busy = sum(pair[0] for pair in known) if known else None
    stolen = sum(pair[1] for pair in known)
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


def times(cpus: Sequence[int]) -> list[tuple[float, float]]:
    """(busy, stolen) seconds of each processor since the machine started; NaN for one that is not there or not told."""
    try:
        found = psutil.cpu_times(percpu=True)
    except (OSError, ValueError, IndexError):
        found = []
    return [_busy_and_stolen(found[cpu]) if cpu < len(found) else (math.nan, math.nan) for cpu in cpus]


def _busy_and_stolen(one: Any) -> tuple[float, float]:
    """User time includes that of guests (proc(5))."""
    busy = one.user + one.nice + one.system + getattr(one, "irq", 0.0) + getattr(one, "softirq", 0.0)
    return busy, getattr(one, "steal", 0.0)
