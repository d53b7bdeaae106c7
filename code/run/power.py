"""Limits around a LoadGen test: power of its GPUs, clock of its processors; put back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from code.common import console
from code.fields.consumer import Consumer
from code.power import journal
from code.power.journal import Change

if TYPE_CHECKING:
    from code.run.observers import Test

GPUS = Consumer("power limit", ("power_limit",), devices=("GPU",))
PROCESSORS = Consumer("processor clock", ("cpu_freq",))


@contextmanager
def observer(test: Test) -> Iterator[None]:
    """Set `power_limit` (W, each GPU) and `cpu_freq` (kHz, each processor that the run may use) for the test."""
    for line in journal.recover():
        console.warn(line)
    changes = wanted(test)
    if changes and not test.computes:
        console.say("power_limit and cpu_freq are left alone: a simulated engine uses no device")
        changes = []
    with journal.limited(changes):
        yield


def wanted(test: Test) -> list[Change]:
    """The limits that the config asks for."""
    watts, kilohertz = GPUS.of(test.workload)["power_limit"], PROCESSORS.of(test.workload)["cpu_freq"]
    gpus = [device.name for device in test.placement.devices] if test.placement.on_gpus and watts else []
    cpus = sorted(os.sched_getaffinity(0)) if kilohertz else []
    return [
        *(Change("gpu_power", name, float(watts)) for name in gpus),
        *(Change("cpu_clock", str(cpu), float(kilohertz)) for cpu in cpus),
    ]
