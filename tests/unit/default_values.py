"""Every field's default, and some of them given on a command line."""

from __future__ import annotations

from typing import Any

from code.fields.table import FIELDS
from code.plan.request import Value

DEFAULTS = {field.name: Value(field.default, "default") for field in FIELDS}


def values(**given: Any) -> dict[str, Value]:
    """The defaults, but for what a command line gives."""
    return {**DEFAULTS, **{name: Value(value, f"command line --{name}") for name, value in given.items()}}
