"""Checks of values that one option's own range cannot express: zeros, shares, and minima above maxima."""

from __future__ import annotations

from collections.abc import Mapping

from code.common.constants import Scenario
from code.common.errors import UsageError
from code.fields.table import FIELDS, field_table
from code.plan.request import Value

TARGETS = ("target_qps", "target_latency")
"""LoadGen keys that must not be 0."""
PERCENTILES = tuple(option.name for option in FIELDS if option.loadgen == "target_latency_percentile")
ORDERED = (("min_duration", "max_duration"), ("min_query_count", "max_query_count"))
"""Minimum and maximum of the same quantity; a maximum of 0 is none."""


def check(values: Mapping[str, Value], scenario: Scenario) -> None:
    """UsageError for a combination of values that no run can have."""
    for option in FIELDS:
        if option.loadgen in TARGETS and scenario.valstr in option.scenarios and values[option.name].value == 0:
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
    for least, most in ORDERED:
        low, high = values[least].value, values[most].value
        if low is not None and high and low > high:
            raise UsageError(
                f"{least} is {low:,}, above {most}, which is {high:,}",
                f"{least}: {values[least].origin}; {most}: {values[most].origin}",
                f"lower {least}, or leave {most} out: 0 is no limit",
                _place(values[most]),
            )


def _place(value: Value) -> str:
    """Where a value was written, as errors cite it."""
    place = value.origin.removeprefix("config ")
    return place.partition(" ")[0] if place != value.origin else place
