"""Definition of one option: name, type, unit, range and help. The options themselves are in code/fields/rows."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from code.common.constants import AliasedName
from code.common.errors import UsageError, nearest
from code.common.files import not_stored
from code.fields import texts

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")
NUMERIC = ("int", "float", "batch")
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MOST_DIGITS = 400
"""Python takes seconds to parse an int of a million digits; no field accepts thirty."""
MOST_SHOWN = 60
WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "str": "text",
    "list": "a list",
    "batch": "a whole number or a dict such as {'bert': 64}, written bert:64 on the command line,",
    "flags": "a dict of flags, written max_beam_width:4,context_fmha:enable on the command line",
}
"""Type → what an error says that a value must be."""


@dataclass(frozen=True)
class Field:
    """One option of the harness.

    Args:
        name: as config classes, the command line (`--name`) and the environment (`MLPINF_NAME`) spell it.
        type: 'int', 'float', 'str', 'bool', 'list' (comma-separated), 'batch' (an int, or a dict of component to int; as text
            'bert:64,encoder:2'), 'precision' (in any spelling, or a dict of component to precision), 'flags' (a dict of flag to
            value; as text 'max_beam_width:4,context_fmha:enable'), 'any' (an option of another harness, whose value is not read).
        help: one sentence.
        group: the heading it is documented under.
        unit: of its value: 'ms', 'ns', 'samples/s', …
        default: the value when it is not set; None means unset.
        choices: the only values it takes, in any case.
        spellings: other spellings of choices, as (spelling, choice).
        benchmarks: those it applies to; empty means all.
        scenarios: those it applies to; empty means all.
        loadgen: the user.conf key that carries it.
        aliases: older names.
        request: it belongs to the request, not to a config class.
        class_only: only a config class can set it.
        placed: cannot be set by the user; the placement of a workload sets it (code/run/placement.py).
        limits: least and most of a number, both allowed; every numeric field has them.
        finite: whether a number must be finite.
        reads: it names files or folders that are read, so nothing that a reader would wait for.
    """

    name: str
    type: str
    help: str
    group: str
    unit: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    spellings: tuple[tuple[str, str], ...] = ()
    benchmarks: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    loadgen: str = ""
    aliases: tuple[str, ...] = ()
    request: bool = False
    class_only: bool = False
    placed: bool = False
    limits: tuple[float, float] | None = None
    finite: bool = True
    reads: bool = False

    def __post_init__(self) -> None:
        if self.numeric != (self.limits is not None):
            raise ValueError(f"field {self.name}: numeric fields, and only those, have limits")

    @property
    def environment(self) -> str:
        """The environment variable that sets it."""
        return f"MLPINF_{self.name.upper()}"

    @property
    def numeric(self) -> bool:
        """Whether its value is a number, or numbers by network."""
        return self.type in NUMERIC

    @property
    def least(self) -> float | None:
        """The minimum, inclusive; None if it is not a number."""
        return self.limits[0] if self.limits else None

    @property
    def most(self) -> float | None:
        """The maximum, inclusive; None if it is not a number."""
        return self.limits[1] if self.limits else None

    @property
    def range(self) -> str:
        """The limits as text: 'from 1 to 1,048,576'; '' if it is not a number."""
        return f"from {_shown(self.limits[0])} to {_shown(self.limits[1])}" if self.limits else ""

    def parse(self, text: str, where: str) -> Any:
        """Parse `text` from the command line or the environment. UsageError if it is invalid."""
        if self.type == "bool":
            folded = text.lower()
            if folded in TRUE or folded in FALSE:
                return folded in TRUE
            raise self.bad(text, where)
        if self.type == "list":
            return [self._stored(word, where) for word in (part.strip() for part in text.split(",")) if word]
        if self.type in ("batch", "precision", "flags"):
            return self.check(self._by_component(text, where), where)
        if self.type in ("int", "float"):
            return self.check(self._number(text, where), where)
        return self.check(text, where)

    def check(self, value: Any, where: str) -> Any:
        """`value` from a config class as this field's type; UsageError where it is of another type or out of range."""
        if value is None or self.type == "any":
            return value
        if self.type == "bool":
            return self._bool(value, where)
        if self.type == "batch":
            return self._batch(value, where)
        if self.type == "list":
            return self._list(value, where)
        if self.type == "precision":
            return self._precision(value, where)
        if self.type in ("flags", "any"):
            return self._plain(value, where)
        return self._numeral(value, where) if self.numeric else self._text(value, where)

    def bad(self, value: Any, where: str) -> UsageError:
        """The error for a value that this field does not take."""
        wanted = WANTED.get(self.type, "")
        if self.choices:
            wanted = "one of " + ", ".join(self.choices)
        if self.numeric:
            wanted += f" {self.range}"
        near = nearest(str(value), self.choices) if self.choices else None
        unit = f" ({self.unit})" if self.unit else ""
        return UsageError(
            f"{self.name} cannot be {_shortened(value)}",
            f"it must be {wanted}{unit}" + (f"; the nearest is {near!r}" if near else ""),
            f"see `{self.name}` in documentation/{'commands' if self.request else 'fields'}.md",
            where,
        )

    def _bool(self, value: Any, where: str) -> bool:
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise self.bad(value, where)

    def _list(self, value: Any, where: str) -> Any:
        if isinstance(value, str):
            return self.parse(value, where)
        if not isinstance(value, (list, tuple, set)):
            raise self.bad(value, where)
        for item in value if self.reads else ():
            self._stored(str(item), where)
        return list(value)

    def _numeral(self, value: Any, where: str) -> int | float:
        if isinstance(value, bool) and self.type == "int":
            value = int(value)  # public configs write `gpu_copy_streams = True` for one
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.bad(value, where)
        return self._in_range(value, where)

    def _by_component(self, text: str, where: str) -> Any:
        """The dict that `text` writes, as JSON or as pairs; one value by itself for types that take one."""
        if text.lstrip().startswith("{"):
            return self._json(text, where)
        if self.type != "flags" and ":" not in text:
            return self._number(text, where) if self.numeric else text
        try:
            found = texts.flags(text) if self.type == "flags" else texts.pairs(text)
        except ValueError:
            raise self.bad(text, where) from None
        return {key: self._number(number, where) for key, number in found.items()} if self.numeric else found

    def _precision(self, value: Any, where: str) -> Any:
        """One of the choices, from any spelling; or a dict of component to one."""
        if isinstance(value, dict):
            if not value:
                raise self.bad(value, where)
            return {str(component): self._precision(item, where) for component, item in value.items()}
        matched = texts.precision(value)
        if matched not in self.choices:
            raise self.bad(value, where)
        return matched

    def _plain(self, value: Any, where: str) -> Any:
        """A value that is handed on as it is, without the classes of a config file; flags must be a dict."""
        if self.type == "flags" and not (isinstance(value, dict) and all(isinstance(key, str) for key in value)):
            raise self.bad(value, where)
        return texts.plain(value)

    def _text(self, value: Any, where: str) -> str:
        """`value` as text: config files also write paths, numbers and members of enums. UsageError for anything else."""
        if not isinstance(value, (str, int, float, PurePath, Enum, AliasedName)):
            raise self.bad(value, where)
        text = str(value) if not isinstance(value, str) else value
        if not self.choices:
            return self._stored(text, where)
        spelled = (*((choice, choice) for choice in self.choices), *self.spellings)
        matched = {spelling.lower(): choice for spelling, choice in spelled}.get(text.lower())
        if matched is None:
            raise self.bad(value, where)
        return matched

    def _stored(self, text: str, where: str) -> str:
        """`text`. UsageError where it names a pipe, a device or a file of the kernel, and this field's files are read."""
        if self.reads and (why := not_stored(Path(text))):
            raise UsageError(f"{self.name} cannot be {text!r}", why, "name a file or folder on a disk", where)
        return text

    def _in_range(self, value: int | float, where: str) -> int | float:
        """`value` as this field's type; UsageError for one that is not finite, not whole or out of range."""
        least, most = self.limits or (-math.inf, math.inf)
        boundless = not self.finite and value in (math.inf, -math.inf)
        if not boundless and not least <= value <= most:  # nan is outside every range
            raise self.bad(value, where)
        if self.type == "float":
            return float(value)
        if isinstance(value, float) and not value.is_integer():
            raise self.bad(value, where)
        return int(value)

    def _number(self, text: str, where: str) -> int | float:
        """Parse an ASCII number. UsageError for anything else, or for more digits than any field accepts."""
        digits = text.strip().replace("_", "") if "__" not in text else ""
        if len(digits) > MOST_DIGITS:
            raise self.bad(text, where)
        if WHOLE.fullmatch(digits):
            return int(digits)
        if NUMBER.fullmatch(digits):
            return float(digits)
        if not self.finite and digits.lower() in ("inf", "+inf", "-inf"):
            return float(digits)
        raise self.bad(text, where)

    def _json(self, text: str, where: str) -> Any:
        try:
            return json.loads(text.replace("'", '"'))
        except (ValueError, RecursionError):
            raise self.bad(text, where) from None

    def _batch(self, value: Any, where: str) -> Any:
        numbers = list(value.values()) if isinstance(value, dict) else [value]
        if not numbers:
            raise self.bad(value, where)
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int):
                raise self.bad(value, where)
            if self.limits is not None and not self.limits[0] <= number <= self.limits[1]:
                raise self.bad(value, where)
        return {str(name): number for name, number in value.items()} if isinstance(value, dict) else value


def _shown(number: float) -> str:
    """A number as text: '1,048,576', '0.1', '1e+12'."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _shortened(value: Any) -> str:
    """A value as shown in an error."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print an int of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
