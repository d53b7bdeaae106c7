"""How steadily the processors run: for some seconds, a loop on each in turn measures the time that something else took from it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

GAP_S = 100e-6
"""Two readings of the clock further apart mean that something else ran: an interrupt takes some 10 µs, a slice of the scheduler a ms."""
LEAST_SLICE_S = 0.02
"""A processor is watched for at least this long: two time slices of a busy machine."""


@dataclass(frozen=True)
class Jitter:
    """What one processor lost while the loop ran on it.

    Args:
        cpu: its number.
        seconds: how long it was watched.
        lost_s: sum of the gaps.
        longest_s: the longest gap.
    """

    cpu: int
    seconds: float
    lost_s: float
    longest_s: float

    @property
    def lost(self) -> float:
        """The share of its time that it lost, 0 to 1."""
        return min(1.0, self.lost_s / self.seconds) if self.seconds > 0 else 0.0


def probe(cpus: Sequence[int], seconds: float) -> list[Jitter]:
    """Watch processors in turn, `seconds` all together; as many as fit are spread evenly over `cpus`.

    Its thread is bound to one at a time; a processor that it may not use is left out.
    """
    count = max(1, min(len(cpus), int(seconds / LEAST_SLICE_S)))
    chosen = [cpus[place * len(cpus) // count] for place in range(count)] if cpus else []
    found: list[Jitter] = []

    def watch() -> None:
        for cpu in chosen:
            try:
                os.sched_setaffinity(0, {cpu})  # of this thread alone
            except (OSError, AttributeError):
                continue
            found.append(_gaps(cpu, seconds / count))

    thread = threading.Thread(target=watch, name="jitter")
    thread.start()
    thread.join()
    return found


def _gaps(cpu: int, seconds: float) -> Jitter:
    clock = time.perf_counter
    begin = last = clock()
    end = begin + seconds
    lost = longest = 0.0
    while last < end:
        now = clock()
        gap = now - last
        if gap > GAP_S:
            lost += gap
            longest = max(longest, gap)
        last = now
    return Jitter(cpu, last - begin, lost, longest)
