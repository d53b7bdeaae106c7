"""The shape of the source, read from its syntax trees: which module imports which, circles, and how complex functions are."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""Module → the modules of the project that it imports, also inside functions, but for those under TYPE_CHECKING."""

LOOPS = (ast.For, ast.AsyncFor, ast.While)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)
"""Nodes without parts, which are most of a module."""


def sources(root: Path) -> list[Path]:
    """The Python files of code/, configs/ and scripts/, without config files, which are a language of their own."""
    return sorted([*(root / "code").rglob("*.py"), *(root / "configs").glob("*.py"), *(root / "scripts").rglob("*.py")])


def module_name(path: Path, root: Path) -> str:
    """'code.run.job' of code/run/job.py, 'code.run' of code/run/__init__.py."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def import_graph(root: Path) -> Graph:
    """The imports between the project's modules."""
    files = {module_name(path, root): path for path in sources(root)}
    return {
        name: frozenset(
            found
            for found in _imported(
                ast.parse(path.read_bytes()), name if path.name == "__init__.py" else name.rpartition(".")[0], files
            )
            if found != name
        )
        for name, path in files.items()
    }


def _imported(tree: ast.AST, package: str, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _imported(ast.Module(node.orelse, []), package, known)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield from [whole] if whole in known else [module] if module in known else []
        if not isinstance(node, (ast.expr, ast.expr_context)):  # which import nothing, and are most of a module
            yield from _imported(node, package, known)


def circles(graph: Graph) -> list[list[str]]:
    """The sets of modules that import each other, directly or through others."""
    left = dict(graph)
    while leaves := {name for name, imported in left.items() if not imported}:  # which are in no circle
        left = {name: imported - leaves for name, imported in left.items() if name not in leaves}
    graph = left
    reached = {name: _reached(graph, name) for name in graph}
    found = {tuple(sorted({name} | {other for other in reached[name] if name in reached[other]})) for name in graph}
    return sorted(list(circle) for circle in found if len(circle) > 1)


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def complexities(tree: ast.AST) -> dict[str, int]:
    """'name:line' of each function, those inside others included → its cyclomatic complexity, as Radon counts it."""
    return {
        f"{node.name}:{node.lineno}": 1 + sum(_decisions(child) for child in node.body)
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS)
    }


def _decisions(node: ast.AST) -> int:
    """The decisions in a statement or an expression, without those of functions and classes that it defines."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return 0
    if isinstance(node, ast.Assert):
        return 1
    if isinstance(node, LEAVES):
        return 0
    return _own(node) + sum(_decisions(child) for child in ast.iter_child_nodes(node))


def _own(node: ast.AST) -> int:
    """What one node adds: a branch, a loop and its `else`, each `and` or `or`, a comprehension and each of its `if`s."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, LOOPS):
        return 1 + bool(node.orelse)
    if isinstance(node, ast.Try):
        return len(node.handlers) + bool(node.orelse)
    return int(isinstance(node, (ast.If, ast.IfExp, ast.match_case)))
