"""Shapes of foreign data: each turns a JSON value into a value of a known type, or drops it with a note.

A door that data of another program or person passes reads it through a shape once; behind it nobody checks again. One bad item costs
itself: an optional key becomes None, an entry of a list is left out, and only a required key takes its object with it.

    GPU = record(required={"index": whole(0, 4095)}, optional={"name": words(200)})
    found = listing(GPU).read(content, "gpus", notes)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_SHOWN = 40


class MisfitError(ValueError):
    """A value that does not have the shape; its text is the reason."""


@dataclass(frozen=True)
class Shape:
    """One shape.

    Args:
        convert: called with the value, its place and the notes; returns the value of the known type, raises MisfitError.
    """

    convert: Callable[[Any, str, list[str]], Any]

    def read(self, value: Any, at: str, notes: list[str]) -> Any:
        """The value in this shape; None, with a note, for one that does not have it.

        Args:
            at: where the value is, for the note: 'gpus[0].name'.
        """
        try:
            return self.convert(value, at, notes)
        except MisfitError as misfit:
            notes.append(f"{at} {misfit}")
            return None


def natural(text: str | None, most: int = 2**53) -> int | None:
    """A number in decimal digits and not above `most`; None for anything else, also for digits of other scripts."""
    if not text or len(text) > 20 or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= most else None


def one_line(text: str) -> str:
    """A text in one line: control characters and runs of white space become a space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def words(most: int = 4096) -> Shape:
    """Text as `one_line` makes it."""

    def convert(value: Any, _at: str, _notes: list[str]) -> str:
        if not isinstance(value, str):
            raise MisfitError(f"is {_shown(value)}, not text")
        line = one_line(value)
        if len(line) > most:
            raise MisfitError(f"has {len(line):,} characters, and at most {most:,} are read")
        return line

    return Shape(convert)


def choice(*known: str) -> Shape:
    """One of some words."""

    def convert(value: Any, _at: str, _notes: list[str]) -> str:
        if not isinstance(value, str) or value not in known:
            raise MisfitError(f"is {_shown(value)}, not one of {', '.join(known)}")
        return value

    return Shape(convert)


def whole(least: int, most: int) -> Shape:
    """A whole number in a range."""

    def convert(value: Any, _at: str, _notes: list[str]) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise MisfitError(f"is {_shown(value)}, not a whole number from {least:,} to {most:,}")
        return value

    return Shape(convert)


def real(least: float, most: float) -> Shape:
    """A finite number in a range, as a float."""

    def convert(value: Any, _at: str, _notes: list[str]) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not least <= value <= most or not math.isfinite(value):
            raise MisfitError(f"is {_shown(value)}, not a number from {least:g} to {most:g}")
        return float(value)

    return Shape(convert)


def flag() -> Shape:
    """True or false."""

    def convert(value: Any, _at: str, _notes: list[str]) -> bool:
        if not isinstance(value, bool):
            raise MisfitError(f"is {_shown(value)}, not true or false")
        return value

    return Shape(convert)


def listing(of: Shape, most: int = 1 << 16, exactly: int | None = None) -> Shape:
    """A list; entries that do not fit are left out.

    Args:
        exactly: its length, in which case an entry that does not fit costs the list.
    """

    def convert(value: Any, at: str, notes: list[str]) -> list[Any]:
        if not isinstance(value, list) or len(value) > most or (exactly is not None and len(value) != exactly):
            raise MisfitError(
                f"is {_shown(value)}, not a list of {exactly if exactly is not None else f'at most {most:,}'} entries"
            )
        if exactly is not None:
            return [of.convert(entry, f"{at}[{number}]", notes) for number, entry in enumerate(value)]
        found = (of.read(entry, f"{at}[{number}]", notes) for number, entry in enumerate(value))
        return [entry for entry in found if entry is not None]

    return Shape(convert)


def mapping(of: Shape, most: int = 1 << 12) -> Shape:
    """An object of any keys; entries that do not fit are left out."""

    def convert(value: Any, at: str, notes: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise MisfitError(f"is {_shown(value)}, not an object of at most {most:,} entries")
        found = {str(key): of.read(entry, f"{at}.{key}", notes) for key, entry in value.items()}
        return {key: entry for key, entry in found.items() if entry is not None}

    return Shape(convert)


def record(required: Mapping[str, Shape] | None = None, optional: Mapping[str, Shape] | None = None, keep: bool = False) -> Shape:
    """An object of known keys. An optional key that is absent, null or does not fit is left out; other keys are dropped.

    Args:
        keep: keep other keys as they are.
    """
    needed, known = dict(required or {}), dict(optional or {})

    def convert(value: Any, at: str, notes: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MisfitError(f"is {_shown(value)}, not an object")
        out = {key: entry for key, entry in value.items() if keep and key not in needed and key not in known}
        for key, shape in needed.items():
            if key not in value:
                raise MisfitError(f"has no {key}")
            out[key] = shape.convert(value[key], f"{at}.{key}", notes)
        for key, shape in known.items():
            found = None if value.get(key) is None else shape.read(value[key], f"{at}.{key}", notes)
            if found is not None:
                out[key] = found
        return out

    return Shape(convert)


def anything() -> Shape:
    """Any JSON value, unread."""
    return Shape(lambda value, _at, _notes: value)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, Sequence)) and not isinstance(value, str):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,} entries"
    try:
        text = repr(value)
    except ValueError:  # Python prints no int of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
