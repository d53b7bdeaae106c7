"""What else the machine did during a run, from the machine.json that the launcher writes beside LoadGen's logs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.results.reason import Reason

MACHINE_FILE = "machine.json"
BUSY = 0.1
"""Share of the processors that other work may take before a run is reported as disturbed."""


IDLE = "run it again on an idle machine"


@dataclass(frozen=True)
class MachineState:
    """The machine around one LoadGen test or probe.

    Args:
        cpus: processors that the run may use.
        foreign_cpus: processors' worth of time that other processes used; None where unknown.
        stolen_cpus: the same, taken by the hypervisor.
        load_before, load_after: load average of the last minute; None where unknown.
        beside: other runs of this harness on the same devices at its start.
        waited_s: seconds that it waited for such runs.
    """

    cpus: int
    foreign_cpus: float | None = None
    stolen_cpus: float = 0.0
    load_before: float | None = None
    load_after: float | None = None
    beside: tuple[str, ...] = ()
    waited_s: float = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether other work took enough of the machine to distort a measurement."""
        return bool(self.beside) or (self.foreign_cpus or 0.0) + self.stolen_cpus > BUSY * self.cpus

    def as_json(self) -> dict[str, Any]:
        """The content of machine.json, and of metadata.json's `machine`."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}

    def words(self) -> str:
        """'0.7 of 2 processors, load 1.4 before and 1.6 after'; '' where nothing is known."""
        found = [] if self.foreign_cpus is None else [f"{self.foreign_cpus:.1f} of {self.cpus} processors"]
        if self.stolen_cpus >= 0.05:
            found.append(f"{self.stolen_cpus:.1f} taken by the hypervisor")
        if self.load_before is not None and self.load_after is not None:
            found.append(f"load {self.load_before:.1f} before and {self.load_after:.1f} after")
        return ", ".join([*found, *(f"beside {other}" for other in self.beside)])

    def beside_notes(self) -> list[Reason]:
        """What to say about other runs on the same devices."""
        return [Reason(f"it ran beside {other} on the same devices", "", "run it again alone") for other in self.beside]

    def notes(self) -> list[Reason]:
        """What to say about it; [] for a machine that was idle."""
        found = self.beside_notes()
        if self.disturbed and not self.beside:
            stolen = f", and the hypervisor took {self.stolen_cpus:.1f}" if self.stolen_cpus >= 0.05 else ""
            what = f"other processes kept {self.foreign_cpus or 0.0:.1f} of {self.cpus} processors busy during the run{stolen}"
            found.append(Reason(what, "", IDLE))
        return found


def read(folder: Path) -> MachineState | None:
    """The state recorded in a run's folder; None if there is none, or it is damaged."""
    return of_json(jsonfile.object_or_empty(folder / MACHINE_FILE))


def of_json(content: Mapping[str, Any]) -> MachineState | None:
    """The state in a JSON object; None for one that is not complete."""
    numbers = {name: content.get(name) for name in ("foreign_cpus", "stolen_cpus", "load_before", "load_after", "waited_s")}
    beside, cpus = content.get("beside"), content.get("cpus")
    if not all(value is None or _is_number(value) for value in numbers.values()) or not isinstance(beside, list):
        return None
    if not isinstance(cpus, int) or cpus < 1:
        return None
    known = {name: float(value) for name, value in numbers.items() if value is not None}
    return MachineState(cpus=cpus, beside=tuple(str(one) for one in beside), **known)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
