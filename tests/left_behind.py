"""What of a process one test could leave to the next: where output goes, which configs are read, signals, the current folder."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

SERVE_TO_THE_END = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
CHILDREN = "child processes"
READERS: dict[str, Callable[[], Any]] = {
    "the current folder": os.getcwd,
    "sys.argv": lambda: list(sys.argv),
    "SIGINT's handler": lambda: signal.getsignal(signal.SIGINT),
    "SIGTERM's handler": lambda: signal.getsignal(signal.SIGTERM),
    "sys.excepthook": lambda: sys.excepthook,
    CHILDREN: lambda: children(),
    "the file mode mask": lambda: _mask(),
    "who reads standard output (code.common.console)": lambda: _of("code.common.console", "_Reader", "program", default=False),
    "a signal that came (code.common.signals)": lambda: _of("code.common.signals", "SIGNALS", "received", default=False),
    "the folder of configs (configs.loading)": lambda: list(_of("configs.loading", "_folders", default=())),
}


def state() -> dict[str, Any]:
    """Name → value now. A module that nobody has imported is as it is at first, and is not imported for this."""
    return {name: read() for name, read in READERS.items()}


def changed(before: dict[str, Any], served: Collection[str] = (), now: dict[str, Any] | None = None) -> list[str]:
    """A line for each of them that differs from before.

    Args:
        served: processes, by number, that a fixture of several tests has started; it ends them.
        now: the state to compare with, by default the present one.
    """
    before, now = (
        {**found, CHILDREN: [line for line in found[CHILDREN] if number(line) not in served]}
        for found in (before, state() if now is None else now)
    )
    return [f"{name}: {before[name]!r} before, {now[name]!r} now" for name in before if before[name] != now[name]]


def _of(module: str, *names: str, default: Any) -> Any:
    found: Any = sys.modules.get(module)
    if found is None:
        return default
    for name in names:
        found = getattr(found, name)
    return found


def number(line: str) -> str:
    """The number of a process in a line of `children`."""
    return line.partition(" ")[0]


def children() -> list[str]:
    """The processes that this one has started and that still run or were not waited for; those of multiprocessing serve to the end."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # none at all, which one call tells, and else a file of each thread
        return []
    found = []
    # Up to a hundred threads, twice for each test: with a Path for each it takes a millisecond.
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/children", "rb", buffering=0) as file:  # noqa: PTH123
            found += [(pid, Path(f"/proc/{pid}/cmdline").read_bytes()) for pid in file.read().decode().split()]
    kept = [(pid, words.replace(b"\0", b" ").decode(errors="replace")) for pid, words in found]
    return [f"{pid} {words[:200]}" for pid, words in sorted(kept) if not any(name in words for name in SERVE_TO_THE_END)]


def _mask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
