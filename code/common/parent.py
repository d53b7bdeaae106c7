"""Ties the life of a process to its parent's, so that a killed parent leaves nothing running."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal

PARENT_VARIABLE = "HARNESS_PARENT_PID"
"""Names the process that a harness process ends with; code/harness/cpp/core/watch.cc reads it too."""
PR_SET_PDEATHSIG = 1
ORPHANED_STATUS = 130


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends (prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: the process ID of the parent; where it has ended already, this process ends at once.
    """
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(ORPHANED_STATUS)


def end_with_launcher() -> None:
    """The same for a harness process, whose launcher gives its ID in the environment. Without it nothing happens."""
    given = os.environ.get(PARENT_VARIABLE, "")
    if given.isdigit():
        end_with(int(given))


def end_with_make() -> None:
    """Have the kernel send SIGTERM to this process when a killed `make` leaves it. Where make did not start it nothing happens."""
    if os.environ.get("MAKELEVEL"):
        with contextlib.suppress(OSError, AttributeError):  # not Linux
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def end_with_pool() -> None:
    """The same for a worker process of `multiprocessing`. Also leaves Ctrl-C, which reaches the whole group, to the parent.

    Picklable, as an initializer has to be; `signal.signal` itself is not on Python 3.10.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    owner = multiprocessing.parent_process()
    if owner is not None and owner.pid is not None:
        end_with(owner.pid)
