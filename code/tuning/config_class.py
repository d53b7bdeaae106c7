"""Tuned values as config class source: text to paste, or an edit of the config file."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common.errors import RunError, UsageError
from code.common.files import atomic_write
from code.plan.workload import Workload

INDENT = "    "


def class_text(workload: Workload, values: Mapping[str, Any], remark: str) -> str:
    """Source of the workload's config class with the tuned values, ready to paste."""
    cls, setting = workload.config.cls, workload.config.setting
    if workload.config.folder:
        entries = [f"{INDENT}harness_fields.{name}: {value!r}," for name, value in values.items()]
        return "\n".join(
            [
                f"# {remark}",
                f"# Entries for {workload.config.where}, with import code.fields.harness as harness_fields:",
                *entries,
            ]
        )
    own = {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_") and name != "system" and name not in values and not callable(value)
    }
    lines = [
        f"# {remark}",
        f"@ConfigRegistry.register(HarnessType.{setting.harness_type.name}, AccuracyTarget.{setting.accuracy_target.name}, "
        f"PowerSetting.{setting.power_setting.name})",
        f"class {cls.__name__}({', '.join(base.__name__ for base in cls.__bases__)}):",
        f"{INDENT}system = KnownSystem.{workload.system_name}",
        *(f"{INDENT}{name} = {value!r}" for name, value in {**own, **values}.items()),
    ]
    return "\n".join(lines)


def write_class(workload: Workload, values: Mapping[str, Any]) -> Path:
    """Set the values in the class's own file: existing assignments are replaced, new ones added at the end of the class.

    RunError if the class cannot be found in its file. UsageError for a config that is no class.
    """
    path = Path(workload.config.file)
    if workload.config.folder:
        raise UsageError(
            "--write changes classes only",
            f"the config at {workload.config.where} is an entry of EXPORTS",
            "paste the entries, or leave --write out",
        )
    text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines(keepends=True)
    node = _class_at(ast.parse(text), workload.config.cls.__name__, workload.config.line)
    if node is None:
        raise RunError(
            f"class {workload.config.cls.__name__} was not found in {path}",
            "the file changed during the search",
            "paste the class by hand",
        )
    places = {name: statement for statement in node.body for name in _assigned(statement)}
    end = max(statement.end_lineno or statement.lineno for statement in node.body)
    indent = " " * node.body[0].col_offset
    edits: list[tuple[int, int, str]] = []
    added = ""
    for name, value in values.items():
        line = f"{indent}{name} = {value!r}\n"
        if name in places:
            edits.append((places[name].lineno - 1, places[name].end_lineno or places[name].lineno, line))
        else:
            added += line
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    edits.append((end, end, added))
    for first, last, replacement in sorted(edits, reverse=True):
        lines[first:last] = [replacement]
    changed = "".join(lines)
    ast.parse(changed)
    with atomic_write(path) as out:
        out.write(changed)
    return path


def _class_at(tree: ast.Module, name: str, line: int) -> ast.ClassDef | None:
    """The class of that name closest to the line of its register call."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    return min(found, key=lambda node: abs(node.lineno - line), default=None)


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []
