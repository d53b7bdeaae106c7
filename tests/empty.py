"""Tests that would pass where what they look for is gone: each of their checks goes through what was found, and may go through nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
FINDS = frozenset(("findall", "finditer", "glob", "iterdir", "listdir", "rglob", "scandir", "walk"))
"""Methods that find what a test goes through: files, or places of a text."""


def some(found: Iterable[T]) -> list[T]:
    """What was found, for a loop that checks each; AssertionError where nothing was, since the loop would check nothing."""
    every = list(found)
    assert every, "nothing was found, so this test would check nothing"
    return every


def hollow(source: str | bytes) -> Iterator[tuple[int, str]]:
    """(line, name) of the tests of a module that pass on empty input."""
    module = ast.parse(source)
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    finding = frozenset(one.name for one in functions if not one.name.startswith("test_") and _finds(one, frozenset(), {}))
    for one in functions:
        local = _assigned(one)
        checks = list(_checks(one.body, finding, local))
        if one.name.startswith("test_") and checks and not any(checks):
            yield one.lineno, one.name


def _assigned(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Local name → its value."""
    return {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _checks(body: Iterable[ast.AST], finding: frozenset[str], local: dict[str, ast.expr]) -> Iterator[bool]:
    """Of each check in a test: whether it checks something also where nothing was found."""
    for node in body:
        if isinstance(node, ast.For) and _finds(node.iter, finding, local):
            yield from (False for part in ast.walk(node) if _is_check(part))
        elif isinstance(node, ast.Assert):
            yield not any(_finds(one.iter, finding, local) for one in _gone_through(node.test))
        elif _is_check(node):
            yield True
        elif not isinstance(node, ast.FunctionDef):
            yield from _checks(ast.iter_child_nodes(node), finding, local)


def _is_check(node: ast.AST) -> bool:
    """An assertion, `pytest.raises`, or a statement that calls a function by its name, which may hold assertions."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return isinstance(node.value.func, ast.Name)
    return isinstance(node, ast.Assert) or (isinstance(node, ast.withitem) and "raises" in ast.unparse(node))


def _gone_through(test: ast.expr) -> list[ast.comprehension]:
    """The comprehensions of `all(…)`, `not any(…)`, `not […]` and `[…] == []`, which hold where nothing is gone through."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = test.operand
        called = isinstance(inner, ast.Call) and ast.unparse(inner.func) == "any"
        return _comprehensions(inner.args[0] if called and isinstance(inner, ast.Call) and inner.args else inner)
    if isinstance(test, ast.Call) and ast.unparse(test.func) == "all" and test.args:
        return _comprehensions(test.args[0])
    if (
        isinstance(test, ast.Compare)
        and ast.unparse(test.comparators[0]) in ("[]", "set()", "{}")
        and isinstance(test.ops[0], ast.Eq)
    ):
        return _comprehensions(test.left)
    return []


def _comprehensions(node: ast.expr) -> list[ast.comprehension]:
    return node.generators[:1] if isinstance(node, (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)) else []


def _finds(node: ast.AST, finding: frozenset[str], local: dict[str, ast.expr]) -> bool:
    """Whether an expression is made of something that was looked for, and nothing requires that it was found."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, "id", "")
            if name == "some":
                return False
            if name in finding or (isinstance(part.func, ast.Attribute) and name in FINDS):
                return True
        if isinstance(part, ast.Name) and part.id in local:
            rest = {key: value for key, value in local.items() if key != part.id}
            if _finds(local[part.id], finding, rest):
                return True
    return False
