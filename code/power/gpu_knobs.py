"""What of a GPU can be limited through NVML: power, clocks of its SMs and memory, and the speed of its fans.

NVML API reference: https://docs.nvidia.com/deploy/nvml-api/ (device commands). Setting any of them needs root. Unexecuted on a GPU: tested
with a stand-in for NVML, and each symbol against the package nvidia-ml-py. Items are UUIDs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from code.common.errors import MissingError
from code.power.knob import TOLERANCE, Limits, near, refused

FREE = 0.0
"""The driver chooses."""
MANUAL = 1
"""NVML_FAN_POLICY_MANUAL."""


class GpuPower:
    """The power limit of a GPU, in W."""

    unit, what = "W", "the power limit of"

    def read(self, item: str) -> float:
        """The present limit."""
        with _nvml(item, self.what) as (nvml, handle):
            return float(nvml.nvmlDeviceGetPowerManagementLimit(handle)) / 1000

    def seen(self, item: str) -> float:
        """The limit itself."""
        return self.read(item)

    def holds(self, seen: float, wanted: float) -> bool:
        """Whether it is what was set."""
        return near(seen, wanted)

    def limits(self, item: str) -> Limits:
        """What the board allows."""
        with _nvml(item, self.what) as (nvml, handle):
            least, most = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
            return Limits(least / 1000, most / 1000)

    def write(self, item: str, value: float) -> None:
        """Set it until the driver unloads."""
        with _nvml(item, self.what) as (nvml, handle):
            nvml.nvmlDeviceSetPowerManagementLimit(handle, round(value * 1000))

    def command(self, item: str, value: float) -> str:
        """nvidia-smi's."""
        return f"sudo nvidia-smi -i {item} -pl {value:.0f}"


class _Clock:
    """A locked clock of a GPU, in MHz: from the lowest that it supports to the one that is set.

    NVML does not tell whether a clock is locked. So the clock before counts as free, a lock is verified by the clock that the GPU runs at,
    and it is lifted afterwards.
    """

    unit = "MHz"
    what, lock, free, kind, switch = "", "", "", "", ""

    def read(self, item: str) -> float:
        """FREE: what NVML does not tell."""
        del item
        return FREE

    def seen(self, item: str) -> float:
        """The clock that the GPU runs at."""
        with _nvml(item, self.what) as (nvml, handle):
            return float(nvml.nvmlDeviceGetClockInfo(handle, getattr(nvml, self.kind)))

    def holds(self, seen: float, wanted: float) -> bool:
        """Whether it runs no faster than was set."""
        return wanted == FREE or seen <= wanted * (1 + TOLERANCE)

    def limits(self, item: str) -> Limits:
        """The lowest and the highest clock that the GPU supports."""
        with _nvml(item, self.what) as (nvml, handle):
            clocks = self.supported(nvml, handle)
            return Limits(float(min(clocks)), float(max(clocks)))

    def supported(self, nvml: Any, handle: Any) -> Sequence[int]:
        """The clocks that the GPU supports, in MHz."""
        raise NotImplementedError

    def write(self, item: str, value: float) -> None:
        """Lock it, or lift the lock for FREE."""
        with _nvml(item, self.what) as (nvml, handle):
            if value == FREE:
                getattr(nvml, self.free)(handle)
            else:
                getattr(nvml, self.lock)(handle, min(self.supported(nvml, handle)), round(value))

    def command(self, item: str, value: float) -> str:
        """nvidia-smi's."""
        return f"sudo nvidia-smi -i {item} " + (f"-r{self.switch}" if value == FREE else f"-l{self.switch} 0,{value:.0f}")


class GpuClock(_Clock):
    """The highest clock of a GPU's SMs."""

    what, kind, switch = "the clock of", "NVML_CLOCK_SM", "gc"
    lock, free = "nvmlDeviceSetGpuLockedClocks", "nvmlDeviceResetGpuLockedClocks"

    def supported(self, nvml: Any, handle: Any) -> Sequence[int]:
        """Those at the highest clock of the memory."""
        memory = max(nvml.nvmlDeviceGetSupportedMemoryClocks(handle))
        return list(nvml.nvmlDeviceGetSupportedGraphicsClocks(handle, memory))


class GpuMemoryClock(_Clock):
    """The highest clock of a GPU's memory."""

    what, kind, switch = "the memory clock of", "NVML_CLOCK_MEM", "mc"
    lock, free = "nvmlDeviceSetMemoryLockedClocks", "nvmlDeviceResetMemoryLockedClocks"

    def supported(self, nvml: Any, handle: Any) -> Sequence[int]:
        """As NVML lists them."""
        return list(nvml.nvmlDeviceGetSupportedMemoryClocks(handle))


class GpuFan:
    """The speed of all fans of a GPU, in % of the highest; FREE: by the driver's curve."""

    unit, what = "%", "the fan speed of"

    def read(self, item: str) -> float:
        """The speed that somebody has set, or FREE."""
        with _nvml(item, self.what) as (nvml, handle):
            self._fans(nvml, handle, item)
            manual = nvml.nvmlDeviceGetFanControlPolicy_v2(handle, 0) == MANUAL
            return float(nvml.nvmlDeviceGetTargetFanSpeed(handle, 0)) if manual else FREE

    def seen(self, item: str) -> float:
        """As `read`."""
        return self.read(item)

    def holds(self, seen: float, wanted: float) -> bool:
        """Whether it is what was set, to a point."""
        return abs(seen - wanted) <= 1

    def limits(self, item: str) -> Limits:
        """What the board allows."""
        with _nvml(item, self.what) as (nvml, handle):
            self._fans(nvml, handle, item)
            least, most = nvml.nvmlDeviceGetMinMaxFanSpeed(handle)
            return Limits(float(least), float(most))

    def write(self, item: str, value: float) -> None:
        """Set every fan, or leave all to the driver for FREE."""
        with _nvml(item, self.what) as (nvml, handle):
            for fan in range(self._fans(nvml, handle, item)):
                if value == FREE:
                    nvml.nvmlDeviceSetDefaultFanSpeed_v2(handle, fan)
                else:
                    nvml.nvmlDeviceSetFanSpeed_v2(handle, fan, round(value))

    def command(self, item: str, value: float) -> str:
        """nvidia-settings', which knows GPUs by number only."""
        where = f"of GPU {item}"
        if value == FREE:
            return f"sudo nvidia-settings -a GPUFanControlState=0  # {where}"
        return f"sudo nvidia-settings -a GPUFanControlState=1 -a GPUTargetFanSpeed={value:.0f}  # {where}"

    def _fans(self, nvml: Any, handle: Any, item: str) -> int:
        count = int(nvml.nvmlDeviceGetNumFans(handle))
        if not count:
            raise refused(f"{self.what} {item} cannot be set", "it has no fan")
        return count


@contextlib.contextmanager
def _nvml(uuid: str, what: str) -> Iterator[tuple[Any, Any]]:
    """(pynvml, handle of a GPU). MissingError for whatever NVML refuses."""
    try:
        import pynvml
    except ImportError as error:
        raise MissingError(f"{what} {uuid} cannot be set", str(error), "run `make venv`") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise MissingError(f"{what} {uuid} cannot be set", str(error), "check the driver with `make doctor`") from error
    try:
        yield pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError as error:
        raise refused(f"{what} {uuid} cannot be used", str(error)) from error
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
