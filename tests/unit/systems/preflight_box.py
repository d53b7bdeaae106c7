"""A machine of given files, commands and probes, for the checks of preflight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

from code.machine.sources import Ran
from code.preflight.finding import Finding, Level, Subject

OK, UNSEEN, WARNING, ERROR = Level.OK, Level.UNSEEN, Level.WARNING, Level.ERROR
Check = Callable[[Subject], Iterator[Finding]]


class Box:
    """A machine with these files, commands, probes and variables, and nothing else."""

    def __init__(
        self,
        texts: Mapping[str, str] | None = None,
        commands: Mapping[str, object] | None = None,
        probes: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.text = (texts or {}).get
        self.environ = (variables or {}).get
        self._commands, self._probes = commands or {}, probes or {}

    def command(self, *words: str) -> Ran | None:
        said = self._commands.get(" ".join(words))
        return said if isinstance(said, Ran) or said is None else Ran(0, str(said))

    def probe(self, *words: str) -> Any:
        return self._probes.get(":".join(words))


def devices(**given: Any) -> Any:
    usual: dict[str, Any] = {"everything": ["GPU"], "visible": ["GPU"], "failure": "", "on_bus": 1, "absent": ""}
    return SimpleNamespace(**{**usual, "driver_version": "550.90.07", "cuda_version": "12.4", **given})


NO_GPUS = devices(everything=[], visible=[], on_bus=0, absent="no library")


def seen(check: Check, box: Box, more: Any = devices(), **given: Any) -> dict[str, tuple[Level, str, str]]:  # noqa: B008  a constant
    """name → (level, message, fix) of a family's findings."""
    detected = SimpleNamespace(devices=more, gpus=more.everything, **given.pop("detected", {}))
    subject = Subject(cast(Any, box), cast(Any, detected), **given)
    return {one.name: (one.level, one.message, one.fix) for one in check(subject)}
