"""What disturbed a run, found in its telemetry: other work, time that a hypervisor took, clocks that fell, limits that held it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from code.machine.nvml import POWER_CAP, SLOWDOWNS
from code.results.telemetry import Floats, Telemetry, summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

BIN_S = 1.0
GAP_BINS = 2
"""Quiet bins inside one event."""
LEAST_BINS = 2
"""Bins of the shortest event: the kernel counts in ticks of up to 10 ms, so one bin alone may be an error of counting."""
LEAST_CPUS = 0.15
LEAST_SHARE = 0.01
"""Other work counts from this many processors' worth on, and from this share of a large machine's on."""
QUIET = "quiet"
LEAST_LOST = 0.05
"""A processor that loses more than this share to other work while nothing runs is not idle."""
FALLEN = 0.9
"""A clock below this share of what it usually is in the run has fallen."""
LEAST_FALL_S = 2.0
THROTTLE = {**POWER_CAP, **SLOWDOWNS}
"""NVML's clock event reasons that hold a GPU below the clock it was asked for (nvmlClocksEventReasonHwSlowdown and others)."""


@dataclass(frozen=True)
class Event:
    """Something that disturbed a run.

    Args:
        kind: 'before', 'other work', 'stolen', 'clocks', 'throttled'.
        begin, end: in s since the epoch.
        words: 'other work took 31 % of core 1'.
    """

    kind: str
    begin: float
    end: float
    words: str

    def as_json(self) -> dict[str, Any]:
        """An entry of metadata.json's `telemetry.noise`."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}

    def line(self) -> str:
        """'other work took 31 % of core 1 from 12:03:10 for 14 s', in the local time zone."""
        return f"{self.words} from {datetime.fromtimestamp(self.begin):%H:%M:%S} for {max(1.0, self.end - self.begin):.0f} s"


def events(found: Telemetry) -> list[Event]:
    """What disturbed the run, in order of time; [] for a quiet one."""
    edges = np.arange(found.begin, found.end + BIN_S / 2, BIN_S)
    if len(edges) < 2:
        edges = np.array([found.begin, found.end])
    all_found = [*_before(found), *_work(found, edges), *_clocks(found), *_throttled(found)]
    return sorted(all_found, key=lambda event: event.begin)


def _before(found: Telemetry) -> Iterator[Event]:
    """The processor that lost most of its time while it was probed before the test."""
    lost = {name: float(values[0]) for name, values in found.sources.get("before", {}).items() if name.endswith("_lost_share")}
    if not lost or not found.sources["before"].keys() >= {"t", "watched_s"}:
        return
    worst = max(lost, key=lambda name: lost[name])
    if lost[worst] > LEAST_LOST:
        end, seconds = float(found.sources["before"]["t"][0]), float(found.sources["before"]["watched_s"][0])
        words = f"before the run, other work took {lost[worst]:.0%} of core {worst.removeprefix('cpu').partition('_')[0]}"
        yield Event("before", end - seconds, end, words.replace("%", " %"))


def _work(found: Telemetry, edges: Floats) -> Iterator[Event]:
    cpus = found.cpus()
    least = max(LEAST_CPUS, LEAST_SHARE * len(cpus))
    busy = np.array([_gains(found, "processors", f"cpu{cpu}_busy_s_total", edges) for cpu in cpus])
    stolen = np.array([_gains(found, "processors", f"cpu{cpu}_stolen_s_total", edges) for cpu in cpus])
    own_by_cpu = np.array([_gains(found, "own", f"cpu{cpu}_s_total", edges) for cpu in cpus])
    own = _gains(found, "own", "cpu_s_total", edges)
    widths = np.diff(edges)
    if len(cpus) and len(found.of("own", "t")[0]) > 1:
        foreign = np.clip(busy.sum(axis=0) - own, 0.0, None) / widths
        for first, last in _spans(foreign > least):
            shares = np.clip((busy - own_by_cpu)[:, first:last].sum(axis=1), 0.0, None) / widths[first:last].sum()
            words = f"other work took {_of_cores(cpus, shares, float(foreign[first:last].mean()))}"
            yield Event("other work", float(edges[first]), float(edges[last]), words)
    if len(cpus):
        for first, last in _spans(stolen.sum(axis=0) / widths > least):
            shares = stolen[:, first:last].sum(axis=1) / widths[first:last].sum()
            words = f"the hypervisor took {_of_cores(cpus, shares, float(shares.sum()))}"
            yield Event("stolen", float(edges[first]), float(edges[last]), words)


def _of_cores(cpus: Sequence[int], shares: Floats, total: float) -> str:
    """'31 % of core 1', where nearly all of it was on one; else '1.4 of 2 processors'."""
    most = int(np.argmax(shares))
    if len(cpus) == 1 or shares[most] >= 0.8 * shares.sum() > 0:
        return f"{min(1.0, total):.0%} of core {cpus[most]}".replace("%", " %")
    return f"{total:.1f} of {len(cpus)} processors"


def _clocks(found: Telemetry) -> Iterator[Event]:
    names = [name for name in found.sources.get("clocks", {}) if name != "t"]
    tracks = [(f"core {name.removeprefix('cpu').partition('_')[0]}", *found.of("clocks", name)) for name in names]
    tracks += [(gpu, *found.of(gpu, "sm_clock_mhz")) for gpu in found.gpus()]
    for what, times, values in tracks:
        inside = (times >= found.begin) & (times <= found.end)
        times, values = times[inside], values[inside]
        if len(values) < 3:
            continue
        usual = float(np.median(values))
        for first, last in _spans(values < FALLEN * usual):
            begin, end = float(times[first]), float(times[min(last, len(times) - 1)])
            if end - begin >= LEAST_FALL_S:
                words = f"the clock of {what} fell from {usual:,.0f} to {float(values[first:last].min()):,.0f} MHz"
                yield Event("clocks", begin, end, words)


def _throttled(found: Telemetry) -> Iterator[Event]:
    for gpu in found.gpus():
        times, values = found.of(gpu, "throttle_reasons")
        inside = (times >= found.begin) & (times <= found.end)
        times, bits = times[inside], values[inside].astype(np.int64)
        for bit, reason in THROTTLE.items():
            for first, last in _spans((bits & bit) != 0):
                begin, end = float(times[first]), float(times[min(last, len(times) - 1)])
                yield Event("throttled", begin, end, f"{gpu} was held back ({reason})")
    lost = found.gained("system", "throttled_s_total")
    if lost is not None and lost > LEAST_SHARE * found.seconds:
        words = f"the control group's CPU limit held it back for {lost:.1f} s of processor time"
        yield Event("throttled", found.begin, found.end, words)


def _gains(found: Telemetry, source: str, column: str, edges: Floats) -> Floats:
    """What a rising column gained in each bin; zeros where it is unknown."""
    times, values = found.of(source, column)
    if len(times) < 2:
        return np.zeros(len(edges) - 1)
    gains: Floats = np.diff(np.interp(edges, times, values))
    return gains


def _spans(marked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, last) of each stretch of marks, over gaps of at most GAP_BINS; shorter ones than LEAST_BINS are left out."""
    found: list[list[int]] = []
    for place in np.flatnonzero(marked):
        if found and place - found[-1][1] <= GAP_BINS:
            found[-1][1] = int(place) + 1
        else:
            found.append([int(place), int(place) + 1])
    shortest = min(LEAST_BINS, len(marked))
    return [(first, last) for first, last in found if last - first >= shortest]


def described(found: Telemetry, samples: int | None, tokens_per_s: float | None = None) -> tuple[dict[str, Any], list[Event]]:
    """metadata.json's `telemetry` with what disturbed the run, and the same as events; arguments as of `telemetry.summary`."""
    disturbed = events(found)
    verdict = "; ".join(event.line() for event in disturbed) or QUIET
    return {
        **summary(found, samples, tokens_per_s),
        "noise": [event.as_json() for event in disturbed],
        "verdict": verdict,
    }, disturbed
