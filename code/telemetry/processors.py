"""Processors: time in use and stolen, clocks, load, limits of the control group, NUMA misses, RAPL energy.

Kernel documentation: proc(5), admin-guide/pm/cpufreq, admin-guide/cgroup-v2 (cpu.stat), admin-guide/numastat, power/powercap.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import psutil

from code.telemetry.source import SLOW_S, UNKNOWN, Source, Watched

CGROUP = "/sys/fs/cgroup"
POWERCAP = "/sys/class/powercap"
MICRO = 1e-6


def usage(watched: Watched) -> list[Source]:
    """Busy and stolen time of each processor since the machine started."""
    columns = tuple(f"cpu{cpu}_{what}_s_total" for cpu in watched.cpus for what in ("busy", "stolen"))

    def read() -> Sequence[float]:
        times = psutil.cpu_times(percpu=True)
        found: list[float] = []
        for cpu in watched.cpus:
            if cpu >= len(times):  # taken offline
                found += [UNKNOWN, UNKNOWN]
                continue
            one = times[cpu]
            busy = one.user + one.nice + one.system + getattr(one, "irq", 0.0) + getattr(one, "softirq", 0.0)
            found += [busy, getattr(one, "steal", 0.0)]
        return found

    return [Source("processors", columns, read)]


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
    stat = next((path for path in _groups(watched) if "throttled_usec" in (watched.text(path) or "")), None)

    def read() -> Sequence[float]:
        throttled = _field(watched.text(stat), "throttled_usec") * MICRO if stat else UNKNOWN
        switches = float(psutil.cpu_stats().ctx_switches)
        return [os.getloadavg()[0], switches, float(psutil.virtual_memory().used), throttled]

    return [Source("system", ("load", "context_switches_total", "memory_used_bytes", "throttled_s_total"), read, SLOW_S)]


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


def _groups(watched: Watched) -> Iterator[str]:
    for line in (watched.text("/proc/self/cgroup") or "").splitlines():
        if line.startswith("0::"):
            yield f"{CGROUP}{line[3:].rstrip('/')}/cpu.stat"
    yield f"{CGROUP}/cpu.stat"


def _field(text: str | None, name: str) -> float:
    for line in (text or "").splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return float(words[1])
    return UNKNOWN
