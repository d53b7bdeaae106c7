"""What one option is: its name, type, unit, help, and where it belongs. The options themselves are the rows of `field_rows`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from code.common.errors import UsageError, nearest

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Field:
    """One option of the harness.

    Args:
        name: as config classes, the command line (`--name`) and the environment (`MLPINF_NAME`) spell it.
        type: 'int', 'float', 'str', 'bool', 'list' (comma-separated), 'batch' (an int, or a dict of network name to int).
        help: one sentence.
        group: the heading it is documented under.
        unit: of its value: 'ms', 'ns', 'samples/s', …
        default: the value when nobody sets it; None means unset.
        choices: the only values it takes.
        benchmarks: those it applies to; empty means all.
        scenarios: those it applies to; empty means all.
        actions: those that read it, as letters: e(ngines), h(arness), c(alibrate), a(udit); empty means the request itself.
        loadgen: the user.conf key that carries it.
        aliases: older names.
        request: it steers the request and is no property of a config class.
        elsewhere: it is accepted because public configs set it, and this says whose hardware or server it is for.
        affects_engine: a change of its value means another engine.
    """

    name: str
    type: str
    help: str
    group: str
    unit: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    actions: str = ""
    loadgen: str = ""
    aliases: tuple[str, ...] = ()
    request: bool = False
    elsewhere: str = ""
    affects_engine: bool = False

    @property
    def environment(self) -> str:
        """The environment variable that sets it."""
        return f"MLPINF_{self.name.upper()}"

    @property
    def class_only(self) -> bool:
        """Whether only a config class can set it."""
        return not self.request and not self.actions

    def parse(self, text: str, where: str) -> Any:
        """The value that `text` (from a command line or the environment) means; UsageError if none."""
        if self.type == "bool":
            folded = text.lower()
            if folded in TRUE or folded in FALSE:
                return folded in TRUE
            raise self.bad(text, where)
        if self.type == "list":
            return [word for word in (part.strip() for part in text.split(",")) if word]
        if self.type == "batch":
            return self._batch(self._json(text, where) if text.lstrip().startswith("{") else self._int(text, where), where)
        if self.type == "int":
            return self._int(text, where)
        if self.type == "float":
            return self.check(self._number(text, where), where)
        return self.check(text, where)

    def check(self, value: Any, where: str) -> Any:
        """`value` from a config class as this field's type; UsageError where it is of another type."""
        if value is None:
            return None
        if self.type == "bool":
            if isinstance(value, bool):
                return value
            if value in (0, 1):
                return bool(value)
            raise self.bad(value, where)
        if self.type == "batch":
            return self._batch(value, where)
        if self.type == "list":
            if isinstance(value, str):
                return self.parse(value, where)
            return list(value)
        if self.type in ("int", "float"):
            if isinstance(value, bool) and self.type == "int":
                return int(value)  # public configs write `gpu_copy_streams = True` for one
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise self.bad(value, where)
            if self.type == "float":
                return float(value)
            if isinstance(value, float) and not value.is_integer():
                raise self.bad(value, where)
            return int(value)
        if isinstance(value, (dict, list, tuple, set)):
            raise self.bad(value, where)
        text = str(value) if not isinstance(value, str) else value
        if self.choices:
            matched = {c.lower(): c for c in self.choices}.get(text.lower())
            if matched is None:
                raise self.bad(value, where)
            return matched
        return text

    def bad(self, value: Any, where: str) -> UsageError:
        """The error for a value of the wrong type."""
        wanted = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "text"}.get(self.type, "")
        if self.type == "batch":
            wanted = "a whole number or a dict such as {'bert': 64}"
        if self.choices:
            wanted = "one of " + ", ".join(self.choices)
        near = nearest(str(value), self.choices) if self.choices else None
        unit = f" ({self.unit})" if self.unit else ""
        return UsageError(
            f"{self.name} cannot be {value!r}",
            f"it takes {wanted}{unit}" + (f"; the nearest is {near!r}" if near else ""),
            f"see `{self.name}` in documentation/fields.md",
            where,
        )

    def _int(self, text: str, where: str) -> Any:
        return self.check(self._number(text, where), where) if self.type == "int" else self._number(text, where)

    def _number(self, text: str, where: str) -> int | float:
        try:
            return int(text.replace("_", ""))
        except ValueError:
            try:
                return float(text)
            except ValueError:
                raise self.bad(text, where) from None

    def _json(self, text: str, where: str) -> Any:
        try:
            return json.loads(text.replace("'", '"'))
        except ValueError:
            raise self.bad(text, where) from None

    def _batch(self, value: Any, where: str) -> Any:
        numbers = list(value.values()) if isinstance(value, dict) else [value]
        if not numbers:
            raise self.bad(value, where)
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise self.bad(value, where)
        return value
