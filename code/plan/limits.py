"""What an option's own range cannot express: zeros, shares, minima above maxima, what is not installed or left to measurement."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from code.backends.base import installed_instead
from code.common.constants import Scenario
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.fields.table import FIELDS, field_table
from code.machine.detect import DetectedSystem
from code.plan import precision_choice
from code.plan.request import Value
from code.rules.metrics import SAMPLES_PER_QUERY, TEN_MINUTES_MS

READS = Consumer("the choice of a runtime that is installed", ("backend",))
TARGETS = ("target_qps", "target_latency")
"""LoadGen keys that must not be 0."""
PERCENTILES = tuple(option.name for option in FIELDS if option.loadgen == "target_latency_percentile")
EXPECTED = {
    "Offline": "offline_expected_qps",
    "Server": "server_target_qps",
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
    "Interactive": "server_target_qps",
}
"""Scenario → the field that sets how many queries LoadGen generates."""
MOST_SAMPLES = 1e11
"""Of one test; LoadGen keeps tens of bytes of each in memory."""
LONGEST_S = 7 * 86_400
ORDERED = (("min_duration", "max_duration"), ("min_query_count", "max_query_count"))
"""Minimum and maximum of the same quantity; a maximum of 0 is none."""


def check(values: Mapping[str, Value], scenario: Scenario) -> None:
    """UsageError for a combination of values that no run can have."""
    for option in FIELDS:
        if option.loadgen in TARGETS and scenario.loadgen in option.scenarios and values[option.name].value == 0:
            raise UsageError(
                f"{option.name} is 0",
                f"{option.help.rstrip('.')}; 0 is a placeholder that was not filled in ({values[option.name].origin})",
                f"give a value: in the config class, or with --{option.name}={option.unit or 'VALUE'}",
                _place(values[option.name]),
            )
    for name in PERCENTILES:
        if values[name].value == 1:
            raise UsageError(
                f"{name} cannot be 1",
                f"it is given in per cent or as a share, and as a share 1 would be 100 %; {field_table()[name].range}",
                "write 99 or 0.99 for the 99th percentile",
                _place(values[name]),
            )
    _require_an_end(values, scenario)
    for least, most in ORDERED:
        low, high = values[least].value, values[most].value
        if low is not None and high and low > high:
            raise UsageError(
                f"{least} is {low:,}, above {most}, which is {high:,}",
                f"{least}: {values[least].origin}; {most}: {values[most].origin}",
                f"lower {least}, or leave {most} out: 0 is no limit",
                _place(values[most]),
            )


def _require_an_end(values: Mapping[str, Value], scenario: Scenario) -> None:
    """UsageError for settings with which a run would need more samples than any machine holds, or more than LONGEST_S."""

    def given(name: str, otherwise: float) -> float:
        value = values[name].value
        return float(value) if isinstance(value, (int, float)) else otherwise

    name = EXPECTED[scenario.valstr]
    expected = given(name, 1.0 if name.endswith("_qps") else 1e6)
    rate = expected if name.endswith("_qps") else 2e9 / expected  # LoadGen generates twice what an expected latency allows
    size = given("multi_stream_samples_per_query", SAMPLES_PER_QUERY) if scenario is Scenario.MultiStream else 1
    queries = given("min_query_count", 1)
    samples = size * max(queries, rate * given("min_duration", TEN_MINUTES_MS) / 1000)
    if samples > MOST_SAMPLES:
        raise UsageError(
            f"{name} and min_query_count ask for {samples:.3g} samples",
            f"LoadGen records each before the test, and at most {MOST_SAMPLES:.3g} are accepted ({values[name].origin})",
            "lower the rate or the number of queries, raise the expected latency, or shorten min_duration",
            _place(values[name]),
        )
    if scenario.loadgen == Scenario.Server.valstr and queries / rate > LONGEST_S:
        raise UsageError(
            f"a Server run of {queries:,.0f} queries at {rate:g} queries/s takes {queries / rate / 86_400:,.0f} days",
            f"at most {LONGEST_S / 86_400:.0f} are accepted ({values[name].origin})",
            "raise server_target_qps, or lower min_query_count",
            _place(values[name]),
        )


def _place(value: Value) -> str:
    """Where a value was written, as errors cite it."""
    place = value.origin.removeprefix("config ")
    return place.partition(" ")[0] if place != value.origin else place


def use_fastest(
    values: dict[str, Value],
    benchmark: str,
    scenario: Scenario,
    target: float,
    detected: DetectedSystem,
    overrides: Collection[str],
) -> None:
    """Replace a precision that is left to measurement by the one that is chosen; the origin says why.

    Args:
        target: the share of the reference's score that it must have reached.
        overrides: options of the request.
    """
    values["precision"] = precision_choice.chosen(values, benchmark, scenario.loadgen, target, detected, overrides)


def use_installed(values: dict[str, Value], chosen: bool) -> list[str]:
    """Replace a config's runtime that has no package on this platform by one that does the same; the note that says so."""
    named = READS.of(values)["backend"]
    other = None if chosen else installed_instead(str(named.value))
    if other is None:
        return []
    values["backend"] = Value(other, f"{named.origin}, whose {named.value} is not installed here")
    return [f"{named.value} is not installed here (documentation/platforms.md); {other} runs it instead"]
