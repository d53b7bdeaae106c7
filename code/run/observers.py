"""What stands around a LoadGen test: each observer is a context manager that starts before the harness and ends after it.

An observer samples, limits or records; it changes no result. What it changes on the machine it puts back when it is left, however
that happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from code.plan.workload import Workload
from code.run.placement import Placement


@dataclass(frozen=True)
class Test:
    """One LoadGen test as observers see it: the workload, its mode, its log folder and its devices."""

    __test__ = False  # not a pytest class

    workload: Workload
    mode: str
    folder: Path
    placement: Placement


Observer = Callable[[Test], AbstractContextManager[None]]

OBSERVERS: Mapping[str, Observer] = {}
"""Name → observer, in the order in which they start. A new one is one entry."""


@contextmanager
def observed(test: Test) -> Iterator[None]:
    """Every observer around the block."""
    with ExitStack() as stack:
        for observer in OBSERVERS.values():
            stack.enter_context(observer(test))
        yield
