"""The search space: the fields that set lanes and batches, and the values worth trying on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from code.common.constants import Scenario
from code.plan.workload import Workload

PADDINGS = (0.0, 1 / 32, 1 / 16, 1 / 8)
MOST_CPU_BATCH, MOST_GPU_BATCH, MOST_GPU_STREAMS = 64, 1024, 4


def search_space(workload: Workload, kind: str) -> dict[str, list[Any]]:
    """Field → values to try, for a kind of device ('cpu' or 'gpu').

    The machine's cores bound the streams; a batch size is a power of two. SingleStream has one sample in flight, so only its
    threads are searched; MultiStream's query bounds its batches.
    """
    cores = max(1, workload.detected.usable_cores)
    streams = _powers(cores) if kind == "cpu" else list(range(1, MOST_GPU_STREAMS + 1))
    if workload.scenario == Scenario.SingleStream:
        return {"cpu_threads_per_stream": _powers(cores)} if kind == "cpu" else {"use_graphs": [False, True]}
    most = MOST_CPU_BATCH if kind == "cpu" else MOST_GPU_BATCH
    if workload.scenario == Scenario.MultiStream:
        most = int(workload["multi_stream_samples_per_query"] or 8)
    space: dict[str, list[Any]] = {
        f"{kind}_inference_streams": streams,
        f"{kind}_batch_size": [size for size in _powers(most) if kind == "cpu" or size >= 8 or most <= 8],
    }
    if len(space[f"{kind}_batch_size"]) > 1:
        space["batch_padding"] = list(PADDINGS)
    return space


def _powers(most: int) -> list[int]:
    """The powers of two below `most`, and `most`."""
    out = [1]
    while out[-1] * 2 <= most:
        out.append(out[-1] * 2)
    return out if out[-1] == most else [*out, most]


def values_of(workload: Workload, point: Mapping[str, Any]) -> dict[str, Any]:
    """A point as field values; batch sizes become {network: size}, the form configs use."""
    return {name: {str(workload.benchmark): value} if name.endswith("_batch_size") else value for name, value in point.items()}


def point_of(workload: Workload, space: Mapping[str, list[Any]]) -> dict[str, Any] | None:
    """The config's current values as a point, so that a search never ends below them; None if one is outside the space."""
    point = {}
    for name, choices in space.items():
        value = workload[name]
        if isinstance(value, dict):
            value = value.get(str(workload.benchmark))
        if name == "cpu_threads_per_stream" and not value:
            value = max(choices)
        if value not in choices:
            return None
        point[name] = value
    return point
