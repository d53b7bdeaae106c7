"""What a run computes on: its graph and its data set, which for a simulated engine are a table of times and samples without content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.benchmarks.benchmark import BenchmarkDefinition
from code.plan.workload import Workload
from code.precision import graph_for
from code.run import simulation
from code.run.language import has_own_server, served
from code.run.placement import Placement
from code.run.servable import require_own_server, require_servable


def graph(
    workload: Workload,
    runtime: Backend,
    definition: BenchmarkDefinition,
    placement: Placement,
    make: bool = False,
    again: bool = False,
    home: Path | None = None,
) -> Path:
    """The graph that the engine is built of. MissingError where it is not made; a table for a simulated engine.

    Args:
        make: make it where it is not there.
        again: make it even where it is there.
        home: directory of the table; None for the build folder's.
    """
    if served(workload):
        require_servable(workload, runtime)
    if has_own_server(workload):
        require_own_server(workload, runtime)
    if not runtime.computes:
        return simulation.table_file(workload, placement, _lengths(definition), home)
    return graph_for(workload, make=make, again=again)


def dataset(workload: Workload, runtime: Backend, definition: BenchmarkDefinition) -> dict[str, Any]:
    """The `dataset` part of run.json; MissingError when arrays are not there or broken."""
    if not runtime.computes:
        return simulation.synthetic(definition.samples, _lengths(definition))
    return definition.dataset(workload.plain())


def _lengths(definition: BenchmarkDefinition) -> list[int]:
    return list(definition.facts.length_spread or (1,))
