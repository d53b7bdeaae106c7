"""Compare LoadGen's summary with its detail log to detect edited summaries.

The summary is text for people ("Samples per second: 73309.5"); the detail log is authoritative. Every label with a counterpart
there is compared: integers and words exactly, other numbers to the digits shown and six significant digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from code.results.loadgen_log import LoadGenLog

LABELS: dict[str, tuple[str, ...]] = {
    "Scenario": ("effective_scenario",),
    "Mode": ("effective_test_mode",),
    "SUT name": ("sut_name",),
    "Result is": ("result_validity",),
    "Samples per second": ("result_samples_per_second",),
    "Completed samples per second": ("result_completed_samples_per_sec",),
    "Scheduled samples per second": ("result_scheduled_samples_per_sec",),
    "Min latency (ns)": ("result_min_latency_ns", "result_min_query_latency_ns"),
    "Max latency (ns)": ("result_max_latency_ns", "result_max_query_latency_ns"),
    "Mean latency (ns)": ("result_mean_latency_ns", "result_mean_query_latency_ns"),
    "target_qps": ("effective_target_qps",),
    "target_latency (ns)": ("effective_target_latency_ns",),
    "min_duration (ms)": ("effective_min_duration_ms",),
    "max_duration (ms)": ("effective_max_duration_ms",),
    "performance_sample_count": ("effective_performance_sample_count",),
    **{
        name: (f"effective_{name}",)
        for name in (
            "samples_per_query",
            "min_query_count",
            "max_query_count",
            "qsl_rng_seed",
            "sample_index_rng_seed",
            "schedule_rng_seed",
            "accuracy_log_rng_seed",
            "accuracy_log_sampling_target",
        )
    },
}
_PERCENTILE = re.compile(r"^(\d+(?:\.\d+)?)(?:st|nd|rd|th)? percentile latency \(ns\)$")
_ESTIMATE = re.compile(r"^\* Early stopping (90|99)(?:\.0)?th percentile estimate$")
_ESTIMATES = {"90": "early_stopping_latency_ss", "99": "early_stopping_latency_ms"}
_PRECISION = 1e-5
_UNSET = {"0", "0.0"}


@dataclass(frozen=True)
class Disagreement:
    """A value that differs between the two files."""

    line: int
    label: str
    summary: str
    key: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.label!r} is {self.summary}, but {self.key} in mlperf_log_detail.txt is {self.detail}"


def disagreements(summary: Path, log: LoadGenLog) -> Iterator[Disagreement]:
    """Every value of the summary that the detail log contradicts."""
    for number, text in enumerate(summary.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        label, colon, value = (part.strip() for part in text.partition(":"))
        if not colon or not value:
            continue
        known = [(key, log.get(key)) for key in _keys(label) if key in log]
        if not known or any(_same(value, found) for _, found in known):
            continue
        yield Disagreement(number, label, value, known[0][0], str(known[0][1]))


def has_result(summary: Path) -> bool:
    """Whether the file is a performance summary with a verdict."""
    return any(line.startswith("Result is") for line in summary.read_text(encoding="utf-8", errors="replace").splitlines())


def _keys(label: str) -> tuple[str, ...]:
    found = _PERCENTILE.match(label)
    if found:
        percentile = f"{float(found.group(1)):.2f}"
        return (
            f"result_{percentile}_percentile_latency_ns",
            f"result_{percentile}_percentile_per_query_latency_ns",
        )
    found = _ESTIMATE.match(label)
    if found:
        return (_ESTIMATES[found.group(1)],)
    return LABELS.get(label, ())


def _same(shown: str, found: object) -> bool:
    if isinstance(found, bool):
        return shown in (str(int(found)), str(found))
    if isinstance(found, (int, float)):
        try:
            value = float(shown)
        except ValueError:
            return False
        decimals = len(shown.partition(".")[2])
        rounding = 0.5 * 10.0**-decimals * (1 + _PRECISION) if decimals else 0.0
        return abs(value - found) <= max(rounding, _PRECISION * abs(found) if isinstance(found, float) else 0.0)
    return shown == str(found)
