"""The two sides of a comparison of engines: a workload's own, and what `--against` names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends import store
from code.backends.base import BACKENDS, Backend, backend
from code.common import console
from code.common.errors import MissingError, UsageError, unknown
from code.fields.consumer import Consumer
from code.fields.table import field_table
from code.harness.python.datasets import open_dataset
from code.plan.request import Value
from code.plan.workload import Workload
from code.precision import graph_for
from code.precision.graphs import precision_of
from code.run.job import Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from code.precision.side_by_side import Side

READS = Consumer("make debug_accuracy", ("backend",))
REFERENCE = "onnxruntime:fp32"
"""What an engine is compared with where nothing is named."""
OPTION = "--against"


@dataclass(frozen=True)
class Pair:
    """Both sides, and the inputs that they get.

    Args:
        label: 'bert-99 Offline'.
        feeds: one call for each sample, so that nothing is padded.
        samples: the samples' indices.
        workloads: the values of each side's engine.
    """

    label: str
    sides: tuple[Side, Side]
    feeds: list[dict[str, NDArray[Any]]]
    samples: tuple[int, ...]
    workloads: tuple[Workload, Workload]


def pair_of(job: Job, against: str | None, samples: int) -> Pair:
    """Build both engines, and choose the samples: spread over the data set's lengths.

    Raises:
        UsageError: the workload has no graph to compare, or `against` names nothing that is known.
        MissingError: the model or the data is not there.
    """
    _require_graph(job)
    other = _other(job.workload, against or REFERENCE)
    job.prepare_data()
    job.build()
    ours = _named(job.workload, job.backend)
    threads = job.placement.devices[0].threads if job.placement.devices else 0
    from code.precision.side_by_side import Side  # with layers, which no other command needs

    first = Side(ours, job.backend, precision_of(job.values), job.graph, job.engines.first.require(), threads)
    second = built(other, threads)
    if second.engine == first.engine:
        raise UsageError(
            f"{first.name} would be compared with itself",
            f"{OPTION}={against} names the engine of the workload",
            "name another backend or precision, such as --against=onnxruntime:fp32",
        )
    if second.name == first.name:
        first, second = replace(first, name=f"{first.name} (a)"), replace(second, name=f"{second.name} (b)")
    dataset = open_dataset(job.dataset)
    chosen = _spread(dataset.lengths, samples)
    feeds = [dataset.inputs(np.asarray([index], dtype=np.int64)) for index in chosen]
    return Pair(job.workload.label, (first, second), feeds, tuple(chosen), (job.workload, other))


def built(workload: Workload, threads: int) -> Side:
    """The side of a workload, its graph and engine made where they are not there."""
    runtime = backend(READS.of(workload)["backend"])
    graph = graph_for(workload, make=True)
    values = workload.plain()
    where = store.address(runtime, str(workload.benchmark), graph, values)
    if not where.exists:
        console.say(f"engine {where.folder.name}: building with {runtime.label} {runtime.version()}")
        store.build(where, runtime, graph, values)
    from code.precision.side_by_side import Side

    return Side(_named(workload, runtime), runtime, precision_of(values), graph, where.require(), threads)


def _require_graph(job: Job) -> None:
    if job.definition.facts.family == "text":
        raise UsageError(
            f"{job.label} generates text",
            "debug_accuracy compares what one pass of a network answers; a generator's passes depend on each other",
            "compare its scores: make run RUN_ARGS='… --test_mode=AccuracyOnly'",
        )
    if not job.backend.computes:
        raise UsageError(f"{job.label} computes nothing", "its engine is simulated", "leave --backend=simulated out")


def _named(workload: Workload, runtime: Backend) -> str:
    return f"{runtime.name} {precision_of(workload.plain())}"


def _other(workload: Workload, against: str) -> Workload:
    """The workload with what `against` names: a backend, a precision, both with a colon between, or an ONNX file."""
    precisions = field_table()["precision"].choices
    if Path(against).suffix == ".onnx":
        if not Path(against).is_file():
            raise MissingError(f"{against} does not exist", "", f"name an ONNX file with {OPTION}=…")
        return workload.with_values({"model_path": Value(str(Path(against).absolute()), OPTION)})
    changed: dict[str, Value] = {}
    for word in against.split(":"):
        name = "backend" if word in BACKENDS else "precision" if word in precisions else ""
        if name in changed:
            raise UsageError(
                f"{OPTION}={against} names two of a kind: {changed[name].value} and {word}",
                "a side has one backend and one precision",
                f"keep one of them, such as {OPTION}={word}",
            )
        if not name:
            raise unknown("backend or precision", word, (*BACKENDS, *precisions), OPTION)
        changed[name] = Value(word, OPTION)
    found = workload.with_values(changed)
    if "precision" in changed:
        return found if "use_fp8" not in found.values else found.with_values({"use_fp8": Value(False, OPTION)})
    return _in_a_precision(found)


def _in_a_precision(workload: Workload) -> Workload:
    """A side on a named backend in the workload's precision, or in fp32 if the backend does not compute in it."""
    runtime = backend(READS.of(workload)["backend"])
    try:
        runtime.build_settings(workload.plain())
    except UsageError as error:
        console.say(f"{OPTION}={runtime.name}: compared in fp32, because {error.what}")
        return workload.with_values({"precision": Value("fp32", OPTION)})
    return workload


def _spread(lengths: NDArray[np.int32], wanted: int) -> list[int]:
    """Indices of samples, from short ones to long ones."""
    order = np.argsort(lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(wanted + 2, len(order))).astype(int)
    inner = places[1:-1] if len(places) > wanted else places
    return [int(order[place]) for place in inner[:wanted]]
