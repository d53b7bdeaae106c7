"""`Probed` config values: measurements of this machine, remembered for each engine and placement.

A probe takes seconds and a completed run measures the same, so both are remembered (code/machine/measurements.py). What was measured
while the machine was busy with other work is used once and not kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from code.common import console
from code.machine.measurements import MORE_IS_BETTER, Measurement, Memory, best_of
from code.plan.request import Value
from code.plan.workload import Workload
from code.results.machine import MachineState
from configs.configuration import Probed

MOST_ROOM = 2.5
"""Most that a disturbed measurement is corrected by."""


def probed_fields(workload: Workload) -> dict[str, Value]:
    """The fields not measured yet."""
    return {name: item for name, item in workload.values.items() if isinstance(item.value, Probed)}


def not_needed(workload: Workload) -> bool:
    """Whether no measurement is needed: an accuracy run depends on the expected rate only in Server."""
    return workload["test_mode"] == "AccuracyOnly" and workload.scenario.loadgen != "Server"


def without(workload: Workload) -> Workload:
    """The workload with its unmeasured values unset."""
    probed = probed_fields(workload)
    return workload.with_values({name: Value(None, f"{v.origin}: not needed in an accuracy run") for name, v in probed.items()})


def with_remembered(workload: Workload, memory: Memory) -> Workload:
    """The workload with those of its unmeasured values that are remembered."""
    return _filled(workload, memory.read())


def with_measured(
    workload: Workload, memory: Memory, measure: Callable[[], tuple[Mapping[str, float], MachineState]], again: bool = False
) -> Workload:
    """The workload with its unmeasured values replaced by remembered ones, or by the result of `measure`.

    Args:
        again: measure although values are remembered, and forget those.
    """
    known = [] if again else memory.read()
    wanted = {item.value.what for item in probed_fields(workload).values()}
    if any(best_of(known, what) is None for what in wanted):
        values, state = measure()
        fresh = Measurement(values, time.time(), "probe", state.load_before)
        known = [*known, fresh]
        if state.disturbed:
            why = state.notes()[0].what.replace("during the run", "during the measurement")
            console.warn(f"{workload.label}: {why}: what was measured is used for this run and not remembered")
            return _filled(workload, known, room=_room(state))
        memory.add(fresh, alone=again)
    return _filled(workload, known)


def _room(state: MachineState) -> float:
    """How many times as fast the engine may be once the other work of a measurement ends; at most MOST_ROOM."""
    taken = min(1.0, ((state.foreign_cpus or 0.0) + state.stolen_cpus) / state.cpus)
    return MOST_ROOM if state.beside else min(MOST_ROOM, 1 / max(1 - taken, 1e-9))


def _filled(workload: Workload, known: Sequence[Measurement], room: float = 1.0) -> Workload:
    """The workload with the values that measurements give.

    Args:
        room: the engine may turn out so many times as fast as it was measured. A value that must not be below the achieved rate (Offline)
            or above the achieved latency leaves this room, because a run would else end too early; the rate of Server does not.
    """
    changed = {}
    for name, item in probed_fields(workload).items():
        found = best_of(known, item.value.what)
        if found is not None:
            value, source = found
            more, factor = MORE_IS_BETTER[item.value.what], item.value.factor
            spare = room if (factor > 1) is more else 1.0
            result = value * factor * (spare if more else 1 / spare)
            origin = f"{item.origin}: {factor:g} × {value:,.6g} {item.value.what}, measured {source.shown()}"
            if spare > 1:
                origin += f", with room for {spare:.2g} times the speed because of other work"
            changed[name] = Value(int(result) if name.endswith("_ns") else float(f"{result:.4g}"), origin)
    return workload.with_values(changed)
