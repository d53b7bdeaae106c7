"""Slurm jobs: docker/examples/slurm.sbatch with the options of one submission filled in."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from code.campaign import surroundings
from code.common import paths
from code.common.errors import MissingError, RunError
from code.common.files import atomic_write

TEMPLATE = "docker/examples/slurm.sbatch"
RUNS = "runs.txt"
FILLED = ("--job-name", "--nodes", "--output")
"""Options of the template that a submission sets."""


def script(options: Sequence[str], variables: Mapping[str, str]) -> str:
    """The template with these sbatch options in place of its own, and these variables set.

    Args:
        options: '--nodes=2', as sbatch takes them.
    """
    shebang, _, rest = (paths.project_root() / TEMPLATE).read_text(encoding="utf-8").partition("\n")
    lines = rest.splitlines()
    kept = [line for line in lines if not line.startswith(tuple(f"#SBATCH {name}=" for name in FILLED))]
    last = max(place for place, line in enumerate(kept) if line.startswith("#SBATCH"))
    head = [f"#SBATCH {option}" for option in options]
    exported = [f"export {name}={shlex.quote(value)}" for name, value in variables.items() if value]
    return "\n".join([shebang, *kept[: last + 1], *head, *exported, *kept[last + 1 :], ""])


def write(folder: Path, options: Sequence[str], variables: Mapping[str, str], runs: Sequence[str] = ()) -> Path:
    """Write the script into a folder, which also gets the logs.

    Args:
        runs: of an array, by name, an element each: a file that is changed meanwhile does not change which run an element makes.
    """
    if runs:
        with atomic_write(folder / RUNS) as out:
            out.write("".join(f"{name}\n" for name in runs))
        variables = {**variables, "CAMPAIGN_RUNS": str(folder / RUNS)}
    path = folder / "job.sbatch"
    with atomic_write(path) as out:
        out.write(script(options, variables))
    return path


def submit(path: Path, arguments: Sequence[str]) -> str:
    """Submit a script; returns the job's ID.

    Args:
        arguments: further options of sbatch, as the user wrote them.

    Raises:
        MissingError: there is no Slurm here.
        RunError: Slurm refused it.
    """
    if shutil.which("sbatch") is None:
        next_step = f"copy the work tree to a machine that has it, or: sbatch {path}"
        raise MissingError("there is no sbatch here", "Slurm's client is not installed on this machine", next_step)
    command = ["sbatch", "--parsable", *arguments, str(path)]
    done = subprocess.run(
        command, cwd=paths.project_root(), env=surroundings.clean(), capture_output=True, text=True, check=False
    )
    found = re.match(r"\d+", done.stdout.strip())
    if done.returncode or found is None:
        why = " ".join((done.stderr or done.stdout).split())
        raise RunError("Slurm refused the job", why, f"fix SLURM_ARGS or the file, then submit again; the script is {path}")
    return found[0]
