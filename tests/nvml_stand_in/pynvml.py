"""A stand-in for NVML's limits of power, clocks and fans, for tests.

Its state is in the JSON file that NVML_STAND_IN names, so that processes share it.
It is no model of a GPU. Each function takes and gives what the package nvidia-ml-py does; tests/unit/test_power.py compares the names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

NVML_ERROR_NOT_FOUND = 6
NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2
NVML_FAN_POLICY_MANUAL = 1
NVML_ERROR_NO_PERMISSION = 4


class NVMLError(Exception):
    """NVML's error with its number."""

    def __init__(self, value: int) -> None:
        super().__init__({4: "Insufficient Permissions", 6: "Not Found"}[value])
        self.value = value


def _state() -> dict[str, dict[str, int]]:
    return json.loads(Path(os.environ["NVML_STAND_IN"]).read_text())


def nvmlInit() -> None:  # noqa: N802
    _state()


def nvmlShutdown() -> None:  # noqa: N802
    return


def nvmlDeviceGetHandleByUUID(uuid: str) -> str:  # noqa: N802
    if uuid not in _state():
        raise NVMLError(NVML_ERROR_NOT_FOUND)
    return uuid


def nvmlDeviceGetPowerManagementLimit(handle: str) -> int:  # noqa: N802
    return _state()[handle]["limit_mw"]


def nvmlDeviceGetPowerManagementLimitConstraints(handle: str) -> list[int]:  # noqa: N802
    return [_state()[handle]["least_mw"], _state()[handle]["most_mw"]]


def nvmlDeviceSetPowerManagementLimit(handle: str, milliwatts: int) -> None:  # noqa: N802
    _set(handle, limit_mw=_state()[handle].get("sticks_at_mw", milliwatts))


def _set(handle: str, **values: int) -> None:
    state = _state()
    if state[handle].get("locked"):
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    state[handle].update(values)
    Path(os.environ["NVML_STAND_IN"]).write_text(json.dumps(state))


def nvmlDeviceGetSupportedMemoryClocks(handle: str) -> list[int]:  # noqa: N802
    return [2619, 1593]


def nvmlDeviceGetSupportedGraphicsClocks(handle: str, memory: int) -> list[int]:  # noqa: N802
    return [1980, 1200, 345] if memory == 2619 else [345]


def nvmlDeviceGetClockInfo(handle: str, kind: int) -> int:  # noqa: N802
    name, fastest = ("sm_lock", 1980) if kind == NVML_CLOCK_SM else ("memory_lock", 2619)
    return _state()[handle].get(name, fastest) or fastest


def nvmlDeviceSetGpuLockedClocks(handle: str, least: int, most: int) -> None:  # noqa: N802
    assert least <= most
    _set(handle, sm_lock=most)


def nvmlDeviceResetGpuLockedClocks(handle: str) -> None:  # noqa: N802
    _set(handle, sm_lock=0)


def nvmlDeviceSetMemoryLockedClocks(handle: str, least: int, most: int) -> None:  # noqa: N802
    assert least <= most
    _set(handle, memory_lock=most)


def nvmlDeviceResetMemoryLockedClocks(handle: str) -> None:  # noqa: N802
    _set(handle, memory_lock=0)


def nvmlDeviceGetNumFans(handle: str) -> int:  # noqa: N802
    return _state()[handle].get("fans", 0)


def nvmlDeviceGetMinMaxFanSpeed(handle: str) -> list[int]:  # noqa: N802
    return [30, 100]


def nvmlDeviceGetFanControlPolicy_v2(handle: str, fan: int) -> int:  # noqa: N802
    return int(f"fan{fan}" in _state()[handle] and _state()[handle][f"fan{fan}"] > 0)


def nvmlDeviceGetTargetFanSpeed(handle: str, fan: int) -> int:  # noqa: N802
    return _state()[handle].get(f"fan{fan}", 0) or 41


def nvmlDeviceSetFanSpeed_v2(handle: str, fan: int, speed: int) -> None:  # noqa: N802
    _set(handle, **{f"fan{fan}": speed})


def nvmlDeviceSetDefaultFanSpeed_v2(handle: str, fan: int) -> None:  # noqa: N802
    _set(handle, **{f"fan{fan}": 0})
