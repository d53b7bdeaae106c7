"""Worker processes for cases: spawned, and ignoring Ctrl-C, which the parent handles."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor


def cores() -> int:
    """Number of logical CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def pool(count: int) -> ProcessPoolExecutor:
    """A pool of `count` processes.

    They are spawned, not forked: the parent may have threads (progress, a runtime), which a copy would lack.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts_to_the_parent)


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches the whole process group; the parent stops its pool. (`signal.signal` itself cannot be pickled on Python 3.10.)"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
