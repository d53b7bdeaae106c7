"""Samples sources in a thread of its own and keeps the readings as columns."""

from __future__ import annotations

import contextlib
import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from code.common.files import atomic_write
from code.telemetry import gpus, own, processors
from code.telemetry.source import FILE, Opener, Source, Watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUDGET = 0.004
"""Share of one core that sampling may take: beyond it, readings are taken less often."""
ROWS = 36_000
"""Readings of a source that are kept: an hour at 10 Hz. Beyond it every second one is dropped, and they are taken half as often."""
OPENERS: tuple[Opener, ...] = (
    processors.usage,
    processors.clocks,
    processors.system,
    processors.numa,
    processors.energy,
    own.own,
    gpus.gpus,
)


def smoothed(before: float, now: float) -> float:
    """A mean in which the last ten readings weigh most."""
    return now if not before else 0.9 * before + 0.1 * now


class Track:
    """The readings of one source."""

    def __init__(self, source: Source) -> None:
        self.source, self.period_s, self.due, self.cost_s = source, source.period_s, 0.0, 0.0
        self.times, self.values = array("d"), array("d")

    def take(self, at: float) -> None:
        """One reading.

        Args:
            at: the time since the epoch, in s.
        """
        begin = time.thread_time()
        values = self.source.read()
        self.times.append(at)
        self.values.extend(values)
        if len(self.times) >= ROWS:
            self._thin()
        self.cost_s = smoothed(self.cost_s, time.thread_time() - begin)

    def rows(self) -> NDArray[np.float64]:
        """float64 [readings, columns]."""
        return np.array(self.values, dtype=np.float64).reshape(len(self.times), len(self.source.columns))

    def _thin(self) -> None:
        times, values = array("d", self.times[::2]), array("d", self.rows()[::2].ravel().tobytes())
        self.times, self.values, self.period_s = times, values, 2 * self.period_s


class Recorder:
    """Samples sources between `start` and `stop`. Times are of the system clock at the start, carried on by the monotonic clock."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.tracks = [Track(source) for source in sources]
        self.wake_s = self._slept_at = 0.0
        """Processor time, in s: what a wait takes, and what the thread had used when the last one began."""
        self._ended = threading.Lock()  # taken while the thread runs: to wait for it is one call, an Event is a page of Python
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Take the first readings and go on in the background."""
        self._epoch, self._origin = time.time(), time.monotonic()
        self._round(0.0)
        self._ended.acquire()
        self._thread.start()

    def stop(self) -> None:
        """Take the last readings."""
        self._ended.release()
        self._thread.join()
        for track in self.tracks:
            track.due = 0.0
        self._round(time.monotonic() - self._origin)
        for track in self.tracks:
            track.source.close()

    def columns(self) -> Mapping[str, NDArray[np.float64]]:
        """'<source>/t' in s since the epoch, and '<source>/<column>'."""
        found: dict[str, NDArray[np.float64]] = {}
        for track in self.tracks:
            rows = track.rows()
            found[f"{track.source.name}/t"] = np.array(track.times, dtype=np.float64)
            found.update({f"{track.source.name}/{name}": rows[:, place] for place, name in enumerate(track.source.columns)})
        return found

    def _run(self) -> None:
        self._slept_at = 0.0
        while not self._ended.acquire(timeout=self._ahead()):
            self._round(time.monotonic() - self._origin)

    def _ahead(self) -> float:
        """Seconds to the next reading."""
        return max(0.001, self._origin + min(track.due for track in self.tracks) - time.monotonic())

    def _round(self, now: float) -> None:
        begin = time.thread_time()
        if self._slept_at:
            self.wake_s = smoothed(self.wake_s, begin - self._slept_at)
        for track in self.tracks:
            if track.due <= now:
                track.take(self._epoch + now)
                track.due = now + self._interval(track)
        self._slept_at = time.thread_time()

    def _interval(self, track: Track) -> float:
        """Seconds to the next reading, so that all sources and waking up for them stay within the budget."""
        share = sum(other.cost_s / other.period_s for other in self.tracks) + self.wake_s / min(
            other.period_s for other in self.tracks
        )
        return track.period_s * max(1.0, share / BUDGET)


@contextlib.contextmanager
def recorded(folder: Path, watched: Watched, before: Mapping[str, float] = MappingProxyType({})) -> Iterator[None]:
    """Record during the block into `folder`/telemetry.npz, which also a block that fails leaves behind, whole.

    Args:
        before: columns of the source 'before', of which there is one reading.
    """
    begun = time.time()
    recorder = Recorder([source for opener in OPENERS for source in opener(watched)])
    recorder.start()
    try:
        yield
    finally:
        recorder.stop()
        first = {f"before/{name}": np.array([value]) for name, value in {"t": begun, **before}.items()} if before else {}
        with atomic_write(folder / FILE, "wb") as out:
            np.savez_compressed(out, **{**recorder.columns(), **first})  # type: ignore[arg-type]  # its allow_pickle hides in the names
