"""Expected values for a machine without measurements, from public figures of the nearest machine.

LoadGen sizes an Offline run by the expected rate and a SingleStream run by the expected latency. A rate a tenth below the true one, or a
latency of more than twice the true one, ends the run too early and makes it INVALID (loadgen/test_settings_internal.cc, kSlack); the
other side only costs time. So Offline takes the highest public figure of the accelerator, result or vendor's config, and latencies are
chosen low. Server takes less than what was completed.

A figure of another machine is scaled by the count of accelerators and by memory bandwidth and dense INT8 throughput (the geometric
mean of the two ratios, since a network is bound by one in some layers and by the other in the rest). What comes out is a first value
to tune from, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from code.common.constants import Memory
from code.machine.accelerator import GPU, MIG
from code.rules.benchmark_facts import BenchmarkFacts
from code.rules.benchmarks import facts_of
from code.rules.rounds import loadgen_scenario
from code.systems.data import published as public_results
from code.systems.data.gpus import GPUS
from code.systems.data.migs import MIGS
from code.systems.data.public_configs import PUBLIC_CONFIGS, VENDOR
from code.systems.data.systems import FAMILIES
from code.systems.known_hardware import KnownGPU, KnownMIG

SERVER_MARGIN = 0.9
"""First target as a share of a completed rate: a Server run just above its limit is INVALID, one just below is VALID."""

MIG_COMPUTE_SLICES = 7
MIG_MEMORY_SLICES = 8

LONE_LEAST = 2.0
"""How many times longer one sample alone takes than its share of a full batch where a GPU is small: an L4's v6.0 results."""

STREAM_QUERY = 12.0
"""Time of one MultiStream query of 8 samples, in samples' shares of a full batch."""

FIELD_OF = {
    "Offline": "offline_expected_qps",
    "Server": "server_target_qps",
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
    "Interactive": "server_target_qps",
}
"""The config field that each scenario's estimate is for."""


SYSTEM_OF = {row.name.format(count): (row.accelerator, count) for row in FAMILIES for count in row.counts}
"""Known system → its accelerator, and how many it has."""


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
        """Three significant digits, to the side that keeps a run long enough; a whole number from 100 on and for latencies."""
        unit = 10.0 ** (math.floor(math.log10(self.value)) - 2)
        count = round(self.value / unit, 6)  # 2.9 / 0.01 is a little more than 290
        whole = math.ceil(count) if self.field == FIELD_OF["Offline"] else math.floor(count) if self._is_latency else round(count)
        digits = float(f"{whole * unit:.3g}")
        return int(digits) if digits >= 100 or self._is_latency else digits

    @property
    def _is_latency(self) -> bool:
        return self.field.endswith("_ns")


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


class Figure(NamedTuple):
    """A public figure of `accelerators` of one kind: samples/s or queries/s, or ns for a latency; `source` is a phrase."""

    accelerator: str
    accelerators: int
    value: float
    source: str
    is_result: bool

    @property
    def each(self) -> float:
        """Its share of one accelerator."""
        return self.value / self.accelerators


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

    Returns None where there is no public figure to start from.
    """
    name = accelerator if isinstance(accelerator, str) else known_name(accelerator)
    here = speed_of(accelerator, bandwidth)
    if scenario in ("SingleStream", "MultiStream"):
        return _latency(benchmark, full_name, scenario, name, here)
    best = _best(_figures(benchmark, full_name, scenario), scenario, name, here, count)
    if best is None:
        return None
    ratio, words = _scale(best, name, here, count)
    exact = best.is_result and best.accelerator == name and best.accelerators == count
    field, rate = FIELD_OF[scenario], best.value * ratio
    if loadgen_scenario(scenario) == "Server":
        return Estimate(field, rate * SERVER_MARGIN, f"{SERVER_MARGIN:.0%} of {best.source}{words}", exact)
    return Estimate(field, rate, f"{'estimated: ' if words else ''}{best.source}{words}", exact)


def _latency(benchmark: str, full_name: str, scenario: str, name: str, here: Speed) -> Estimate | None:
    """A latency, which is of one accelerator whatever the count: published, or a few samples' share of the Offline rate."""
    best = _best(_figures(benchmark, full_name, "Offline"), "Offline", name, here, 1)
    if best is None:
        return None
    ratio, words = _scale(best, name, here, 1)
    share, field, facts = 1 / (best.value * ratio), FIELD_OF[scenario], facts_of(benchmark)
    factor = STREAM_QUERY
    if scenario == "SingleStream":
        known = [figure for figure in latencies(benchmark, full_name) if figure.accelerator == name]
        measured = next((figure for figure in known if figure.is_result), None)
        if measured is not None:
            return Estimate(field, measured.value, measured.source, True)
        lone = lone_seconds(facts, share)
        configured = min(known, key=lambda figure: figure.value, default=None)
        if configured is not None and configured.value < lone * 1e9:
            return Estimate(field, configured.value, configured.source, False)
        if lone == facts.lone_seconds:
            text = f"estimated: about what one sample takes on the fastest GPUs ({lone * 1e3:g} ms)"
            return Estimate(field, lone * 1e9, text, False)
        factor = lone / share
    text = f"estimated: {factor:.3g} samples' share of {best.source}{words}"
    return Estimate(field, factor * share * 1e9, text, False)


def lone_seconds(facts: BenchmarkFacts, share: float) -> float:
    """Seconds that one sample alone takes where its share of a full batch is `share` seconds."""
    return max(min(facts.lone_sample, LONE_LEAST) * share, min(facts.lone_sample * share, facts.lone_seconds))


def _figures(benchmark: str, full_name: str, scenario: str) -> list[Figure]:
    """Public rates of that accuracy target, else of the benchmark's other one."""
    full_names = {target.full_name for target in facts_of(benchmark).targets.values()}
    found = list(rates(full_name, scenario))
    return found or [figure for name in sorted(full_names) for figure in rates(name, scenario)]


def rates(full_name: str, scenario: str) -> Iterator[Figure]:
    """Public rates for one accuracy target: of Offline results the best, of Server results the median; then vendors' configs."""
    for row in public_results.PUBLISHED:
        if row.benchmark == full_name and row.scenario == scenario:
            value = row.best if scenario == "Offline" else row.samples_per_second
            several = f"the {'best' if scenario == 'Offline' else 'median'} of {row.submissions} public"
            source = (
                f"{several if row.submissions > 1 else 'a public'} {row.round} {row.benchmark} {scenario} "
                f"result{'s' if row.submissions > 1 else ''} on {row.accelerators} x {row.accelerator} ({value:g} samples/s)"
            )
            yield Figure(row.accelerator, row.accelerators, value, source, True)
    yield from _configured(full_name, scenario)


def latencies(benchmark: str, full_name: str) -> Iterator[Figure]:
    """Public SingleStream latencies in ns: results of the benchmark, and vendors' configs of the accuracy target."""
    names = {target.full_name for target in facts_of(benchmark).targets.values()}
    for row in public_results.LATENCIES:
        if row.benchmark in names:
            source = f"a public {row.round} {row.benchmark} SingleStream result on {row.accelerator} ({row.milliseconds:g} ms)"
            yield Figure(row.accelerator, 1, row.milliseconds * 1e6, source, True)
    yield from _configured(full_name, "SingleStream")


def _configured(full_name: str, scenario: str) -> Iterator[Figure]:
    for row in PUBLIC_CONFIGS:
        if row.benchmark == full_name and row.scenario == scenario:
            accelerator, count = SYSTEM_OF[row.system]
            source = f"{VENDOR} of {full_name} {scenario} for {row.system} ({row.expected:g})"
            yield Figure(accelerator, count, row.expected, source, False)


def _best(figures: Sequence[Figure], scenario: str, name: str, here: Speed, count: int) -> Figure | None:
    """The figure to start from.

    Offline: the highest per accelerator of the same kind, since a rate that is too low is INVALID; of configs, those of the same count
    if there is one. Server: a result of the same kind, then a config, the nearest count first. Without one of the same kind: one of the
    kind nearest in speed, results first.
    """
    near = sorted(figures, key=lambda figure: (not figure.is_result, _apart(figure, count)))
    same = [figure for figure in near if figure.accelerator == name]
    if same and scenario == "Offline":
        precise = [figure for figure in same if figure.is_result or figure.accelerators == count]
        return max(precise or same, key=lambda figure: figure.each)
    if same:
        return same[0]
    results = [figure for figure in near if figure.is_result]
    return min(near if scenario == "Offline" else results or near, key=lambda figure: _distance(figure, here), default=None)


def _apart(figure: Figure, count: int) -> float:
    """How far the figure's count of accelerators is from `count`."""
    return abs(math.log(count / figure.accelerators))


def _distance(figure: Figure, here: Speed) -> float:
    """How far the figure's kind of accelerator is in speed."""
    there = speed_of(figure.accelerator)
    apart = abs(math.log(here.bandwidth / there.bandwidth))
    if here.int8_tops is not None and there.int8_tops is not None:
        apart += abs(math.log(here.int8_tops / there.int8_tops))
    return apart


def _scale(figure: Figure, name: str, here: Speed, count: int) -> tuple[float, str]:
    ratio, words = count / figure.accelerators, ""
    if count != figure.accelerators:
        words += f", scaled to {count} by count"
    if figure.accelerator == name:
        return ratio, words
    there = speed_of(figure.accelerator)
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
