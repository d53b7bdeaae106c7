"""The knobs that a run may turn, by their name in journals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from code.power.gpu_knobs import GpuClock, GpuFan, GpuMemoryClock, GpuPower
from code.power.knob import CpuClock, Knob

KNOBS: Mapping[str, Callable[[], Knob]] = {
    "gpu_power": GpuPower,
    "gpu_clock": GpuClock,
    "gpu_memory_clock": GpuMemoryClock,
    "gpu_fan": GpuFan,
    "cpu_clock": CpuClock,
}
