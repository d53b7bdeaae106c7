"""What the nodes of a workload have, compared with this machine, without a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from code.common.errors import HarnessError
from code.fields.consumer import Readable
from code.preflight import Finding, Level
from code.run.nodes import proof
from code.run.nodes.cluster import opened
from code.run.nodes.material import to_prove
from code.run.nodes.prove import proof as proof_of
from code.run.nodes.wanted import wanted
from code.run.resolved import Resolved

NOTHING: dict[str, Any] = {"engines": [], "model": "", "data": []}
"""What nodes are asked to prove where no workload is named."""


@dataclass(frozen=True)
class Inspection:
    """The proofs of this machine and of its nodes.

    Args:
        ray: Ray's version.
        differences: (node, what, how, what to do) of each; engines that a run copies are none.
    """

    ray: str
    head: Mapping[str, Any]
    nodes: tuple[Mapping[str, Any], ...]
    differences: tuple[tuple[str, str, str, str], ...]


def inspected(job: Resolved) -> Inspection | None:
    """The proofs for a job; None where it asks for no nodes. Errors as for `opened`, MissingError where model or data are not there."""
    asked = wanted(job.values)
    if asked is None:
        return None
    material = to_prove(job)
    with opened(asked) as cluster:
        nodes = cluster.prove(material)
        head = proof_of(**material)
        return Inspection(cluster.ray, head, tuple(nodes), tuple(proof.differences(head, nodes, before_copies=True)))


def checked_nodes(values: Readable) -> list[Finding]:
    """The findings of `make doctor` about the nodes that options name: how each is reached, and what differs from this machine."""
    try:
        asked = wanted(values)
        if asked is None:
            return []
        with opened(asked) as cluster:
            nodes = cluster.prove(NOTHING)
    except HarnessError as error:
        return [Finding("nodes", "Ray", Level.ERROR, f"{error.what}: {error.why}" if error.why else error.what, error.next_step)]
    found = proof.differences(proof_of(**NOTHING), nodes)
    out = [Finding("nodes", name, Level.ERROR, f"another {what}: {how}", step) for name, what, how, step in found]
    for node in nodes:
        if str(node["name"]) not in {name for name, *_ in found}:
            reached = ", ".join(word for word in proof.row(node)[-3:] if word)
            out.append(Finding("nodes", str(node["name"]), Level.OK, f"as this machine; clock, round trip, bandwidth: {reached}"))
    return out
