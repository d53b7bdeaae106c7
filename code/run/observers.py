"""Observers of a LoadGen test: context managers that start before the harness and end after it.

An observer samples, limits or records; it changes no result. It restores any machine state it changes on exit, also on
errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from code.plan.workload import Workload
from code.run import power, surroundings, telemetry
from code.run.placement import Placement


@dataclass(frozen=True)
class Test:
    """The LoadGen test passed to observers.

    Args:
        folder: its log folder.
        computes: whether its engine computes answers, and so uses its devices.
    """

    __test__ = False  # not a pytest class

    workload: Workload
    mode: str
    folder: Path
    placement: Placement
    computes: bool = True


Observer = Callable[[Test], AbstractContextManager[None]]

OBSERVERS: Mapping[str, Observer] = {
    "surroundings": surroundings.observer,
    "power": power.observer,
    "telemetry": telemetry.observer,
}
"""Name → observer, in start order."""


@contextmanager
def observed(test: Test) -> Iterator[None]:
    """Run the block inside every observer."""
    with ExitStack() as stack:
        for observer in OBSERVERS.values():
            stack.enter_context(observer(test))
        yield
