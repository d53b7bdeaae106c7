"""Proves the nodes of a job, and starts their harness processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common import console
from code.common.files import write_json
from code.harness.python.watch import PATIENCE
from code.results.nodes import NODES_FILE
from code.run.launch import harness_command
from code.run.nodes import environment, proof, telemetry_of_nodes
from code.run.nodes.cluster import Cluster, Member
from code.run.nodes.material import to_prove
from code.run.nodes.node_specs import as_json, of_head, of_node
from code.run.nodes.prove import proof as proof_of
from code.run.nodes.wanted import Wanted

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.run.resolved import Resolved


def started(job: Resolved, spec: RunSpec, asked: Wanted, cluster: Cluster, lost: Sequence[str]) -> tuple[RunSpec, dict[str, Any]]:
    """Prove the nodes, start their harness processes and their telemetry. Returns the head's run.json and nodes.json's content.

    Args:
        lost: of each node, the file that says that it is lost; '' where the run then ends.
    """
    proofs = proved(job, cluster)
    used = cluster.members[:1] if spec.scenario == "SingleStream" else cluster.members
    if len(used) < len(cluster.members):
        console.say(f"{job.label}: SingleStream has one query in flight: {used[0].name} is used, the other nodes are idle")
    shares = asked.count if asked.local and job.backend.computes else 1
    runs = [of_node(spec, shares, member, found) for member, found in zip(used, proofs, strict=False)]
    patience_s = PATIENCE * spec.watchdog_s or 1e6
    library = str(environment.library())
    served = cluster.serve(
        [*harness_command(job.language.language), "--serve"], [as_json(run) for run in runs], library, patience_s
    )
    record = _record(asked, cluster, proofs)
    write_json(Path(spec.output_dir) / NODES_FILE, record)
    console.say(f"{job.label}: ready: {', '.join(member.name for member in used)}")
    telemetry_of_nodes.begin(cluster, job.workload, [_gpus(job, run) for run in runs])
    return of_head(spec, used, runs, served, library, lost), record


def proved(job: Resolved, cluster: Cluster) -> list[dict[str, Any]]:
    """What every node proved, after it got the engines that it lacked. MissingError or RunError with node and value for a difference."""
    asked = to_prove(job)
    here = proof_of(**asked)
    found = cluster.prove(asked)
    lacks = {number: names for number, node in enumerate(found) if (names := proof.lacking(here, node))}
    if lacks:
        proof.require(proof.differences(here, found, before_copies=True))
        folders = [folder for folder in asked["engines"] if any(Path(folder).name in names for names in lacks.values())]
        console.say(f"{job.label}: copying {len(folders)} engine{'s' * (len(folders) > 1)} to {len(lacks)} of {len(found)} nodes")
        cluster.copy(folders, list(lacks))
        found = cluster.prove(asked)
    proof.require_equal(here, found)
    return found


def reached(member: Member) -> str:
    """How answers travel from a node."""
    return "Unix sockets" if member.near else "TCP, encrypted"


def _record(asked: Wanted, cluster: Cluster, proofs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    hosts = [{"name": m.name, "host": m.host, "ip": m.ip, "cores": m.cores, "reached": reached(m)} for m in cluster.members]
    return {
        "address": asked.address,
        "ray": cluster.ray,
        "nodes": [{**dict(found), **host} for found, host in zip(proofs, hosts, strict=True)],
    }


def _gpus(job: Resolved, run: RunSpec) -> list[str]:
    return [device.name for device in run.devices] if job.placement.on_gpus else []
