"""The user's own files as text: entries in `custom_list.py` and marked blocks in `configs/<benchmark>/<Scenario>/custom.py`.

Every function takes a file's text and gives its new text, so that nothing is written before all of it is known to be possible.
Hand-written content of these files is preserved.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from code.common.errors import UsageError
from code.common.paths import shown

LIST_HEADER = '''\
"""Systems added to this project, by name: `make add_system` and `make remove_system` change it."""
# ruff: noqa
# fmt: off

from code.common.constants import AcceleratorType, ByteSuffix, CPUArchitecture, Memory
from code.common.systems.accelerator import GPU, MIG, AcceleratorConfiguration
from code.common.systems.cpu import CPU, CPUConfiguration
from code.common.systems.known_hardware import KnownCPU, KnownGPU, KnownMIG
from code.common.systems.memory import MemoryConfiguration
from code.common.systems.systems import SystemConfiguration

custom_systems: dict[str, SystemConfiguration] = {}
'''

CONFIG_HEADER = '''\
"""Configs of added systems. Blocks between marks are written by `make add_system` and may be edited."""

from . import *
'''

BEGIN = "# --- {name}: begin (make add_system) ---"
END = "# --- {name}: end ---"


def with_entry(text: str | None, path: Path, name: str, expression: str) -> str:
    """`custom_list.py` with `custom_systems["name"]` set to an expression: replaced in place, or added after the last entry.

    Raises UsageError for a file that does not parse, and for an expression that would not leave all other entries as they are.
    """
    line = f'custom_systems["{name}"] = {expression}'
    if text is None:
        text = LIST_HEADER
    lines = _lines(text)
    spans = _entries(text, path)
    if name in spans:
        first, last = spans[name]
        lines[first:last] = [line]
    else:
        place = max((last for _, last in spans.values()), default=_definition(text, path))
        lines.insert(place, line)
    new = "\n".join(lines) + "\n"
    if set(_entries(new, path)) != {*spans, name}:
        raise UsageError(
            f"{name} cannot be written to {shown(path)}", f"its entry is not one statement: {line[:200]!r}", "correct the capture"
        )
    return new


def _lines(text: str) -> list[str]:
    """Lines as Python counts them: `str.splitlines` also splits at form feeds and other separators, which strings may hold."""
    return text.removesuffix("\n").split("\n")


def has_non_finite(expression: str) -> bool:
    """Whether an entry's expression contains a `float("nan")` or `float("inf")`."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        for node in ast.walk(ast.parse(expression, mode="eval"))
    )


def without_entry(text: str, path: Path, name: str) -> str | None:
    """`custom_list.py` without an entry; None if only the generated header would be left."""
    spans = _entries(text, path)
    if name not in spans:
        return text
    first, last = spans[name]
    lines = _lines(text)
    del lines[first:last]
    left = "\n".join(lines) + "\n"
    return None if left == LIST_HEADER else left


def _tree(text: str, path: Path) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        where = f"{shown(path)}:{error.lineno or 0}"
        raise UsageError(
            f"{shown(path)} cannot be parsed", f"syntax error: {error.msg}", "correct that line first", where
        ) from error


def _entries(text: str, path: Path) -> dict[str, tuple[int, int]]:
    """Each top-level `custom_systems[...] = ...`: name → (first line, line after the last), counted from 0."""
    found = {}
    for node in _tree(text, path).body:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target = node.targets[0]
        if (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and target.value.id == "custom_systems"
            and isinstance(target.slice, ast.Constant)
        ):
            found[str(target.slice.value)] = (node.lineno - 1, node.end_lineno or node.lineno)
    return found


def _definition(text: str, path: Path) -> int:
    """The line after `custom_systems = …`."""
    for node in _tree(text, path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "custom_systems" for target in targets):
            return node.end_lineno or node.lineno
    where = f"{shown(path)}:1"
    raise UsageError(f"{shown(path)} defines no custom_systems", "", "add the line: custom_systems = dict()", where)


def with_block(text: str | None, name: str, body: str) -> str:
    """`custom.py` with a system's marked block, replaced in place or added at the end."""
    block = f"{BEGIN.format(name=name)}\n{body.strip()}\n\n\n{END.format(name=name)}\n"
    if text is None:
        return f"{CONFIG_HEADER}\n\n{block}"
    if "from . import *" not in text:
        block = block.replace("\n", "\nfrom . import *\n\n", 1)
    span = _block(text, name)
    if span is None:
        return f"{text.rstrip()}\n\n\n{block}"
    return text[: span[0]] + block + text[span[1] :]


def without_block(text: str, name: str) -> str | None:
    """`custom.py` without a system's marked block; None if only the generated header would be left."""
    span = _block(text, name)
    if span is None:
        return text
    behind = text[span[1] :].lstrip("\n")
    left = text[: span[0]].rstrip() + "\n" + (f"\n\n{behind}" if behind else "")
    return None if left.strip() == CONFIG_HEADER.strip() else left


def blocks(text: str) -> list[str]:
    """The names of systems with a marked block in a `custom.py`."""
    return re.findall(BEGIN.replace("{name}", r"(\w+)").replace("(make add_system)", r"\(make add_system\)"), text)


def _block(text: str, name: str) -> tuple[int, int] | None:
    begin, end = BEGIN.format(name=name) + "\n", END.format(name=name)
    start = text.find(begin)
    stop = text.find(end, start)
    if start < 0 or stop < 0:
        return None
    stop += len(end)
    return start, stop + (1 if text[stop : stop + 1] == "\n" else 0)


def own_class(text: str, path: Path, name: str) -> int | None:
    """The line of a class outside the marked block whose system is `KnownSystem.<name>`; None if there is none."""
    rest = text
    span = _block(text, name)
    if span is not None:
        inside = text[span[0] : span[1]]
        rest = text[: span[0]] + "\n" * inside.count("\n") + text[span[1] :]
    for node in ast.walk(_tree(rest, path)):
        if isinstance(node, ast.ClassDef) and re.search(rf"KnownSystem\.{re.escape(name)}\b", ast.unparse(node)):
            return node.lineno
    return None
