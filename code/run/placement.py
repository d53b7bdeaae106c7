"""Which devices a run uses, and what each of them has: the only reader of the fields that describe devices.

A placement is a value. Several GPUs, several NUMA nodes, MIG slices and mixed systems are different values of it, not different code:
engines, profiles, windows, tuning, estimates and the harness read what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from code.common.errors import UsageError

if TYPE_CHECKING:
    from code.backends.base import Backend
    from code.plan.workload import Workload


@dataclass(frozen=True)
class Device:
    """One device of a run.

    Args:
        index: its number in the harness process, from 0.
        number: its number on the system, as `--devices` takes it: a GPU's in the driver's order, a NUMA node's.
        name: what logs call it: a GPU's UUID where one is known, 'node 0', …
        kind: the kind of device an engine is built for, such as 'H100_SXM_80GB'; devices of one kind share an engine.
        cores: processors that its threads are bound to, ascending; () leaves that to the harness.
        streams: batches in flight on it.
        threads: threads of its runtime in all, on a processor; 0 lets the runtime decide.
        engine: which of the run's engines it loads, an index into the placement's kinds.
    """

    index: int
    number: int
    name: str
    kind: str
    cores: tuple[int, ...]
    streams: int
    threads: int = 0
    engine: int = 0


@dataclass(frozen=True)
class Placement:
    """The devices of a run.

    Args:
        devices: in the harness's order; never empty.
        batch: most samples in a batch.
        environment: variables that the harness process gets, so that it sees the chosen devices only, numbered from 0.
        processes: which process drives which devices, as indices into `devices`.
    """

    devices: tuple[Device, ...]
    batch: int
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[tuple[int, ...], ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its devices; each kind has one engine."""
        return tuple(dict.fromkeys(device.kind for device in self.devices))

    @property
    def streams(self) -> int:
        """Batches in flight on all devices."""
        return sum(device.streams for device in self.devices)


def place(workload: Workload, backend: Backend) -> Placement:
    """The placement of a workload. UsageError for a batch size that has no entry for the benchmark."""
    kind = "cpu" if backend.device == "CPU" else "gpu"
    cores = max(1, workload.detected.usable_cores)
    streams = int(workload[f"{kind}_inference_streams"] or 1)
    threads = int(workload["cpu_threads_per_stream"] or 0) * streams or cores
    device = Device(0, 0, "node 0" if kind == "cpu" else "GPU 0", kind, (), streams, threads if kind == "cpu" else 0)
    return Placement((device,), batch_of(workload, f"{kind}_batch_size"), processes=((0,),))


def batch_of(workload: Workload, name: str) -> int:
    """The batch size that a field gives the workload's network; 1 where it is not set. UsageError where its entry is missing."""
    size = workload[name]
    if isinstance(size, dict):
        network = str(workload.benchmark)
        if network not in size:
            raise UsageError(
                f"{name} has no entry for {network}",
                f"it is {size!r}",
                f"write {name} = {{'{network}': 16}}",
                workload.values[name].origin,
            )
        size = size[network]
    return int(size or 1)
