"""The nodes of a run over several machines, from the nodes.json that the run writes beside LoadGen's logs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.typed import listing, real, record, words
from code.results import telemetry
from code.results.devices import DeviceShare
from code.results.loadgen_log import LoadGenLog

NODES_FILE = "nodes.json"
RECORDED = record(
    {
        "address": words(200),
        "nodes": listing(
            record(
                {"name": words(200), "host": words(200)},
                {"reached": words(40), "offset_s": real(-1e9, 1e9), "round_trip_s": real(0, 1e9), "bytes_per_s": real(0, 1e15)},
            )
        ),
    },
    {"ray": words(40), "lost": listing(record({"name": words(200), "why": words(1000)}))},
)


def telemetry_file(name: str) -> str:
    """The file of a node's telemetry, beside the head's."""
    return f"telemetry-{re.sub(r'[^A-Za-z0-9_.-]', '-', name)}.npz"


def names(folder: Path) -> list[str]:
    """The nodes of the run in `folder`; [] for one on one machine."""
    return [str(one["name"]) for one in (_recorded(folder) or {"nodes": []})["nodes"]]


def read(folder: Path, devices: Sequence[DeviceShare], log: LoadGenLog | None = None) -> dict[str, Any] | None:
    """metadata.json's `nodes`; None for a run on one machine.

    number_of_nodes counts machines: the nodes of a local cluster are one. Each node has its samples, its share of all, the share of
    the run that its streams waited for the network, how it was reached before the run, and with the log what its telemetry says.
    """
    found = _recorded(folder)
    if not found or not found["nodes"]:
        return None
    total = sum(device.samples for device in devices) or 1
    listed = [_share(node, [one for one in devices if one.name.startswith(f"{node['name']}/")], total) for node in found["nodes"]]
    if log is not None:
        for node in listed:
            file = telemetry_file(str(node["name"]))
            seen = telemetry.read(folder, log, file)
            if seen is not None:
                node["telemetry"] = telemetry.summary(seen, node["samples"] or None, file=file)
    hosts = {str(node["host"]) for node in found["nodes"]}
    lost = {"lost": found["lost"]} if found.get("lost") else {}
    return {"number_of_nodes": len(hosts), "address": found["address"], "ray": found.get("ray"), "nodes": listed, **lost}


def departure(recorded: Mapping[str, Any] | None) -> str:
    """Why a run that went on without nodes is restricted to the open division; '' for any other."""
    lost = (recorded or {}).get("lost") or []
    return f"it went on without {', '.join(one['name'] for one in lost)}" if lost else ""


def _recorded(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] | None = RECORDED.read(jsonfile.read(folder / NODES_FILE), NODES_FILE, [])
    except (OSError, ValueError):
        return None
    return found


def _share(node: dict[str, Any], own: Sequence[DeviceShare], total: int) -> dict[str, Any]:
    """A node's part, of its devices."""
    waits = [device.network for device in own if device.network is not None]
    samples = sum(device.samples for device in own)
    return {
        "name": node["name"],
        "host": node["host"],
        "devices": len(own),
        "samples": samples,
        "share": round(samples / total, 4),
        **({"network_share": round(sum(waits) / len(waits), 4)} if waits else {}),
        **{key: node[key] for key in ("reached", "offset_s", "round_trip_s", "bytes_per_s") if node.get(key) is not None},
    }
