"""Compiled modules of the project, kept in the build folder where Python may not write them beside their source.

PYTHONDONTWRITEBYTECODE, which many container images set, and a source tree that is mounted read-only make Python compile every module at
every start, which is half of the time that a short command takes. Modules of other packages are not affected: pip compiles those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

from code.common import paths

FOLDER = "HARNESS_BYTECODE_DIR"
"""The environment variable that names another folder than build/bytecode."""
PACKAGES = ("code", "configs")


class KeptLoader(SourceFileLoader):
    """Loads a module from the bytecode kept in `folder`, or compiles it and keeps it there."""

    folder = ""

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code. An unwritable folder keeps nothing."""
        before = sys.pycache_prefix, sys.dont_write_bytecode
        sys.pycache_prefix, sys.dont_write_bytecode = self.folder, False
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix, sys.dont_write_bytecode = before


def keep() -> None:
    """Keep the project's bytecode in the build folder, for this process and where Python itself would not keep it beside the source."""
    root, folder = paths.project_root(), _folder()
    beside = not sys.dont_write_bytecode and os.access(root / "code", os.W_OK)
    if beside or sys.pycache_prefix or folder is None:
        return
    KeptLoader.folder = str(folder)
    finder = FileFinder.path_hook((KeptLoader, SOURCE_SUFFIXES))
    ours = [str(root / package) for package in PACKAGES]

    def hook(path: str) -> FileFinder:
        if not _inside(path, ours):
            raise ImportError(path)  # another hook's
        found: FileFinder = finder(path)  # type: ignore[assignment]
        return found

    sys.path_hooks.insert(0, hook)
    for path in [path for path in sys.path_importer_cache if _inside(path, ours)]:
        del sys.path_importer_cache[path]


def _folder() -> Path | None:
    """Where bytecode is kept; None as long as there is no build folder, which no command makes by the way."""
    if given := paths.variable(FOLDER):
        return Path(given).absolute()
    build = paths.build_dir()
    return build / "bytecode" if build.is_dir() else None


def _inside(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)
