"""Knobs: what of a machine can be limited, how it is read and set.

NVML API reference: https://docs.nvidia.com/deploy/nvml-api/ (device commands). Kernel documentation: admin-guide/pm/cpufreq. Setting either
needs root. Unexecuted on a GPU: tested with a stand-in for NVML, and each symbol against the package nvidia-ml-py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from code.common.errors import MissingError

CPUFREQ = "/sys/devices/system/cpu/cpu{item}/cpufreq/"


@dataclass(frozen=True)
class Limits:
    """What a knob may be set to, both ends included, in its unit."""

    least: float
    most: float

    def words(self, unit: str) -> str:
        """'200 to 700 W'."""
        return f"{self.least:,.0f} to {self.most:,.0f} {unit}"


class Knob(Protocol):
    """Something of each device or processor that can be limited. Its methods raise MissingError where the machine does not allow it."""

    unit: str
    what: str

    def read(self, item: str) -> float:
        """The present limit."""

    def limits(self, item: str) -> Limits:
        """What it may be set to."""

    def write(self, item: str, value: float) -> None:
        """Set it."""

    def command(self, item: str, value: float) -> str:
        """The shell command that sets it by hand."""


class GpuPower:
    """The power limit of a GPU, in W; items are UUIDs."""

    unit, what = "W", "the power limit of"

    def read(self, item: str) -> float:
        """The present limit."""
        with _nvml(item) as (nvml, handle):
            return float(nvml.nvmlDeviceGetPowerManagementLimit(handle)) / 1000

    def limits(self, item: str) -> Limits:
        """What the board allows."""
        with _nvml(item) as (nvml, handle):
            least, most = nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle)
            return Limits(least / 1000, most / 1000)

    def write(self, item: str, value: float) -> None:
        """Set it until the driver unloads."""
        with _nvml(item) as (nvml, handle):
            nvml.nvmlDeviceSetPowerManagementLimit(handle, round(value * 1000))

    def command(self, item: str, value: float) -> str:
        """nvidia-smi's."""
        return f"sudo nvidia-smi -i {item} -pl {value:.0f}"


class CpuClock:
    """The highest clock of a processor, in kHz; items are numbers of logical processors."""

    unit, what = "kHz", "the highest clock of processor"

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def read(self, item: str) -> float:
        """The present limit."""
        return self._number(item, "scaling_max_freq")

    def limits(self, item: str) -> Limits:
        """What the processor allows."""
        return Limits(self._number(item, "cpuinfo_min_freq"), self._number(item, "cpuinfo_max_freq"))

    def write(self, item: str, value: float) -> None:
        """Set it until the machine restarts."""
        path = self._path(item, "scaling_max_freq")
        try:
            path.write_text(f"{value:.0f}\n", encoding="ascii")
        except OSError as error:
            raise _refused(f"{self.what} {item} cannot be set", f"{path}: {error.strerror}") from error

    def command(self, item: str, value: float) -> str:
        """By sysfs."""
        return f"echo {value:.0f} | sudo tee {self._path(item, 'scaling_max_freq')}"

    def _path(self, item: str, name: str) -> Path:
        return self.root / CPUFREQ.format(item=int(item)).lstrip("/") / name

    def _number(self, item: str, name: str) -> float:
        path = self._path(item, name)
        try:
            return float(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it holds no number"
            raise MissingError(
                f"{self.what} {item} cannot be read",
                f"{path}: {why}",
                "leave cpu_freq out: this machine does not let processes set clocks",
            ) from error


KNOBS: Mapping[str, Callable[[], Knob]] = {"gpu_power": GpuPower, "cpu_clock": CpuClock}
"""Name in journals → its knob."""


@contextlib.contextmanager
def _nvml(uuid: str) -> Iterator[tuple[Any, Any]]:
    """(pynvml, handle of a GPU). MissingError for whatever NVML refuses."""
    try:
        import pynvml
    except ImportError as error:
        raise MissingError(f"the power limit of {uuid} cannot be set", str(error), "run `make venv`") from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise MissingError(
            f"the power limit of {uuid} cannot be set", str(error), "check the driver with `make doctor`"
        ) from error
    try:
        yield pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid)
    except pynvml.NVMLError as error:
        raise _refused(f"the power limit of {uuid} cannot be used", str(error)) from error
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _refused(what: str, why: str) -> MissingError:
    return MissingError(what, why, "run it as root, or leave the option out and set the limit beforehand")
