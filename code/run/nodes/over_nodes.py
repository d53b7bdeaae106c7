"""A LoadGen test whose batches are computed by nodes: proves the nodes, starts them, and gives the head its run.json."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from code.common import console
from code.common.errors import Interrupted, RunError
from code.common.files import write_json
from code.harness.schema import node_variables
from code.results.nodes import NODES_FILE
from code.run.nodes import telemetry_of_nodes as recording
from code.run.nodes.cluster import Cluster, Lost, opened
from code.run.nodes.permission import require
from code.run.nodes.starting import started
from code.run.nodes.wanted import wanted
from code.run.places import THIS_MACHINE, Place, Process

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.run.resolved import Resolved

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
        own = {**environment, node_variables.KEYS: self._cluster.keys}
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
        folder = Path(spec.output_dir)
        lost_files = [str(folder / f"{LOST}{number}") if asked.tolerates else "" for number in range(asked.count)]
        head, record = started(job, spec, asked, cluster, lost_files)
        try:
            yield head, Head(cluster, folder if asked.tolerates else None)
        except (Interrupted, RunError):
            if cluster.lost:
                raise cluster.lost[0].error() from None
            raise
        finally:
            recording.end(cluster, folder, record["nodes"])
        lost = [{"name": one.name, "why": one.why} for one in cluster.lost]
        write_json(folder / NODES_FILE, {**record, "lost": lost})
        for marker in folder.glob(f"{LOST}*"):
            marker.unlink()
