"""Base of all hardware descriptions: the printed form, and patterns that a known system may use for a value.

A description prints as the Python expression that builds it (`SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={…}))`).
Automation reads that form from metadata.json, and `custom_list.py` files are written in it.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

from code.common.constants import AliasedName, Memory

__all__ = [
    "MATCH_ANY",
    "Hardware",
    "MatchAllowList",
    "MatchAny",
    "MatchFloatApproximate",
    "MatchNumericThreshold",
    "Matchable",
    "accepts",
    "obj_to_codestr",
]


class Matchable(ABC):
    """A pattern that accepts or rejects a value."""

    @abstractmethod
    def matches(self, other: Any) -> bool:
        """Whether the pattern accepts `other`."""


@dataclasses.dataclass(frozen=True, repr=False)
class MatchAny(Matchable):
    """Accepts everything. Use the instance MATCH_ANY."""

    def matches(self, other: Any) -> bool:
        return True

    def __repr__(self) -> str:
        return "MATCH_ANY"


MATCH_ANY: Final = MatchAny()


@dataclasses.dataclass(frozen=True, init=False, repr=False)
class MatchAllowList(Matchable):
    """Accepts a value if one of its values accepts it."""

    values: tuple[Any, ...]

    def __init__(self, values: Iterable[Any]) -> None:
        object.__setattr__(self, "values", tuple(values))

    def matches(self, other: Any) -> bool:
        return any(accepts(value, other) for value in self.values)

    def __repr__(self) -> str:
        return f"MatchAllowList({obj_to_codestr(list(self.values))})"


def _number(value: Any) -> float:
    """A number, or the size in bytes of a memory amount or configuration."""
    value = getattr(value, "host_memory_capacity", value)
    return float(value.to_bytes()) if isinstance(value, Memory) else float(value)


@dataclasses.dataclass(frozen=True, repr=False)
class MatchFloatApproximate(Matchable):
    """Accepts numbers or sizes within a relative tolerance of `o`."""

    o: Any
    to_float_fn: Callable[[Any], float] = _number
    rel_tol: float = 0.05

    def matches(self, other: Any) -> bool:
        if other is None:
            return False
        return math.isclose(self.to_float_fn(self.o), self.to_float_fn(other), rel_tol=self.rel_tol)

    def __repr__(self) -> str:
        return obj_to_codestr(self.o)


@dataclasses.dataclass(frozen=True, repr=False)
class MatchNumericThreshold(Matchable):
    """Accepts numbers or sizes of at least `o`, or of at most `o` if `min_threshold` is false."""

    o: Any
    to_numeric_fn: Callable[[Any], float] = _number
    min_threshold: bool = True

    def matches(self, other: Any) -> bool:
        bound, value = self.to_numeric_fn(self.o), self.to_numeric_fn(other)
        return value >= bound if self.min_threshold else value <= bound

    def __repr__(self) -> str:
        return obj_to_codestr(self.o)


def accepts(pattern: Any, value: Any) -> bool:
    """Whether a described value (plain, aliased, or one of the patterns above) accepts a detected one."""
    if isinstance(pattern, Matchable):
        return pattern.matches(value)
    if isinstance(pattern, AliasedName):
        return pattern.matches(value.name if isinstance(value, AliasedName) else value)
    return bool(pattern == value)


@dataclasses.dataclass(frozen=True, repr=False)
class Hardware(Matchable):
    """A component or a group of components. Equal when every field is; `matches` also honours patterns."""

    def matches(self, other: Any) -> bool:
        if type(other) is not type(self):
            return False
        return all(
            accepts(getattr(self, field.name), getattr(other, field.name)) for field in dataclasses.fields(self) if field.compare
        )

    def __repr__(self) -> str:
        return _constructor(self)

    def pretty_string(self) -> str:
        """The same as `repr`, with one field per line."""
        lines = [f"{type(self).__name__}:"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            text = value.pretty_string().replace("\n", "\n    ") if isinstance(value, Hardware) else obj_to_codestr(value)
            lines.append(f"    {field.name}: {text}")
        return "\n".join(lines)


def _quoted(text: str) -> str:
    """A string literal in double quotes. Characters that do not print are escaped: some of them end a line of source."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(escapes.get(c) or (c if c.isprintable() else repr(c)[1:-1]) for c in text) + '"'


def _number_literal(value: float) -> str:
    return f'float("{value}")' if isinstance(value, float) and not math.isfinite(value) else repr(value)


def _constructor(value: Any) -> str:
    arguments = ", ".join(f"{field.name}={obj_to_codestr(getattr(value, field.name))}" for field in dataclasses.fields(value))
    return f"{type(value).__name__}({arguments})"


def obj_to_codestr(value: Any) -> str:
    """The Python expression that builds `value`, in the form that custom_list.py files and metadata.json hold.

    Strings and names are in double quotes on one line, enum members are `Class.member`, dictionaries and dataclasses are written out.
    Numbers that are not finite have no literal and become `float("nan")`. Raises TypeError for any other type.
    """
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, (str, AliasedName)):
        return _quoted(value if isinstance(value, str) else value.name)
    if isinstance(value, (int, float)):
        return _number_literal(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ", ".join(obj_to_codestr(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{obj_to_codestr(key)}: {obj_to_codestr(item)}" for key, item in value.items()) + "}"
    if dataclasses.is_dataclass(value) and not isinstance(value, Matchable):
        return _constructor(value)
    if isinstance(value, Matchable):
        return repr(value)
    raise TypeError(f"{type(value).__name__} has no form as an expression")
