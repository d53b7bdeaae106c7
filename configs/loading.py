"""Finding and loading config files.

A file is executed statement by statement. A failure affects only itself and what depends on it: a class that fails is reported as
file:line, its name is unbound so that no other class accidentally inherits from an earlier one of that name, and the classes
beside it load. Nothing is loaded from a file that does not parse, or after a failed loop, `if` or bare call; other
files are never affected.
"""

from __future__ import annotations
import __future__

import ast
import importlib.util
import os
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import configs
from code.common.constants import Benchmark, Scenario
from code.common.errors import nearest
from configs.configuration import ConfigRegistry, Registered, shown

CUSTOM_ENVIRONMENT = "MLPINF_CUSTOM_DEFINITION_PATH"
BINDING = (ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)
"""Statements whose failure only loses the names they would have bound."""

SKIPPED = "this file is skipped, the others load"

LAZY_ANNOTATIONS = __future__.annotations.compiler_flag
"""`x: Dict = {}` loads whether or not the file imports Dict: annotations are never evaluated."""


@dataclass(frozen=True)
class ConfigProblem:
    """A config file, or a statement in it, that could not be used."""

    file: str
    line: int
    reason: str
    hint: str

    @property
    def where(self) -> str:
        """file:line."""
        return f"{shown(self.file)}:{self.line}"

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True)
class LoadedFile:
    """The result of loading one config file: registered classes, and problems."""

    file: str
    entries: tuple[Registered, ...]
    problems: tuple[ConfigProblem, ...]


_loaded: dict[str, LoadedFile] = {}


def roots() -> list[Path]:
    """The folders that configs are read from; a file in an earlier one replaces the same file in later ones."""
    return [Path(folder) for folder in configs.__path__]


def load(benchmark: Benchmark, scenario: Scenario) -> list[LoadedFile]:
    """Load a benchmark's config files for one scenario: the package, its custom.py, and the user's own definitions.

    The benchmark's base classes are loaded first, and are included in the result if they have failures. Each file is loaded
    at most once in a process. Missing files are left out of the result.
    """
    package = f"configs.{benchmark.valstr}.{scenario.valstr}"
    folder = f"{benchmark.valstr}/{scenario.valstr}"
    base = _first(f"{benchmark.valstr}/__init__.py")
    shared = load_file(f"configs.{benchmark.valstr}", base) if base else None
    found = [shared] if shared is not None and shared.problems else []
    for name, leaf in ((package, "__init__.py"), (f"{package}.custom", "custom.py")):
        path = _first(f"{folder}/{leaf}")
        if path is not None:
            found.append(load_file(name, path))
    own = definitions(benchmark, scenario)
    if own is not None:
        found.append(load_file(f"{package}._definitions", own))
    return found


def _first(place: str) -> Path | None:
    """The file with that relative path in the first folder that has it."""
    return next((root / place for root in roots() if (root / place).is_file()), None)


def definitions(benchmark: Benchmark, scenario: Scenario) -> Path | None:
    """The user's own custom.py below $MLPINF_CUSTOM_DEFINITION_PATH, if there is one."""
    given = os.environ.get(CUSTOM_ENVIRONMENT, "")
    if not given:
        return None
    for folder in (str(scenario.valstr), str(scenario.valstr).lower()):
        path = Path(given) / "custom_configs" / str(benchmark.valstr) / folder / "custom.py"
        if path.is_file():
            return path
    return None


def load_file(name: str, path: Path) -> LoadedFile:
    """Load one config file as the module `name`, unless that module is already loaded."""
    if name not in _loaded:
        problems = () if name in sys.modules else tuple(_run_file(name, path))
        entries = tuple(entry for entry in ConfigRegistry.entries if entry.package == name)
        _loaded[name] = LoadedFile(str(path), entries, problems)
    return _loaded[name]


def forget() -> None:
    """Drop every loaded config, so that the next load rereads the files."""
    _loaded.clear()
    ConfigRegistry.entries.clear()
    for name in [
        n for n in sys.modules if n.startswith("configs.") and n.split(".")[1] not in ("configuration", "loading", "inspection")
    ]:
        module = sys.modules.pop(name)
        parent, _, leaf = name.rpartition(".")
        if getattr(sys.modules.get(parent), leaf, None) is module:
            delattr(sys.modules[parent], leaf)


def _run_file(name: str, path: Path) -> Iterator[ConfigProblem]:
    """Create the module and run it; yields the failures."""
    ConfigRegistry.entries[:] = [entry for entry in ConfigRegistry.entries if entry.package != name]
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        yield describe_failure(error, path)
        return
    module = _module(name, path)
    before = list(sys.path)  # older files prepend the working directory
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            yield from _run_statements(tree, module, path)
    finally:
        sys.path[:] = before


def _module(name: str, path: Path) -> ModuleType:
    below = [str(path.parent)] if path.name == "__init__.py" else None
    if below is not None:
        folders = [root.joinpath(*name.split(".")[1:]) for root in roots()]
        below += [str(folder) for folder in folders if folder.is_dir() and folder != path.parent]
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=below)
    if spec is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    parent, _, leaf = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], leaf, module)
    return module


def _run_statements(tree: ast.Module, module: ModuleType, path: Path) -> Iterator[ConfigProblem]:
    lost: dict[str, int] = {}
    for node in tree.body:
        count = len(ConfigRegistry.entries)
        try:
            exec(compile(ast.Module([node], []), str(path), "exec", LAZY_ANNOTATIONS, dont_inherit=True), module.__dict__)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a user's file: whatever it raises, even SystemExit, fails only that statement
            del ConfigRegistry.entries[count:]
            yield describe_failure(error, path, node, lost, list(module.__dict__))
            if not isinstance(node, BINDING):
                return
            for bound in _bound(node):
                module.__dict__.pop(bound, None)
                lost[bound] = node.lineno


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement binds."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def describe_failure(
    error: BaseException,
    path: Path,
    node: ast.stmt | None = None,
    lost: dict[str, int] | None = None,
    names: list[str] | None = None,
) -> ConfigProblem:
    """The location and reason of a failure in a config file, with a hint.

    Args:
        lost: names that earlier statements failed to bind, with their lines.
        names: the names that are bound at this point.
    """
    if isinstance(error, SyntaxError) and node is None:
        return _of_syntax(error, path)
    frames = traceback.extract_tb(error.__traceback__)
    here = [frame.lineno or 0 for frame in frames if frame.filename == str(path)]
    line = here[-1] if here else getattr(node, "lineno", 0)
    reason = f"{type(error).__name__}: {error}{_elsewhere(error, path, frames)}"
    if node is None:
        return ConfigProblem(str(path), line, reason, SKIPPED)
    what = f"class {node.name}" if isinstance(node, ast.ClassDef) else "this statement"
    rest = f"{what} is skipped, the rest of the file loads" if isinstance(node, BINDING) else "the rest of the file is skipped"
    return ConfigProblem(str(path), line, reason, _cause(error, lost or {}, names or []) + rest)


def _of_syntax(error: SyntaxError, path: Path) -> ConfigProblem:
    """A file that is not Python."""
    hint = SKIPPED
    if "\u00a0" in (error.text or "") or "U+00A0" in (error.msg or ""):
        hint = f"replace the non-breaking space by an ordinary one; {SKIPPED}"
    return ConfigProblem(error.filename or str(path), error.lineno or 0, f"syntax error: {error.msg}", hint)


def _elsewhere(error: BaseException, path: Path, frames: Iterable[traceback.FrameSummary]) -> str:
    """', in <file>:<line>' where the failure is in another config file than the one that loads."""
    if isinstance(error, SyntaxError):
        return f", in {shown(error.filename or '')}:{error.lineno}"
    inside = [frame for frame in frames if any(Path(frame.filename).is_relative_to(root) for root in roots())]
    if not inside or inside[-1].filename == str(path):
        return ""
    return f", in {shown(inside[-1].filename)}:{inside[-1].lineno}"


def _cause(error: BaseException, lost: dict[str, int], names: list[str]) -> str:
    missing = getattr(error, "name", None)
    if not isinstance(missing, str):
        return ""
    if isinstance(error, NameError):
        if missing in lost:
            return f"{missing} failed on line {lost[missing]}; "
        return _like(missing, [n for n in names if not n.startswith("__")])
    if isinstance(error, AttributeError) and "nearest" not in str(error):
        return _like(missing, [n for n in dir(error.obj) if not n.startswith("_")])
    if isinstance(error, ImportError) and missing in sys.modules:
        return f"{shown(getattr(sys.modules[missing], '__file__', None) or missing)} has no such name; "
    return ""


def _like(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"the nearest known name is {near}; " if near else ""
