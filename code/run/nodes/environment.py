"""Finds what `make cluster` installs, in an environment of its own: Ray, and the ZeroMQ library."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from code.common.errors import MissingError

NEXT_STEP = "run `make cluster`, which installs it once (about 300 MB)"


def folder() -> Path:
    """The environment's folder, beside the harness's own."""
    return Path(f"{os.environ.get('VENV') or sys.prefix}-cluster")


def python() -> Path:
    """Its interpreter. MissingError where it is not installed."""
    found = folder() / "bin" / "python"
    if not found.is_file():
        raise MissingError("Ray is not installed", f"{folder()} does not exist", NEXT_STEP)
    return found


def library() -> Path:
    """The ZeroMQ library that the package pyzmq brings. MissingError without it."""
    found = sorted(folder().glob("lib/python3*/site-packages/pyzmq.libs/libzmq*.so*"))
    if not found:
        raise MissingError("the ZeroMQ library is not installed", f"{folder()} has no pyzmq.libs/libzmq*.so", NEXT_STEP)
    return found[-1]
