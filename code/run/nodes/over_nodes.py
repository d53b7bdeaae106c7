"""A LoadGen test whose batches are computed by nodes: proves the nodes, starts them, and gives the head its run.json."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from code.common import console
from code.common.errors import Interrupted, RunError
from code.common.files import write_json
from code.harness.python.watch import PATIENCE
from code.results.nodes import NODES_FILE
from code.run import language
from code.run.nodes import environment, proof
from code.run.nodes.cluster import Cluster, Lost, opened
from code.run.nodes.material import to_prove
from code.run.nodes.node_specs import as_json, of_head, of_node
from code.run.nodes.permission import require
from code.run.nodes.prove import proof as proof_of
from code.run.nodes.wanted import Wanted, wanted
from code.run.places import THIS_MACHINE, Place, Process

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.run.resolved import Resolved

KEYS_VARIABLE = "HARNESS_NODE_KEYS"
RAY_LOG = "ray.txt"
LOST = "lost-node-"
"""How the names of files begin that tell the head's harness process of a lost node; the node's number follows."""


class Head:
    """The place of the head's harness process: this machine, with the keys of its nodes. It is ended when a node is lost.

    Args:
        tolerates: a folder where a file with the number of a lost node tells the process to go on without it; None: it does not.
    """

    def __init__(self, cluster: Cluster, tolerates: Path | None = None) -> None:
        self._cluster = cluster
        self._tolerates = tolerates
        self._process: Process | None = None
        cluster.on_loss = self._lose

    def start(self, command: Sequence[str], output: IO[bytes], progress: int, environment: Mapping[str, str]) -> Process:
        """Start it."""
        if self._cluster.lost and self._tolerates is None:
            raise self._cluster.lost[0].error()
        own = {**environment, KEYS_VARIABLE: self._cluster.keys}
        self._process = THIS_MACHINE.start(command, output, progress, own)
        if self._cluster.lost:
            self._lose(self._cluster.lost[0])
        return self._process

    def _lose(self, one: Lost) -> None:
        if self._tolerates is not None and len(self._cluster.lost) < len(self._cluster.members):
            console.warn(f"node {one.name} was lost ({one.why}): its batches go to the others")
            (self._tolerates / f"{LOST}{one.number}").touch()
        elif self._process is not None:
            self._process.kill()


@contextlib.contextmanager
def over_nodes(job: Resolved, spec: RunSpec) -> Iterator[tuple[RunSpec, Place | None]]:
    """(run.json of the head, where it runs) for the block; `spec` and the job's own place where no nodes are asked for.

    Raises:
        UsageError: the workload cannot run over nodes.
        MissingError: Ray, the cluster, or something on a node is missing, or differs from here.
        RunError: a node cannot start, or was lost in the block.
    """
    asked = wanted(job.values)
    if asked is None:
        yield spec, job.place
        return
    require(job)
    console.say(f"{job.label}: starting {asked.count} nodes on Ray ({asked.address})")
    gpus = len(spec.devices) if job.placement.on_gpus else 0
    with opened(asked, gpus, Path(spec.output_dir) / RAY_LOG) as cluster:
        head, record = started(job, spec, asked, cluster)
        folder = Path(spec.output_dir)
        try:
            yield head, Head(cluster, folder if asked.tolerates else None)
        except (Interrupted, RunError):
            if cluster.lost:
                raise cluster.lost[0].error() from None
            raise
        lost = [{"name": one.name, "why": one.why} for one in cluster.lost]
        write_json(folder / NODES_FILE, {**record, "lost": lost})
        for marker in folder.glob(f"{LOST}*"):
            marker.unlink()


def started(job: Resolved, spec: RunSpec, asked: Wanted, cluster: Cluster) -> tuple[RunSpec, dict[str, Any]]:
    """Prove the nodes and start their harness processes. Returns the head's run.json, and the content of nodes.json."""
    proofs = proved(job, cluster)
    used = cluster.members[:1] if spec.scenario == "SingleStream" else cluster.members
    if len(used) < len(cluster.members):
        console.say(f"{job.label}: SingleStream has one query in flight: {used[0].name} is used, the other nodes are idle")
    shares = asked.count if asked.local and job.backend.computes else 1
    runs = [of_node(spec, shares, member, found) for member, found in zip(used, proofs, strict=False)]
    patience_s = PATIENCE * spec.watchdog_s or 1e6
    library = str(environment.library())
    served = cluster.serve([str(language.binary()), "--serve"], [as_json(run) for run in runs], library, patience_s)
    record = _record(asked, cluster, proofs)
    write_json(Path(spec.output_dir) / NODES_FILE, record)
    console.say(f"{job.label}: ready: {', '.join(member.name for member in used)}")
    lost = [str(Path(spec.output_dir) / f"{LOST}{number}") if asked.tolerates else "" for number in range(len(used))]
    return of_head(spec, used, runs, served, library, lost), record


def proved(job: Resolved, cluster: Cluster) -> list[dict[str, Any]]:
    """What every node proved. MissingError or RunError with node and value where one differs from here."""
    asked = to_prove(job)
    found = cluster.prove(asked)
    proof.require_equal(proof_of(**asked), found)
    return found


def _record(asked: Wanted, cluster: Cluster, proofs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    hosts = [{"name": m.name, "host": m.host, "ip": m.ip, "cores": m.cores} for m in cluster.members]
    return {
        "address": asked.address,
        "ray": cluster.ray,
        "nodes": [{**dict(found), **host} for found, host in zip(proofs, hosts, strict=True)],
    }
