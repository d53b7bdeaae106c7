"""Asks NVIDIA's management library how GPUs are cut into MIG slices, with `nvidia-ml-py`, which is imported on use.

NVML API reference, "Multi Instance GPU Management": https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from code.machine.nvml import asked, asked_of_nvml

MOST = 16
"""More instances of one profile than any GPU has."""
PROFILE = re.compile(r"\b(?:\d+c\.)?\d+g\.\d+gb\S*")


def query() -> dict[str, Any]:
    """Every GPU with its MIG mode, profiles, instances and processes, as JSON holds it.

    {"absent": why} without the package or the driver's library; {"error": why} if NVML fails; otherwise {"gpus": [...]}. Of a GPU
    that has no MIG mode `current` is null. `refused` says why instances could not be listed: that needs the right to change them.
    """
    return asked_of_nvml(lambda nvml: {"gpus": [_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]})


def _gpu(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    mode = asked(nvml, "nvmlDeviceGetMigMode", handle)
    found: dict[str, Any] = {
        "index": index,
        "uuid": asked(nvml, "nvmlDeviceGetUUID", handle),
        "name": asked(nvml, "nvmlDeviceGetName", handle),
        "current": None if mode is None else bool(mode[0]),
        "pending": None if mode is None else bool(mode[1]),
    }
    slices = _slices(nvml, handle) if mode is not None and mode[0] else []
    found["slices"] = [one for one, _ in slices]
    found["processes"] = _processes(nvml, [handle, *(part for _, part in slices)])
    found["profiles"] = list(_profiles(nvml, handle)) if mode is not None else []
    if mode is not None and mode[0]:
        try:
            found["instances"] = [
                one for profile in found["profiles"] for one in instances_of(nvml, handle, profile["id"], profile["most"])
            ]
        except nvml.NVMLError as error:
            found["refused"] = str(error)
    return found


def _profiles(nvml: Any, handle: Any) -> Iterator[dict[str, Any]]:
    """The profiles that a GPU offers; the same one may have several numbers in NVML's list."""
    seen = set()
    for number in range(nvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
        info = asked(nvml, "nvmlDeviceGetGpuInstanceProfileInfo", handle, number)
        if info is None or info.id in seen:
            continue
        seen.add(info.id)
        raw = info.name.decode() if isinstance(info.name, bytes) else str(info.name)
        named = PROFILE.search(raw)
        yield {
            "id": info.id,
            "name": named[0] if named else raw,
            "slices": info.sliceCount,
            "most": info.instanceCount,
            "free": asked(nvml, "nvmlDeviceGetGpuInstanceRemainingCapacity", handle, info.id),
        }


def handles(kind: Any, most: int, ask: Callable[[Any, Any], Any]) -> list[Any]:
    """The handles that an NVML function writes into an array.

    Args:
        kind: the handle's type in pynvml.
        ask: calls the function with an array and a reference to the number of its elements, which it corrects.
    """
    array, count = (kind * max(most, MOST))(), ctypes.c_uint(max(most, MOST))
    ask(array, ctypes.byref(count))
    return [array[i] for i in range(count.value)]


def instances_of(nvml: Any, handle: Any, profile: int, most: int = MOST) -> list[dict[str, Any]]:
    """The GPU instances of one profile, each with the profiles of its compute instances. NVMLError without the right to see them."""
    found = []
    listed = partial(nvml.nvmlDeviceGetGpuInstances, handle, profile)
    for instance in handles(nvml.c_nvmlGpuInstance_t, most, listed):
        info = nvml.nvmlGpuInstanceGetInfo(instance)
        compute = [nvml.nvmlComputeInstanceGetInfo(one).profileId for one in compute_instances(nvml, instance)]
        place = info.placement
        found.append({"id": info.id, "profile": profile, "start": place.start, "size": place.size, "compute": compute})
    return found


def compute_instances(nvml: Any, instance: Any) -> list[Any]:
    """The handles of the compute instances of a GPU instance."""
    found: list[Any] = []
    for number in range(nvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        info = asked(nvml, "nvmlGpuInstanceGetComputeInstanceProfileInfo", instance, number, 0)
        if info is not None:
            listed = partial(nvml.nvmlGpuInstanceGetComputeInstances, instance, info.id)
            found += handles(nvml.c_nvmlComputeInstance_t, info.instanceCount, listed)
    return found


def _slices(nvml: Any, handle: Any) -> list[tuple[dict[str, Any], Any]]:
    """What CUDA sees of each compute instance, and its handle."""
    found = []
    for place in range(asked(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        part = asked(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", handle, place)
        if part is None:
            continue
        named = PROFILE.search(asked(nvml, "nvmlDeviceGetName", part) or "")
        content = {
            "uuid": asked(nvml, "nvmlDeviceGetUUID", part),
            "profile": named[0] if named else None,
            "instance": asked(nvml, "nvmlDeviceGetGpuInstanceId", part),
        }
        found.append((content, part))
    return found


def _processes(nvml: Any, devices: list[Any]) -> list[dict[str, Any]]:
    """The processes on a GPU and on its slices, each once."""
    found: dict[int, dict[str, Any]] = {}
    for device in devices:
        for function in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            for process in asked(nvml, function, device) or []:
                name = asked(nvml, "nvmlSystemGetProcessName", process.pid)
                found[process.pid] = {"pid": process.pid, "name": (name or "?").split("\0")[0] or "?"}
    return list(found.values())
