"""check_engines: check without a GPU that TensorRT accepts a workload's graph, profile and data and that they fit in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from code.actions import Context, EachWorkload
from code.backends.tensorrt.check import check
from code.backends.tensorrt.sdk import TENSORRT, TENSORRT_RTX, Flavour, version
from code.common import console
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.harness.python.datasets import open_dataset
from code.precision import graph_for
from code.run.job import Job

BY_NAME = {f.name: f for f in (TENSORRT, TENSORRT_RTX)}


def run(job: Job, context: Context) -> None:
    """Print a table of findings; RunError if any of them is an error.

    Uses the workload's own TensorRT flavour, or the other one if it is not installed: both parse the same graphs.
    """
    workload, values = job.workload, job.values
    graph = graph_for(workload, make=True)
    parser = _parser(str(values["backend"]))
    findings = check(parser, graph, values, longest_batch(job))
    console.table(
        f"{workload.label} on {workload.system_name}: {_short(graph)} read by {parser.label} {version(parser)}",
        ("", "What", "Found"),
        findings.lines,
    )
    if findings.failed:
        first = next(words for outcome, _, words in findings.lines if outcome == "error")
        raise RunError(f"{workload.label} cannot be built", first, "fix the errors in the table above and check again")


def longest_batch(job: Job) -> dict[str, Any] | None:
    """The inputs of the largest batch the harness can form from the data set; None if the data set is not present."""
    try:
        dataset = open_dataset(job.dataset)
    except MissingError:
        return None
    size = min(job.placement.batch or 1, dataset.count)
    return dataset.inputs(np.argsort(-dataset.lengths, kind="stable")[:size].astype(np.int64))


def _parser(backend: str) -> Flavour:
    if backend not in BY_NAME:
        raise UsageError(
            f"check_engines does not support the {backend} backend",
            "it checks TensorRT engines without a GPU; engines of other backends can be built and run on this machine",
            "name a GPU system with --system=…, or add --backend=tensorrt_rtx",
        )
    wanted = BY_NAME[backend]
    for flavour in (wanted, *(f for f in BY_NAME.values() if f is not wanted)):
        try:
            version(flavour)
            return flavour
        except HarnessError as error:
            missing = error
    raise missing


def _short(graph: Path) -> str:
    return f"{graph.parent.name}/{graph.name}"


ACTION = EachWorkload(run)
