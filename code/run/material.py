"""What a run computes on: its graph and its data set, which for a simulated engine are a table of times and samples without content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.benchmarks.benchmark import BenchmarkDefinition
from code.common.errors import HarnessError
from code.harness.schema.lengths import lengths_of
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
        return simulation.table_file(workload, placement, lengths(workload, definition), home)
    return graph_for(workload, make=make, again=again)


def dataset(workload: Workload, runtime: Backend, definition: BenchmarkDefinition) -> dict[str, Any]:
    """The `dataset` part of run.json; MissingError when arrays are not there or broken."""
    if not runtime.computes:
        own = own_lengths(workload, definition)
        made = simulation.synthetic(len(own) if own else definition.samples, own or usual_lengths(definition))
        return {**made, "usual_count": definition.samples}
    return definition.dataset(workload.plain())


def lengths(workload: Workload, definition: BenchmarkDefinition) -> list[int]:
    """Lengths of the samples of a workload's data set: each one's where it is another than the benchmark's, else quantiles."""
    return own_lengths(workload, definition) or usual_lengths(definition)


def usual_lengths(definition: BenchmarkDefinition) -> list[int]:
    """Quantiles of the lengths of the benchmark's own data set."""
    return list(definition.facts.length_spread or (1,))


def own_lengths(workload: Workload, definition: BenchmarkDefinition) -> list[int] | None:
    """The length of each sample of the tiny data set or a user's own; None where that has no lengths or is not prepared, and else."""
    if workload.variant == "reference":
        return None
    try:
        found = lengths_of(definition.dataset(workload.plain()))
    except HarnessError:
        return None
    return None if found is None else [int(length) for length in found]
