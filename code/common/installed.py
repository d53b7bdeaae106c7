"""Versions of installed packages, read as importlib.metadata reads them, without what that module imports."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from pathlib import Path

INFO = ".dist-info"
OTHERS = (".egg-info", ".egg", ".egg-link")
"""Older forms of an installed package."""


def version(package: str) -> str | None:
    """The version of an installed package; None without it.

    Args:
        package: its name on the index; case, and which of -, _ and . it has, do not matter.
    """
    wanted = _folded(package)
    for place in sys.path:
        found = _named(place or ".").get(wanted)
        if found is None:
            continue
        text = _header(Path(found, "METADATA")) if found.endswith(INFO) else None
        return text if text is not None else _asked(package)
    return None if all(_is_plain(place) for place in sys.path) else _asked(package)


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _named(place: str) -> dict[str, str]:
    """The packages whose metadata lies in a folder: name → path."""
    try:
        entries = os.listdir(place)  # noqa: PTH208 - names, not paths
    except OSError:
        return {}
    return {
        _folded(entry.removesuffix(ending).partition("-")[0]): f"{place}/{entry}"
        for entry in entries
        for ending in (INFO, *OTHERS)
        if entry.endswith(ending)
    }


def _header(metadata: Path) -> str | None:
    """The version in a METADATA file's head; None where it cannot be read or has none."""
    try:
        with metadata.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if not line.strip():
                    return None
                if name.strip().lower() == "version":
                    return value.strip() or None
    except OSError:
        return None
    return None


def _is_plain(place: str) -> bool:
    """Whether a place for modules is a folder or is not there: no archive."""
    return not os.path.isfile(place or ".")  # noqa: PTH113 - a Path would be made for each


def _asked(package: str) -> str | None:
    from importlib import metadata

    try:
        found: str | None = metadata.version(package)
    except (metadata.PackageNotFoundError, KeyError):  # KeyError, from Python 3.12: metadata without a version
        return None
    return found
