"""Where a workload's configs of the newer layout are: a search of every system folder, which planning many workloads makes once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from code.common.constants import Benchmark, Scenario
from configs.endpoints import EndpointFile, endpoint_files
from configs.exports import ExportFile, export_files

Found = tuple[list[ExportFile], list[EndpointFile]]


class Look:
    """What a look has found and checked so far."""

    def __init__(self) -> None:
        self.found: dict[tuple[Benchmark, Scenario], Found] = {}
        self.passed: set[Callable[[], None]] = set()


_looks: list[Look] = []
"""The look in progress; empty where there is none."""


@contextmanager
def one_look() -> Iterator[None]:
    """Search once for each workload while this lasts; a file that appears meanwhile is not met."""
    if _looks:
        yield
        return
    _looks.append(Look())
    try:
        yield
    finally:
        _looks.clear()


def once(check: Callable[[], None]) -> None:
    """Make a check that raises where something is wrong, unless it has passed in the look in progress."""
    passed = _looks[0].passed if _looks else set()
    if check not in passed:
        check()
        passed.add(check)


def workload_files(below: list[Path], benchmark: Benchmark, scenario: Scenario) -> Found:
    """A workload's files below some folders; a file in an earlier one replaces the same one in later ones."""
    met = _looks[0].found if _looks else {}
    if (benchmark, scenario) not in met:
        met[benchmark, scenario] = export_files(below, benchmark, scenario), endpoint_files(below, benchmark, scenario)
    return met[benchmark, scenario]
