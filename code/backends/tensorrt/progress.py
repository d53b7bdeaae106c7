"""Shows TensorRT's build steps on the console's progress line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from code.common.console import Progress

if TYPE_CHECKING:
    import tensorrt as trt


def monitor(module: Any, bar: Progress, stopped: Callable[[], bool]) -> trt.IProgressMonitor:
    """An IProgressMonitor that shows every phase on `bar`, and cancels the build once `stopped` returns True.

    The share shown is that of the outermost phase; inner phases subdivide the running step. TensorRT calls it
    during the build, where an exception would terminate the process: an interrupt is passed by `step_complete`'s return value.
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
    """The completed share of the build, 0 to 1: each phase counts as one step of its parent phase."""

    def share(name: str | None) -> float:
        children = [n for n, p in phases.items() if p.parent == name and p is not phases.get(str(name))]
        if name is None:
            return max((share(n) for n in children), default=0.0)
        phase = phases[name]
        inner = max((share(n) for n in children), default=0.0)
        return min(1.0, (phase.done + inner) / phase.steps)

    return share(None)
