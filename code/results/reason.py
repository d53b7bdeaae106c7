"""Reasons for a run's verdict, each with the config field to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One cause of a verdict, or a note.

    Args:
        what: the condition that was missed, and by how much.
        field: the config field to change; '' if none helps.
        suggestion: the value to set, or what to do.
    """

    what: str
    field: str = ""
    suggestion: str = ""

    def knob(self) -> str:
        """The advice as a line: 'offline_expected_qps: 9650 or more'; '' if there is none."""
        return f"{self.field}: {self.suggestion}" if self.field and self.suggestion else self.suggestion

    def as_json(self) -> dict[str, str]:
        """The entry in metadata.json."""
        return {"what": self.what, "field": self.field, "suggestion": self.suggestion}


def round_up(value: float, digits: int = 3) -> float:
    """`value` rounded up to `digits` significant digits."""
    return _rounded(value, digits, math.ceil)


def round_down(value: float, digits: int = 2) -> float:
    """`value` rounded down to `digits` significant digits."""
    return _rounded(value, digits, math.floor)


def _rounded(value: float, digits: int, whole: Callable[[float], int]) -> float:
    if value <= 0 or not math.isfinite(value):
        return value
    exponent = math.floor(math.log10(value)) - digits + 1
    scaled = round(value / 10.0**exponent, 6)
    return float(whole(scaled) * 10**exponent) if exponent >= 0 else whole(scaled) / 10**-exponent


def number(value: float) -> str:
    """A number formatted for a config file, without exponent or trailing zeros: '9650', '0.25'."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value):
        return str(int(value))
    return repr(value) if "e" not in repr(value) else f"{value:.12f}".rstrip("0")
