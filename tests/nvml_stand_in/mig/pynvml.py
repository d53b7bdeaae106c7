"""A stand-in for NVML's functions of MIG, for tests: state in the JSON file that NVML_STAND_IN names, so that processes share it.

It keeps places of slices as a GPU does, in its memory slices, and is no other model of one. Each function takes and gives what the package
nvidia-ml-py does; tests/unit/test_mig.py compares the names and the number of arguments.

A GPU of the file: {"uuid", "name", "on", "pending", "profiles": [[id, name, compute slices, memory slices, most]], "instances":
[{"id", "profile", "start", "compute": [profile]}], "processes": [pid], "locked", "needs_reset", "fails_at"}.
"""
# ruff: noqa: N801, N802, N816

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

NVML_ERROR_NOT_SUPPORTED, NVML_ERROR_NO_PERMISSION, NVML_ERROR_NOT_FOUND = 3, 4, 6
NVML_ERROR_INSUFFICIENT_RESOURCES, NVML_ERROR_IN_USE, NVML_ERROR_LIBRARY_NOT_FOUND = 23, 19, 12
NVML_GPU_INSTANCE_PROFILE_COUNT = 16
NVML_COMPUTE_INSTANCE_PROFILE_COUNT = 9
NVML_DEVICE_MIG_ENABLE, NVML_DEVICE_MIG_DISABLE = 1, 0
WORDS = {
    3: "Not Supported",
    4: "Insufficient Permissions",
    6: "Not Found",
    19: "In use by another client",
    23: "Insufficient Resources",
}
MEMORY_SLICES = 8

c_nvmlGpuInstance_t = ctypes.c_void_p
c_nvmlComputeInstance_t = ctypes.c_void_p


class c_nvmlGpuInstancePlacement_t(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint), ("size", ctypes.c_uint)]


class NVMLError(Exception):
    """NVML's error with its number."""

    def __init__(self, value: int) -> None:
        super().__init__(WORDS[value])
        self.value = value


class Record:
    """A structure of NVML's."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def _state() -> list[dict[str, Any]]:
    return json.loads(Path(os.environ["NVML_STAND_IN"]).read_text())


def _save(state: list[dict[str, Any]]) -> None:
    Path(os.environ["NVML_STAND_IN"]).write_text(json.dumps(state))


def _changing(number: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    state = _state()
    if state[number].get("locked"):
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    return state, state[number]


def _profile(gpu: dict[str, Any], number: int) -> list[Any]:
    hit = next((one for one in gpu["profiles"] if one[0] == number), None)
    if hit is None:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return hit


def _places(gpu: dict[str, Any], profile: list[Any]) -> list[int]:
    """The free places of a profile: multiples of its memory, within its number, and in as many compute slices as the GPU has."""
    taken = {place for one in gpu["instances"] for place in range(one["start"], one["start"] + _profile(gpu, one["profile"])[3])}
    used = sum(_profile(gpu, one["profile"])[2] for one in gpu["instances"])
    if used + profile[2] > 7:
        return []
    starts = range(0, MEMORY_SLICES, profile[3])
    return [start for start in starts[: profile[4]] if not taken & set(range(start, start + profile[3]))]


def nvmlInit() -> None:
    _state()


def nvmlShutdown() -> None:
    return


def nvmlDeviceGetCount() -> int:
    return len(_state())


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def nvmlDeviceGetHandleByUUID(uuid: str) -> int:
    hit = next((i for i, gpu in enumerate(_state()) if gpu["uuid"] == uuid), None)
    if hit is None:
        raise NVMLError(NVML_ERROR_NOT_FOUND)
    return hit


def nvmlDeviceGetUUID(handle: Any) -> str:
    return _state()[handle]["uuid"] if isinstance(handle, int) else f"MIG-{handle[0]}-{handle[1]}"


def nvmlDeviceGetName(handle: Any) -> str:
    if isinstance(handle, int):
        return _state()[handle]["name"]
    gpu = _state()[handle[0]]
    instance = next(one for one in gpu["instances"] if one["id"] == handle[1])
    return f"{gpu['name']} MIG {_profile(gpu, instance['profile'])[1]}"


def nvmlDeviceGetMigMode(device: int) -> list[int]:
    gpu = _state()[device]
    if gpu["on"] is None:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return [int(gpu["on"]), int(gpu.get("pending", gpu["on"]))]


def nvmlDeviceSetMigMode(device: int, mode: int) -> int:
    state, gpu = _changing(device)
    gpu["pending"] = bool(mode)
    if not gpu.get("needs_reset"):
        gpu["on"] = bool(mode)
        gpu["instances"] = gpu["instances"] if mode else []
    _save(state)
    return 0


def nvmlDeviceGetGpuInstanceProfileInfo(device: int, profile: int, version: int = 2) -> Record:
    gpu = _state()[device]
    if not gpu["on"] or profile >= len(gpu["profiles"]):
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    number, name, slices, _, most = gpu["profiles"][profile]
    return Record(id=number, name=f"MIG {name}".encode(), sliceCount=slices, instanceCount=most)


def nvmlDeviceGetGpuInstanceRemainingCapacity(device: int, profileId: int) -> int:  # noqa: N803
    gpu = _state()[device]
    return len(_places(gpu, _profile(gpu, profileId)))


def nvmlDeviceGetGpuInstancePossiblePlacements(device: int, profileId: int, placementsRef: Any, countRef: Any) -> int:  # noqa: N803
    profile = _profile(_state()[device], profileId)
    starts = list(range(0, MEMORY_SLICES, profile[3]))[: profile[4]]
    for place, start in enumerate(starts):
        placementsRef[place].start, placementsRef[place].size = start, profile[3]
    countRef._obj.value = len(starts)
    return 0


def _create(device: int, number: int, start: int | None) -> int:
    state, gpu = _changing(device)
    profile = _profile(gpu, number)
    free = _places(gpu, profile)
    if not free or (start is not None and start not in free) or gpu.get("fails_at") == len(gpu["instances"]):
        raise NVMLError(NVML_ERROR_INSUFFICIENT_RESOURCES)
    taken = {one["id"] for one in gpu["instances"]}
    instance = next(i for i in range(1, 99) if i not in taken)
    place = free[-1] if profile[3] == 4 else free[0]
    gpu["instances"].append({"id": instance, "profile": number, "start": place if start is None else start, "compute": []})
    _save(state)
    return 1000 * (device + 1) + instance


def nvmlDeviceCreateGpuInstance(device: int, profileId: int) -> int:  # noqa: N803
    return _create(device, profileId, None)


def nvmlDeviceCreateGpuInstanceWithPlacement(device: int, profileId: int, placement: Any) -> int:  # noqa: N803
    assert placement._obj.size == _profile(_state()[device], profileId)[3]
    return _create(device, profileId, placement._obj.start)


def nvmlDeviceGetGpuInstances(device: int, profileId: int, gpuInstancesRef: Any, countRef: Any) -> int:  # noqa: N803
    _, gpu = _changing(device)
    hits = [1000 * (device + 1) + one["id"] for one in gpu["instances"] if one["profile"] == profileId]
    for place, handle in enumerate(hits):
        gpuInstancesRef[place] = handle
    countRef._obj.value = len(hits)
    return 0


def nvmlDeviceGetGpuInstanceById(device: int, gpuInstanceId: int) -> int:  # noqa: N803
    if not any(one["id"] == gpuInstanceId for one in _state()[device]["instances"]):
        raise NVMLError(NVML_ERROR_NOT_FOUND)
    return 1000 * (device + 1) + gpuInstanceId


def _instance(state: list[dict[str, Any]], handle: int) -> dict[str, Any]:
    return next(one for one in state[handle // 1000 - 1]["instances"] if one["id"] == handle % 1000)


def nvmlGpuInstanceGetInfo(gpuInstance: int) -> Record:  # noqa: N803
    state = _state()
    one = _instance(state, gpuInstance)
    size = _profile(state[gpuInstance // 1000 - 1], one["profile"])[3]
    return Record(id=one["id"], profileId=one["profile"], placement=Record(start=one["start"], size=size))


def nvmlGpuInstanceDestroy(gpuInstance: int) -> int:  # noqa: N803
    state, gpu = _changing(gpuInstance // 1000 - 1)
    one = _instance(state, gpuInstance)
    if one["compute"]:
        raise NVMLError(NVML_ERROR_IN_USE)
    gpu["instances"].remove(one)
    _save(state)
    return 0


def nvmlGpuInstanceGetComputeInstanceProfileInfo(device: int, profile: int, engProfile: int, version: int = 2) -> Record:  # noqa: N803
    """Compute profile N has N + 1 slices, up to those of its instance."""
    state = _state()
    slices = _profile(state[device // 1000 - 1], _instance(state, device)["profile"])[2]
    if profile >= slices or engProfile:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    return Record(id=profile, sliceCount=profile + 1, instanceCount=slices // (profile + 1))


def nvmlGpuInstanceCreateComputeInstance(gpuInstance: int, profileId: int) -> int:  # noqa: N803
    state, _ = _changing(gpuInstance // 1000 - 1)
    one = _instance(state, gpuInstance)
    one["compute"].append(profileId)
    _save(state)
    return 100 * gpuInstance + len(one["compute"]) - 1


def nvmlGpuInstanceGetComputeInstances(gpuInstance: int, profileId: int, computeInstancesRef: Any, countRef: Any) -> int:  # noqa: N803
    hits = [100 * gpuInstance + i for i, one in enumerate(_instance(_state(), gpuInstance)["compute"]) if one == profileId]
    for place, handle in enumerate(hits):
        computeInstancesRef[place] = handle
    countRef._obj.value = len(hits)
    return 0


def nvmlComputeInstanceGetInfo(computeInstance: int) -> Record:  # noqa: N803
    return Record(profileId=_instance(_state(), computeInstance // 100)["compute"][computeInstance % 100])


def nvmlComputeInstanceDestroy(computeInstance: int) -> int:  # noqa: N803
    state, _ = _changing(computeInstance // 100_000 - 1)
    _instance(state, computeInstance // 100)["compute"].pop()
    _save(state)
    return 0


def nvmlDeviceGetMaxMigDeviceCount(handle: int) -> int:
    return len(_state()[handle]["instances"])


def nvmlDeviceGetMigDeviceHandleByIndex(device: int, index: int) -> tuple[int, int]:
    return device, _state()[device]["instances"][index]["id"]


def nvmlDeviceGetGpuInstanceId(device: tuple[int, int]) -> int:
    return device[1]


def nvmlDeviceGetComputeRunningProcesses(handle: Any) -> list[Record]:
    return [Record(pid=pid, usedGpuMemory=0) for pid in _state()[handle].get("processes", ())] if isinstance(handle, int) else []


def nvmlDeviceGetGraphicsRunningProcesses(handle: Any) -> list[Record]:
    return []


def nvmlSystemGetProcessName(pid: int) -> str:
    return "trainer"
