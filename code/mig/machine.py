"""The machine whose GPUs are cut: this one, or a captured one that can only be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from code.common.errors import RunError
from code.machine.sources import CapturedMachine, LiveMachine, Machine
from code.mig import state
from code.mig.driver import Driver, Nvml, Smi
from code.mig.state import Gpu, State


class Cutter:
    """Reads how GPUs are cut, and has the driver that changes it.

    Args:
        capture: the file of a captured machine; None for this one.
    """

    def __init__(self, capture: str | None = None) -> None:
        self._capture = capture

    @property
    def live(self) -> bool:
        """Whether it is this machine."""
        return self._capture is None

    def _machine(self) -> Machine:
        """A machine that has not been asked yet: answers of probes are remembered."""
        return LiveMachine() if self._capture is None else CapturedMachine.read(Path(self._capture))

    @cached_property
    def state(self) -> State:
        """How the GPUs were cut when it was first asked."""
        return state.read(self._machine())

    @cached_property
    def driver(self) -> Driver:
        """NVML, or nvidia-smi where NVML did not answer."""
        return Nvml() if self.state.source == "nvml" else Smi(self._machine())

    def reread(self, gpu: Gpu) -> Gpu:
        """A GPU as it is now. RunError for one that is gone."""
        for one in state.read(self._machine()).gpus:
            if one.uuid == gpu.uuid:
                return one
        raise RunError(f"{gpu.label} is gone", "the driver no longer lists it", "check the driver with `make doctor`")

    def again(self, gpus: Sequence[Gpu]) -> list[Gpu]:
        """GPUs as they are now."""
        return [self.reread(gpu) for gpu in gpus]

    @staticmethod
    def names(gpus: Sequence[Gpu]) -> list[str]:
        """The names by which runs lock GPUs and their slices."""
        return [name for gpu in gpus for name in (gpu.uuid, *(one.uuid for one in gpu.slices)) if name]
