"""Packages whose import waits until a name of theirs is used: a short command ends without them.

Only a process started as `python3 -m code.main` imports this way (code/__init__.py). `import numpy` then gives a module that is empty
until it is asked for anything. importlib.util.LazyLoader is not used: it loads a module as soon as a second `import` of it is met, and
until Python 3.12.3 two threads that meet it at once see it half loaded.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

PACKAGES = (
    "numpy",
    "yaml",
    "psutil",
    "http.client",
    "multiprocessing",
    "importlib.metadata",
    "asyncio",
    "difflib",
    "statistics",
    "zipfile",
    "code.backends.generators.exchange",
    "code.common.download",
    "code.run.loadgen_run",
    "code.run.result",
    "code.run.early_out",
    "code.run.material",
    "code.run.nodes.permission",
    "code.systems.data.published",
)
UNTOUCHED = frozenset(("__spec__", "__class__"))
"""What the import statement asks of a module that is there already."""

_loading = threading.RLock()


class _Waiting(ModuleType):
    """A module that is loaded when it is asked for an attribute."""

    def __getattribute__(self, name: str) -> Any:
        if name not in UNTOUCHED:
            _load(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in UNTOUCHED:
            _load(self)
        ModuleType.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        _load(self)
        return list(ModuleType.__dir__(self))


class _Loader:
    """Loads nothing yet; keeps the loader that does."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.begun = False

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self.real.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Waiting


class _Finder:
    """Finds the packages that are to wait, through all other finders."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._names:
            return None
        for finder in sys.meta_path:
            found = None if finder is self else finder.find_spec(name, path, target)
            if found is not None and found.loader is not None:
                self._names.discard(name)
                found.loader = _Loader(found.loader)  # type: ignore[assignment]
                return found
        return None


def _load(module: ModuleType) -> None:
    """Load it in one thread, while others wait; what it asks of itself meanwhile is answered as far as it has come."""
    with _loading:
        spec = object.__getattribute__(module, "__spec__")
        waiting = spec.loader
        if not isinstance(waiting, _Loader):
            return
        if waiting.begun:
            return
        waiting.begun = True
        try:
            object.__setattr__(module, "__loader__", waiting.real)
            waiting.real.exec_module(module)
        except BaseException:
            waiting.begun = False
            raise
        spec.loader = waiting.real
        object.__setattr__(module, "__class__", ModuleType)


def install(names: Sequence[str] = PACKAGES) -> None:
    """Let these packages wait, where they are not imported yet."""
    sys.meta_path.insert(0, _Finder([name for name in names if name not in sys.modules]))
