"""Ray clusters on this machine alone, for Ray's driver: starts one, and ends what is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

OBJECT_STORE = 80 << 20
"""Bytes of Ray's object store for a raylet: nothing large passes through it."""
SPARE = {
    "include_dashboard": False,
    "include_log_monitor": False,
    "no_monitor": True,
    "_system_config": {"enable_metrics_collection": False},
}
"""Without what is of no use to a run, and would take processor time from it: dashboard, logs, autoscaler and metrics."""


def started(folder: str, nodes: int) -> Any:
    """A cluster whose files are in `folder`: a head without processors, and a raylet for each node."""
    os.environ["RAY_TMPDIR"] = folder  # else the cluster of another run here is no longer the one of `auto`
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": OBJECT_STORE, **SPARE})
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, object_store_memory=OBJECT_STORE)
    cluster.wait_for_nodes()
    return cluster


def end_all(folder: str) -> None:
    """Kill every process of a local cluster that is left: it is in this process's session, or names the cluster's folder.

    Ray's agents overwrite their command lines and parts of their environments with a title.
    """
    for _ in range(20):
        left = [pid for pid in _pids() if pid != os.getpid() and (_belongs(pid, folder.encode()) or _session(pid) == os.getpid())]
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return
        time.sleep(0.1)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _belongs(pid: int, folder: bytes) -> bool:
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            if folder in Path(f"/proc/{pid}/{name}").read_bytes():
                return True
    return False


def share(cores: list[int], number: int, nodes: int) -> list[int]:
    """The part of this machine's processors that a node of a local cluster has; at least one, shared where there are too few."""
    first, last = number * len(cores) // nodes, (number + 1) * len(cores) // nodes
    return cores[first:last] or [cores[number % len(cores)]]
