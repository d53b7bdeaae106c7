"""Which version of the harness this is: pyproject.toml's number and the commit of the work tree."""

from __future__ import annotations

import subprocess

from code.common import paths


def project_version() -> str:
    """The project's version, from pyproject.toml."""
    for line in (paths.project_root() / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("version"):
            return line.split('"')[1]
    return "unknown"


def git_commit() -> str:
    """The commit of the work tree, '' outside one."""
    return _git("rev-parse", "--short", "HEAD")


def git_is_changed() -> bool:
    """Whether files that git tracks differ from that commit."""
    return bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*words: str) -> str:
    command = ["git", "-C", str(paths.project_root()), *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
