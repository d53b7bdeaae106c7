"""What changes how a GPU is cut: NVML, or nvidia-smi where NVML is not there.

Both need the right to change GPUs, which root has. Unexecuted on a GPU: tested with stand-ins for NVML and nvidia-smi, and each symbol
against the package nvidia-ml-py.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from code.common.errors import MissingError, RunError
from code.machine.mig import compute_instances
from code.machine.nvml import asked
from code.machine.sources import Machine
from code.mig.state import SMI, Gpu, Instance

AS_ROOT = "run it again as root: sudo -E make …, or in a container with the capability SYS_ADMIN"
RIGHTS = re.compile(r"permission|privilege", re.IGNORECASE)
CREATED = re.compile(r"GPU instance ID\s+(\d+)")


class Driver(Protocol):
    """Changes a GPU. MissingError without the right to do so, RunError in the driver's own words where it does not do it."""

    def mode(self, gpu: Gpu, on: bool) -> None:
        """Turn MIG mode on or off; it may stay as it is until the GPU is reset."""

    def create(self, gpu: Gpu, profile: int, start: int | None = None, compute: Sequence[int] = ()) -> None:
        """Make a GPU instance with its compute instances.

        Args:
            start: its first memory slice; None: wherever it fits.
            compute: profiles of compute instances; (): one that has the whole instance.
        """

    def destroy(self, gpu: Gpu, instance: Instance) -> None:
        """Remove a GPU instance and its compute instances."""


def commands(gpu: Gpu) -> Commands:
    """nvidia-smi's commands for a GPU."""
    return Commands(gpu.uuid or str(gpu.index))


class Commands:
    """The commands that do by hand what a driver does."""

    def __init__(self, gpu: str) -> None:
        self.gpu = gpu

    def mode(self, on: bool) -> list[str]:
        """Turn MIG mode on or off."""
        return [SMI, "-i", self.gpu, "-mig", "1" if on else "0"]

    def create(self, profile: int | str, start: int | None = None, compute: bool = True) -> list[str]:
        """Make a GPU instance, with a compute instance of its size or without any."""
        placed = str(profile) if start is None else f"{profile}:{start}"
        return [SMI, "mig", "-i", self.gpu, "-cgi", placed, *(["-C"] if compute else [])]

    def compute(self, instance: int | str, profiles: Sequence[int]) -> list[str]:
        """Make compute instances in a GPU instance."""
        return [SMI, "mig", "-i", self.gpu, "-gi", str(instance), "-cci", ",".join(str(one) for one in profiles)]

    def destroy(self, instance: int) -> list[list[str]]:
        """Remove a GPU instance and its compute instances."""
        own = [SMI, "mig", "-i", self.gpu]
        return [[*own, "-dci", "-gi", str(instance)], [*own, "-dgi", "-gi", str(instance)]]


class Smi:
    """nvidia-smi."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def mode(self, gpu: Gpu, on: bool) -> None:
        """Turn MIG mode on or off."""
        self._run(gpu, commands(gpu).mode(on))

    def create(self, gpu: Gpu, profile: int, start: int | None = None, compute: Sequence[int] = ()) -> None:
        """Make a GPU instance with its compute instances."""
        printed = self._run(gpu, commands(gpu).create(profile, start, not compute))
        if compute:
            made = CREATED.search(printed)
            if made is None:
                raise RunError(f"{gpu.label}: nvidia-smi did not name the instance that it made", printed.strip()[-200:], "")
            self._run(gpu, commands(gpu).compute(made[1], compute))

    def destroy(self, gpu: Gpu, instance: Instance) -> None:
        """Remove a GPU instance and its compute instances."""
        first, second = commands(gpu).destroy(instance.id)
        if instance.compute:
            self._run(gpu, first)
        self._run(gpu, second)

    def _run(self, gpu: Gpu, command: list[str]) -> str:
        ran = self.machine.command(*command)
        if ran is None:
            raise RunError(f"{gpu.label}: `{' '.join(command)}` does not answer", "", "check the driver with `make doctor`")
        if ran.status != 0:
            printed = " ".join((ran.stdout + " " + ran.stderr).split())
            raise failed(gpu, printed or f"exit status {ran.status}", " ".join(command))
        return ran.stdout


class Nvml:
    """NVML."""

    def mode(self, gpu: Gpu, on: bool) -> None:
        """Turn MIG mode on or off."""
        with _opened(gpu, " ".join(commands(gpu).mode(on))) as (nvml, handle):
            nvml.nvmlDeviceSetMigMode(handle, nvml.NVML_DEVICE_MIG_ENABLE if on else nvml.NVML_DEVICE_MIG_DISABLE)

    def create(self, gpu: Gpu, profile: int, start: int | None = None, compute: Sequence[int] = ()) -> None:
        """Make a GPU instance with its compute instances. What is made by halves is removed."""
        with _opened(gpu, " ".join(commands(gpu).create(profile, start))) as (nvml, handle):
            if start is None:
                instance = nvml.nvmlDeviceCreateGpuInstance(handle, profile)
            else:
                placement = nvml.c_nvmlGpuInstancePlacement_t()
                placement.start, placement.size = start, _size(nvml, handle, profile, start)
                instance = nvml.nvmlDeviceCreateGpuInstanceWithPlacement(handle, profile, ctypes.byref(placement))
            try:
                for one in compute or (_whole(nvml, instance),):
                    nvml.nvmlGpuInstanceCreateComputeInstance(instance, one)
            except (nvml.NVMLError, RunError):
                with contextlib.suppress(nvml.NVMLError):
                    _remove(nvml, instance)
                raise

    def destroy(self, gpu: Gpu, instance: Instance) -> None:
        """Remove a GPU instance and its compute instances."""
        with _opened(gpu, " ".join(commands(gpu).destroy(instance.id)[1])) as (nvml, handle):
            _remove(nvml, nvml.nvmlDeviceGetGpuInstanceById(handle, instance.id))


def _remove(nvml: Any, instance: Any) -> None:
    for one in compute_instances(nvml, instance):
        nvml.nvmlComputeInstanceDestroy(one)
    nvml.nvmlGpuInstanceDestroy(instance)


def _whole(nvml: Any, instance: Any) -> int:
    """The compute profile that has all of an instance."""
    infos = [
        asked(nvml, "nvmlGpuInstanceGetComputeInstanceProfileInfo", instance, number, 0)
        for number in range(nvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT)
    ]
    found = max((info for info in infos if info is not None), key=lambda info: int(info.sliceCount), default=None)
    if found is None:
        raise RunError("NVML offers no compute instance for a GPU instance", "", "check the driver with `make doctor`")
    return int(found.id)


def _size(nvml: Any, handle: Any, profile: int, start: int) -> int:
    """The memory slices of an instance of a profile at a start. NVML writes the possible places into an array."""
    array, count = (nvml.c_nvmlGpuInstancePlacement_t * 64)(), ctypes.c_uint(64)
    nvml.nvmlDeviceGetGpuInstancePossiblePlacements(handle, profile, array, ctypes.byref(count))
    return next((int(one.size) for one in array[: count.value] if one.start == start), 0)


@contextlib.contextmanager
def _opened(gpu: Gpu, command: str) -> Iterator[tuple[Any, Any]]:
    """(pynvml, the GPU's handle); what NVML refuses becomes an error that names the command which does the same."""
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            yield pynvml, pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
        finally:
            with contextlib.suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        raise failed(gpu, str(error), command) from error


def failed(gpu: Gpu, words: str, command: str) -> MissingError | RunError:
    """The error for what a driver refused."""
    if RIGHTS.search(words):
        return MissingError(f"{gpu.label} cannot be changed: no right to do so", words, AS_ROOT)
    return RunError(f"{gpu.label} was not changed as asked", words, f"see what `{command}` says")
