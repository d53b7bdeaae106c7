"""The processors of a known system as its description has them, to plan for it on another machine."""

from __future__ import annotations

from dataclasses import replace

from code.machine.cpu import CPU
from code.machine.detect import DetectedSystem
from code.machine.systems import NUMAConfiguration
from code.systems.system_list import System


def as_described(system: System, detected: DetectedSystem) -> DetectedSystem:
    """`detected` with the processors and NUMA nodes of a system without accelerators, where its description says them exactly.

    A description with alternatives, and one that this machine fits, leave `detected` as it is. Logical processors are numbered as Linux
    usually does: a thread of each core first. Without NUMA nodes in the description, each socket is one.
    """
    counts = _counts(system)
    here = detected.processors
    if counts is None or counts[1:] == (here.sockets, here.cores_per_socket, here.threads_per_core):
        return detected
    model, sockets, per_socket, threads = counts
    total = sockets * per_socket
    cores = {thread * total + core: (core // per_socket, core) for thread in range(threads) for core in range(total)}
    return replace(
        detected,
        config=system.value,
        processors=replace(
            here, model=model, sockets=sockets, cores_per_socket=per_socket, threads_per_core=threads, cores=cores
        ),
        usable_cores=total,
        usable_cpus=tuple(cores),
        numa_nodes=_nodes(system, cores),
    )


def _counts(system: System) -> tuple[str, int, int, int] | None:
    """Model, sockets, cores of a socket and threads of a core; None where the description leaves one of them open."""
    layout = system.value.host_cpu_conf.layout
    if system.accelerators or len(layout) != 1:
        return None
    cpu, sockets = next(iter(layout.items()))
    if not isinstance(cpu, CPU):
        return None
    per_socket, threads = cpu.core_count, cpu.threads_per_core
    if not (isinstance(sockets, int) and isinstance(per_socket, int) and isinstance(threads, int)):
        return None
    return str(cpu.name), sockets, per_socket, threads


def _nodes(system: System, cores: dict[int, tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """NUMA nodes and their logical processors."""
    listed = system.value.numa_conf
    if isinstance(listed, NUMAConfiguration):
        return {index: tuple(n for span in node.cpus for n in span.to_list()) for index, node in listed.numa_nodes.items()}
    sockets = sorted({socket for socket, _ in cores.values()})
    return {socket: tuple(number for number, (of, _) in cores.items() if of == socket) for socket in sockets}
