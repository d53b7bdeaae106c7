"""A knob: something of a machine that can be limited, how it is read and set; and the clock of processors.

Kernel documentation: admin-guide/pm/cpufreq. Setting it needs root.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from code.common.errors import MissingError

CPUFREQ = "/sys/devices/system/cpu/cpu{item}/cpufreq/"
TOLERANCE = 0.01
"""A limit counts as set where it reads back within this share."""


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
        """The present limit, which `write` takes to put it back; 0 where the driver chooses."""

    def seen(self, item: str) -> float:
        """What the machine reports now, to verify a limit."""

    def holds(self, seen: float, wanted: float) -> bool:
        """Whether what was seen agrees with a limit."""

    def limits(self, item: str) -> Limits:
        """What it may be set to."""

    def write(self, item: str, value: float) -> None:
        """Set it."""

    def command(self, item: str, value: float) -> str:
        """The shell command that sets it by hand."""


class CpuClock:
    """The highest clock of a processor, in kHz; items are numbers of logical processors."""

    unit, what = "kHz", "the highest clock of processor"

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def read(self, item: str) -> float:
        """The present limit."""
        return self._number(item, "scaling_max_freq")

    def seen(self, item: str) -> float:
        """The limit itself."""
        return self.read(item)

    def holds(self, seen: float, wanted: float) -> bool:
        """Whether it is what was set."""
        return near(seen, wanted)

    def limits(self, item: str) -> Limits:
        """What the processor allows."""
        return Limits(self._number(item, "cpuinfo_min_freq"), self._number(item, "cpuinfo_max_freq"))

    def write(self, item: str, value: float) -> None:
        """Set it until the machine restarts."""
        path = self._path(item, "scaling_max_freq")
        try:
            path.write_text(f"{value:.0f}\n", encoding="ascii")
        except OSError as error:
            raise refused(f"{self.what} {item} cannot be set", f"{path}: {error.strerror}") from error

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


def near(found: float, wanted: float) -> bool:
    """Whether a limit reads back as it was set: drivers and processors round."""
    return abs(found - wanted) <= TOLERANCE * max(wanted, 1.0)


def refused(what: str, why: str) -> MissingError:
    """The error where the machine does not let this process set something."""
    return MissingError(what, why, "run it as root, or leave the option out and set the limit beforehand")
