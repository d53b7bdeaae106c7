"""Worker processes for cases: spawned, ending with their parent, and ignoring Ctrl-C, which the parent handles."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from code.common.parent import end_with_pool


def cores() -> int:
    """Number of logical CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def pool(count: int) -> ProcessPoolExecutor:
    """A pool of `count` processes.

    They are spawned, not forked: the parent may have threads (progress, a runtime), which a copy would lack.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=end_with_pool)
