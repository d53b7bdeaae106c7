"""Processors: time in use and stolen, clocks, load, limits of the control group, NUMA misses, RAPL energy.

Kernel documentation: proc(5), admin-guide/pm/cpufreq, admin-guide/cgroup-v2 (cpu.stat), admin-guide/numastat, power/powercap.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from code.machine import cgroup
from code.telemetry.kernel import Counters
from code.telemetry.source import SLOW_S, UNKNOWN, Source, Watched

POWERCAP = "/sys/class/powercap"
MICRO = 1e-6
THROTTLED = {"throttled_usec": MICRO, "throttled_time": 1e-9}
"""Fields of cpu.stat in cgroup v2 and v1, and their units in s."""


def usage(watched: Watched) -> list[Source]:
    """Busy and stolen time of each processor since the machine started."""
    columns = tuple(f"cpu{cpu}_{what}_s_total" for cpu in watched.cpus for what in ("busy", "stolen"))
    counters = Counters(watched.root)
    return [Source("processors", columns, lambda: counters.times(watched.cpus), close=counters.close)]


def clocks(watched: Watched) -> list[Source]:
    """The clock of each processor, where the kernel reports it."""
    paths = {cpu: f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq" for cpu in watched.cpus}
    known = [cpu for cpu, path in paths.items() if watched.text(path) is not None]
    if not known:
        return []
    columns = tuple(f"cpu{cpu}_clock_mhz" for cpu in known)
    return [Source("clocks", columns, lambda: [watched.number(paths[cpu]) / 1000 for cpu in known], SLOW_S)]


def system(watched: Watched) -> list[Source]:
    """Load, context switches, memory in use, and what the control group held back."""
    counters = Counters(watched.root)
    stats = [path for path in cgroup.cpu_stats(watched) if "throttled" in (watched.text(path) or "")]

    def read() -> Sequence[float]:
        return [os.getloadavg()[0], counters.switches(), counters.memory(), _throttled(watched, stats)]

    columns = ("load", "context_switches_total", "memory_used_bytes", "throttled_s_total")
    return [Source("system", columns, read, SLOW_S, counters.close)]


def numa(watched: Watched) -> list[Source]:
    """Pages that each NUMA node had to take from another node."""
    folder = watched.root / "sys/devices/system/node"
    nodes = sorted(int(path.name[4:]) for path in folder.glob("node[0-9]*") if path.name[4:].isdigit())
    paths = [f"/sys/devices/system/node/node{node}/numastat" for node in nodes]
    if len(nodes) < 2:
        return []
    columns = tuple(f"node{node}_misses_total" for node in nodes)
    return [Source("numa", columns, lambda: [_field(watched.text(path), "numa_miss") for path in paths], SLOW_S)]


def energy(watched: Watched) -> list[Source]:
    """Energy of each processor package by RAPL, where it may be read. The counters of the kernel wrap; these do not."""
    zones = {name: path for name, path in _packages(watched) if watched.number(f"{path}/energy_uj") >= 0}
    if not zones:
        return []
    spans = {name: watched.number(f"{path}/max_energy_range_uj") for name, path in zones.items()}
    last = {name: watched.number(f"{path}/energy_uj") for name, path in zones.items()}
    total = dict.fromkeys(zones, 0.0)

    def read() -> Sequence[float]:
        for name, path in zones.items():
            now = watched.number(f"{path}/energy_uj")
            step = now - last[name]
            if step < 0:
                step += spans[name]
            if step >= 0:
                total[name] += step * MICRO
            last[name] = now if now >= 0 else last[name]
        return list(total.values())

    return [Source("rapl", tuple(f"{name}_energy_j_total" for name in zones), read)]


def _packages(watched: Watched) -> Iterator[tuple[str, str]]:
    """('package0', its folder) of each package; the domains inside a package are part of it."""
    for path in sorted((watched.root / POWERCAP.lstrip("/")).glob("*rapl:*")):
        name = (watched.text(f"{POWERCAP}/{path.name}/name") or "").strip()
        if path.name.count(":") == 1 and name.startswith("package-"):
            yield name.replace("-", "").replace("die", "_die"), f"{POWERCAP}/{path.name}"


def _throttled(watched: Watched, stats: Sequence[str]) -> float:
    """Seconds of processor time that the limits of the group and of its parents held back, each of which counts its own."""
    found = [_field(watched.text(path), name) * unit for path in stats for name, unit in THROTTLED.items()]
    known = [value for value in found if value == value]
    return sum(known) if known else UNKNOWN


def _field(text: str | None, name: str) -> float:
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return float(words[1])
    return UNKNOWN
