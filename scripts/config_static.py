"""Config files read as text: their syntax, the number of their configs and the names of their fields. Nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import yaml

from code.common.constants import Benchmark
from code.common.errors import nearest
from code.fields.table import field_table
from code.rules.benchmarks import BENCHMARKS
from configs import exports
from configs.inspection import CLASS_ONLY
from scripts.config_trees import CLASSES, ENDPOINT, Tree, TreeFile

NOT_EVALUATED = "values are not evaluated"


def read_tree(tree: Tree) -> dict[str, Any]:
    """A report of the form that loading a tree gives."""
    return {
        "tree": str(tree.root),
        "files": [read_file(tree, file) for file in tree.files],
        "refused": [],
        "undefined": {},
        "systems_list": [],
    }


def read_file(tree: Tree, file: TreeFile) -> dict[str, Any]:
    """A report on one file."""
    report: dict[str, Any] = {"file": str(file.path), "layout": file.layout, "classes": 0, "failures": [], "notes": []}
    if not file.layout:
        report["notes"] = [file.note]
        return report
    report["notes"] = [NOT_EVALUATED]
    try:
        if file.layout == ENDPOINT:
            yaml.compose(file.path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
            report["classes"] = 1
            return report
        module = ast.parse(file.path.read_bytes(), str(file.path))
    except (OSError, ValueError, SyntaxError, yaml.YAMLError) as error:
        line = getattr(error, "lineno", None) or getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        report["failures"] = [{"line": line, "reason": f"{type(error).__name__}: {str(error).splitlines()[0]}", "hint": ""}]
        return report
    report["classes"] = _registered(module) if file.layout == CLASSES else _exported(module)
    folder = file.path.parents[1].name if file.layout == CLASSES else file.path.stem
    if str(Benchmark.get_match(folder)) in BENCHMARKS and not tree.lone:
        names = _class_fields(module) if file.layout == CLASSES else _exported_fields(module)
        report["failures"] = [_unknown(name, line) for name, line in names if name not in field_table()]
    return report


def _unknown(name: str, line: int) -> dict[str, Any]:
    near = nearest(name, field_table())
    return {"line": line, "reason": f"unknown field {name!r}", "hint": f"the nearest known field is {near!r}" if near else ""}


def _registered(module: ast.Module) -> int:
    """The number of classes with a register call above them."""
    decorators = [node for cls in ast.walk(module) if isinstance(cls, ast.ClassDef) for node in cls.decorator_list]
    return sum(isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ConfigRegistry.register") for node in decorators)


def _exported(module: ast.Module) -> int:
    """The number of entries of EXPORTS that are written out, or of ATOMIC_EXPORTS in a file that has those alone."""
    found: dict[str, int] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        value = getattr(node, "value", None)
        count = len([key for key in value.keys if key is not None]) if isinstance(value, ast.Dict) else 0
        found.update({target.id: count for target in targets if isinstance(target, ast.Name)})
    return found.get(exports.NAME, found.get(exports.ATOMIC, 0))


def _class_fields(module: ast.Module) -> Iterator[tuple[str, int]]:
    """(name, line) of every field that a class sets."""
    for cls in (node for node in ast.walk(module) if isinstance(node, ast.ClassDef)):
        for node in cls.body:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            if isinstance(node, ast.AnnAssign) and node.value is None:
                continue
            for target in targets:
                if isinstance(target, ast.Name) and not target.id.startswith("_") and target.id not in CLASS_ONLY:
                    yield target.id, target.lineno


def _exported_fields(module: ast.Module) -> Iterator[tuple[str, int]]:
    """(name, line) of every attribute of an imported module of fields."""
    aliases = {alias for node in ast.walk(module) for alias in _aliases(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield node.attr, node.lineno


def _aliases(node: ast.AST) -> set[str]:
    """The names that a statement gives to modules of fields, by import or by importlib.import_module."""
    if isinstance(node, ast.Import):
        return {alias.asname for alias in node.names if alias.asname and _is_fields(alias.name)}
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or not node.value.args:
        return set()
    name = node.value.args[0]
    imported = ast.unparse(node.value.func).endswith("import_module") and isinstance(name, ast.Constant)
    if not imported or not _is_fields(getattr(name, "value", None)):
        return set()
    return {target.id for target in node.targets if isinstance(target, ast.Name)}


def _is_fields(module: object) -> bool:
    parts = str(module).split(".")
    return parts[0] in ("code", "src") and (parts[1:2] == ["fields"] or parts[-1] == "fields")
