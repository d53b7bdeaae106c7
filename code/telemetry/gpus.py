"""GPUs: power, energy, clocks, throttling, temperature, use, memory, PCIe traffic and ECC errors, by NVML.

NVML API reference: https://docs.nvidia.com/deploy/nvml-api/. A MIG slice has the power, clocks and temperature of its GPU and memory of its
own. Unexecuted on hardware: tested with recorded answers, and each symbol against the package nvidia-ml-py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from code.machine.nvml import asked
from code.telemetry.source import FAST_S, SLOW_S, UNKNOWN, Source, Watched

FAST = (
    "power_w",
    "energy_j_total",
    "sm_clock_mhz",
    "memory_clock_mhz",
    "throttle_reasons",
    "temperature_c",
    "busy_percent",
    "memory_busy_percent",
    "memory_used_bytes",
)
SLOW = ("pcie_sent_bytes_total", "pcie_received_bytes_total", "ecc_corrected_total", "ecc_uncorrected_total")


@dataclass(frozen=True)
class Gpu:
    """One GPU or MIG slice.

    Args:
        nvml: the module pynvml.
        device: handle of the device itself.
        board: handle of the GPU that it is a part of; `device` for a whole GPU.
    """

    nvml: Any
    device: Any
    board: Any

    def ask(self, function: str, *arguments: Any) -> Any:
        """As `asked`."""
        return asked(self.nvml, function, *arguments)

    def fast(self) -> Sequence[float]:
        """The columns FAST."""
        nvml, board = self.nvml, self.board
        reasons = self.ask("nvmlDeviceGetCurrentClocksEventReasons", board)
        if reasons is None:  # the name before driver 535
            reasons = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons", board)
        use = self.ask("nvmlDeviceGetUtilizationRates", board)
        memory = self.ask("nvmlDeviceGetMemoryInfo", self.device)
        return [
            _scaled(self.ask("nvmlDeviceGetPowerUsage", board), 1e-3),
            _scaled(self.ask("nvmlDeviceGetTotalEnergyConsumption", board), 1e-3),
            _scaled(self.ask("nvmlDeviceGetClockInfo", board, nvml.NVML_CLOCK_SM)),
            _scaled(self.ask("nvmlDeviceGetClockInfo", board, nvml.NVML_CLOCK_MEM)),
            _scaled(reasons),
            _scaled(self.ask("nvmlDeviceGetTemperature", board, nvml.NVML_TEMPERATURE_GPU)),
            UNKNOWN if use is None else float(use.gpu),
            UNKNOWN if use is None else float(use.memory),
            UNKNOWN if memory is None else float(memory.used),
        ]

    def slow(self) -> Sequence[float]:
        """The columns SLOW. PCIe by field values: nvmlDeviceGetPcieThroughput measures for 20 ms at each call."""
        nvml = self.nvml
        fields = self.ask(
            "nvmlDeviceGetFieldValues", self.board, [nvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES, nvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES]
        )
        traffic = [float(one.value.ullVal) if one.nvmlReturn == 0 else UNKNOWN for one in fields or ()] or [UNKNOWN, UNKNOWN]
        errors = [
            _scaled(self.ask("nvmlDeviceGetTotalEccErrors", self.board, kind, nvml.NVML_VOLATILE_ECC))
            for kind in (nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED)
        ]
        return [*traffic, *errors]


def gpus(watched: Watched) -> list[Source]:
    """The run's GPUs and slices; [] where NVML cannot be used."""
    if not watched.gpus:
        return []
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no driver, no right: a run goes on without these readings
        return []
    found: list[Source] = []
    for number, uuid in enumerate(watched.gpus):
        gpu = _opened(pynvml, uuid)
        if gpu is not None:
            found.append(Source(f"gpu{number}", FAST, gpu.fast, FAST_S))
            found.append(Source(f"gpu{number}_links", SLOW, gpu.slow, SLOW_S))
    end = _ended(pynvml)
    if not found:
        end()
    return [Source(one.name, one.columns, one.read, one.period_s, end if one is found[0] else one.close) for one in found]


def _opened(nvml: Any, uuid: str) -> Gpu | None:
    try:
        device = nvml.nvmlDeviceGetHandleByUUID(uuid)
        board = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device) if uuid.startswith("MIG") else device
    except nvml.NVMLError:
        return None
    return Gpu(nvml, device, board)


def _ended(nvml: Any) -> Callable[[], None]:
    def end() -> None:
        with contextlib.suppress(nvml.NVMLError):
            nvml.nvmlShutdown()

    return end


def _scaled(value: Any, scale: float = 1.0) -> float:
    return UNKNOWN if value is None else float(value) * scale
