"""The small changes that are made to a module, one at a time: each is a piece of its text and another in its place."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes [start, end) of the module become `text`."""

    line: int
    last_line: int
    start: int
    end: int
    what: str
    text: str
    statement: tuple[int, int]
    """First and last line of the statement around it, of which the interpreter may name any line; of a compound one its head."""

    def applied(self, source: bytes) -> bytes:
        """The changed module. It keeps the number of its lines, so that other places of it stay where they were."""
        old = source[self.start : self.end]
        return source[: self.start] + self.text.encode() + b"\\\n" * old.count(b"\n") + source[self.end :]


OTHER: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
SILENT = {
    "strict",
    "frozen",
    "slots",
    "exist_ok",
    "parents",
    "missing_ok",
    "flush",
    "repr",
    "kw_only",
    "indent",
    "maxsize",
    "file",
}
"""Keyword arguments whose change nobody could notice, or which guard against what the module itself would do wrong."""


def mutants(source: bytes) -> list[Mutant]:
    """Every change of a module, in the order of its text."""
    offsets = [0]
    for line in source.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    found = []
    tree = ast.parse(source)
    around = dict(_around(tree))
    for node, others in _changes(tree):
        start = offsets[node.lineno - 1] + node.col_offset
        end = offsets[node.end_lineno - 1] + node.end_col_offset
        before = " ".join(source[start:end].decode().split())
        place = (node.lineno, node.end_lineno, start, end)
        found += [Mutant(*place, f"{before[:70]}  →  {other[:70]}", other, around[node]) for other in others]
    return sorted(found, key=lambda one: (one.start, one.end, one.text))


def _around(node: ast.AST, lines: tuple[int, int] = (0, 0)) -> Iterator[tuple[ast.AST, tuple[int, int]]]:
    """Each node with the lines of the statement that it is in."""
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None)
        last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
        lines = (node.lineno, last)
    yield node, lines
    for child in ast.iter_child_nodes(node):
        yield from _around(child, lines)


def sample(found: list[Mutant], most: int, seed: str) -> list[Mutant]:
    """At most so many of them: a line gives one before another gives two. The same seed chooses the same."""
    order = found[:]
    random.Random(seed).shuffle(order)
    seen: dict[int, int] = {}
    turns = []
    for one in order:
        turns.append((seen.setdefault(one.line, 0), one))
        seen[one.line] += 1
    chosen = [one for _, one in sorted(turns, key=lambda pair: pair[0])[:most]]
    return sorted(chosen, key=lambda one: (one.start, one.end, one.text))


def _changes(tree: ast.Module) -> Iterator[tuple[Any, list[str]]]:
    """(node, what may stand there instead) of each place that is changed."""
    for node in _visited(tree):
        others = _others(node)
        if others:
            yield node, others
        if isinstance(node, (ast.If, ast.IfExp)):
            simple = not isinstance(node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp))
            yield (
                node.test,
                [*(["False"] if isinstance(node, ast.If) else []), *([f"(not ({ast.unparse(node.test)}))"] if simple else [])],
            )


def _visited(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that say nothing of what a program does: annotations, decorators, docstrings, f-strings, `__all__`."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        return
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return  # the type checker reads it
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.keyword) and (child.arg in SILENT or _shape(node)):
                continue
            if isinstance(child, ast.AST):
                yield from _visited(child)


def _shape(node: ast.AST) -> bool:
    """A dataclass's field, a type variable: how a class is made."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("field", "dataclass", "TypeVar")


def _others(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return [_with(node, ops=[OTHER[type(node.ops[0])]()])]
    if isinstance(node, ast.BoolOp):
        return [_with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [f"({ast.unparse(node.operand)})"]
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC and not (_text(node.left) or _text(node.right)):
        return [_with(node, op=ARITHMETIC[type(node.op)]())]
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NAMES:
        return [NAMES[node.id]]
    if isinstance(node, (ast.List, ast.Dict, ast.Set)):
        return _shorter(node)
    if isinstance(node, ast.stmt):
        return _statement(node)
    return []


def _statement(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Yield, ast.YieldFrom)):
        return ["yield from ()"]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ["pass"]
    if isinstance(node, ast.Raise):
        return ["pass"]
    if isinstance(node, ast.Continue):
        return ["break"]
    if isinstance(node, ast.Return) and node.value is not None and not _number(node.value):
        return ["return None"]
    return []


def _constant(value: object) -> list[str]:
    if isinstance(value, bool):
        return [str(not value)]
    if isinstance(value, (int, float)):
        return [repr(value * 2 if value else 1)]
    return []


def _shorter(node: ast.List | ast.Dict | ast.Set) -> list[str]:
    """The same collection without its last entry."""
    if isinstance(node, ast.Dict):
        return [_with(node, keys=node.keys[:-1], values=node.values[:-1])] if len(node.keys) > 1 else []
    if isinstance(node, ast.List) and not isinstance(node.ctx, ast.Load):
        return []
    return [_with(node, elts=node.elts[:-1])] if len(node.elts) > 1 else []


def _number(node: ast.expr) -> bool:
    """A number, a truth value or None, which `_constant` changes."""
    return isinstance(node, ast.Constant) and not isinstance(node.value, (str, bytes))


def _text(node: ast.expr) -> bool:
    """Whether it is certainly no number."""
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple, ast.Dict)) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _with(node: ast.expr, **fields: object) -> str:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return f"({ast.unparse(other)})" if isinstance(other, (ast.Compare, ast.BoolOp, ast.BinOp)) else ast.unparse(other)
