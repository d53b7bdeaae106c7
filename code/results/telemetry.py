"""What the machine did during a run, from the telemetry.npz that the launcher records beside LoadGen's logs.

Energy of GPUs is read from their energy counter where they have one: NVML's power readings average over part of the time only on some GPUs
(Yang et al., "Part-time Power Measurements: nvidia-smi's Lack of Attention", SC24).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from code.common import npyfile
from code.machine.nvml import POWER_CAP, SLOWDOWNS
from code.results.loadgen_log import LoadGenLog
from code.telemetry.source import FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

ZONES_S = 900
"""Time zones differ by multiples of this."""
Floats: TypeAlias = "NDArray[np.float64]"
CPU = re.compile(r"cpu(\d+)_busy_s_total")


@dataclass(frozen=True)
class Telemetry:
    """The readings of one test.

    Args:
        sources: source → column → readings, float64; column 't' has their times in s since the epoch.
        begin, end: of LoadGen's test, in s since the epoch.
    """

    sources: Mapping[str, Mapping[str, Floats]]
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long the test took."""
        return max(1e-3, self.end - self.begin)

    def of(self, source: str, column: str) -> tuple[Floats, Floats]:
        """(times, readings) of one column, without those that are unknown; empty where there is none."""
        content = self.sources.get(source, {})
        if column not in content:
            return np.zeros(0), np.zeros(0)
        known = np.isfinite(content[column])
        return content["t"][known], content[column][known]

    def during(self, source: str, column: str) -> Floats:
        """The readings of a column within the test."""
        times, values = self.of(source, column)
        inside: Floats = values[(times >= self.begin) & (times <= self.end)]
        return inside

    def gained(self, source: str, column: str) -> float | None:
        """What a column that only rises gained during the test; None where it was not read at least twice."""
        times, values = self.of(source, column)
        if len(times) < 2:
            return None
        first, last = np.interp([self.begin, self.end], times, values)
        return float(max(0.0, last - first))

    def gpus(self) -> list[str]:
        """The sources of GPUs, in the run's order."""
        return [name for name in self.sources if re.fullmatch(r"gpu\d+", name)]

    def cpus(self) -> list[int]:
        """The processors that were watched."""
        return [int(match.group(1)) for name in self.sources.get("processors", {}) if (match := CPU.fullmatch(name))]


def read(folder: Path, log: LoadGenLog, file: str = FILE) -> Telemetry | None:
    """The telemetry of a run; None if there is none, it is damaged, or the log does not tell when the test ran."""
    span = window(log)
    try:
        arrays = npyfile.read_archive(folder / file)
    except (OSError, ValueError):
        return None
    sources: dict[str, dict[str, Floats]] = {}
    for name, values in arrays.items():
        source, _, column = name.partition("/")
        if values.ndim == 1 and values.dtype.kind == "f":
            sources.setdefault(source, {})[column] = values.astype(np.float64)
    whole = {name: content for name, content in sources.items() if _is_whole(content)}
    return Telemetry(whole, *span) if span is not None and whole else None


def window(log: LoadGenLog) -> tuple[float, float] | None:
    """(begin, end) of LoadGen's test in s since the epoch, by its power marks, which have the time of day in the local zone."""
    started = _time(log.get("test_datetime"), "%Y-%m-%dT%H:%M:%SZ")
    begins = [_time(one, "%m-%d-%Y %H:%M:%S.%f") for one in log.all("power_begin")]
    ends = [_time(one, "%m-%d-%Y %H:%M:%S.%f") for one in log.all("power_end")]
    if started is None or not begins or not ends or begins[0] is None or ends[-1] is None:
        return None
    shift = round((started - begins[0]) / ZONES_S) * ZONES_S
    return begins[0] + shift, max(begins[0], ends[-1]) + shift


def summary(found: Telemetry, samples: int | None, tokens_per_s: float | None = None, file: str = FILE) -> dict[str, Any]:
    """The content of metadata.json's `telemetry`: energy and power with their method, other work, throttling, clocks.

    Args:
        samples: completed during the test; None where unknown.
        tokens_per_s: what a text generator wrote; None for other benchmarks.
    """
    content: dict[str, Any] = {"file": file, "seconds": round(found.seconds, 3), "readings": len(found.during("processors", "t"))}
    content.update(_shares(found))
    content.update(_peaks(found))
    content["energy"] = [{"of": of, **entry} for of, entry in _energies(found)]
    joules = sum(entry["joules"] for entry in content["energy"])
    if content["energy"]:
        content["energy_j"] = round(joules, 3)
        if samples:
            content["energy_per_sample_j"] = float(f"{joules / samples:.6g}")
        if tokens_per_s:
            content["energy_per_token_j"] = float(f"{joules / found.seconds / tokens_per_s:.6g}")
    content["gpus"] = [_gpu(found, name) for name in found.gpus()]
    return {key: value for key, value in content.items() if value != []}


def _shares(found: Telemetry) -> Iterator[tuple[str, float]]:
    """Shares of all watched processors' time that other work and the hypervisor took."""
    cpus = found.cpus()
    whole = found.seconds * len(cpus)
    gains = {what: [found.gained("processors", f"cpu{cpu}_{what}_s_total") for cpu in cpus] for what in ("busy", "stolen")}
    busy, stolen = (None if not cpus or None in of else sum(filter(None, of)) for of in gains.values())
    own = found.gained("own", "cpu_s_total")
    if busy is not None and own is not None:
        yield "other_work_share", round(min(1.0, max(0.0, busy - own) / whole), 4)
    if stolen is not None:
        yield "stolen_share", round(min(1.0, stolen / whole), 4)


def _peaks(found: Telemetry) -> dict[str, Any]:
    """What the processors and the harness did at most."""
    content: dict[str, Any] = {}
    gaps = [float(values[0]) for name, values in found.sources.get("before", {}).items() if name.endswith("_longest_gap_s")]
    if gaps:
        content["longest_gap_before_ms"] = round(max(gaps) * 1000, 3)
    throttled = found.gained("system", "throttled_s_total")
    if throttled is not None:
        content["throttled_s"] = round(throttled, 3)
    resident = found.during("own", "resident_bytes")
    if len(resident):
        content["resident_bytes_peak"] = int(resident.max())
    clocks = [found.during("clocks", name) for name in found.sources.get("clocks", {}) if name != "t"]
    if any(map(len, clocks)):
        content["cpu_clock_mhz"] = _extent(np.concatenate(clocks))
    return content


def _energies(found: Telemetry) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in found.sources.get("rapl", {}):
        joules = None if name == "t" else found.gained("rapl", name)
        if joules is not None:
            average = joules / found.seconds
            method = "RAPL, a model of the processor: no memory outside the package, no power supply"
            yield (
                name.removesuffix("_energy_j_total"),
                {"joules": round(joules, 3), "average_w": round(average, 2), "method": method},
            )
    for gpu in found.gpus():
        power = found.during(gpu, "power_w")
        counted = found.gained(gpu, "energy_j_total")
        joules, method = counted, "NVML's energy counter"
        if counted is None and len(power):
            joules, method = (
                float(power.mean()) * found.seconds,
                "NVML's power readings, which some GPUs take part of the time only",
            )
        if joules is not None:
            entry: dict[str, Any] = {"joules": round(joules, 3), "average_w": round(joules / found.seconds, 2), "method": method}
            yield gpu, {**entry, **({"peak_w": round(float(power.max()), 2)} if len(power) else {})}


def _gpu(found: Telemetry, name: str) -> dict[str, Any]:
    content: dict[str, Any] = {"name": name}
    for key, column in (("sm_clock_mhz", "sm_clock_mhz"), ("temperature_c", "temperature_c"), ("busy_percent", "busy_percent")):
        values = found.during(name, column)
        if len(values):
            content[key] = _extent(values)
    reasons = found.during(name, "throttle_reasons").astype(np.int64)
    if len(reasons):
        for key, bits in (("power_capped_share", POWER_CAP), ("slowed_share", SLOWDOWNS)):
            content[key] = round(float(((reasons & sum(bits)) != 0).mean()), 4)
    memory = found.during(name, "memory_used_bytes")
    if len(memory):
        content["memory_bytes_peak"] = int(memory.max())
    for key in ("ecc_corrected_total", "ecc_uncorrected_total", "pcie_sent_bytes_total", "pcie_received_bytes_total"):
        gained = found.gained(f"{name}_links", key)
        if gained is not None:
            content[key.removesuffix("_total")] = int(gained)
    return content


def _extent(values: Floats) -> dict[str, float]:
    return {"least": round(float(values.min()), 2), "mean": round(float(values.mean()), 2), "most": round(float(values.max()), 2)}


def _is_whole(content: Mapping[str, Floats]) -> bool:
    """Whether the columns of a source have one length and their times rise."""
    times = content.get("t")
    return (
        times is not None
        and len(times) > 0
        and bool(np.isfinite(times).all())
        and bool((np.diff(times) >= 0).all())
        and all(len(values) == len(times) for values in content.values())
    )


def _time(text: object, form: str) -> float | None:
    try:
        return datetime.strptime(str(text), form).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
