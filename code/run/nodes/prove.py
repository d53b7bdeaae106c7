"""`python -m code.run.nodes.prove`: what this node has of what a run needs. Reads what to look at from standard input, prints JSON.

The head runs the same, so that whatever it prints can be compared.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.backends import store
from code.common import jsonfile
from code.common.errors import HarnessError
from code.common.files import sha256
from code.common.version import git_commit, git_is_changed
from code.machine.detect import detect
from code.run.language import binary


def proof(engines: Sequence[str], model: str, data: Sequence[str]) -> dict[str, Any]:
    """What this machine has.

    Args:
        engines: folders of engines.
        model: the file or folder that they were built of; '' for none.
        data: the files of the data set.

    Returns commit, harness, model, engines, data (name → digest, 'missing', or what is wrong with it), devices, system and
    processors.
    """
    machine = detect()
    return {
        "commit": git_commit() + (" with changes" if git_is_changed() else ""),
        "harness": _digest(binary()),
        "model": _digest(Path(model)) if model else "",
        "engines": {Path(folder).name: _engine(Path(folder)) for folder in engines},
        "data": {Path(name).name: _digest(Path(name)) for name in data},
        "devices": [{"kind": str(gpu.kind), "uuid": gpu.uuid, "pci": gpu.pci} for gpu in machine.gpus],
        "system": machine.source,
        "processors": len(os.sched_getaffinity(0)),
    }


def _digest(path: Path) -> str:
    try:
        return (store.folder_digest(path) if path.is_dir() else sha256(path))[:16]
    except OSError:
        return "missing"


def _engine(folder: Path) -> str:
    if not (folder / store.SIDECAR).is_file():
        return "missing"
    if damage := store.damage(folder):
        return damage
    content = jsonfile.object_or_empty(folder / store.SIDECAR)
    # What it was built of: the bytes of two builds of the same may differ.
    made_of = {key: value for key, value in content.items() if key not in ("build_seconds", "files", "details")}
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def asked(content: Mapping[str, Any]) -> dict[str, Any]:
    """The proof that a head asks for."""
    return proof(content["engines"], content["model"], content["data"])


if __name__ == "__main__":
    try:
        print(json.dumps(asked(jsonfile.parse(sys.stdin.buffer.read()))))
    except HarnessError as error:
        print(json.dumps({"error": error.what}))
