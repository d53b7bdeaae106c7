"""What a check finds, and what checks are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from code.machine.detect import DetectedSystem
from code.machine.sources import Machine


class Level(str, Enum):
    """How a check ended. `unseen` is a thing that could not be looked at here; it says why."""

    OK = "ok"
    UNSEEN = "not seen"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the command that mends it."""

    family: str
    name: str
    level: Level
    message: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """The line as automation reads it."""
        return {**asdict(self), "level": self.level.value}


@dataclass(frozen=True)
class Subject:
    """What checks look at: one machine's answers, what was detected from them, and what is to be run on it.

    `values` holds, per benchmark named, which model variant is to run ("reference" or "tiny").
    """

    machine: Machine
    detected: DetectedSystem
    benchmarks: tuple[str, ...] = ()
    variant: str = ""

    @property
    def has_gpus(self) -> bool:
        """Whether there are NVIDIA GPUs, working or not."""
        devices = self.detected.devices
        return bool(devices.everything or devices.failure or devices.on_bus)

    @property
    def in_container(self) -> bool:
        """Whether the checks run inside a container, from where the host's Docker and services cannot be seen."""
        return bool(
            self.machine.text("/.dockerenv") is not None
            or self.machine.text("/run/.containerenv") is not None
            or (self.machine.environ("container") or "")
        )

    @property
    def gpu_facts(self) -> list[dict[str, Any]]:
        """NVML's facts of each GPU, once per GPU also where it is cut into slices."""
        answer = self.machine.probe("nvml") or {}
        return [dict(gpu) for gpu in answer.get("gpus", [])]


Check = Callable[[Subject], Iterator[Finding]]


class Reporter:
    """Makes the findings of one family."""

    def __init__(self, family: str) -> None:
        self.family = family

    def ok(self, name: str, message: str) -> Finding:
        """Nothing to do."""
        return Finding(self.family, name, Level.OK, message)

    def unseen(self, name: str, message: str) -> Finding:
        """It could not be looked at."""
        return Finding(self.family, name, Level.UNSEEN, message)

    def warning(self, name: str, message: str, mend: str) -> Finding:
        """Runs work; results may suffer."""
        return Finding(self.family, name, Level.WARNING, message, mend)

    def error(self, name: str, message: str, mend: str) -> Finding:
        """A run would fail."""
        return Finding(self.family, name, Level.ERROR, message, mend)


def version(text: str) -> tuple[int, ...]:
    """The first dotted number in a text, as numbers: "Docker version 27.3.1, build" gives (27, 3, 1)."""
    import re

    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group(0).split(".")) if found else ()


def dotted(numbers: tuple[int, ...]) -> str:
    """(27, 3, 1) as "27.3.1"."""
    return ".".join(map(str, numbers))


def plain(text: str) -> str:
    """The first dotted number of a text as it stands, leading zeros kept: "550.127.05"."""
    import re

    found = re.search(r"\d+(?:\.\d+)+", text)
    return found.group(0) if found else ""
