"""Strict reading of JSON into frozen dataclasses, at every depth.

The annotations of a dataclass are its schema: `int`, `float`, `bool`, `str`, `Literal`, `X | None`, `tuple[X, ...]`, `Mapping[str, X]`
and other dataclasses, with the bounds that `Annotated` adds. Every key is required and no other is allowed; a dataclass default
serves code that creates an instance, never a file. code/harness/schema/json_schema.py turns the same annotations into JSON Schema.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from code.common.errors import UsageError, nearest

NEXT_STEP = "run `make run_harness` again to write a new one"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Range:
    """Bounds of a number; `above` and `below` make a bound exclusive."""

    least: float
    most: float
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` is inside."""
        return (value > self.least if self.above else value >= self.least) and (
            value < self.most if self.below else value <= self.most
        )

    def __str__(self) -> str:
        return f"{'above' if self.above else 'from'} {self.least:.15g} {'to below' if self.below else 'to'} {self.most:.15g}"


@dataclass(frozen=True)
class Size:
    """Bounds of the length of a string or list, or of the number of entries of a mapping."""

    least: int
    most: int | None = None


@dataclass(frozen=True)
class OneOf:
    """An object whose dataclass is selected by a key: one of its own, or, with `beside`, one of the enclosing object.

    `otherwise` is the dataclass for every unlisted name; None: an unlisted name is an error.
    """

    key: str
    among: Mapping[str, type]
    beside: bool = False
    otherwise: type | None = None


@cache
def hints(cls: type) -> Mapping[str, Any]:
    """The annotations of a dataclass, resolved, in the order of its fields."""
    found = get_type_hints(cls, include_extras=True)
    return {field.name: found[field.name] for field in fields(cls)}


def unwrap(kind: Any) -> tuple[Any, list[Any]]:
    """An annotation split into its type and the notes that `Annotated` adds."""
    if get_origin(kind) is Annotated:
        base, *notes = get_args(kind)
        return base, notes
    return kind, []


def note(notes: list[Any], kind: type[Made]) -> Made | None:
    """The first note of type `kind`; None without one."""
    return next((one for one in notes if isinstance(one, kind)), None)


@dataclass(frozen=True)
class Reader:
    """Reads the content of one file. Every error is a UsageError with the path of the offending key.

    Args:
        file: its name, for messages.
    """

    file: str

    def object(self, cls: type[Made], content: Any, at: str = "") -> Made:
        """An instance of a dataclass from a JSON object."""
        if not isinstance(content, dict):
            raise self._type(at or "it", content, "an object")
        known: Mapping[str, Any] = hints(cast(Any, cls))
        self._keys(content, list(known), at)
        found: dict[str, Any] = {}
        for name, kind in known.items():
            base, notes = unwrap(kind)
            variant = note(notes, OneOf)
            if variant is not None and variant.beside:
                base = self._named_class(variant, found[variant.key], _join(at, variant.key))
            found[name] = self.value(base, notes, content[name], _join(at, name))
        return cls(**found)

    def value(self, kind: Any, notes: list[Any], value: Any, at: str) -> Any:
        """A value of the kind that an annotation names."""
        if (variant := note(notes, OneOf)) is not None and not variant.beside:
            return self._variant(variant, value, at)
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            inner, more = unwrap(next(arm for arm in get_args(kind) if arm is not type(None)))
            return None if value is None else self.value(inner, more or notes, value, at)
        if origin is Literal:
            return self._choice(get_args(kind), value, at)
        if is_dataclass(kind):
            return self.object(kind, value, at)  # type: ignore[arg-type]
        if origin is tuple:
            return self._list(get_args(kind)[0], notes, value, at)
        if origin is Mapping or origin is dict or kind is Mapping:
            return self._mapping(kind, notes, value, at)
        return self._scalar(kind, notes, value, at)

    def _keys(self, content: Mapping[str, Any], known: list[str], at: str) -> None:
        missing = [name for name in known if name not in content]
        extra = [name for name in content if name not in known]
        if missing:
            hit = nearest(missing[0], extra)
            why = f"the nearest key present is {_join(at, hit)}" if hit else "every key of the schema is required"
            raise UsageError(f"{self.file} has no key {_join(at, missing[0])}", why, NEXT_STEP)
        if extra:
            hit = nearest(extra[0], known)
            why = f"the nearest known key is {_join(at, hit)}" if hit else f"known here: {', '.join(known) or 'none'}"
            raise UsageError(f"{self.file} has an unknown key {_join(at, extra[0])}", why, NEXT_STEP)

    def _variant(self, variant: OneOf, value: Any, at: str) -> Any:
        if not isinstance(value, dict):
            raise self._type(at, value, "an object")
        if variant.key not in value:
            self._keys(value, [variant.key], at)
        tag = self._choice(tuple(variant.among), value[variant.key], _join(at, variant.key))
        return self.object(variant.among[tag], value, at)

    def _named_class(self, variant: OneOf, name: Any, at: str) -> type:
        if variant.otherwise is not None and name not in variant.among:
            return variant.otherwise
        return variant.among[self._choice(tuple(variant.among), name, at)]

    def _choice(self, known: tuple[Any, ...], value: Any, at: str) -> Any:
        if type(value) is type(known[0]) and value in known:
            return value
        if not isinstance(value, type(known[0])):
            raise self._type(at, value, _named(type(known[0])))
        hit = nearest(str(value), [str(one) for one in known])
        why = f"did you mean {hit!r}?" if hit else f"known: {', '.join(map(str, known))}"
        raise UsageError(f"{self.file}: {at} is {value!r}", why, NEXT_STEP)

    def _list(self, kind: Any, notes: list[Any], value: Any, at: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise self._type(at, value, "a list")
        self._size(notes, len(value), at)
        inner, more = unwrap(kind)
        return tuple(self.value(inner, more, item, f"{at}[{number}]") for number, item in enumerate(value))

    def _mapping(self, kind: Any, notes: list[Any], value: Any, at: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self._type(at, value, "an object")
        self._size(notes, len(value), at)
        names, (inner, more) = get_args(kind)[0], unwrap(get_args(kind)[1])
        if get_origin(names) is Literal:
            for name in value:
                if name not in get_args(names):
                    self._keys({name: None, **dict.fromkeys(get_args(names))}, list(get_args(names)), at)
        if inner is Any:
            return dict(value)
        return {name: self.value(inner, more, item, _join(at, name)) for name, item in value.items()}

    def _scalar(self, kind: Any, notes: list[Any], value: Any, at: str) -> Any:
        accepted = (int, float) if kind is float else kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise self._type(at, value, _named(kind))
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{self.file}: {at} is {value}", "a number must be finite", NEXT_STEP)
        if (bounds := note(notes, Range)) is not None and not bounds.holds(value):
            raise UsageError(f"{self.file}: {at} is {value}", f"it must be {bounds}", NEXT_STEP)
        if kind is str:
            self._size(notes, len(str(value)), at)
        return float(value) if kind is float else value

    def _size(self, notes: list[Any], count: int, at: str) -> None:
        size = note(notes, Size)
        if size is None or (count >= size.least and (size.most is None or count <= size.most)):
            return
        wanted = f"{size.least} or more" if size.most is None else f"{size.least} to {size.most}"
        raise UsageError(f"{self.file}: {at} has length {count}", f"it must be {wanted}", NEXT_STEP)

    def _type(self, at: str, value: Any, wanted: str) -> UsageError:
        return UsageError(f"{self.file}: {at} is {_named(type(value))}", f"the schema requires {wanted}", NEXT_STEP)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _named(kind: type) -> str:
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "null", list: "a list"}
    return names.get(kind, "an object")
