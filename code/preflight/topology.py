"""What is unusual about a machine's processors and memory nodes, and what that means for a run."""

from __future__ import annotations

from collections.abc import Iterator

from code.common.constants import CPUArchitecture
from code.common.typed import natural
from code.machine.processors import cpu_list
from code.machine.sources import Machine
from code.machine.systems import intervals
from code.preflight.finding import Finding, Reporter, Subject

report = Reporter("topology")
NODES = "/sys/devices/system/node"
PERFORMANCE, EFFICIENCY = "/sys/devices/cpu_core/cpus", "/sys/devices/cpu_atom/cpus"


def check(subject: Subject) -> Iterator[Finding]:
    """Cores of two kinds, processors that are off, a hidden topology, nodes without processors, missing instruction sets."""
    yield from _hybrid(subject)
    yield from _offline(subject.machine)
    yield from _hidden(subject)
    yield from _memory_nodes(subject)
    yield from _instructions(subject)
    if subject.detected.platform == "wsl":
        text = "WSL 2: a virtual machine of Windows, whose memory and processors its .wslconfig limits; results vary with Windows' load"
        yield report.warning("host", text, "measure on Linux itself for a submission")


def _hybrid(subject: Subject) -> Iterator[Finding]:
    kinds = [cpu_list(subject.machine.text(path) or "") for path in (PERFORMANCE, EFFICIENCY)]
    ran = subject.machine.command("lscpu")
    models = [
        line.partition(":")[2].strip()
        for line in ("" if ran is None else ran.stdout).splitlines()
        if line.startswith("Model name")
    ]
    if all(kinds):
        fast, slow = (_shown(cpus) for cpus in kinds)
        text = f"performance cores are CPUs {fast}, efficiency cores {slow}: a batch waits for its slowest core"
        yield report.warning("hybrid cores", text, f"bind the run: taskset -c {fast} make run …, or --numa_config=:{fast}")
    elif len(set(models)) > 1:
        text = f"cores of {len(set(models))} kinds, {' and '.join(dict.fromkeys(models))}: a batch waits for its slowest core"
        yield report.warning("hybrid cores", text, "bind the run to the faster ones with taskset")


def _offline(machine: Machine) -> Iterator[Finding]:
    text = machine.text("/sys/devices/system/cpu/offline") or ""
    if text.strip() and natural(text.strip().partition("-")[0]) is not None:
        present = set(cpu_list(machine.text("/sys/devices/system/cpu/present") or text))
        off = [cpu for cpu in cpu_list(text) if cpu in present]
        if off:
            words = f"{len(off)} logical processors are switched off: {_shown(off)}"
            yield report.warning(
                "offline CPUs", words, f"echo 1 | sudo tee /sys/devices/system/cpu/cpu{off[0]}/online, and so on"
            )


def _hidden(subject: Subject) -> Iterator[Finding]:
    processors = subject.detected.processors
    sockets = {socket for socket, _ in processors.cores.values()}
    if processors.hypervisor and processors.sockets == 1 and len(sockets) > 1:
        text = f"the virtual machine shows {len(sockets)} sockets of one core: caches, siblings and NUMA nodes of the host are not visible"
        yield report.warning(
            "sockets", f"{text}; counted as one socket", "give the virtual machine the host's topology (sockets, cores, threads)"
        )
    elif processors.sockets > 8:
        yield report.warning("sockets", f"{processors.sockets} sockets are reported", "check lscpu: a known system has at most 8")


def _memory_nodes(subject: Subject) -> Iterator[Finding]:
    with_memory = cpu_list(subject.machine.text(f"{NODES}/has_memory") or "")
    alone = [node for node in with_memory if node not in subject.detected.numa_nodes]
    if alone and subject.detected.numa_nodes:
        text = f"nodes {_shown(alone)} have memory and no processors (CXL, HBM or a GPU's): pages there are slower or scarcer"
        near = _shown(list(subject.detected.numa_nodes))
        yield report.warning(
            "memory nodes", text, f"numactl --membind={near} make run …, if the models fit in the processors' own memory"
        )


def _instructions(subject: Subject) -> Iterator[Finding]:
    processors = subject.detected.processors
    if processors.architecture is CPUArchitecture.x86_64 and processors.isa is not None and "avx2" not in processors.isa:
        text = "no AVX2: engines for processors run several times slower"
        fix = "in a virtual machine, give it the host's processor model (host-passthrough); otherwise use a newer processor"
        yield report.warning("AVX2", text, fix)


def _shown(numbers: list[int]) -> str:
    return ",".join(str(span) for span in intervals(numbers))
