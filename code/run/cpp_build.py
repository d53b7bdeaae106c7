"""The C++ harness made when a run cannot do without it."""

from __future__ import annotations

import os
import subprocess
import sys

from code.common import console, paths
from code.common.errors import MissingError
from code.run.language import binary


def ensure(why: str) -> None:
    """`make build` where the C++ harness is not built. MissingError where it cannot be.

    Args:
        why: what needs it, the beginning of the line that is printed.
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
        raise MissingError(
            "the C++ harness could not be built", "see the lines above", "fix what they name, then run `make build`"
        )
