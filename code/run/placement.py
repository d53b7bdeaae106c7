"""Placement: the devices of a run with their cores, streams and threads; the only reader of the fields that describe devices.

A placement is a value. Multiple GPUs, NUMA nodes, MIG slices and mixed systems are different values, not different code:
engines, profiles, windows, tuning, estimates and the harness all read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.run import slots
from code.run.slots import Slot

if TYPE_CHECKING:
    from code.backends.base import Backend
    from code.plan.workload import Workload


ON_CPU = Consumer("placement", ("cpu_batch_size", "cpu_inference_streams", "cpu_threads_per_stream"), devices=("CPU",))
ON_GPU = Consumer("placement", ("gpu_batch_size", "gpu_inference_streams"), devices=("GPU",))


UUID_PREFIXES = ("GPU-", "MIG-")
"""How the UUIDs of GPUs and of MIG slices begin."""


@dataclass(frozen=True)
class Device:
    """One device of a run.

    Args:
        index: its number in the harness process, from 0.
        number: its number on the system, as `--devices` takes it: a GPU's in the driver's order, a NUMA node's.
        name: its name in logs: a GPU's UUID if known, 'node 0', …
        kind: the device type an engine is built for, such as 'H100_SXM_80GB'; devices of one kind share an engine.
        cores: processors that its threads are bound to, ascending; () leaves that to the harness.
        streams: batches in flight on it.
        threads: total threads of its runtime, for CPUs; 0 lets the runtime decide.
        engine: which of the run's engines it loads, an index into the placement's kinds.
        pci: the PCI address of a GPU, as '0000:3b:00.0'; '' if unknown.
    """

    index: int
    number: int
    name: str
    kind: str
    cores: tuple[int, ...]
    streams: int
    threads: int = 0
    engine: int = 0
    pci: str = ""

    def words(self) -> str:
        """'node 0: cores 0-31, 16 streams, 32 threads'."""
        cores = f"cores {slots.ranges(self.cores)}" if self.cores else "any core"
        threads = f", {self.threads} threads" if self.threads else ""
        return f"{self.name} ({self.kind}): {cores}, {self.streams} stream{'s' if self.streams > 1 else ''}{threads}"


@dataclass(frozen=True)
class Placement:
    """The devices of a run.

    Args:
        devices: in the harness's order; never empty.
        batch: maximum samples per batch; None if no field sets it.
        on_gpus: whether the devices are GPUs or MIG slices, not processors.
        system_devices: total number of devices in the system.
        processes: which process drives which devices, as indices into `devices`.
        notes: messages for the user about the placement.
    """

    devices: tuple[Device, ...]
    batch: int | None
    on_gpus: bool = False
    system_devices: int = 1
    processes: tuple[tuple[int, ...], ...] = ((0,),)
    notes: tuple[str, ...] = ()

    def values(self, kind: str = "") -> dict[str, object]:
        """The fields that the placement sets, for code that receives only values.

        Args:
            kind: the device kind; '' for the first.
        """
        return {"max_batch": self.batch, "device_kind": kind or self.kinds[0]}

    @property
    def environment(self) -> dict[str, str]:
        """Variables that restrict a harness process to the selected devices, numbered from 0."""
        return environment_of([device.name for device in self.devices])

    @property
    def kinds(self) -> tuple[str, ...]:
        """Distinct device kinds; each has one engine."""
        return tuple(dict.fromkeys(device.kind for device in self.devices))

    @property
    def streams(self) -> int:
        """Total batches in flight on all devices."""
        return sum(device.streams for device in self.devices)


def on_gpus(workload: Workload, backend: Backend) -> bool:
    """Whether a backend runs a workload on GPUs; a backend for any device does so if the system has GPUs."""
    return backend.device == "GPU" or (backend.device == "ANY" and slots.has_accelerators(workload.system_name))


def place(workload: Workload, backend: Backend) -> Placement:
    """The placement of a workload.

    Uses every available device by default: all visible GPUs, or one device per accessible NUMA node.
    SingleStream has one query in flight, so it uses the first device only.

    UsageError for nonexistent devices, an invalid numa_config, or a batch size without an entry for the benchmark.
    """
    gpus = on_gpus(workload, backend)
    found = slots.of_gpus(workload, backend) if gpus else slots.of_processors(workload)
    chosen = slots.chosen(found, workload)
    notes: list[str] = []
    if str(workload.scenario) == "SingleStream" and len(chosen) > 1:
        notes.append(f"SingleStream has one query in flight: {chosen[0].name} is used, {len(chosen) - 1} more are idle")
        chosen = chosen[:1]
    elif len(chosen) < len(found):
        notes.append(f"{len(chosen)} of {len(found)} devices are used; the config's expected values are for all of them")
    if gpus:
        read = ON_GPU.of(workload)
        streams = [int(read["gpu_inference_streams"] or 1)] * len(chosen)
        threads = [0] * len(chosen)
        batch = batch_of(read["gpu_batch_size"], "gpu_batch_size", workload)
    else:
        read = ON_CPU.of(workload)
        chosen, streams = _share(chosen, int(read["cpu_inference_streams"] or 1), notes)
        per_stream = int(read["cpu_threads_per_stream"] or 0)
        batch = batch_of(read["cpu_batch_size"], "cpu_batch_size", workload)
        threads = [per_stream * s or slot.compute for s, slot in zip(streams, chosen, strict=True)]
    kinds = list(dict.fromkeys(slot.kind for slot in chosen))
    devices = tuple(
        Device(i, slot.number, slot.name, slot.kind, slot.cores, streams[i], threads[i], kinds.index(slot.kind), slot.pci)
        for i, slot in enumerate(chosen)
    )
    return Placement(
        devices,
        batch,
        gpus,
        len(found),
        _processes(chosen),
        tuple(notes),
    )


def batch_of(size: object, name: str, workload: Workload) -> int | None:
    """A field's batch size for the workload's network; None if the field is not set. UsageError if the entry is missing."""
    if isinstance(size, dict):
        network = str(workload.benchmark)
        if network not in size:
            raise UsageError(
                f"{name} has no entry for {network}",
                f"it is {size!r}",
                f"write {name} = {{'{network}': 16}}",
                workload.origin(name),
            )
        size = size[network]
    return int(str(size)) if size else None


def _share(nodes: Sequence[Slot], streams: int, notes: list[str]) -> tuple[list[Slot], list[int]]:
    """Distribute streams over nodes in proportion to cores, largest remainder first; nodes without a stream are dropped."""
    cores = sum(node.compute for node in nodes)
    exact = [streams * node.compute / cores for node in nodes]
    whole = [int(share) for share in exact]
    for i in sorted(range(len(nodes)), key=lambda i: (whole[i] - exact[i], i))[: streams - sum(whole)]:
        whole[i] += 1
    used = [i for i, count in enumerate(whole) if count]
    if len(used) < len(nodes):
        idle = ", ".join(node.name for i, node in enumerate(nodes) if i not in used)
        notes.append(f"cpu_inference_streams is {streams}, fewer than the NUMA nodes: idle nodes: {idle}")
    return [nodes[i] for i in used], [whole[i] for i in used]


def needs_processes(placed: Placement, backend: Backend) -> bool:
    """Whether devices need a process each: several MIG slices, with an engine that uses them."""
    return len(placed.processes) > 1 and backend.computes


def environment_of(names: Sequence[str]) -> dict[str, str]:
    """CUDA_VISIBLE_DEVICES for devices named by UUID, which means the same GPU to NVML and to CUDA; {} for any others.

    CUDA numbers devices in the listed order, as run.json does.
    """
    if not names or not all(name.startswith(UUID_PREFIXES) for name in names):
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _processes(chosen: Sequence[Slot]) -> tuple[tuple[int, ...], ...]:
    """One process for all devices, or one per MIG slice, because CUDA exposes a single slice to a process."""
    if any(slot.slice for slot in chosen):
        return tuple((i,) for i in range(len(chosen)))
    return (tuple(range(len(chosen))),)
