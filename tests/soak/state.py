"""What may not be there after a command was killed: processes, and files that are half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from code.backends import store
from code.results import seal
from tests.soak.phases import Place

MARK = "HARNESS_SOAK"
"""In the environment of every process of the commands."""
WRITTEN_WHOLE = (
    "metadata.json",
    "run.json",
    "provenance.json",
    "devices.json",
    "engine.json",
    "measurements.json",
    "staged.json",
)
"""JSON files that are written beside and renamed."""


def processes(mark: str) -> dict[int, str]:
    """Living processes of a command: process ID → command line."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if f"{MARK}={mark}\0".encode() not in (folder / "environ").read_bytes():
                continue
            if (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                continue
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
    return found


def half_written(place: Place) -> Iterator[str]:
    """Files and folders that have their final names, but not all of their content."""
    for root in (place.build, place.scratch, place.root / "pair", place.project / "systems"):
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "loadgen"]
            for name in files:
                if not name.startswith("."):
                    yield from _file(Path(folder) / name)
    if place.build.is_dir():
        for folder in (place.build / "engines").glob("[!.]*"):
            if folder.is_dir() and (reason := store.damage(folder)):
                yield f"{folder}: {reason}"
        for file in (place.build / "logs").rglob("metadata.json"):
            if not (file.parent / "INCOMPLETE").exists():
                yield from (f"{file.parent}: {reason}" for reason in seal.broken(file.parent))
    yield from _download(place)


def _file(path: Path) -> Iterator[str]:
    try:
        if path.name in WRITTEN_WHOLE or (path.suffix == ".json" and "systems" in path.parts):
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".npy" and not (path.parent / "INCOMPLETE").exists():
            np.load(path, mmap_mode="r")
        elif path.suffix == ".html" and "</html>" not in path.read_text(encoding="utf-8")[-200:]:
            yield f"{path}: it has no end"
    except (OSError, ValueError) as error:
        yield f"{path}: {error}"


def _download(place: Place) -> Iterator[str]:
    from tests.download_server import BODY

    path = place.scratch / "file.bin"
    if path.exists() and path.read_bytes() != BODY:
        yield f"{path}: it is not the server's file"


def remnants(place: Place) -> list[Path]:
    """Temporary files and folders, which a killed process cannot remove: the next command of the kind may."""
    return [
        Path(folder) / name
        for root in (place.build, place.scratch)
        for folder, folders, files in os.walk(root)
        for name in (*folders, *files)
        if name.startswith(".") and (name.endswith(".tmp") or ".tmp" in name)
    ]
