"""Strategies that harm good content: JSON in some of its places, texts in some of their lines, files in some of their bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

NUMBERS = [-1, 0, 1, 2, 1.5, -0.0, 5e-324, 1e300, 10**400, 2**31, 2**63, 2**64, float("nan"), float("inf"), float("-inf")]
WORDS = [
    "",
    " ",
    "x",
    "\n",
    "a\r\nimport os",
    "\0",
    "²",
    "٣",
    "\ud800",
    "\x1b[31m",
    "[red]",
    "{tmp}",
    "%s",
    "=1+1",
    "../../x",
    "/",
    "N/A",
]
SCALARS = st.one_of(
    st.sampled_from([None, True, False, *NUMBERS, *WORDS, "x" * 10_000]),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.integers(-5, 5000).map(str),
)
VALUES = st.one_of(
    SCALARS,
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=5
    ),
)
"""Anything that JSON can hold, and what some writers put there though it cannot."""
TOKENS = [
    b"",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"[" * 3000,
    b'{"a":' * 3000,
    b'"',
    b"\n",
    b"\r",
    b":::MLLOG",
    b"\x93NUMPY",
    b"\x1f\x8b",
    b",",
    b"]",
    b"}",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value."""
    if at:
        yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def json_of(content: Any) -> st.SearchStrategy[Any]:
    """The content with one to four places changed, dropped, doubled, or exchanged for another's value; sometimes all of it."""
    every = list(places(content))

    @st.composite
    def harmed(draw: Callable[..., Any]) -> Any:
        out = copy.deepcopy(content)
        for _ in range(draw(st.integers(1, 4))):
            out = _edit(draw, out, draw(st.sampled_from(every)))
        return out

    return st.one_of(harmed(), harmed(), harmed(), VALUES) if every else VALUES


def _edit(draw: Callable[..., Any], content: Any, at: tuple[Any, ...]) -> Any:
    parent = content
    try:
        for key in at[:-1]:
            parent = parent[key]
        old = parent[at[-1]]
    except (KeyError, IndexError, TypeError):  # an earlier change has removed it
        return content
    if not isinstance(parent, (dict, list)):  # or has put a text in its place
        return content
    how = draw(st.sampled_from(["value", "value", "value", "drop", "add", "number", "wrap"]))
    if how == "drop":
        del parent[at[-1]]
    elif how == "add" and isinstance(old, dict):
        old[draw(st.text(max_size=8))] = draw(VALUES)
    elif how == "add" and isinstance(old, list):
        old.extend([copy.deepcopy(old[0])] * draw(st.integers(1, 40)) if old and draw(st.booleans()) else [draw(VALUES)])
    elif how == "number" and isinstance(old, (int, float)):
        parent[at[-1]] = draw(st.sampled_from([old + 1, -old, old * 1000, str(old), [old], old / 3 if abs(old) < 1e300 else 0]))
    elif how == "wrap":
        parent[at[-1]] = draw(st.sampled_from([[old], {"a": old}, str(old)]))
    else:
        parent[at[-1]] = draw(VALUES)
    return content


def dumped(content: Any) -> bytes:
    """As a careless program writes it: NaN and halves of surrogate pairs included."""
    return json.dumps(content).encode()


def json_bytes(content: Any) -> st.SearchStrategy[bytes]:
    """A file of JSON: mostly JSON of other content, sometimes with bytes that are none."""
    good = dumped(content)
    return st.one_of(json_of(content).map(dumped), json_of(content).map(dumped), json_of(content).map(dumped), bytes_of(good))


def bytes_of(good: bytes) -> st.SearchStrategy[bytes]:
    """Cut, with bytes flipped, tokens put in, pieces doubled or dropped."""

    @st.composite
    def harmed(draw: Callable[..., Any]) -> bytes:
        out = good
        for _ in range(draw(st.integers(1, 3))):
            at = draw(st.integers(0, len(out)))
            length = draw(st.one_of(st.integers(0, 8), st.integers(0, max(0, len(out) - at))))
            how = draw(st.sampled_from(["flip", "cut", "token", "double", "drop", "random"]))
            if how == "flip" and at < len(out):
                out = out[:at] + bytes([out[at] ^ 1 << draw(st.integers(0, 7))]) + out[at + 1 :]
            elif how == "cut":
                out = out[:at]
            elif how == "double":
                out = out[: at + length] + out[at : at + length] + out[at + length :]
            elif how == "drop":
                out = out[:at] + out[at + length :]
            else:
                put = draw(st.sampled_from(TOKENS) if how == "token" else st.binary(max_size=16))
                out = out[:at] + put + out[at + len(put) * (how == "random") :]
        return out

    return harmed()


def lines_of(good: str) -> st.SearchStrategy[bytes]:
    """A text with lines dropped, doubled, exchanged, or with other numbers and words in them."""
    lines = good.splitlines(keepends=True)

    @st.composite
    def harmed(draw: Callable[..., Any]) -> bytes:
        out = list(lines)
        for _ in range(draw(st.integers(1, 4))):
            if not out:
                break
            at = draw(st.integers(0, len(out) - 1))
            how = draw(st.sampled_from(["drop", "double", "swap", "word", "word", "join"]))
            if how == "drop":
                del out[at]
            elif how == "double":
                out.insert(at, out[at])
            elif how == "swap":
                other = draw(st.integers(0, len(out) - 1))
                out[at], out[other] = out[other], out[at]
            elif how == "join":
                out[at] = out[at].rstrip("\n")
            else:
                words = out[at].split(" ")
                place = draw(st.integers(0, len(words) - 1))
                words[place] = str(draw(SCALARS))
                out[at] = " ".join(words)
        return "".join(out).encode("utf-8", "surrogatepass")

    return st.one_of(harmed(), harmed(), bytes_of(good.encode()))
