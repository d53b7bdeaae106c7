"""nodes: compare the nodes of a Ray cluster with this machine, for a workload, and measure how they are reached."""

from __future__ import annotations

from typing import Any

from code.actions import Context, EachWorkload
from code.common import console
from code.common.errors import UsageError
from code.run.job import Job
from code.run.nodes import proof
from code.run.nodes.inspection import Inspection, inspected


def run(job: Job, context: Context) -> None:
    """Print the table; MissingError or RunError for the first difference."""
    found = _of(job)
    console.table(f"{job.label}: nodes", proof.HEADINGS, proof.rows(found.head, found.nodes))
    for name, what, how, step in found.differences[1:]:
        console.warn(f"node {name}: {what}: {how}; {step}")
    for node in found.nodes:
        if lacks := proof.lacking(found.head, node):
            console.say(f"node {node['name']}: a run copies {', '.join(lacks)} there")
    proof.require(found.differences)


def as_json(job: Job, context: Context) -> dict[str, Any]:
    """The same as JSON. Differences are listed, and are no error."""
    found = _of(job)
    return {
        "benchmark_full": job.workload.full_name,
        "scenario": str(job.workload.scenario),
        "ray": found.ray,
        "head": dict(found.head),
        "nodes": [dict(node) for node in found.nodes],
        "differences": [dict(zip(("node", "what", "how", "next"), one, strict=True)) for one in found.differences],
    }


def _of(job: Job) -> Inspection:
    found = inspected(job)
    if found is None:
        raise UsageError(
            "no nodes are asked for",
            "neither --ray_address nor --num_nodes is set",
            'make nodes RUN_ARGS="--benchmarks=bert --scenarios=offline --ray_address=local:2"',
        )
    return found


ACTION = EachWorkload(run, as_json=as_json)
