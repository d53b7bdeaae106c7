"""run.json of each node, and of the head whose devices are theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from code.common import jsonfile
from code.harness.schema.datasets import PromptData
from code.harness.schema.options import RemoteOptions
from code.harness.schema.run_spec import DeviceEntry, EngineEntry, RunSpec
from code.run.nodes.cluster import Member

AHEAD = {"Offline": 4}
"""Scenario → batches in flight on a lane: more than are computed where latency does not count, so that a lane never waits for the next."""
WARM_UP_S = 1.0
"""Of the head's lanes: enough for every connection. The nodes warm up by themselves."""


def of_node(spec: RunSpec, shares: int, member: Member, found: Mapping[str, Any]) -> RunSpec:
    """The run.json of a node: this machine's, on the node's own devices.

    Args:
        shares: nodes that share this machine's devices; 1 where each has devices of its own.
    """
    devices = spec.devices
    if shares > 1:
        devices = tuple(_part(device, member.cores, shares) for device in devices[:1])
    elif gpus := found.get("devices"):
        devices = tuple(
            replace(device, name=gpu["uuid"] or device.name, pci=gpu["pci"]) for device, gpu in zip(devices, gpus, strict=False)
        )
    return replace(spec, devices=devices, audit_conf="")


def _part(device: DeviceEntry, cores: tuple[int, ...], nodes: int) -> DeviceEntry:
    """A device's share for one of several nodes on this machine."""
    return replace(device, cores=cores, streams=max(1, device.streams // nodes), threads=max(1, device.threads // nodes))


def of_head(
    spec: RunSpec,
    members: Sequence[Member],
    runs: Sequence[RunSpec],
    served: Sequence[Mapping[str, Any]],
    library: str,
    lost: Sequence[str] = (),
) -> RunSpec:
    """The head's run.json: a device for each device of a node, reached through its lanes' endpoints; for texts a device for each node.

    Args:
        lost: of each node, the file that says that it is lost; (): none.
    """
    engines: list[EngineEntry] = []
    devices: list[DeviceEntry] = []
    for number, (member, run, one) in enumerate(zip(members, runs, served, strict=True)):
        for device, endpoints in zip(_seen(run), one["endpoints"], strict=True):
            file, ahead = lost[number] if lost else "", AHEAD.get(spec.scenario, 1)
            options = RemoteOptions(library, member.name, tuple(endpoints), one["key"], file, ahead, 1)
            engines.append(EngineEntry("remote", "", spec.engines[device.engine].precision, options))
            name = f"{member.name}/{device.name}"
            streams = 1 if _is_text(run) else len(endpoints)
            devices.append(DeviceEntry(len(devices), name, len(engines) - 1, (), streams, 0))
    warm = min(spec.warmup_s, WARM_UP_S)
    return replace(spec, engines=tuple(engines), devices=tuple(devices), warmup_s=warm)


def _is_text(run: RunSpec) -> bool:
    """Whether a node has one generator on all its devices, reached by two connections whatever its streams."""
    return isinstance(run.dataset, PromptData)


def _seen(run: RunSpec) -> Sequence[DeviceEntry]:
    """The devices of a node that its head tells apart."""
    if not _is_text(run) or len(run.devices) == 1:
        return run.devices
    return [replace(run.devices[0], name=f"{len(run.devices)} devices")]


def as_json(spec: RunSpec) -> dict[str, Any]:
    """The content of a run.json."""
    return dict(jsonfile.parse(json.dumps(asdict(spec), default=str)))
