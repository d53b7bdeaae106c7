"""MLCommons' power-dev: the programs that measure a run's power with an analyser and check what they measured.

It is fetched when a run needs it, at a pinned commit, and is no part of this project. Source: https://github.com/mlcommons/power-dev.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from code.common.checkout import Source, commit_of, fetch
from code.common.errors import MissingError, RunError
from code.common.paths import build_dir

VARIABLE = "MLPERF_POWER_DIR"
SOURCE = Source("power-dev", "https://github.com/mlcommons/power-dev", VARIABLE)
COMMIT = "c4b3ad8202fbd8ac28d77149e5e7aeadb725bbf2"
CLIENT = Path("ptd_client_server", "client.py")
SERVER = Path("ptd_client_server", "server.py")
CHECKER = Path("compliance", "check.py")
CHECK_TIMEOUT_S = 300
_PASSED = "All checks passed"


@dataclass(frozen=True)
class Compliance:
    """What power-dev's compliance check found in a measurement.

    Args:
        passed: it accepts the measurement.
        problems: its lines about what is wrong, the name of the check first.
        commit: of the checkout; '' where it is not one of git.
    """

    passed: bool
    problems: tuple[str, ...]
    commit: str


def present() -> Path | None:
    """The checkout that is there: $MLPERF_POWER_DIR, else build/power-dev; None if neither. MissingError if the variable names none."""
    named = os.environ.get(VARIABLE, "")
    if named:
        if (Path(named) / CLIENT).is_file() and (Path(named) / CHECKER).is_file():
            return Path(named).absolute()
        raise MissingError(
            f"{VARIABLE} is {named}, which has no {CLIENT} and {CHECKER}",
            f"it has to be a checkout of {SOURCE.repository}",
            f"clone it there at commit {COMMIT[:12]}, or unset {VARIABLE}",
        )
    folder = build_dir() / "power-dev"
    return folder if (folder / CLIENT).is_file() and commit_of(folder) == COMMIT else None


def checkout() -> Path:
    """The same, fetched if necessary. MissingError if it cannot be had."""
    found = present()
    if found is None:
        found = build_dir() / "power-dev"
        fetch(SOURCE, COMMIT, found)
    return found


def compliance(tools: Path, folder: Path) -> Compliance:
    """What its compliance check says of a measurement.

    Args:
        tools: the checkout.
        folder: holds power/, ranging/ and run_1/.

    Raises RunError where it cannot be run.
    """
    command = [sys.executable, "-B", str(tools / CHECKER), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, errors="replace")
    except (OSError, subprocess.SubprocessError) as error:
        raise RunError("power-dev's check could not be run", str(error), f"run it by hand: {' '.join(command)}") from error
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    passed = done.returncode == 0 and any(_PASSED in line for line in lines)
    return Compliance(passed, () if passed else _problems(lines), commit_of(tools))


def _problems(lines: list[str]) -> tuple[str, ...]:
    """Each failed check ('[ ] Check UUID') with the line after it, which says why; the last line where none is named."""
    found = []
    for line, reason in zip(lines, [*lines, ""][1:], strict=True):
        if "[ ]" in line:
            name = line.partition("[ ]")[2].strip()
            found.append(f"{name}: {_text(reason)}")
    return tuple(found) or tuple(lines[-1:]) or ("it printed nothing",)


def _text(line: str) -> str:
    """A log line without 'ERROR:main:'."""
    for level in ("ERROR", "WARNING", "INFO"):
        line = line.removeprefix(f"{level}:main:")
    return line.strip()


__all__ = ["CLIENT", "COMMIT", "SERVER", "SOURCE", "VARIABLE", "Compliance", "checkout", "commit_of", "compliance", "present"]
