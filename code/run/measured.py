"""`Probed` config values: measurements of this machine, remembered for each engine and placement.

A probe takes seconds and a completed run measures the same, so both are remembered: the newest few, of which the best counts, because
disturbances only ever slow a machine down. What was measured while the machine was busy with other work is used once and not kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from code.common import console, jsonfile, paths
from code.common.files import write_json
from code.plan.request import Value
from code.plan.workload import Workload
from code.results.machine import MachineState
from configs.configuration import Probed

MORE_IS_BETTER = {"samples_per_second": True, "latency_ns": False, "query_latency_ns": False}
"""What is measured → whether a higher value is better."""
KEPT = 5
MOST_ROOM = 2.5
"""Most that a disturbed measurement is corrected by."""
RECENT_S = 30 * 86_400
"""Age at which a measurement is forgotten: drivers, clocks and cooling change."""


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Args:
        values: what → value, of MORE_IS_BETTER.
        when: seconds since 1970.
        source: 'probe' or 'run'.
        load: load average of the machine before it; None where unknown.
    """

    values: Mapping[str, float]
    when: float
    source: str
    load: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Its entry in the file."""
        return {"values": dict(self.values), "when": self.when, "source": self.source, "load": self.load}

    def shown(self) -> str:
        """'by a run on 2026-01-01, 3 h ago, at a load of 0.1'."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.when))
        at = "" if self.load is None else f", at a load of {self.load:.2f}"
        return f"by a {self.source} on {day}, {age(time.time() - self.when)} ago{at}"


def age(seconds: float) -> str:
    """'42 s', '5 min', '3 h', '12 days'."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


class Memory:
    """The measurements of one engine and placement.

    Args:
        of: what a measurement depends on, as JSON: engine, harness, devices, batches, data set.
    """

    def __init__(self, of: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]
        self.path = paths.engine_dir() / ".probes" / f"{digest}.json"

    def read(self) -> list[Measurement]:
        """The recent measurements, oldest first. What is damaged, out of range or from the future does not count."""
        listed = jsonfile.object_or_empty(self.path).get("measurements")
        found = [_measurement(entry) for entry in listed] if isinstance(listed, list) else []
        now = time.time()
        return [one for one in found if one is not None and now - RECENT_S < one.when <= now + 60]

    def add(self, one: Measurement, alone: bool = False) -> None:
        """Remember a measurement.

        Args:
            alone: forget all others.
        """
        kept = [*([] if alone else self.read()), one][-KEPT:]
        write_json(self.path, {"measurements": [item.as_json() for item in kept]})

    def best(self, what: str) -> tuple[float, Measurement] | None:
        """The best recent value of a kind, and its measurement."""
        return best_of(self.read(), what)


def best_of(found: Sequence[Measurement], what: str) -> tuple[float, Measurement] | None:
    """The best value of a kind among measurements, and its measurement; None if there is none."""
    known = [(one.values[what], one) for one in found if what in one.values]
    choose = max if MORE_IS_BETTER[what] else min
    return choose(known, key=lambda pair: pair[0], default=None)


def _measurement(entry: object) -> Measurement | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict) or not _positive(entry.get("when")):
        return None
    values = {name: float(value) for name, value in entry["values"].items() if name in MORE_IS_BETTER and _positive(value)}
    load = entry.get("load")
    known_load = float(load) if isinstance(load, (int, float)) and (_positive(load) or load == 0) else None
    return Measurement(values, float(entry["when"]), "run" if entry.get("source") == "run" else "probe", known_load)


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e18 and math.isfinite(value)


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
