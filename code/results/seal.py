"""Binds the files of a run to its metadata.json by digests, so that an edited, exchanged or lost file is noticed.

A digest protects from accidents and from mixing files of several runs; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.files import sha256

FILES, OWN = "files", "metadata_sha256"
"""Keys of metadata.json: name → {"bytes", "sha256"} of each file of the run, and the digest of all other keys."""
UNSEALED = ("metadata.json", "INCOMPLETE")


def sealed(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of metadata.json with the digests of every file in the run's folder, and its own."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in names if name not in UNSEALED
    }
    out = {**content, FILES: files}
    return {**out, OWN: _digest(out)}


def broken(folder: Path) -> list[str]:
    """What has changed in a run's folder since the run; [] if nothing has. Files that were added later are not the run's."""
    metadata = jsonfile.object_or_empty(folder / "metadata.json")
    if OWN not in metadata or not isinstance(metadata.get(FILES), Mapping):
        return ["metadata.json has no digests of the run's files: it was edited, or an older version of the harness wrote it"]
    found = [] if metadata[OWN] == _digest(metadata) else ["metadata.json was edited: it does not fit its own digest"]
    for name, wanted in metadata[FILES].items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} was removed after the run")
        elif not isinstance(wanted, Mapping) or sha256(path) != wanted.get("sha256"):
            found.append(f"{name} was changed after the run: its digest differs")
    return found


def _digest(content: Mapping[str, Any]) -> str:
    """Of the content as JSON with sorted keys, without its own digest."""
    plain = {key: value for key, value in content.items() if key != OWN}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
