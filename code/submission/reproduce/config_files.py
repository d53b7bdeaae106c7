"""The fields that a submitter's own config files set for a result, read without executing them.

Two layouts: classes in configs/<benchmark>/<Scenario>/*.py (up to v5.0), and EXPORTS in configs/<system>/<Scenario>/<benchmark>.py.
Literals, arithmetic, names of the same file and base classes of the benchmark's own files are followed; any other expression is
reported.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.submission.reproduce.published import PublishedResult

OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
NOT_FIELDS = frozenset(("system", "benchmark", "scenario"))
LONGEST = 10**18
"""Largest number that arithmetic in a config may give; the files are somebody else's."""


class UnreadableError(ValueError):
    """An expression that is not read without executing it."""


@dataclass
class FoundConfig:
    """What a config sets.

    Args:
        where: file:line of the class or of the entry of EXPORTS.
        values: field → (value, file:line).
        skipped: 'file:line: field' of what is set by an expression that is not read.
    """

    where: str
    values: dict[str, tuple[Any, str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Class:
    node: ast.ClassDef
    path: Path

    @property
    def bases(self) -> list[str]:
        named = [base for base in self.node.bases if isinstance(base, (ast.Name, ast.Attribute))]
        return [base.id if isinstance(base, ast.Name) else base.attr for base in named]

    @property
    def where(self) -> str:
        return f"{self.path}:{self.node.lineno}"

    def assigned(self) -> Iterator[tuple[str, ast.expr, int]]:
        for statement in self.node.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        yield target.id, statement.value, statement.lineno
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
                yield statement.target.id, statement.value, statement.lineno

    def registered(self) -> Iterator[tuple[str, ...]]:
        """The last names of each register call's arguments: ('Custom', 'k_99', 'MaxP')."""
        for decorator in self.node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Attribute)
                and decorator.func.attr == "register"
            ):
                yield tuple(argument.attr for argument in decorator.args if isinstance(argument, ast.Attribute))


def find(result: PublishedResult, benchmark: str, target: str) -> FoundConfig | None:
    """The config of a result among its submitter's files; None if there is none.

    Args:
        benchmark: its short name, as config folders spell it.
        target: 'k_99' or 'k_99_9'.
    """
    for root in sorted(path for path in result.submitter.glob("**/configs") if path.is_dir()):
        found = _in_exports(root, result, benchmark, target) or _in_classes(root, result, benchmark, target)
        if found:
            return found
    return None


def _in_classes(root: Path, result: PublishedResult, benchmark: str, target: str) -> FoundConfig | None:
    files = sorted((root / benchmark / result.place.scenario).glob("*.py"))
    classes = {name: one for path in (root / benchmark / "__init__.py", *files) for name, one in _classes(path).items()}
    power = "MaxQ" if result.measures_power else "MaxP"
    kinds = {"Triton", "TritonUnified"} if "triton" in result.place.system.lower() else {"Custom", "LWIS"}
    fitting = [
        one
        for one in classes.values()
        if any(target in words and power in words and kinds & set(words) for words in one.registered())
    ]
    wanted = _plain(result.place.system)
    candidates = [
        (len(system), one.node.name, one) for one in fitting if (system := _system_of(one, classes)) and _plain(system) in wanted
    ]
    return _values_of(max(candidates, key=lambda c: c[:2])[2], classes) if candidates else None


def _values_of(chosen: _Class, classes: Mapping[str, _Class]) -> FoundConfig:
    """The fields that a class and its bases assign, the class's own last."""
    found = FoundConfig(chosen.where)
    for one in reversed(list(_lineage(chosen, classes))):
        for name, expression, line in one.assigned():
            if name not in NOT_FIELDS and not name.startswith("_"):
                _set(found, name, expression, {}, f"{one.path}:{line}")
    return found


def _classes(path: Path) -> dict[str, _Class]:
    tree = _parsed(path)
    return {node.name: _Class(node, path) for node in tree.body if isinstance(node, ast.ClassDef)} if tree else {}


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _lineage(one: _Class, classes: Mapping[str, _Class]) -> Iterator[_Class]:
    """A class, then its bases, nearest first."""
    open_, seen = [one], set()
    while open_:
        current = open_.pop(0)
        if current.where in seen:
            continue
        seen.add(current.where)
        yield current
        open_ += [classes[base] for base in current.bases if base in classes]


def _system_of(one: _Class, classes: Mapping[str, _Class]) -> str:
    """The name behind `system = KnownSystem.`; '' if no class of the lineage says one."""
    for current in _lineage(one, classes):
        for name, expression, _ in current.assigned():
            if name == "system":
                return expression.attr if isinstance(expression, ast.Attribute) else ""
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _in_exports(root: Path, result: PublishedResult, benchmark: str, target: str) -> FoundConfig | None:
    path = root / result.place.system / result.place.scenario / f"{benchmark}.py"
    tree = _parsed(path)
    if tree is None:
        return None
    named = {t.id: s.value for s in tree.body if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Name)}
    exports = named.get("EXPORTS")
    for key, value in zip(exports.keys, exports.values, strict=True) if isinstance(exports, ast.Dict) else ():
        words = _setting_words(key)
        if target in words and ("MaxQ" in words) == result.measures_power:
            found = FoundConfig(f"{path}:{value.lineno}")
            _set_entries(found, value, named, path)
            return found
    return None


def _setting_words(key: ast.expr | None) -> set[str]:
    """The names in a WorkloadSetting: its enum members, and 'k_99' for AccuracyTarget(0.99)."""
    words: set[str] = set()
    for node in ast.walk(key) if key is not None else ():
        if isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            words.add({0.99: "k_99", 0.999: "k_99_9"}.get(node.value, ""))
    return words


def _set_entries(found: FoundConfig, expression: ast.expr, named: Mapping[str, ast.expr], path: Path, depth: int = 0) -> None:
    """The entries of a dict of fields, with names and `**` followed."""
    if isinstance(expression, ast.Name) and expression.id in named and depth < 20:
        _set_entries(found, named[expression.id], named, path, depth + 1)
        return
    if not isinstance(expression, ast.Dict):
        found.skipped.append(f"{path}:{expression.lineno}: the fields")
        return
    for key, value in zip(expression.keys, expression.values, strict=True):
        if key is None:
            _set_entries(found, value, named, path, depth + 1)
        elif isinstance(key, ast.Attribute):
            _set(found, key.attr, value, named, f"{path}:{value.lineno}")


def _set(found: FoundConfig, name: str, expression: ast.expr, named: Mapping[str, ast.expr], where: str) -> None:
    try:
        found.values[name] = (_value(expression, named), where)
    except (UnreadableError, ArithmeticError, TypeError, RecursionError):
        found.values.pop(name, None)
        found.skipped.append(f"{where}: {name}")


def _value(node: ast.expr, named: Mapping[str, ast.expr], depth: int = 0) -> Any:
    """The value of an expression of literals, arithmetic and names."""
    if depth > 50:
        raise UnreadableError
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in named:
        return _value(named[node.id], {k: v for k, v in named.items() if k != node.id}, depth + 1)
    if isinstance(node, (ast.UnaryOp, ast.BinOp)):
        return _computed(node, named, depth + 1)
    return _collection(node, named, depth + 1)


def _collection(node: ast.expr, named: Mapping[str, ast.expr], depth: int) -> Any:
    if isinstance(node, ast.Dict) and all(key is not None for key in node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {_value(k, named, depth): _value(v, named, depth) for k, v in pairs if k}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, named, depth) for item in node.elts]
    raise UnreadableError


def _computed(node: ast.UnaryOp | ast.BinOp, named: Mapping[str, ast.expr], depth: int) -> int | float:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(_value(node.operand, named, depth))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = (_number(_value(side, named, depth)) for side in (node.left, node.right))
        return _number(OPERATORS[type(node.op)](left, right))
    raise UnreadableError


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > LONGEST:
        raise UnreadableError
    return value
