"""Finding and loading config files of both layouts.

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
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import configs
from code.common.constants import Benchmark, Scenario
from code.common.errors import nearest
from code.common.files import require_regular
from code.systems.replaced import require_own_modules
from code.systems.system_list import System
from configs import endpoints, exports, search
from configs.configuration import ConfigRegistry, Registered, shown
from configs.exports import ExportFile
from configs.inspection import place_of_field
from configs.placed import names, placed
from configs.served import OWN, serving

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
    """The result of loading one config file: registered classes, problems, and what it says that is not used here."""

    file: str
    entries: tuple[Registered, ...]
    problems: tuple[ConfigProblem, ...]
    remarks: tuple[str, ...] = ()


_loaded: dict[str, LoadedFile] = {}


def roots() -> list[Path]:
    """The folders that configs are read from; a file in an earlier one replaces the same file in later ones."""
    return [Path(folder) for folder in configs.__path__]


def use_folder(folder: Path | None) -> None:
    """Read configs of a folder before the project's own; None for those alone. What was loaded from elsewhere is forgotten."""
    wanted = [str(folder)] if folder else []
    given = list(configs.__path__)
    if given[: len(_folders)] == _folders:  # not every entry of that name: the project's own folder may have been given
        del given[: len(_folders)]
    if [*wanted, *given] != list(configs.__path__):
        configs.__path__[:] = [*wanted, *given]
        forget()
    _folders[:] = wanted


_folders: list[str] = []
"""The folder given by the request, as `use_folder` keeps it."""


def system_roots() -> list[Path]:
    """The folders that hold system folders of the newer layout: those of `roots`, and the user's definitions."""
    given = os.environ.get(CUSTOM_ENVIRONMENT, "")
    below = [Path(given) / "custom_configs", Path(given) / "configs", Path(given)] if given else []
    return [folder for folder in (*below, *roots()) if folder.is_dir()]


def load_folders(benchmark: Benchmark, scenario: Scenario, wanted: Callable[[str], bool]) -> list[LoadedFile]:
    """Load a workload's files of the newer layout.

    Args:
        wanted: called with the name of each system folder; whether to load its file.
    """
    exported, servers = search.workload_files(system_roots(), benchmark, scenario)
    found = [load_export(file) for file in exported if wanted(file.system)]
    return found + [load_endpoint(file) for file in servers if wanted(file.system)]


def holds_configs(root: Path) -> bool:
    """Whether a folder has config files of either layout in their places."""
    if any(
        exports.scenario_folder(path.parent.name) for name in ("__init__.py", "custom.py") for path in root.glob(f"*/*/{name}")
    ):
        return True
    files = (exports.located(path, root) for path in root.glob("*/*/*.py"))
    return any(file is not None and file.scenario for file in files) or bool(endpoints.every_endpoint(root))


def folder_names(benchmark: Benchmark | None = None) -> list[str]:
    """The system folders that hold a config of the newer layout, of a benchmark or of any."""
    found: dict[str, None] = {}
    for root in system_roots():
        for path in sorted(root.glob("*/*/*.py")):
            file = exports.located(path, root)
            if file is not None and file.scenario and file.benchmark is not None and benchmark in (None, file.benchmark):
                found[file.system] = None
        for server in endpoints.every_endpoint(root):
            if server.benchmark is not None and benchmark in (None, server.benchmark):
                found[server.system] = None
    return list(found)


def load_export(file: ExportFile) -> LoadedFile:
    """Load one file of the newer layout, unless it is loaded already."""
    return load_file(file.module, file.path, file)


def load_endpoint(file: endpoints.EndpointFile) -> LoadedFile:
    """Read one endpoint.yaml, unless it is read already. Nothing of it is executed."""
    if file.module not in _loaded:
        entry, remarks, fault = endpoints.read(file)
        problems = (ConfigProblem(str(file.path), fault.line, fault.reason, fault.hint),) if fault else ()
        _loaded[file.module] = LoadedFile(str(file.path), (entry,) if entry else (), problems, tuple(remarks))
    return _loaded[file.module]


def load(benchmark: Benchmark, scenario: Scenario) -> list[LoadedFile]:
    """Load a benchmark's config files for one scenario: the package, its custom.py, and the user's own definitions.

    The benchmark's base classes are loaded first, and are included in the result if they have failures. Each file is loaded
    at most once in a process. Missing files are left out of the result.
    """
    search.once(require_own_modules)
    package = f"configs.{benchmark.folder}.{scenario.valstr}"
    folder = f"{benchmark.folder}/{scenario.valstr}"
    base = _first(f"{benchmark.folder}/__init__.py")
    shared = load_file(f"configs.{benchmark.folder}", base) if base else None
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
        path = Path(given) / "custom_configs" / benchmark.folder / folder / "custom.py"
        if path.is_file():
            return path
    return None


def load_file(name: str, path: Path, export: ExportFile | None = None) -> LoadedFile:
    """Load one config file as the module `name`, unless that module is there already.

    Args:
        export: its place, for a file of the newer layout.
    """
    if name not in _loaded:
        remarks: list[str] = []
        problems = [] if name in sys.modules else list(_run_file(name, path, export, remarks))
        problems += _without_system(name)
        entries = tuple(entry for entry in ConfigRegistry.entries if entry.package == name)
        _loaded[name] = LoadedFile(str(path), entries, tuple(problems), tuple(remarks))
    return _loaded[name]


def _without_system(name: str) -> list[ConfigProblem]:
    """A problem for each class of a module that names no system; the class is dropped."""
    met = []
    for entry in [entry for entry in ConfigRegistry.entries if entry.package == name]:
        system = getattr(entry.cls, "system", None)
        if isinstance(system, System) or (isinstance(system, str) and system):
            continue
        given = "sets no system" if not hasattr(entry.cls, "system") else f"has {system!r} for a system"
        place = place_of_field(entry.cls, "system") if hasattr(entry.cls, "system") else entry.where
        file, _, line = place.rpartition(":")
        met.append(
            ConfigProblem(
                file or entry.file,
                int(line) if line.isdigit() else entry.line,
                f"config class {entry.cls.__name__} {given}",
                "set system = KnownSystem.<name>, see `make list_systems`; this class is skipped, the others load",
            )
        )
        ConfigRegistry.entries.remove(entry)
    return met


def forget() -> None:
    """Drop every loaded config, so that the next load rereads the files."""
    _loaded.clear()
    ConfigRegistry.entries.clear()
    for name in [n for n in sys.modules if n.startswith("configs.") and n.split(".")[1] not in OWN]:
        module = sys.modules.pop(name)
        parent, _, leaf = name.rpartition(".")
        if getattr(sys.modules.get(parent), leaf, None) is module:
            delattr(sys.modules[parent], leaf)


def _run_file(name: str, path: Path, export: ExportFile | None, remarks: list[str]) -> Iterator[ConfigProblem]:
    """Make the module and run it; yields what failed. What is not used of it is added to `remarks`."""
    ConfigRegistry.entries[:] = [entry for entry in ConfigRegistry.entries if entry.package != name]
    try:
        tree = ast.parse(require_regular(path).read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        yield describe_failure(error, path)
        return
    module = _module(name, path)
    with warnings.catch_warnings(), _importable(export), serving(path) as surroundings:
        warnings.simplefilter("ignore", SyntaxWarning)
        if export is not None:
            module.__dict__.update(names(str(path)))
            tree = placed(tree)
        met = list(_run_statements(tree, module, path))
    yield from met
    if export is not None:
        if exports.exported(module.__dict__) is not None or not met:
            for fault in exports.register(export, module.__dict__, name):
                yield ConfigProblem(str(path), fault.line, fault.reason, fault.hint)
        remarks += exports.remarks(module.__dict__, surroundings.environment)


@contextmanager
def _importable(export: ExportFile | None) -> Iterator[None]:
    """Let a file import its neighbours from its own root, which may be outside the folders of `roots`."""
    added = [str(export.root)] if export is not None and str(export.root) not in configs.__path__ else []
    configs.__path__.extend(added)
    try:
        yield
    finally:
        for root in added:
            configs.__path__.remove(root)


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
