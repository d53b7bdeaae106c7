"""Modules of other harnesses that config files import, served by this one: nothing of another harness is executed.

`code.fields.*`, `code.llmlib.fields` and `code.<benchmark>.<runtime>.fields` give a key for every field name; keys are equal by
name, whatever module they came from. `nvmitten.*` gives the names of code.common.constants. `src` is another spelling of `code`. A
file's neighbours are imported from its own folders.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from code.common.constants import Benchmark
from code.common.paths import project_root
from code.fields.table import field_table
from configs.placed import names, placed

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:  # importlib.abc imports importlib.resources; the import system asks for no base class

    class Loader:
        """Stands for importlib.abc's."""

    class MetaPathFinder:
        """Stands for importlib.abc's."""


FIELD_MODULES = ("general", "harness", "loadgen", "models", "power", "gen_engines", "triton", "meta", "wrapped")
"""Modules of `code.fields` that the newer layout imports."""
FIRST = ("code", "src")
OWN = ("configuration", "endpoints", "exports", "inspection", "loading", "placed", "search", "served")
"""Modules of `configs` that are this project's, not config files."""
MITTEN = {
    "constants": ("ByteSuffix", "CPUArchitecture", "Precision", "AcceleratorType", "AliasedName", "AliasedNameEnum"),
    "memory": ("Memory",),
    "aliased_name": ("AliasedName", "AliasedNameEnum"),
}
"""Module of nvmitten → the names of code.common.constants that it gives."""


@dataclass(frozen=True)
class Key:
    """A field as a key of a config's dict."""

    name: str

    def __str__(self) -> str:
        return self.name


class FieldModule(ModuleType):
    """A module of fields: each public name is the key of the field of that name. Whether it is known is checked when it is used."""

    def __getattr__(self, name: str) -> Any:
        """The key of a field."""
        if name == "__all__":
            return [spelling for spelling, field in field_table().items() if not field.placed]
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        return Key(name)


class OtherModule(ModuleType):
    """A module of which only some names are served."""

    def __getattr__(self, name: str) -> Any:
        """AttributeError that lists the served names."""
        served = [known for known in vars(self) if not known.startswith("_")]
        given = f"this project serves {', '.join(served)} of it" if served else "this project serves nothing of it"
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}: {given}", name=name, obj=self)


class Neighbour(SourceFileLoader):
    """Loads a file beside a config file, with places in its dicts and without a cache file."""

    def get_code(self, fullname: str) -> CodeType:
        """The compiled file."""
        tree = placed(ast.parse(self.get_data(self.path), self.path))
        return compile(tree, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        module.__dict__.update(names(self.path))
        super().exec_module(module)


class Served(MetaPathFinder, Loader):
    """Finds the modules of other harnesses. Installed only while a config file runs.

    Args:
        folders: where the neighbours of that file are.
    """

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self.folders = folders
        self.made: list[str] = []

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The spec of a served module or a neighbour; None for what is imported as usual."""
        first, *rest = fullname.split(".")
        if first in FIRST and (kind := _kind(first, rest)):
            return ModuleSpec(fullname, self, is_package=kind == "package")
        if first == "nvmitten":
            return ModuleSpec(fullname, self, is_package=not rest or rest[-1] not in MITTEN)
        if first == "configs" and rest and rest[0] not in OWN:
            return _placing(PathFinder.find_spec(fullname, path))
        return None if rest else self._neighbour(fullname)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module, complete."""
        first, *rest = spec.name.split(".")
        self.made.append(spec.name)
        if first == "src" and rest and rest[0] == "common" and not _is_fields(rest):
            return _same_as(spec.name, "code." + ".".join(rest))
        if first == "nvmitten":
            module: ModuleType = OtherModule(spec.name)
            constants = importlib.import_module("code.common.constants")
            for name in MITTEN.get(".".join(rest), ()):
                setattr(module, name, getattr(constants, name))
            return module
        return FieldModule(spec.name) if _is_fields(rest) else OtherModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is executed."""

    def _neighbour(self, name: str) -> ModuleSpec | None:
        """A plain `import name` of a file in the config file's own folders. The standard library goes first."""
        if name in sys.stdlib_module_names:
            return None
        for folder in self.folders:
            path = folder / f"{name}.py"
            if path.is_file():
                self.made.append(name)
                return importlib.util.spec_from_file_location(name, path, loader=Neighbour(name, str(path)))
        return None

    def forget(self) -> None:
        """Remove the modules that were served, also from their parent packages."""
        for name in self.made:
            module = sys.modules.pop(name, None)
            parent, _, leaf = name.rpartition(".")
            if parent in sys.modules and vars(sys.modules[parent]).get(leaf) is module:
                delattr(sys.modules[parent], leaf)


def _is_fields(rest: Sequence[str]) -> bool:
    """Whether a module below `code` or `src` is one of fields."""
    if len(rest) == 2 and rest[0] == "fields":
        return rest[1] in FIELD_MODULES
    return len(rest) >= 2 and rest[-1] == "fields"


def _kind(first: str, rest: Sequence[str]) -> str:
    """'module' or 'package' for what is served; '' for this project's own modules and for what nobody serves."""
    if _is_fields(rest):
        return "module"
    if first == "src":
        return "package" if not rest or _own(rest) or len(rest) < 3 else ""
    return "" if not rest or _own(rest) or len(rest) > 2 else "package"


def _own(rest: Sequence[str]) -> bool:
    """Whether this project has a module `code.<rest>`. Folders of benchmarks there are another harness's: ours are in code/benchmarks."""
    if rest[0] == "llmlib" or Benchmark.get_match(rest[0]):
        return False
    place = project_root().joinpath("code", *rest)
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _same_as(name: str, real: str) -> ModuleType:
    """A module with the names of one of this project's own."""
    module = ModuleType(name)
    if real != "code.common":
        module.__dict__.update({k: v for k, v in vars(importlib.import_module(real)).items() if not k.startswith("__")})
    return module


def _placing(spec: ModuleSpec | None) -> ModuleSpec | None:
    """A spec whose file is loaded as a neighbour is; folders are left as they are."""
    if spec is not None and isinstance(spec.loader, SourceFileLoader) and spec.origin:
        spec.loader = Neighbour(spec.name, spec.origin)
    return spec


@dataclass
class Surroundings:
    """What a config file changed around it: environment variables that it set, with their values."""

    environment: dict[str, str]


@contextmanager
def serving(path: Path) -> Iterator[Surroundings]:
    """Run a config file with the served modules. Module path, environment and working directory are put back after it."""
    finder = Served((path.parent, path.parent.parent))
    before, variables, here, loaded = list(sys.path), dict(os.environ), Path.cwd(), set(sys.modules)
    changed = Surroundings({})
    sys.meta_path.insert(0, finder)
    try:
        yield changed
    finally:
        sys.meta_path.remove(finder)
        finder.forget()
        for name in set(sys.modules) - loaded:
            file = getattr(sys.modules[name], "__file__", None)
            if file and not name.startswith("configs.") and Path(file).is_relative_to(path.parents[2]):
                del sys.modules[name]  # the next folder's neighbour of that name is another file
        sys.path[:] = before
        changed.environment.update({k: v for k, v in os.environ.items() if variables.get(k) != v})
        if changed.environment or len(os.environ) != len(variables):
            os.environ.clear()
            os.environ.update(variables)
        os.chdir(here)
