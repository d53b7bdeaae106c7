"""Processors and memory: usable cores and memory, governor, NUMA balancing, huge pages."""

from __future__ import annotations

from collections.abc import Iterator

from code.preflight import precisions
from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("CPU")


def check(subject: Subject) -> Iterator[Finding]:
    """Kernel settings and container limits that reduce performance."""
    machine, detected = subject.machine, subject.detected
    processors = detected.processors
    sockets = f"{processors.sockets} x {processors.model}, {processors.cores_per_socket} cores each"
    if detected.usable_cores < processors.total_cores:
        text = f"{sockets}; this process may use {detected.usable_cores} of {processors.total_cores} cores"
        yield report.warning("cores", text, "raise the container's --cpus and --cpuset-cpus, or the job's allocation")
    else:
        yield report.ok("cores", sockets)
    yield from precisions.check(subject)
    if detected.memory_bytes and detected.memory_bytes < detected.memory_total_bytes:
        text = (
            f"{detected.memory_bytes / 2**30:.1f} GiB of {detected.memory_total_bytes / 2**30:.1f} GiB usable in this environment"
        )
        yield report.warning("memory", text, "raise the container's --memory, or the job's allocation")
    elif detected.memory_bytes:
        yield report.ok("memory", f"{detected.memory_bytes / 2**30:.1f} GiB")
    else:
        yield report.unseen("memory", "/proc/meminfo could not be read")

    governor = machine.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if governor is None:
        yield report.unseen("governor", "not exposed by the kernel, as in most virtual machines; the host sets it")
    elif governor != "performance":
        yield report.warning("governor", f"{governor}, not performance", "sudo cpupower frequency-set -g performance")
    else:
        yield report.ok("governor", governor)

    balancing = machine.text("/proc/sys/kernel/numa_balancing")
    if len(detected.numa_nodes) < 2:
        yield report.ok("NUMA balancing", "one NUMA node: nothing to balance")
    elif balancing is None:
        yield report.unseen("NUMA balancing", "/proc/sys/kernel/numa_balancing does not exist")
    elif balancing != "0":
        text = f"on, with {len(detected.numa_nodes)} NUMA nodes: pages move during runs"
        yield report.warning("NUMA balancing", text, "sudo sysctl kernel.numa_balancing=0")
    else:
        yield report.ok("NUMA balancing", "off")

    pages = machine.text("/sys/kernel/mm/transparent_hugepage/enabled")
    if pages is None:
        yield report.unseen("huge pages", "/sys/kernel/mm/transparent_hugepage does not exist")
    elif "[never]" in pages:
        fix = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"
        yield report.warning("huge pages", "transparent huge pages are disabled", fix)
    else:
        yield report.ok("huge pages", pages[pages.find("[") + 1 : pages.find("]")] if "[" in pages else pages)
