"""The devices of a run: each has an engine, streams, and processors that its threads are bound to.

A lane is one stream of one device together with the thread that drives it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from code.backends.base import Arrays, Engine, EngineSpec, Stream, loader
from code.common.errors import HarnessError
from code.harness.schema.run_spec import DeviceEntry, RunSpec

USAGE_FILE = "devices.json"
"""[{"index", "name", "samples", "batches", "busy_s", "elapsed_s"}], one for each device. busy_s is the time in the engine, averaged
over the device's streams: busy_s / elapsed_s is the busy share. Read by the report page."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Device:
    """A device with its engine loaded, and every lane that was made of it."""

    entry: DeviceEntry
    engine: Engine
    made: list[Lane] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name in logs and errors."""
        return self.entry.name

    def lane(self) -> Lane:
        """A lane with a stream of its own."""
        self.made.append(Lane(self.entry, self.engine.stream()))
        return self.made[-1]

    def lanes(self) -> list[Lane]:
        """One lane per stream."""
        return [self.lane() for _ in range(self.entry.streams)]


class Lane:
    """One stream of one device and its counters. Used by its own thread only; any thread may read the counters."""

    def __init__(self, device: DeviceEntry, stream: Stream) -> None:
        self.device = device
        self.samples = 0
        self.batches = 0
        self.busy_s = 0.0
        self.calls = 0
        """Calls that the engine has answered."""
        self.since = 0.0
        """When the current call began (monotonic seconds); 0 between calls."""
        self._stream = stream

    def infer(self, inputs: Arrays) -> Arrays:
        """One call into the engine, timed."""
        begin = self.since = time.monotonic()
        outputs = self._stream.infer(inputs)
        self.since = 0.0
        self.calls += 1
        self.busy_s += time.monotonic() - begin
        return outputs


class Pulse:
    """Signs of life of the lanes of some devices, as code/harness/python/watch.py observes them. Any thread may ask."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices

    def _lanes(self) -> list[Lane]:
        return [lane for device in self._devices for lane in tuple(device.made)]

    def answers(self) -> int:
        """Calls that engines have answered."""
        return sum(lane.calls for lane in self._lanes())

    def longest_busy_s(self, now: float) -> float:
        """The longest time that a lane has been in its current call."""
        return max((now - since for lane in self._lanes() if (since := lane.since)), default=0.0)

    def describe(self, now: float) -> str:
        """'node 0: lane 0 in the engine for 121 s, lane 1 idle'."""
        words = []
        for device in self._devices:
            states = (f"in the engine for {now - lane.since:.0f} s" if lane.since else "idle" for lane in tuple(device.made))
            words.append(f"{device.name}: " + ", ".join(f"lane {number} {state}" for number, state in enumerate(states)))
        return "; ".join(words)


def bind_thread(cores: Sequence[int]) -> None:
    """Bind the calling thread to processors; an empty list, or one the kernel rejects, leaves it unbound."""
    if not cores:
        return
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        return


def bound(cores: Sequence[int], work: Callable[[], Made]) -> Made:
    """Call `work` on a thread bound to `cores`, or on the calling thread if `cores` is empty."""
    if not cores:
        return work()
    with ThreadPoolExecutor(1, initializer=bind_thread, initargs=(cores,)) as pool:
        return pool.submit(work).result()


def load_devices(spec: RunSpec) -> list[Device]:
    """Load each device's engine, one after the other, on a thread that is bound to its cores, so that its memory is near them."""
    return [Device(entry, bound(entry.cores, lambda entry=entry: _load(spec, entry))) for entry in spec.devices]  # type: ignore[misc]


def _load(spec: RunSpec, entry: DeviceEntry) -> Engine:
    engine = spec.engine_of(entry)
    try:
        loaded: Engine = loader(engine.backend).load(Path(engine.folder), engine_spec(spec, entry))
        return loaded
    except HarnessError as error:
        raise (on_device(entry.name, error) if len(spec.devices) > 1 else error) from error


def engine_spec(spec: RunSpec, entry: DeviceEntry) -> EngineSpec:
    """The call that loads a device's engine."""
    engine = spec.engine_of(entry)
    return EngineSpec(
        entry.streams, entry.threads, engine.precision, engine.options, entry.cores, entry.index, entry.name, entry.pci
    )


def on_all(devices: Iterable[Device], work: Callable[[Device], Any]) -> None:
    """Call `work` for every device concurrently, each on a thread bound to its cores. Raises the first error."""
    errors: list[BaseException] = []

    def one(device: Device) -> None:
        bind_thread(device.entry.cores)
        try:
            work(device)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(device,), daemon=True) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def on_device(name: str, error: HarnessError) -> HarnessError:
    """The same error with the device's name prepended."""
    return type(error)(f"device {name}: {error.what}", error.why, error.next_step, error.where)


def usage(devices: Sequence[DeviceEntry], lanes: Sequence[Lane], elapsed_s: float) -> list[dict[str, Any]]:
    """The content of devices.json."""
    rows = []
    for device in devices:
        own = [lane for lane in lanes if lane.device.index == device.index]
        rows.append(
            usage_row(
                device,
                sum(lane.samples for lane in own),
                sum(lane.batches for lane in own),
                sum(lane.busy_s for lane in own) / max(1, len(own)),
                elapsed_s,
            )
        )
    return rows


def usage_row(device: DeviceEntry, samples: int, batches: int, busy_s: float, elapsed_s: float) -> dict[str, Any]:
    """One device's entry of devices.json."""
    return {
        "index": device.index,
        "name": device.name,
        "samples": samples,
        "batches": batches,
        "busy_s": round(min(busy_s, elapsed_s), 6),
        "elapsed_s": round(elapsed_s, 6),
    }
