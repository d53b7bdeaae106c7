"""Dicts of config files that remember the file and line of each of their entries.

A config file of the newer layout is compiled with its dict displays, dict comprehensions and calls of `dict` turned into `Placed`
dicts. They behave as dicts do; copies, merges and later assignments keep or set the place of an entry.
"""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

MAKE, TYPE = "__placed_dict__", "__placed_type__"
"""Names in the module that the compiled code calls."""
Place = tuple[str, int]


class Placed(dict[Any, Any]):
    """A dict with `places`: key → (file, line) of the entry that gave it its value."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()
        self.places: dict[Any, Place] = {}
        self._take(_caller(2), *given, **named)

    def _take(self, place: Place, *given: Any, **named: Any) -> None:
        for source in given:
            self._merge(source, place)
        self._merge(named, place)

    def _merge(self, source: Any, place: Place) -> None:
        known = source.places if isinstance(source, Placed) else {}
        for key, value in dict(source).items():
            super().__setitem__(key, value)
            self.places[key] = known.get(key, place)

    def put(self, key: Any, value: Any, place: Place) -> None:
        """Set an entry that was written at a place."""
        super().__setitem__(key, value)
        self.places[key] = place

    def place(self, key: Any) -> Place | None:
        """Where the entry was written."""
        return self.places.get(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.put(key, value, _caller(2))

    def update(self, *given: Any, **named: Any) -> None:
        """As of a dict."""
        self._take(_caller(2), *given, **named)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """As of a dict."""
        if key not in self:
            self.put(key, default, _caller(2))
        return self[key]

    def copy(self) -> Placed:
        """A shallow copy with the same places."""
        new = Placed()
        new._merge(self, ("", 0))
        return new

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> Placed:
        new = Placed()
        memo[id(self)] = new
        for key, value in self.items():
            new.put(copy.deepcopy(key, memo), copy.deepcopy(value, memo), self.places.get(key, ("", 0)))
        return new

    def __or__(self, other: Any) -> Placed:
        new = self.copy()
        new._merge(other, _caller(2))
        return new

    def __ror__(self, other: Any) -> Placed:
        new = Placed()
        new._merge(other, _caller(2))
        new._merge(self, _caller(2))
        return new

    def __ior__(self, other: Any) -> Placed:
        self._merge(other, _caller(2))
        return self


def _caller(depth: int) -> Place:
    """File and line of the frame `depth` above this one."""
    frame = sys._getframe(depth)
    return frame.f_code.co_filename, frame.f_lineno


def _display(file: str, parts: Iterable[tuple[Any, ...]]) -> Placed:
    """The dict of a display: (key, value, line) for an entry, (mapping, line) for one that is unpacked into it."""
    new = Placed()
    for part in parts:
        if len(part) == 2:
            new._merge(part[0], (file, part[1]))
        else:
            new.put(part[0], part[1], (file, part[2]))
    return new


def names(file: str) -> dict[str, Any]:
    """What a module compiled by `placed` needs in its namespace."""
    make: Callable[[Iterable[tuple[Any, ...]]], Placed] = partial(_display, file)
    return {MAKE: make, TYPE: Placed}


class _Rewrite(ast.NodeTransformer):
    """Turns dicts into `Placed` ones; every new node has the place of the old one."""

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        self.generic_visit(node)
        parts: list[ast.expr] = []
        for key, value in zip(node.keys, node.values, strict=True):
            items = [value] if key is None else [key, value]
            line = ast.Constant((key or value).lineno)
            parts.append(ast.Tuple([*items, line], ast.Load()))
        return self._call(node, ast.List(parts, ast.Load()))

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        self.generic_visit(node)
        entry = ast.Tuple([node.key, node.value, ast.Constant(node.key.lineno)], ast.Load())
        return self._call(node, ast.ListComp(entry, node.generators))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "dict":
            node.func = ast.copy_location(ast.Name(TYPE, ast.Load()), node.func)
        return node

    @staticmethod
    def _call(node: ast.expr, argument: ast.expr) -> ast.AST:
        new = ast.Call(ast.Name(MAKE, ast.Load()), [argument], [])
        return ast.fix_missing_locations(ast.copy_location(new, node))


def placed(tree: ast.Module) -> ast.Module:
    """The same module with `Placed` dicts; it needs `names` in its namespace."""
    rewritten: ast.Module = _Rewrite().visit(tree)
    return rewritten


def place_of_entry(entries: Mapping[Any, Any], key: Any, otherwise: Place) -> Place:
    """Where an entry of a dict of a config file was written."""
    found = entries.place(key) if isinstance(entries, Placed) else None
    return found if found and found[1] else otherwise
