"""Expected values for a machine without measurements, from public results of the nearest machine.

A result is scaled by the count of accelerators and by memory bandwidth and dense INT8 throughput (the geometric mean of the two
ratios, since a network is bound by one in some layers and by the other in the rest). What comes out is a first value to tune
from, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from code.common.constants import Memory
from code.machine.accelerator import GPU, MIG
from code.rules.benchmarks import facts_of
from code.systems.data.gpus import GPUS
from code.systems.data.migs import MIGS
from code.systems.data.published import PUBLISHED, ROUND, Published
from code.systems.known_hardware import KnownGPU, KnownMIG

SERVER_MARGIN = 0.9
"""First target as a share of a completed rate: a Server run just above its limit is INVALID, one just below is VALID."""

MIG_COMPUTE_SLICES = 7
MIG_MEMORY_SLICES = 8

STREAM_QUERY = 12.0
"""Time of one MultiStream query of 8 samples, in samples' shares of a full batch."""

FIELD_OF = {
    "Offline": "offline_expected_qps",
    "Server": "server_target_qps",
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
}
"""The config field that each scenario's estimate is for."""


class Speed(NamedTuple):
    """One accelerator's memory bandwidth in GB/s and dense INT8 throughput in TOPS; the second may be unknown."""

    bandwidth: float
    int8_tops: float | None


@dataclass(frozen=True)
class Estimate:
    """A value for a config field, and a sentence that gives its origin.

    `value` is in the field's unit: samples/s or queries/s, or ns for latencies. `published`: whether it is a public
    result for exactly this accelerator and count.
    """

    field: str
    value: float
    sentence: str
    published: bool

    @property
    def rounded(self) -> float | int:
        """Rounded to three significant digits; an integer from 100 on and for latencies."""
        digits = float(f"{self.value:.3g}")
        return int(digits) if digits >= 100 or self.field.endswith("_ns") else digits


def speed_of(accelerator: str | GPU, bandwidth: float | None = None) -> Speed:
    """An accelerator's speed: from its known name, its description, or (if unknown) its bandwidth in GB/s.

    An unknown GPU without a bandwidth is treated as the known one closest in memory size.
    """
    if isinstance(accelerator, GPU):
        name = known_name(accelerator)
        if name:
            return speed_of(name)
        if bandwidth:
            return Speed(bandwidth, None)
        return speed_of(_nearest_in_size(accelerator))
    if accelerator in MIGS:
        row = MIGS[accelerator]
        whole = speed_of(row.parent)
        tops = None if whole.int8_tops is None else whole.int8_tops * row.gpcs / MIG_COMPUTE_SLICES
        return Speed(whole.bandwidth * row.gpcs / MIG_MEMORY_SLICES, tops)
    gpu = GPUS[accelerator]
    return Speed(gpu.bandwidth, gpu.int8_tops)


def known_name(accelerator: GPU) -> str:
    """The known name of a described accelerator, "" if it has none. Ties are broken by the closest power limit."""
    from code.systems.matching import same_accelerator

    kinds = KnownMIG if isinstance(accelerator, MIG) else KnownGPU
    hits = [k for k in kinds if k.value == accelerator or same_accelerator(k.value, accelerator)[0]]
    power = accelerator.max_power_limit

    def off(kind: GPU) -> float:
        own = kind.max_power_limit
        return abs(own - power) if isinstance(own, (int, float)) and isinstance(power, (int, float)) else 0.0

    return min(hits, key=lambda k: off(k.value)).name if hits else ""


def estimate(
    benchmark: str, full_name: str, scenario: str, accelerator: str | GPU, count: int, bandwidth: float | None = None
) -> Estimate | None:
    """An expected value for one workload on `count` accelerators.

    Args:
        benchmark: short name, such as "bert".
        full_name: with its accuracy target, such as "bert-99.9".
        scenario: "Offline", "Server", "SingleStream" or "MultiStream".
        accelerator: a known name of a GPU or MIG slice, or a description.
        bandwidth: of an unknown accelerator, in GB/s.

    Returns None without a public result to start from.
    """
    latency = scenario in ("SingleStream", "MultiStream")
    rows = _rows(benchmark, full_name, "Offline" if latency else scenario)
    if not rows:
        return None
    name = accelerator if isinstance(accelerator, str) else known_name(accelerator)
    here = speed_of(accelerator, bandwidth)
    if latency:
        count = 1  # one query at a time is on one accelerator
    best = min(rows, key=lambda row: _distance(row, name, here, count))
    ratio, words = _scale(best, name, here, count)
    rate = best.samples_per_second * ratio
    field = FIELD_OF[scenario]
    exact = best.accelerator == name and best.accelerators == count
    source = (
        f"the median of {best.submissions} public {ROUND} {best.benchmark} {best.scenario} "
        f"result{'s' if best.submissions > 1 else ''} on {best.accelerators} x {best.accelerator} "
        f"({best.samples_per_second:g} samples/s)"
    )
    if latency:
        factor = facts_of(benchmark).lone_sample if scenario == "SingleStream" else STREAM_QUERY
        text = f"estimated: {factor:g} samples' share of {source}{words}"
        return Estimate(field, factor / rate * 1e9, text, False)
    if scenario == "Server":
        return Estimate(field, rate * SERVER_MARGIN, f"{SERVER_MARGIN:.0%} of {source}{words}", exact)
    return Estimate(field, rate, f"{'' if exact else 'estimated: '}{source}{words}", exact)


def _rows(benchmark: str, full_name: str, scenario: str) -> list[Published]:
    """Results for that accuracy target, else for the benchmark's other one."""
    rows = [row for row in PUBLISHED if row.scenario == scenario and row.benchmark == full_name]
    full_names = {target.full_name for target in facts_of(benchmark).targets.values()}
    return rows or [row for row in PUBLISHED if row.scenario == scenario and row.benchmark in full_names]


def _distance(row: Published, name: str, here: Speed, count: int) -> tuple[float, float]:
    """Sort key: the same accelerator first, then the one closest in speed; among its results the closest count."""
    there = speed_of(row.accelerator)
    apart = abs(math.log(here.bandwidth / there.bandwidth))
    if here.int8_tops is not None and there.int8_tops is not None:
        apart += abs(math.log(here.int8_tops / there.int8_tops))
    return (-1.0 if row.accelerator == name else apart), abs(math.log(count / row.accelerators))


def _scale(row: Published, name: str, here: Speed, count: int) -> tuple[float, str]:
    ratio, words = count / row.accelerators, ""
    if count != row.accelerators:
        words += f", scaled to {count} by count"
    if row.accelerator == name:
        return ratio, words
    there = speed_of(row.accelerator)
    by_memory = here.bandwidth / there.bandwidth
    how = f"memory bandwidth ({here.bandwidth:.4g} of {there.bandwidth:.4g} GB/s)"
    between = ", and" if words else ", scaled"
    if here.int8_tops is None or there.int8_tops is None:
        return ratio * by_memory, f"{words}{between} by {how}"
    by_compute = here.int8_tops / there.int8_tops
    how += f" and INT8 throughput ({here.int8_tops:.4g} of {there.int8_tops:.4g} TOPS)"
    return ratio * math.sqrt(by_memory * by_compute), f"{words}{between} by {how}"


def _nearest_in_size(accelerator: GPU) -> str:
    size = accelerator.vram.to_bytes() if isinstance(accelerator.vram, Memory) else 0

    def apart(name: str) -> float:
        vram = GPUS[name].vram
        if vram is None or not size:
            return math.inf if vram is None else 0.0
        return abs(math.log(Memory.from_string(vram[0]).to_bytes() / size))

    return min(GPUS, key=apart)
