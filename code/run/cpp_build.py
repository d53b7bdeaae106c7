"""Builds the C++ harness when a run requires it."""

from __future__ import annotations

import os
import subprocess
import sys

from code.common import console, paths
from code.common.errors import MissingError
from code.run.language import binary


def ensure(why: str) -> None:
    """Run `make build` if the C++ harness is not built. MissingError if that fails.

    Args:
        why: what needs it; begins the printed line.
    """
    if binary().is_file():
        return
    console.say(f"{why} needs the C++ harness, which is not built: building it now, once (about two minutes)")
    command = ["make", "--no-print-directory", "-C", str(paths.project_root()), "build"]
    if "VENV=" not in os.environ.get("MAKEFLAGS", ""):
        command.append(f"VENV={sys.prefix}")
    try:
        done = subprocess.run([*command, f"BUILD_DIR={paths.build_dir()}"], stdin=subprocess.DEVNULL, check=False)
    except OSError as error:
        raise MissingError(
            "the C++ harness cannot be built", str(error), "install make and a C++ compiler, then run `make build`"
        ) from error
    if done.returncode != 0 or not binary().is_file():
        raise MissingError("the C++ harness could not be built", "see the lines above", "fix the errors, then run `make build`")
