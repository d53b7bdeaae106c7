"""Finds Triton Inference Server and its client: an environment of its own (`make triton`), an installation, or a path.

The wheel that brings the server holds NumPy below 2. Its environment stands beside the harness's, and only the client is imported
from there, behind everything that the harness has itself.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common import paths
from code.common.errors import MissingError, UsageError

NEXT_STEP = (
    "install it with `make triton`, name one with --triton_server=FILE, or use a running server with --triton_url=HOST:PORT"
)
INSTALLED = Path("/opt/tritonserver")
"""Where NVIDIA's containers have it."""
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
STUB = "triton_python_backend_stub"
LIBRARY = "libtritonserver*.so"
"""Its name; a wheel adds a digest to it."""


@dataclass(frozen=True)
class Installation:
    """A server that can be started.

    Args:
        program: the executable.
        backends: its folder of backends; each of its folders is one.
        stubs: folder of the Python backend's programs by Python version; None where the backend has its own.
        libraries: folders for LD_LIBRARY_PATH.
    """

    program: Path
    backends: Path
    stubs: Path | None = None
    libraries: tuple[Path, ...] = ()

    def has(self, backend: str) -> bool:
        """Whether the server has a backend, such as 'python' or 'tensorrt'."""
        return (self.backends / backend).is_dir()


def environment() -> Path:
    """Where `make triton` puts its Python environment."""
    venv = os.environ.get("VENV") or sys.prefix
    return Path(f"{venv}-triton")


def site_packages() -> Path:
    """The packages of that environment."""
    return environment() / "lib" / f"python{PYTHON}" / "site-packages"


def installation(program: str | None) -> Installation:
    """The server at `program`, else that of `make triton`, else the one of a container or of PATH.

    Raises:
        UsageError: `program` is not an executable file.
        MissingError: there is no server.
    """
    if program:
        path = Path(program)
        if not (path.is_file() and os.access(path, os.X_OK)):
            raise UsageError(f"{program} is not a program", "it is not an executable file", NEXT_STEP, "--triton_server")
        return _beside(path.resolve())
    wheel = site_packages() / "pytriton" / "tritonserver"
    if (wheel / "bin" / "tritonserver").is_file():
        return _beside(wheel / "bin" / "tritonserver")
    found = shutil.which("tritonserver", path=f"{INSTALLED / 'bin'}:{os.environ.get('PATH', '')}")
    if found is None:
        raise MissingError("Triton Inference Server is not installed", f"{environment()} has none, nor has PATH", NEXT_STEP)
    return _beside(Path(found).resolve())


def _beside(program: Path) -> Installation:
    """The installation that a program belongs to: <root>/bin/tritonserver, <root>/backends."""
    root = program.parent.parent
    stubs = root / "python_backend_stubs"
    libraries = [root / "lib", *sorted(root.parent.parent.glob("nvidia_pytriton.libs"))]
    return Installation(
        program, root / "backends", stubs if stubs.is_dir() else None, tuple(one for one in libraries if one.is_dir())
    )


def backends_for(server: Installation) -> Path:
    """The folder of backends to start a server with: its own, or one with the Python backend's program for this Python.

    MissingError where the server has no program for this Python, or Python's shared library is not installed.
    """
    if server.stubs is None or not server.has("python"):
        return server.backends
    stub = server.stubs / PYTHON / STUB
    if not stub.is_file():
        there = ", ".join(sorted(path.name for path in server.stubs.iterdir()))
        raise MissingError(
            f"Triton's Python backend has no program for Python {PYTHON}",
            f"it has them for {there}",
            "make the environment with one of these: make venv PYTHON3=…",
        )
    try:
        ctypes.CDLL(str(_python_library() or f"libpython{PYTHON}.so.1.0"))
    except OSError as error:
        raise MissingError(
            f"libpython{PYTHON}.so.1.0 is not installed",
            "Triton's Python backend needs it, and this Python was built without it",
            f"on Debian and Ubuntu: apt-get install libpython{PYTHON}",
        ) from error
    folder = paths.build_dir() / "triton" / f"backends-{PYTHON}"
    python = folder / "python"
    python.mkdir(parents=True, exist_ok=True)
    _link(python / STUB, stub)
    for path in (server.backends / "python").iterdir():
        if path.is_file() and path.name != STUB:
            _link(python / path.name, path)
    for path in server.backends.iterdir():
        if path.is_dir() and path.name != "python":
            _link(folder / path.name, path)
    return folder


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


def _python_library() -> Path | None:
    """This Python's own shared library; None where it was built without one."""
    path = Path(str(sysconfig.get_config_var("LIBDIR"))) / f"libpython{PYTHON}.so.1.0"
    return path if path.is_file() else None


def server_environment(server: Installation) -> dict[str, str]:
    """The variables of the server's process: its libraries, and this Python for its Python backend."""
    own = _python_library()
    folders = [*map(str, server.libraries), *([str(own.parent)] if own else []), os.environ.get("LD_LIBRARY_PATH", "")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "LD_LIBRARY_PATH": ":".join(filter(None, folders)), "PYTHONHOME": sys.base_prefix}


def client(protocol: str = "grpc") -> Any:
    """The module tritonclient.grpc, or that of another protocol. MissingError without it."""
    return _imported(f"tritonclient.{protocol}")


def library(server: Installation) -> Path:
    """The library of the server's C API. MissingError where the installation has none."""
    found = next((path for folder in server.libraries for path in sorted(folder.glob(LIBRARY))), None)
    if found is None:
        raise MissingError(
            "the Triton server has no library of its C API",
            f"there is no {LIBRARY} in {', '.join(map(str, server.libraries)) or 'the folder lib beside it'}",
            "install a server with `make triton`, or ask the server over gRPC: --triton_protocol=grpc",
        )
    return found


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        pass
    if str(site_packages()) not in sys.path:
        sys.path.append(str(site_packages()))
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(
            "Triton's client (tritonclient) cannot be imported", str(error), "install it with `make triton`"
        ) from error
