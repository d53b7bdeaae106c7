"""Types shared by the checks: findings, and the machine they examine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from code.machine.detect import DetectedSystem
from code.machine.sources import Machine


class Level(str, Enum):
    """Outcome of a check. UNSEEN: it could not be carried out here; the message says why."""

    OK = "ok"
    UNSEEN = "not seen"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, its state, and the command that fixes it."""

    family: str
    name: str
    level: Level
    message: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """The finding as `make doctor --json` prints it."""
        return {**asdict(self), "level": self.level.value}


@dataclass(frozen=True)
class Subject:
    """What checks examine: the machine, what was detected on it, and what is to run on it.

    `variant` is the model variant to run: "reference" or "tiny"; `power_server` (HOST or HOST:PORT) and `ntp_server` are those of a power
    measurement, "" for none.
    """

    machine: Machine
    detected: DetectedSystem
    benchmarks: tuple[str, ...] = ()
    variant: str = ""
    power_server: str = ""
    ntp_server: str = ""

    @property
    def has_gpus(self) -> bool:
        """Whether the machine has NVIDIA GPUs, working or not."""
        devices = self.detected.devices
        return bool(devices.everything or devices.failure or devices.on_bus)

    @property
    def in_container(self) -> bool:
        """Whether the checks run inside a container, where the host's Docker and services are invisible."""
        return bool(
            self.machine.text("/.dockerenv") is not None
            or self.machine.text("/run/.containerenv") is not None
            or (self.machine.environ("container") or "")
        )

    @property
    def gpu_facts(self) -> list[dict[str, Any]]:
        """NVML's data per GPU; a GPU divided into MIG slices appears once."""
        answer = self.machine.probe("nvml") or {}
        return [dict(gpu) for gpu in answer.get("gpus", [])]


Check = Callable[[Subject], Iterator[Finding]]


class Reporter:
    """Creates the findings of one family of checks."""

    def __init__(self, family: str) -> None:
        self.family = family

    def ok(self, name: str, message: str) -> Finding:
        """The check passed."""
        return Finding(self.family, name, Level.OK, message)

    def unseen(self, name: str, message: str) -> Finding:
        """The check could not be carried out."""
        return Finding(self.family, name, Level.UNSEEN, message)

    def warning(self, name: str, message: str, fix: str) -> Finding:
        """Runs work, but results may suffer."""
        return Finding(self.family, name, Level.WARNING, message, fix)

    def error(self, name: str, message: str, fix: str) -> Finding:
        """A run would fail."""
        return Finding(self.family, name, Level.ERROR, message, fix)


def version(text: str) -> tuple[int, ...]:
    """The first dotted number in a text, as numbers: "Docker version 27.3.1, build" gives (27, 3, 1)."""
    import re

    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group(0).split(".")) if found else ()


def dotted(numbers: tuple[int, ...]) -> str:
    """(27, 3, 1) as "27.3.1"."""
    return ".".join(map(str, numbers))


def plain(text: str) -> str:
    """The first dotted number in a text, verbatim with leading zeros: "550.127.05"."""
    import re

    found = re.search(r"\d+(?:\.\d+)+", text)
    return found.group(0) if found else ""
