"""Compare LoadGen's summary with its detail log to detect edited summaries.

The summary is text for people ("Samples per second: 73309.5"); the detail log is authoritative. Every label with a counterpart there is
compared. Counts, settings and latencies are whole numbers, which LoadGen writes in full to both files: they must be equal. A rate is one
double that LoadGen formats twice, with six significant digits (16003) or with two decimals (16002.97): the two texts agree if some double
is written as each of them. The JSON type of a rate says nothing, since 16003.0 is written as 16003.

Source: PerformanceSummary in LoadGen's results.cc, ArgValueTransform in logging.h, DoubleToString in utils.cc.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from code.results.loadgen_log import LoadGenLog

RATES: dict[str, tuple[str, ...]] = {
    "Samples per second": ("result_samples_per_second",),
    "Completed samples per second": ("result_completed_samples_per_sec",),
    "Scheduled samples per second": ("result_scheduled_samples_per_sec",),
    "Tokens per second": ("result_tokens_per_second",),
    "Completed tokens per second": ("result_completed_tokens_per_second",),
    "Tokens per second (inferred)": ("result_inferred_tokens_per_second",),
    "Completed tokens per second (inferred)": ("result_inferred_completed_tokens_per_second",),
    "QPS w/ loadgen overhead": ("result_qps_with_loadgen_overhead",),
    "QPS w/o loadgen overhead": ("result_qps_without_loadgen_overhead",),
    "target_qps": ("effective_target_qps",),
    "accuracy_log_probability": ("effective_accuracy_log_probability",),
}
"""Label → keys of doubles. LoadGen's own TPS lines are left out: the detail log has them per nanosecond."""
LABELS: dict[str, tuple[str, ...]] = {
    "Scenario": ("effective_scenario",),
    "Mode": ("effective_test_mode",),
    "SUT name": ("sut_name",),
    "Result is": ("result_validity",),
    "Min latency (ns)": ("result_min_latency_ns", "result_min_query_latency_ns"),
    "Max latency (ns)": ("result_max_latency_ns", "result_max_query_latency_ns"),
    "Mean latency (ns)": ("result_mean_latency_ns", "result_mean_query_latency_ns"),
    "Min First Token latency (ns)": ("result_first_token_min_latency_ns",),
    "Max First Token latency (ns)": ("result_first_token_max_latency_ns",),
    "Mean First Token latency (ns)": ("result_first_token_mean_latency_ns",),
    **{
        f"{word} Time {what} Output Token (ns)": (f"result_time_to_output_token_{word.lower()}",)
        for word in ("Min", "Max", "Mean")
        for what in ("per", "to")
    },
    "Performance constraints satisfied": ("result_perf_constraints_met",),
    "Min duration satisfied": ("result_min_duration_met",),
    "Min queries satisfied": ("result_min_queries_met",),
    "Early stopping satisfied": ("early_stopping_met",),
    "ttft_latency (ns)": ("effective_server_ttft_latency", "requested_server_ttft_latency"),
    "tpot_latency (ns)": ("effective_server_tpot_latency", "requested_server_tpot_latency"),
    "target_latency (ns)": ("effective_target_latency_ns",),
    "min_duration (ms)": ("effective_min_duration_ms",),
    "max_duration (ms)": ("effective_max_duration_ms",),
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
            "performance_sample_count",
        )
    },
    **RATES,
}
"""Label → the keys of the detail log that may hold its value, which depends on the scenario and on LoadGen's version."""
_PERCENTILES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"^(\d+(?:\.\d+)?)(?:st|nd|rd|th)? {what} \(ns\)$"), keys)
    for what, keys in (
        ("percentile latency", ("result_{}_percentile_latency_ns", "result_{}_percentile_per_query_latency_ns")),
        ("(?:percentile first token|first token percentile) latency", ("result_first_token_{}_percentile_latency_ns",)),
        ("percentile time to output token", ("result_time_per_output_token_{}_percentile_ns",)),
    )
)
_STOPPING = re.compile(r"^(?:(TTFT|TPOT) )?Early Stopping Result$")
_ESTIMATE = re.compile(r"^\* Early stopping (\d+(?:\.\d+)?)th percentile estimate$")
_ESTIMATES = {90.0: "early_stopping_latency_ss", 99.0: "early_stopping_latency_ms"}
_TEXTS = {"": "early_stopping_result", "TTFT": "early_stopping_ttft_result", "TPOT": "early_stopping_tpot_result"}
"""What an estimate is of → the key of LoadGen's sentences about it, which have the same figure."""
_DIGITS, _DECIMALS = 6, 2
"""How LoadGen writes a double: with six significant digits (operator<<), or with two decimals (DoubleToString)."""
_LEAST = 0.5e-6
"""Half of the last of the six decimals that some versions write into the detail log (std::to_string)."""
_SLACK = 1e-9


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
    subject = ""
    for number, text in enumerate(summary.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        label, colon, value = (part.strip() for part in text.partition(":"))
        heading = _STOPPING.match(label)
        if heading:
            subject = heading.group(1) or ""
        if not colon or not value:
            continue
        known = _estimate(label, subject, log) or [(key, log.get(key)) for key in _keys(label) if key in log]
        same = rates_agree if label in RATES else _same
        if not known or any(same(value, found) for _, found in known):
            continue
        yield Disagreement(number, label, value, known[0][0], str(known[0][1]))


def has_result(summary: Path) -> bool:
    """Whether the file is a performance summary with a verdict."""
    return any(line.startswith("Result is") for line in summary.read_text(encoding="utf-8-sig", errors="replace").splitlines())


def _keys(label: str) -> tuple[str, ...]:
    for pattern, keys in _PERCENTILES:
        found = pattern.match(label)
        if found:
            return tuple(key.format(f"{float(found.group(1)):.2f}") for key in keys)
    return LABELS.get(label, ())


def _estimate(label: str, subject: str, log: LoadGenLog) -> list[tuple[str, object]]:
    """Where the detail log has an early-stopping estimate; [] for another label.

    With token latencies LoadGen estimates TPOT, then TTFT, and keeps the last figure in the keys that hold a latency otherwise. Only its
    sentences tell them apart.

    Args:
        subject: 'TTFT' or 'TPOT', of the heading above the line; '' for a run's latency.
    """
    found = _ESTIMATE.match(label)
    if not found:
        return []
    percentile, key = float(found.group(1)), _TEXTS[subject]
    stated = re.search(rf"\* Early stopping {percentile:.1f}th percentile estimate: (\d+)", str(log.get(key, "")))
    out: list[tuple[str, object]] = [(key, int(stated.group(1)))] if stated else []
    latency = _ESTIMATES.get(percentile, "")
    if not subject and latency in log:
        out.append((latency, log.get(latency)))
    return out


def _same(shown: str, found: object) -> bool:
    """Whether a word or a whole number is shown as the detail log has it. A number with a fraction is compared as a rate."""
    if isinstance(found, bool):
        return shown.lower() in (("1", "true", "yes") if found else ("0", "false", "no"))
    if isinstance(found, float):
        return rates_agree(shown, found)
    return shown == str(found)


def rates_agree(shown: str, found: object) -> bool:
    """Whether one double can be written as `shown` in the summary and as `found`, an int or a float, in the detail log.

    The difference may be half a unit of the last digit that LoadGen wrote, in each of the two.
    """
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return False
    try:
        value = float(shown)
    except ValueError:
        return False
    if not math.isfinite(value) or not math.isfinite(found):
        return repr(value) == repr(float(found))
    return abs(value - found) <= (_rounding(shown, value) + max(_half_unit(found), _LEAST)) * (1 + _SLACK)


def _rounding(shown: str, value: float) -> float:
    """Most that rounding changed: six significant digits without trailing zeros, two decimals, or as many digits as there are."""
    mantissa, _, exponent = shown.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    last = 0.5 * 10.0 ** (int(exponent or 0) - decimals)
    if len(re.sub(r"\D", "", mantissa).lstrip("0")) > _DIGITS:
        return last
    return max(last, _half_unit(value)) if decimals == _DECIMALS and not exponent else _half_unit(value)


def _half_unit(value: float) -> float:
    """Half a unit of the sixth significant digit."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1) if value else 0.0
