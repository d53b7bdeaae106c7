"""The engines of a run, one for each kind of its devices: where they are, and building them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.backends import store
from code.backends.base import Backend
from code.backends.store import EngineAddress
from code.common import console
from code.common.notices import Notices
from code.plan.workload import Workload
from code.precision.graphs import asked_again
from code.run.placement import Placement


@dataclass(frozen=True)
class Engines:
    """The engines of one graph on the devices of a placement.

    Args:
        graph: what they are built of.
        of_kind: the workload's values for each kind of device.
        addresses: where they are or will be, in the placement's order of kinds.
    """

    backend: Backend
    graph: Path
    of_kind: tuple[dict[str, Any], ...]
    addresses: tuple[EngineAddress, ...]

    @property
    def first(self) -> EngineAddress:
        """The engine of the first device."""
        return self.addresses[0]

    def require(self) -> list[Path]:
        """Their folders; MissingError for one that is not built or damaged."""
        return [where.require() for where in self.addresses]

    def build(self, notices: Notices, force: bool = False) -> None:
        """Build those that are not there, each once in an invocation. RunError with the runtime's words when one cannot be built."""
        for values, where in zip(self.of_kind, self.addresses, strict=True):
            if where.exists and not force and not where.damage():
                if self.backend.computes:
                    notices.say(f"engine {where.folder.name}: already built")
            elif notices.first(f"built {where.folder}"):
                self._build(where, values)

    def repair(self) -> None:
        """Build those again that are there but damaged, each with a line. RunError as for `build`."""
        for values, where in zip(self.of_kind, self.addresses, strict=True):
            if where.exists and where.damage():
                self._build(where, values)

    def _build(self, where: EngineAddress, values: Mapping[str, Any]) -> None:
        name = where.folder.name
        if where.exists and (damage := where.damage()):
            console.warn(f"engine {name}: {damage}; building it again")
        say = console.say if self.backend.computes else lambda _: None  # a simulated engine is a copy of its table
        say(f"engine {name}: building with {self.backend.label} {self.backend.version()}")
        seconds = store.build(where, self.backend, self.graph, values)
        say(f"engine {name}: built in {seconds:.1f} s")


def engines_of(workload: Workload, runtime: Backend, placement: Placement, graph: Path, home: Path | None = None) -> Engines:
    """The engines of a workload's graph.

    Args:
        home: directory of their folders; None for the store.
    """
    of_kind = tuple({**workload.plain(), **placement.values(kind)} for kind in placement.kinds)
    addresses = tuple(store.address(runtime, str(workload.benchmark), graph, values, home) for values in of_kind)
    return Engines(runtime, graph, of_kind, addresses)


def calibrates_again(workload: Workload, notices: Notices) -> bool:
    """Whether the graph is made again although it is there: once in an invocation, where it was asked for."""
    return asked_again(workload) and notices.first(f"again {workload.full_name}")
