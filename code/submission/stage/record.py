"""The record of a staged tree: where its results come from, and digests of the files that must not change after staging.

It lies beside the tree, which may hold no extra files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import sha256
from code.submission.stage import layout
from code.submission.stage.run_types import STAGED

SUFFIX = ".staged.json"
FOLDERS = ("results", "measurements", "compliance")
REWRITTEN = ("README.md",)
"""Files that a later step writes again (populate_readme)."""
TEXT = "accuracy.txt"


def record_path(root: Path) -> Path:
    """The record's file."""
    return root.with_name(root.name + SUFFIX)


def read_record(root: Path) -> dict[str, Any]:
    """The record of a staged tree; {} if the tree was made by other means. What is damaged in it is left out."""
    return STAGED.read(jsonfile.object_or_empty(record_path(root)), "", []) or {}


def digests(root: Path) -> dict[str, str]:
    """Relative name → digest of every file of a tree that truncation and populate_readme leave as it is."""
    files = (path for folder in FOLDERS for path in sorted(root.glob(f"*/*/{folder}/**/*")) if path.is_file())
    return {path.relative_to(root).as_posix(): digest(path) for path in files if path.name not in REWRITTEN}


def digest(path: Path) -> str:
    """A file's digest: SHA-256. An accuracy log is digested as truncation leaves it, and accuracy.txt without the log's hash."""
    if path.name == layout.ACCURACY_LOG:
        return _as_truncated(path)
    if path.name == TEXT:
        lines = path.read_bytes().split(b"\n")
        kept = b"\n".join(line for line in lines if not line.startswith(b"hash="))
        return hashlib.sha256(kept.strip()).hexdigest()
    return sha256(path)


def _as_truncated(path: Path) -> str:
    """SHA-256 of the log, or of its two ends where truncation cuts it: the same before and after."""
    size = path.stat().st_size
    if size < layout.VIEWABLE:
        return sha256(path)
    with path.open("rb") as source:
        start = source.read(layout.VIEWABLE)
        source.seek(size - layout.VIEWABLE)
        return hashlib.sha256(start + source.read(layout.VIEWABLE)).hexdigest()


def changed(root: Path) -> Iterator[tuple[Path, str]]:
    """Each recorded file that is no longer as it was staged, and what happened to it."""
    for name, wanted in read_record(root).get("files", {}).items():
        path = root / name
        if not path.is_file():
            yield path, "deleted after staging"
        elif digest(path) != wanted:
            yield path, "changed after staging: its digest differs"
