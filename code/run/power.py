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

OF_GPUS = {"power_limit": "gpu_power", "gpu_clock": "gpu_clock", "gpu_memory_clock": "gpu_memory_clock", "fan_speed": "gpu_fan"}
"""Field → the knob that it turns on each GPU."""
GPUS = Consumer("GPU limits", tuple(OF_GPUS), devices=("GPU",))
PROCESSORS = Consumer("processor clock", ("cpu_freq",))


@contextmanager
def observer(test: Test) -> Iterator[None]:
    """Set the limits of each GPU, and `cpu_freq` (kHz) of each processor that the run may use, for the test."""
    for line in journal.recover():
        console.warn(line)
    changes = wanted(test)
    if changes and not test.computes:
        console.say("limits of power, clocks and fans are left alone: a simulated engine uses no device")
        changes = []
    with journal.limited(changes):
        yield


def wanted(test: Test) -> list[Change]:
    """The limits that the config asks for."""
    of_gpus, kilohertz = GPUS.of(test.workload), PROCESSORS.of(test.workload)["cpu_freq"]
    gpus = [device.name for device in test.placement.devices] if test.placement.on_gpus else []
    cpus = sorted(os.sched_getaffinity(0)) if kilohertz else []
    return [
        *(Change(knob, name, float(of_gpus[field])) for field, knob in OF_GPUS.items() if of_gpus[field] for name in gpus),
        *(Change("cpu_clock", str(cpu), float(kilohertz)) for cpu in cpus),
    ]
