"""Checkouts of other projects' repositories at a pinned commit."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import MissingError

CLONE_TIMEOUT_S = 300


@dataclass(frozen=True)
class Source:
    """A repository that is fetched when it is needed.

    Args:
        name: as messages call what is in it: 'the official checker'.
        repository: its address.
        variable: the environment variable that names a checkout instead.
        parts: the paths that are needed, in the syntax of .gitignore; () for everything.
    """

    name: str
    repository: str
    variable: str
    parts: tuple[str, ...] = ()


def fetch(source: Source, commit: str, folder: Path) -> None:
    """Fetch one commit into `folder`, without the files that are not needed. MissingError if it cannot be had."""
    if shutil.which("git") is None:
        raise MissingError(f"{source.name} cannot be fetched", "git is not installed", f"install git, or set {source.variable}")
    folder.mkdir(parents=True, exist_ok=True)
    git = ["git", "-C", str(folder)]
    steps: list[Sequence[str]] = [
        [*git, "init", "--quiet"],
        *([[*git, "sparse-checkout", "set", "--no-cone", *source.parts]] if source.parts else []),
        [*git, "fetch", "--quiet", "--depth=1", "--filter=blob:none", source.repository, commit],
        [*git, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "FETCH_HEAD"],
    ]
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    for step in steps:
        try:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=CLONE_TIMEOUT_S, env=environment)
        except (OSError, subprocess.SubprocessError) as error:
            output = str(getattr(error, "stderr", "") or error).strip().splitlines()
            with contextlib.suppress(OSError):
                (folder / ".git" / "FETCH_HEAD").unlink()
            raise MissingError(
                f"{source.name} is not present and cannot be fetched",
                next((line for line in output if line.startswith("fatal")), output[-1] if output else str(error)),
                f"clone {source.repository} at {commit[:12]} yourself and set {source.variable} to it",
            ) from error


def commit_of(folder: Path) -> str:
    """The commit of a checkout; '' if `folder` is not the root of one, such as an unpacked archive inside another repository."""
    try:
        command = ["git", "-C", str(folder), "rev-parse", "--show-prefix", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    inside, _, commit = done.stdout.partition("\n")
    return "" if inside else commit.strip()
