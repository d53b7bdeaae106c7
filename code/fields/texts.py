"""Values of options that are written as text: dicts by component and by flag, and precisions in every spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from code.common.constants import Precision

WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WORDS = {"true": True, "false": False, "none": None}


def pairs(text: str) -> dict[str, str]:
    """'bert:64,encoder:2' → {'bert': '64', 'encoder': '2'}. ValueError for a part that is not KEY:VALUE, and for a key given twice."""
    out: dict[str, str] = {}
    for part in _parts(text):
        key, colon, value = part.partition(":")
        key, value = key.strip().strip("'\""), value.strip().strip("'\"")
        if not colon or not key or not value or key in out:
            raise ValueError(part)
        out[key] = value
    if not out:
        raise ValueError(text)
    return out


def _parts(text: str) -> Iterator[str]:
    """The parts between commas; a comma inside brackets belongs to its part."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and depth <= 0:
            yield text[start:place]
            start = place + 1
    if text[start:].strip():
        yield text[start:]


def scalar(text: str) -> Any:
    """A flag's value as the type that it is spelled as: true, 3, 0.5, [1, 2], or text."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if WHOLE.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text):
        return float(text)
    if text.startswith("[") and text.endswith("]"):
        return [scalar(part.strip().strip("'\"")) for part in _parts(text[1:-1])]
    return text


def flags(text: str) -> dict[str, Any]:
    """'max_beam_width:4,context_fmha:enable' → {'max_beam_width': 4, 'context_fmha': 'enable'}. ValueError as `pairs`."""
    return {key: scalar(value) for key, value in pairs(text).items()}


def plain(value: Any) -> Any:
    """A value of a config file without its classes: enum members become their text, dicts and lists of any class plain ones.

    What is neither a number, text, a switch nor made of those becomes its text, as a path does.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def precision(value: Any) -> str | None:
    """'float16', 'int4_awq', Precision.FP16 → 'fp16', 'int4', 'fp16'; 'auto' as it is; None for what names no precision."""
    if isinstance(value, str) and value.lower() == "auto":
        return "auto"
    found = Precision.get_match(str(value)) if isinstance(value, (str, Enum)) else None
    return str(found) if found else None
