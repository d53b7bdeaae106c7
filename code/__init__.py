"""The harness package.

Its name is the one that vendors' config files import (`from code.common.constants import …`), and it is also the name of a
module of the standard library that `pdb`, `doctest` and IDEs import. So everything the standard library's `code` offers is
offered here too, taken from the real file.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType


def _standard_library_code() -> ModuleType:
    """Load the standard library's `code` module from its own file under another name."""
    source = Path(sysconfig.get_paths()["stdlib"]) / "code.py"
    spec = importlib.util.spec_from_file_location("_standard_library_code", source)
    if spec is None or spec.loader is None:  # pragma: no cover - a Python without its own library
        raise ImportError(f"the standard library's code.py was not found at {source}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_stdlib = _standard_library_code()
InteractiveConsole = _stdlib.InteractiveConsole
InteractiveInterpreter = _stdlib.InteractiveInterpreter
compile_command = _stdlib.compile_command
interact = _stdlib.interact

__all__ = ["InteractiveConsole", "InteractiveInterpreter", "compile_command", "interact"]
