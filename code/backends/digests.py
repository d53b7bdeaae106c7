"""Digests of large files, remembered by path and stat so that a warm run reads none of them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import sha256, write_json
from code.common.paths import engine_dir


def file_digest(path: Path, home: Path | None = None) -> str:
    """SHA-256 of a file. It is computed again when the path, size, inode, time of change or time of modification is another.

    Args:
        home: directory that remembers it; None for that of the engines.
    """
    stat = path.stat()
    stamp = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    memory = (home or engine_dir()) / ".digests" / (hashlib.sha256(str(stamp[0]).encode()).hexdigest()[:16] + ".json")
    known = jsonfile.object_or_empty(memory)
    if known.get("stamp") == stamp and isinstance(known.get("sha256"), str):
        return str(known["sha256"])
    digest = sha256(path)
    write_json(memory, {"stamp": stamp, "sha256": digest})
    return digest


def of_folder(folder: Path, without: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """Relative name → {"bytes", "sha256"} of every file in a folder, but for those named in `without`."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in names if name not in without
    }


def misfit(folder: Path, files: object) -> str:
    """What in a folder does not fit its digests, as `of_folder` made them; '' if everything does."""
    if not isinstance(files, Mapping) or not files:
        return "no digests of its files are recorded"
    for name, wanted in files.items():
        if not isinstance(wanted, Mapping) or not isinstance(wanted.get("sha256"), str):
            return f"no digest of {name} is recorded"
        path = folder / name
        try:
            if path.stat().st_size != wanted.get("bytes"):
                return f"{name} has {path.stat().st_size:,} bytes, not {wanted.get('bytes')}"
            if file_digest(path, folder.parent) != wanted["sha256"]:
                return f"{name} does not fit its digest"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}"
    return ""
