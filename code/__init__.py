"""The harness package.

Its name is the one that vendors' config files import (`from code.common.constants import …`), and it is also the name of a
module of the standard library that `pdb`, `doctest` and IDEs import. So everything the standard library's `code` offers is
offered here too, taken from the real file.

This file is read before every other, also by a Python that cannot run the harness: it has no syntax that Python 3.6 lacks.
"""

import importlib.util
import os
import signal
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import NoReturn

PYTHONS = ((3, 10), (3, 13))
"""The oldest and the newest Python that runs the harness."""
NEEDED = ("numpy", "onnx", "rich", "yaml")
"""Packages that tell the harness's environment from another."""
OWN_SIGNALS = frozenset(("code.main", "code.harness.python"))
MISSING_STATUS = 3
INTERRUPTED_STATUS = 130


def _standard_library_code() -> ModuleType:
    """Load the standard library's `code` module from its own file under another name."""
    source = Path(sysconfig.get_paths()["stdlib"]) / "code.py"
    spec = importlib.util.spec_from_file_location("_standard_library_code", source)
    if spec is None or spec.loader is None:  # pragma: no cover - a Python without its own library
        raise ImportError(f"the standard library's code.py was not found at {source}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _unfit() -> str:
    """Why this Python cannot run the harness; '' if it can."""
    oldest, newest = (".".join(str(number) for number in version) for version in PYTHONS)
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return f"the harness needs Python {oldest} to {newest}"
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    return f"it does not have the harness's packages: {', '.join(missing)}" if missing else ""


def _interrupted(number: int, frame: object) -> NoReturn:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED_STATUS)


def _begin_process() -> None:
    """What a process that was started as `python3 -m code.…` does first.

    A Python that cannot run the harness is named. While the rest is imported a signal ends the process with the status of every interrupted
    command: an exception would be taken for a failed import. The modules in OWN_SIGNALS set handlers of their own later. Bytecode is
    kept where Python would keep none, and large packages wait until a command needs them.
    """
    why = _unfit()
    if not why:
        for one in (signal.SIGINT, signal.SIGTERM) if OWN_SIGNALS & set(sys.orig_argv) else ():
            signal.signal(one, _interrupted)
        from code.common import bytecode, lazily

        bytecode.keep()
        if "code.main" in sys.orig_argv:
            lazily.install()
        return
    root = Path(__file__).resolve().parents[1]
    python = Path(os.environ.get("VENV") or root / ".venv") / "bin" / "python"
    words = f"{python} -m code.main …" if python.exists() else "`make venv`, which creates the environment"
    version = ".".join(str(number) for number in sys.version_info[:3])
    lines = (
        f"error: {sys.executable} (Python {version}) cannot run the harness",
        f"  why:  {why}",
        f"  next: call make, which uses the right Python, or run {words}",
    )
    print("\n".join(lines), file=sys.stderr)
    sys.exit(MISSING_STATUS)


_stdlib = _standard_library_code()
InteractiveConsole = _stdlib.InteractiveConsole
InteractiveInterpreter = _stdlib.InteractiveInterpreter
compile_command = _stdlib.compile_command
interact = _stdlib.interact

__all__ = ["InteractiveConsole", "InteractiveInterpreter", "compile_command", "interact"]

if sys.argv[:1] == ["-m"]:  # Python's value while it looks for the module to run
    _begin_process()
