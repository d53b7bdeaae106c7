"""Shows TensorRT's build steps on the console's progress line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from code.common.console import Progress

if TYPE_CHECKING:
    import tensorrt as trt


def monitor(module: Any, bar: Progress, stopped: Callable[[], bool]) -> trt.IProgressMonitor:
    """An IProgressMonitor that shows every phase on `bar`, and ends the build once `stopped` says so.

    The share that is shown is of the outermost phase; inner phases divide the step of theirs that is running. TensorRT calls it
    while it builds, where an exception would end the process: an interrupt is carried by `step_complete`'s answer.
    """
    base: Any = module.IProgressMonitor

    class Showing(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)
            self.phases: dict[str, _Phase] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.phases[phase_name] = _Phase(parent_phase, max(1, num_steps))
            self._show(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if phase_name in self.phases:
                self.phases[phase_name].done = step + 1
                self._show(phase_name)
            return not stopped()

        def phase_finish(self, phase_name: str) -> None:
            self.phases.pop(phase_name, None)

        def _show(self, note: str) -> None:
            bar.update(max(bar.done, 100.0 * _share(self.phases)), note)

    watch: trt.IProgressMonitor = Showing()
    return watch


class _Phase:
    def __init__(self, parent: str | None, steps: int) -> None:
        self.parent = parent
        self.steps = steps
        self.done = 0


def _share(phases: dict[str, _Phase]) -> float:
    """The share of the build that is done, 0 to 1: each phase counts as much as one step of the phase around it."""

    def share(name: str | None) -> float:
        children = [n for n, p in phases.items() if p.parent == name and p is not phases.get(str(name))]
        if name is None:
            return max((share(n) for n in children), default=0.0)
        phase = phases[name]
        inner = max((share(n) for n in children), default=0.0)
        return min(1.0, (phase.done + inner) / phase.steps)

    return share(None)
