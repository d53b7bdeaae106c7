"""A stand-in for NVML's power limits, for tests: state in the JSON file that NVML_STAND_IN names, so that processes share it.

It is no model of a GPU. Each function takes and gives what the package nvidia-ml-py does; tests/unit/test_power.py compares the names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

NVML_ERROR_NOT_FOUND = 6
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
    state = _state()
    if state[handle].get("locked"):
        raise NVMLError(NVML_ERROR_NO_PERMISSION)
    state[handle]["limit_mw"] = state[handle].get("sticks_at_mw", milliwatts)
    Path(os.environ["NVML_STAND_IN"]).write_text(json.dumps(state))
