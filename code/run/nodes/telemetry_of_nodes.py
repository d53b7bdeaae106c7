"""Telemetry of the nodes of a run, each in a file of its own beside the head's, on the head's time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from code.common import console, npyfile
from code.common.errors import HarnessError
from code.common.files import atomic_write
from code.fields.consumer import Consumer, Readable
from code.results.nodes import telemetry_file
from code.run.nodes.cluster import Cluster

READS = Consumer("telemetry of nodes", ("telemetry",))


def begin(cluster: Cluster, values: Readable, gpus: Sequence[Sequence[str]]) -> None:
    """Record the processors and these GPUs of each node, unless `telemetry` is off."""
    if READS.of(values)["telemetry"]:
        cluster.record(gpus)


def end(cluster: Cluster, folder: Path, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Write what was recorded into `folder`. A node that gives nothing, such as a lost one, is named and costs only its own file.

    Args:
        nodes: name and offset_s of each, the clock's lead over the head's.
    """
    if not cluster.recording:
        return
    files = {folder / telemetry_file(str(node["name"])): node for node in nodes[: cluster.recording]}
    try:
        written = cluster.recorded(list(files))
    except HarnessError as error:
        console.warn(f"the nodes' telemetry is missing: {error.what}")
        return
    for file, node in files.items():
        if file not in written:
            console.warn(f"node {node['name']} gave no telemetry")
            continue
        try:
            shift(file, -float(node["offset_s"]))
        except (OSError, ValueError) as error:
            file.unlink(missing_ok=True)
            console.warn(f"the telemetry of node {node['name']} cannot be read: {error}")


def shift(file: Path, seconds: float) -> None:
    """Add `seconds` to every time of a record. ValueError where it is damaged."""
    arrays = npyfile.read_archive(file)
    moved = {name: values + seconds if name.endswith("/t") else values for name, values in arrays.items()}
    with atomic_write(file, "wb") as out:
        np.savez_compressed(out, **moved)  # type: ignore[arg-type]  # its allow_pickle hides in the names
