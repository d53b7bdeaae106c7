"""The JSON Schema (draft 2020-12) of a dataclass, from the annotations that its strict reader reads."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from code.harness.schema.reader import OneOf, Range, Size, hints, note, unwrap

FILE = Path(__file__).with_name("run.schema.json")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(cls: type) -> dict[str, Any]:
    """The schema of `cls`, with one definition for each dataclass that it contains."""
    definitions: dict[str, Any] = {}
    top = _object(cls, definitions)
    return {"$schema": DRAFT, **top, "$defs": dict(sorted(definitions.items()))}


def _reference(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        definitions[cls.__name__] = _object(cls, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _object(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """An object of exactly the fields of `cls`; one alternative for each class that a field beside names."""
    described = {"description": (cls.__doc__ or "").strip().splitlines()[0]}
    properties: dict[str, Any] = {}
    beside: dict[str, OneOf] = {}
    for name, kind in hints(cls).items():
        base, notes = unwrap(kind)
        variant = note(notes, OneOf)
        if variant is not None and variant.beside:
            beside[name] = variant
        else:
            properties[name] = _value(base, notes, definitions)
    required = list(hints(cls))
    closed = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    if not beside:
        return {**described, **closed}
    ((name, variant),) = beside.items()
    alternatives = []
    for kind in dict.fromkeys(variant.among.values()):
        tags = [tag for tag, one in variant.among.items() if one is kind]
        own = {**properties, variant.key: {"enum": tags}, name: _reference(kind, definitions)}
        alternatives.append({**closed, "properties": {field: own[field] for field in required}})
    if variant.otherwise is not None:
        unnamed = {"allOf": [properties[variant.key], {"not": {"enum": list(variant.among)}}]}
        own = {**properties, variant.key: unnamed, name: _reference(variant.otherwise, definitions)}
        alternatives.append({**closed, "properties": {field: own[field] for field in required}})
    return {**described, "oneOf": alternatives}


def _value(kind: Any, notes: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if (variant := note(notes, OneOf)) is not None:
        return {"oneOf": [_reference(one, definitions) for one in variant.among.values()]}
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner, more = unwrap(next(arm for arm in get_args(kind) if arm is not type(None)))
        return {"anyOf": [_value(inner, more or notes, definitions), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if is_dataclass(kind):
        return _reference(kind, definitions)  # type: ignore[arg-type]
    if origin is tuple:
        inner, more = unwrap(get_args(kind)[0])
        return {"type": "array", "items": _value(inner, more, definitions), **_bounds(notes, "Items")}
    if origin is Mapping or origin is dict:
        return _mapping(kind, notes, definitions)
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return {"type": names[kind], **_range(notes), **(_bounds(notes, "Length") if kind is str else {})}


def _mapping(kind: Any, notes: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    names, (inner, more) = get_args(kind)[0], unwrap(get_args(kind)[1])
    if inner is Any:
        return {"type": "object"}
    value = _value(inner, more, definitions)
    if get_origin(names) is Literal:
        properties = dict.fromkeys(get_args(names), value)
        return {"type": "object", "properties": properties, "additionalProperties": False}
    return {"type": "object", "additionalProperties": value, **_bounds(notes, "Properties")}


def _range(notes: list[Any]) -> dict[str, Any]:
    bounds = note(notes, Range)
    if bounds is None:
        return {}
    low = "exclusiveMinimum" if bounds.above else "minimum"
    high = "exclusiveMaximum" if bounds.below else "maximum"
    return {low: bounds.least, high: bounds.most}


def _bounds(notes: list[Any], what: str) -> dict[str, Any]:
    size = note(notes, Size)
    if size is None:
        return {}
    return {f"min{what}": size.least, **({} if size.most is None else {f"max{what}": size.most})}
