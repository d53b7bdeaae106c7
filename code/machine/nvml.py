"""Queries NVIDIA GPUs through the driver's management library with `nvidia-ml-py`, which is imported on use.

NVML API reference: https://docs.nvidia.com/deploy/nvml-api/
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from typing import Any

SLOWDOWNS = {0x08: "hardware slowdown", 0x20: "software thermal", 0x40: "hardware thermal", 0x80: "power brake"}
"""NVML's throttle reasons (nvmlClocksThrottleReasonHwSlowdown and others) that indicate faults rather than ordinary power capping."""
POWER_CAP = {0x04: "power cap"}
"""Its reason for a GPU that is held at its power limit."""
LIBRARY = "libnvidia-ml.so.1"
"""The driver's library, without which the package, which is large, is not imported."""


def asked(library: Any, function: str, *arguments: Any) -> Any:
    """One NVML call; None if the driver or device does not support it or the user lacks permission.

    Args:
        library: the module pynvml.
    """
    try:
        call: Callable[..., Any] = getattr(library, function)
        answer = call(*arguments)
    except (library.NVMLError, AttributeError):
        return None
    return answer.decode() if isinstance(answer, bytes) else answer


def query() -> dict[str, Any]:
    """Every GPU and MIG slice, as JSON holds it.

    {"absent": why} without the package or the driver's library; {"error": why} if NVML fails; otherwise
    {"driver_version", "cuda_version", "nvml_version", "gpus": [...]}. A value that a GPU does not report is null.
    """
    return asked_of_nvml(lambda nvml: _Reader(nvml).machine())


def asked_of_nvml(read: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What `read` makes of NVML, which is open for it; {"absent": why} or {"error": why} where there is none or it fails."""
    if "pynvml" not in sys.modules and not _has_driver():
        return {"absent": f"the driver's library {LIBRARY} is not installed"}
    try:
        import pynvml
    except ImportError as error:
        return {"absent": f"the Python package nvidia-ml-py is not installed ({error})"}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        kind = "absent" if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND else "error"
        return {kind: str(error)}
    try:
        return read(pynvml)
    except pynvml.NVMLError as error:
        return {"error": str(error)}
    finally:
        pynvml.nvmlShutdown()


def _has_driver() -> bool:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class _Reader:
    def __init__(self, library: Any) -> None:
        self.nvml = library

    def ask(self, function: str, *arguments: Any) -> Any:
        return asked(self.nvml, function, *arguments)

    def machine(self) -> dict[str, Any]:
        cuda = self.ask("nvmlSystemGetCudaDriverVersion_v2")
        return {
            "driver_version": self.ask("nvmlSystemGetDriverVersion"),
            "nvml_version": self.ask("nvmlSystemGetNVMLVersion"),
            "cuda_version": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
            "gpus": [self.gpu(index) for index in range(self.nvml.nvmlDeviceGetCount())],
        }

    def gpu(self, index: int) -> dict[str, Any]:
        handle = self.nvml.nvmlDeviceGetHandleByIndex(index)
        pci = self.ask("nvmlDeviceGetPciInfo_v3", handle) or self.ask("nvmlDeviceGetPciInfo", handle)
        memory = self.ask("nvmlDeviceGetMemoryInfo", handle)
        limits = self.ask("nvmlDeviceGetPowerManagementLimitConstraints", handle)
        power = self.ask("nvmlDeviceGetPowerManagementLimit", handle)
        ecc = self.ask("nvmlDeviceGetEccMode", handle)
        mig = self.ask("nvmlDeviceGetMigMode", handle)
        capability = self.ask("nvmlDeviceGetCudaComputeCapability", handle)
        return {
            "index": index,
            "name": self.ask("nvmlDeviceGetName", handle),
            "uuid": self.ask("nvmlDeviceGetUUID", handle),
            "pci_id": None if pci is None else f"0x{pci.pciDeviceId:08X}",
            "pci_bus_id": None if pci is None else _text(pci.busId).lower(),
            "memory_bytes": None if memory is None else memory.total,
            "memory_used_bytes": None if memory is None else memory.used,
            "memory_bandwidth_gb_s": self.bandwidth(handle),
            "pcie_generation": self.ask("nvmlDeviceGetMaxPcieLinkGeneration", handle),
            "pcie_width": self.ask("nvmlDeviceGetMaxPcieLinkWidth", handle),
            "pcie_width_now": self.ask("nvmlDeviceGetCurrPcieLinkWidth", handle),
            "compute_capability": None if capability is None else list(capability),
            "power_limit_max_w": None if limits is None else limits[1] / 1000,
            "power_limit_w": None if power is None else power / 1000,
            "ecc": None if ecc is None else bool(ecc[0]),
            "persistence": self.flag("nvmlDeviceGetPersistenceMode", handle),
            "sm_clock_max_mhz": self.ask("nvmlDeviceGetMaxClockInfo", handle, self.nvml.NVML_CLOCK_SM),
            "sm_clock_mhz": self.ask("nvmlDeviceGetClockInfo", handle, self.nvml.NVML_CLOCK_SM),
            "sm_clock_application_mhz": self.ask("nvmlDeviceGetApplicationsClock", handle, self.nvml.NVML_CLOCK_SM),
            "sm_clock_default_mhz": self.ask("nvmlDeviceGetDefaultApplicationsClock", handle, self.nvml.NVML_CLOCK_SM),
            "throttle_reasons": self.ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle),
            "temperature_c": self.ask("nvmlDeviceGetTemperature", handle, self.nvml.NVML_TEMPERATURE_GPU),
            "cpu_affinity": self.cpus(handle),
            "nvlinks": self.nvlinks(handle),
            "nvswitch": self.nvswitch(handle),
            "processes": self.processes(handle),
            "mig_enabled": None if mig is None else bool(mig[0]),
            "mig_devices": self.slices(handle) if mig is not None and mig[0] else [],
        }

    def bandwidth(self, handle: Any) -> float | None:
        """Peak memory bandwidth: bus width times the highest memory clock times two (double data rate)."""
        bits = self.ask("nvmlDeviceGetMemoryBusWidth", handle)
        megahertz = self.ask("nvmlDeviceGetMaxClockInfo", handle, self.nvml.NVML_CLOCK_MEM)
        return None if not bits or not megahertz else bits / 8 * megahertz * 2 / 1000

    def flag(self, function: str, handle: Any) -> bool | None:
        answer = self.ask(function, handle)
        return None if answer is None else bool(answer)

    def cpus(self, handle: Any) -> list[int] | None:
        words = self.ask("nvmlDeviceGetCpuAffinity", handle, 64)  # 64 words of 64 CPUs
        if words is None:
            return None
        return [64 * place + bit for place, word in enumerate(words) for bit in range(64) if int(word) >> bit & 1]

    def nvlinks(self, handle: Any) -> int:
        links = range(getattr(self.nvml, "NVML_NVLINK_MAX_LINKS", 18))
        return sum(1 for link in links if self.ask("nvmlDeviceGetNvLinkState", handle, link))

    def nvswitch(self, handle: Any) -> bool:
        """Whether the GPU's links end at a switch (which needs the fabric manager) and not at another GPU."""
        switch = getattr(self.nvml, "NVML_NVLINK_DEVICE_TYPE_SWITCH", 2)
        for link in range(getattr(self.nvml, "NVML_NVLINK_MAX_LINKS", 18)):
            kind = self.ask("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link)
            if kind is not None:
                return bool(kind == switch)
        return False

    def processes(self, handle: Any) -> list[dict[str, Any]] | None:
        running = self.ask("nvmlDeviceGetComputeRunningProcesses", handle)
        if running is None:
            return None
        found = []
        for process in running:
            name = self.ask("nvmlSystemGetProcessName", process.pid)
            short = (name or "?").split("\0")[0].split()[:1]
            found.append({"pid": process.pid, "name": short[0] if short else "?", "memory_bytes": process.usedGpuMemory})
        return found

    def slices(self, handle: Any) -> list[dict[str, Any]]:
        found = []
        for place in range(self.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            part = self.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, place)
            if part is None:
                continue
            name = self.ask("nvmlDeviceGetName", part) or ""
            profile = re.search(r"\b(\d+c\.)?\d+g\.\d+gb\S*", name)
            attributes = self.ask("nvmlDeviceGetAttributes_v2", part) or self.ask("nvmlDeviceGetAttributes", part)
            memory = self.ask("nvmlDeviceGetMemoryInfo", part)
            found.append(
                {
                    "name": name,
                    "uuid": self.ask("nvmlDeviceGetUUID", part),
                    "profile": profile.group(0) if profile else None,
                    "gpcs": None if attributes is None else attributes.gpuInstanceSliceCount,
                    "memory_bytes": None if memory is None else memory.total,
                }
            )
        return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
