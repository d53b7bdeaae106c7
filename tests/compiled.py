"""Keeps compiled modules of the project and its tests between test runs, where Python may not write them beside their source.

Under PYTHONDONTWRITEBYTECODE each process of a test run compiles 600 modules, and pytest rewrites the assertions of 270 test files,
which is as long as all the rest of collecting the tests. `make test` names a folder for them: HARNESS_BYTECODE_DIR.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import SOURCE_SUFFIXES, FileFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from code.common.bytecode import FOLDER, PACKAGES, KeptLoader

ROOT = Path(__file__).resolve().parents[1]


def keep() -> bool:
    """Keep them for this process; False where Python keeps them itself, or no folder is named."""
    folder = os.environ.get(FOLDER)
    if not folder or not sys.dont_write_bytecode or sys.pycache_prefix:
        return False
    KeptLoader.folder = folder
    finder = FileFinder.path_hook((KeptLoader, SOURCE_SUFFIXES))
    ours = tuple(str(ROOT / package) for package in (*PACKAGES, "scripts", "tests"))

    def hook(path: str) -> Any:
        if not f"{path}{os.sep}".startswith(tuple(f"{one}{os.sep}" for one in ours)):
            raise ImportError(path)  # another hook's
        return finder(path)

    sys.path_hooks.insert(0, hook)
    for path in [path for path in sys.path_importer_cache if path.startswith(ours)]:
        del sys.path_importer_cache[path]
    for one in [one for one in sys.meta_path if type(one).__name__ == "AssertionRewritingHook"]:
        _keep_rewritten(one, folder)
    return True


def _keep_rewritten(rewriting: Any, folder: str) -> None:
    """Let pytest's import hook keep the modules that it rewrites: it goes by the same two settings as Python."""
    execute = rewriting.exec_module

    def exec_module(module: ModuleType) -> None:
        with _kept_in(folder):
            execute(module)

    rewriting.exec_module = exec_module
    sys.meta_path.insert(0, Others())  # type: ignore[arg-type]


@contextlib.contextmanager
def _kept_in(folder: str) -> Iterator[None]:
    before = sys.pycache_prefix, sys.dont_write_bytecode
    sys.pycache_prefix, sys.dont_write_bytecode = folder, False
    try:
        yield
    finally:
        sys.pycache_prefix, sys.dont_write_bytecode = before


class Others:
    """Finds nothing. What a test module imports, such as NumPy, is taken from beside its source, as everywhere."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        sys.pycache_prefix, sys.dont_write_bytecode = None, True
