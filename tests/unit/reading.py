"""Which options a module reads through its consumers, found in its syntax tree.

A reading is `read["name"]` or `read.get("name")`, where `read` is `CONSUMER.of(…)`, a variable that was assigned one, or a parameter
annotated `Reading`. The name is a constant, an f-string (any declared field that fits it), or a variable that runs over a constant of
the module.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from code.fields.consumer import Consumer
from code.fields.table import field_table


class Module:
    """One file, its consumers by the name of their variable, and what is read through each."""

    def __init__(self, path: Path, root: Path, tree: ast.Module | None = None) -> None:
        self.name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        self.consumers: dict[str, Consumer] = {}
        text = path.read_text(encoding="utf-8")
        if "Consumer(" not in text or "import Consumer" not in text:
            return
        self._tree = tree or ast.parse(text)
        names = [
            target.id
            for node in self._tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _named(node.value.func, "Consumer")
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        self._module = import_module(self.name) if tree is None else _loaded(path)
        self.consumers = {name: getattr(self._module, name) for name in names}
        self._read: dict[str, list[str]] = {name: [] for name in names}
        for function in self._functions():
            self._scan(function)

    def reads(self, consumer: str, field: str) -> bool:
        """Whether the field is read through the consumer in this variable."""
        return any(re.fullmatch(pattern, field) for pattern in self._read[consumer])

    def _functions(self) -> Iterator[ast.FunctionDef]:
        yield from (node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef))

    def _scan(self, function: ast.FunctionDef) -> None:
        sources: dict[str, set[str]] = {
            argument.arg: set(self.consumers)
            for argument in (*function.args.args, *function.args.kwonlyargs)
            if argument.annotation is not None and _named(argument.annotation, "Reading")
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target, value in _pairs(node):
                    through = self._consumers_of(value)
                    if through:
                        sources.setdefault(target, set()).update(through)
        for node in ast.walk(function):
            for source, key in _subscripts(node):
                through = self._consumers_of(source)
                if isinstance(source, ast.Name):
                    through |= sources.get(source.id, set())
                for consumer in through:
                    self._read[consumer] += self._patterns(key, function)

    def _consumers_of(self, node: ast.expr) -> set[str]:
        """The consumers of `CONSUMER.of(…)`, also of `(A if … else B).of(…)`."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of":
            return {n.id for n in ast.walk(node.func.value) if isinstance(n, ast.Name)} & set(self.consumers)
        return set()

    def _patterns(self, key: ast.expr, function: ast.FunctionDef) -> list[str]:
        if isinstance(key, ast.Constant):
            return [re.escape(str(key.value))]
        if isinstance(key, ast.JoinedStr):
            return ["".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else r"\w+" for p in key.values)]
        if isinstance(key, ast.Name):
            return [re.escape(word) for origin in _origins(key.id, function) for word in self._words(origin)]
        return []

    def _words(self, origin: ast.expr) -> Iterator[str]:
        """The strings of the module's constants in an expression."""
        for node in ast.walk(origin):
            if isinstance(node, ast.Name) and isinstance(getattr(self._module, node.id, None), (tuple, dict, list, frozenset)):
                yield from _strings(getattr(self._module, node.id))


def raw_reads(path: Path) -> list[int]:
    """Lines that read a field of configs from values, a workload or run.json by its name, without a consumer."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for source, key in _subscripts(node):
            name = source.id if isinstance(source, ast.Name) else source.attr if isinstance(source, ast.Attribute) else ""
            option = field_table().get(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
            if name in ("values", "workload", "fields", "self", "plain") and option is not None and not option.request:
                found.append(source.lineno)
    return found


def request_options(root: Path) -> set[str]:
    """The options that the code reads from a request or a workload by name."""
    found = set()
    for path in sorted((root / "code").rglob("*.py")):
        if "fields/rows" in path.as_posix():
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        keys = [key for node in nodes for _, key in _subscripts(node)]
        words = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        if any(isinstance(key, ast.Name) for key in keys):  # runs over a constant: the words of its module
            words |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        found |= {word for word in words if word in field_table()}
    return found


def _pairs(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from (
                (name.id, value) for name, value in zip(target.elts, node.value.elts, strict=False) if isinstance(name, ast.Name)
            )


def _subscripts(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(what is read from, the key) of `x[key]` and `x.get(key)`."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value, node.slice
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        yield node.func.value, node.args[0]


def _origins(name: str, function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a variable is assigned or runs over."""
    for node in ast.walk(function):
        if isinstance(node, (ast.For, ast.comprehension)) and any(_named(t, name) for t in ast.walk(node.target)):
            yield node.iter
        if isinstance(node, ast.Assign) and any(_named(target, name) for target in node.targets):
            yield node.value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (*_strings(key), *_strings(item))
    elif isinstance(value, (tuple, list, frozenset)):
        for item in value:
            yield from _strings(item)


def _named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _loaded(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
