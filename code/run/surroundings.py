"""Keeps the devices of a test or probe to itself, and records what else the machine did meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from code.common.files import write_json
from code.fields.consumer import Consumer, Readable
from code.machine import load
from code.results.machine import MACHINE_FILE, MachineState
from code.run import device_lock

if TYPE_CHECKING:
    from code.run.observers import Test

READS = Consumer("devices", ("share_devices",))


@dataclass
class Watched:
    """The state of the machine during a block, complete when the block has ended."""

    state: MachineState


def shares(values: Readable) -> bool:
    """Whether a run may use devices that another one uses."""
    return bool(READS.of(values)["share_devices"])


@contextmanager
def watched(devices: Sequence[str], label: str, share: bool) -> Iterator[Watched]:
    """Hold the locks of `devices` during the block, and measure the other work on the processors that this process may use."""
    cpus = sorted(os.sched_getaffinity(0))
    with device_lock.held(devices, label, share) as sharing:
        first = load.now(cpus)
        seen = Watched(MachineState(len(cpus), load_before=first.load, beside=tuple(sharing.beside), waited_s=sharing.waited_s))
        try:
            yield seen
        finally:
            last = load.now(cpus)
            used = load.between(first, last)
            seen.state = MachineState(
                len(cpus), used.foreign, used.stolen, first.load, last.load, tuple(sharing.beside), sharing.waited_s
            )


@contextmanager
def observer(test: Test) -> Iterator[None]:
    """The same around a LoadGen test, recorded in machine.json. A simulated engine uses no device."""
    devices = [device.name for device in test.placement.devices] if test.computes else []
    with watched(devices, f"{test.workload.label} {test.mode}", shares(test.workload)) as seen:
        yield
    write_json(test.folder / MACHINE_FILE, seen.state.as_json())
