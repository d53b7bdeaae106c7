"""Values of other types, for each place of what strangers write."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
NUMBERS: tuple[Any, ...] = (-1, 0, 1.5, 1e300, 10**400, float("nan"), float("inf"))
WRONG: tuple[Any, ...] = (None, True, *NUMBERS, "", "x", "x" * 10_000, "\n", "²", [], {}, [[]], {"a": []})
"""Values of other types, tried in each place."""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, of lists the first entry only."""
    if at:
        yield at
    children = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def changed(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    out = copy.deepcopy(content)
    parent = out
    for key in at[:-1]:
        parent = parent[key]
    parent[at[-1]] = value
    return out
