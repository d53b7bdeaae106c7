"""Systems that a user added, read from `custom_list.py` and `custom_list.json` files.

Two places are read, the second wins over the first: `code/common/systems/`, and `$MLPINF_CUSTOM_DEFINITION_PATH/custom_systems/`; in
each, the Python file wins over the JSON one. An entry that fails does not affect the others.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.files import require_regular
from code.common.paths import project_root, variable
from code.machine.systems import SystemConfiguration
from code.systems.custom_json import systems_of
from code.systems.replaced import require_own_modules

DEFINITION_PATH = "MLPINF_CUSTOM_DEFINITION_PATH"


@dataclass(frozen=True)
class LoadProblem:
    """The reason that a file, or part of it, was not read."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def project_list() -> Path:
    """The file that `make add_system` writes."""
    return project_root() / "code/common/systems/custom_list.py"


def custom_files() -> tuple[list[Path], list[LoadProblem]]:
    """The files to read, in order, and a problem if the environment variable names a folder that does not exist."""
    files = [path for path in lists_in(project_list().parent) if path.is_file()]
    folder = variable(DEFINITION_PATH)
    if folder:
        if not Path(folder).is_dir():
            return files, [LoadProblem(Path(folder), 0, f"{DEFINITION_PATH} names a folder that does not exist")]
        files += [path for path in lists_in(Path(folder) / "custom_systems") if path.is_file()]
    return files, []


def lists_in(folder: Path) -> list[Path]:
    """The lists of systems that a folder may hold, in the order in which they are read."""
    return [folder / "custom_list.json", folder / "custom_list.py"]


def error_line(error: BaseException, path: Path) -> int:
    """The line of `path` that caused an error: that of the syntax error, or of the innermost frame in that file."""
    import traceback

    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] or 0) if lines else 0


def read_custom_list(path: Path) -> tuple[dict[str, SystemConfiguration], list[LoadProblem]]:
    """The systems of one file: a JSON one is read, a Python one is run and its `custom_systems` taken.

    A failing statement is reported and skipped; the others count. A file with a syntax error is skipped entirely.
    """
    if path.suffix == ".json":
        return _read_json(path)
    require_own_modules()
    module = types.ModuleType("custom_list")
    module.__file__ = str(path)
    problems: list[LoadProblem] = []
    for statement in _statements(path, problems):
        problem = _run(statement, module.__dict__, path)
        if problem is not None:
            problems.append(problem)
    systems: dict[str, SystemConfiguration] = {}
    listed: Any = getattr(module, "custom_systems", {})
    if not isinstance(listed, dict):
        problems.append(LoadProblem(path, 0, f"custom_systems is a {type(listed).__name__}, not a dict"))
        listed = {}
    for name, value in listed.items():
        if isinstance(value, SystemConfiguration) and isinstance(name, str) and name.isidentifier():
            systems[name] = value
        else:
            kind = type(value).__name__
            text = f"custom_systems[{name!r}] is a {kind}: names must be identifiers and values SystemConfiguration"
            problems.append(LoadProblem(path, 0, text))
    return systems, problems


def _read_json(path: Path) -> tuple[dict[str, SystemConfiguration], list[LoadProblem]]:
    try:
        systems, met = systems_of(require_regular(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, [LoadProblem(path, getattr(error, "lineno", 0), f"not valid JSON: {error}")]
    return systems, [LoadProblem(path, line, message) for line, message in met]


def _run(statement: types.CodeType, namespace: dict[str, Any], path: Path) -> LoadProblem | None:
    try:
        exec(statement, namespace)  # nosec B102  # SECURITY.md, Code
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's file: whatever it raises, even SystemExit, fails only that statement
        return LoadProblem(path, error_line(error, path), f"{type(error).__name__}: {error}")
    return None


def _statements(path: Path, problems: list[LoadProblem]) -> Iterator[types.CodeType]:
    """The file's statements, each compiled separately with its original line numbers."""
    import ast

    try:
        tree = ast.parse(require_regular(path).read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        text = f"syntax error: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        if isinstance(error, SyntaxError) and "\u00a0" in (error.text or ""):
            text += " (replace the non-breaking space with a regular one)"
        problems.append(LoadProblem(path, error_line(error, path), text))
        return
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    for node in tree.body:
        if node not in future:
            yield compile(ast.Module([*future, node], []), str(path), "exec", dont_inherit=True)


def read_all() -> tuple[dict[str, tuple[SystemConfiguration, Path]], list[LoadProblem]]:
    """Every custom system with its file, and every problem."""
    files, problems = custom_files()
    found: dict[str, tuple[SystemConfiguration, Path]] = {}
    for path in files:
        systems, met = read_custom_list(path)
        found.update({name: (value, path) for name, value in systems.items()})
        problems.extend(met)
    return found, problems
