"""The engine store: an engine is addressed by a digest of its inputs.

`build/engines/<words>-<key>/` contains the backend's files and `engine.json`, which lists all inputs of the key's digest, and the
digest of every file. The same inputs give the same folder and no rebuild, unless a file does not fit its digest; a folder is created
atomically.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.backends import digests
from code.backends.base import Backend
from code.backends.locks import held, locked
from code.common import jsonfile
from code.common.errors import MissingError
from code.common.files import atomic_directory, write_json
from code.common.paths import engine_dir
from code.fields.consumer import Consumer

SIDECAR = "engine.json"
TEMPORARY = re.compile(r"^\.(.+)\.[^.]+\.tmp(\.old)?$")
"""Name of the folder that an engine is built in; its group is the engine's (code/common/files.py)."""
NOTES = (".md", ".txt", ".log")
"""Files of a model folder that do not affect the engine."""


READS = Consumer("engine store", ("precision",), engine=True)


@dataclass(frozen=True)
class EngineAddress:
    """The location of an engine, built or not, and its inputs."""

    folder: Path
    identity: Mapping[str, Any]

    @property
    def exists(self) -> bool:
        """Whether the engine is built."""
        return (self.folder / SIDECAR).is_file()

    def damage(self) -> str:
        """Why a built engine cannot be used; '' if it is intact. Files are read only where their stat has changed."""
        return damage(self.folder, self.identity)

    def require(self) -> Path:
        """Its folder; MissingError when it is not built or damaged."""
        if not self.exists:
            raise MissingError(
                f"the engine {self.folder.name} is not built",
                f"{self.folder} does not exist",
                "run `make generate_engines` with the same RUN_ARGS, or use `make run`, which builds and runs",
            )
        if reason := self.damage():
            raise MissingError(
                f"the engine {self.folder.name} is damaged",
                reason,
                "run `make generate_engines` with the same RUN_ARGS, which builds it again",
            )
        return self.folder


def damage(folder: Path, identity: Mapping[str, Any] | None = None) -> str:
    """Why the engine in a folder cannot be used; '' if it is intact.

    Args:
        identity: the inputs that it must have been built from; None for any.
    """
    try:
        content = jsonfile.read_object(folder / SIDECAR)
    except OSError as error:
        return f"{SIDECAR} cannot be read: {error.strerror or error}"
    except ValueError as error:
        return f"{SIDECAR}: {error}"
    for name, value in json.loads(json.dumps(identity or {})).items():
        if content.get(name) != value:
            return f"{SIDECAR} records another {name.replace('_', ' ')}"
    return digests.misfit(folder, content.get("files"))


def address(backend: Backend, benchmark: str, model: Path, values: Mapping[str, Any], home: Path | None = None) -> EngineAddress:
    """The address of the engine that `backend` makes of `model` with these values.

    Args:
        home: directory of the engine's folder; None for the store.
    """
    settings = backend.build_settings(values)
    identity = {
        "backend": backend.name,
        "benchmark": benchmark,
        "model": {"file": model.name, "sha256": model_digest(model, home)},
        "runtime_version": backend.version(),
        "device": backend.device_identity(),
        "settings": settings,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    words = f"{benchmark}-{model.stem}-{backend.name}-{READS.of(values)['precision']}"
    return EngineAddress((home or engine_dir()) / f"{words}-{key}", identity)


def build(where: EngineAddress, backend: Backend, model: Path, values: Mapping[str, Any]) -> float:
    """Build the engine. Returns the build time in seconds; 0 when another process has built it meanwhile."""
    before = _written(where)
    with locked(_lock(where.folder)):
        if where.exists and _written(where) != before:
            return 0.0
        start = time.monotonic()
        with atomic_directory(where.folder) as folder:
            details = backend.build(model, values, folder)
            seconds = time.monotonic() - start
            sidecar = {**where.identity, "build_seconds": round(seconds, 3), "files": digests.of_folder(folder)}
            write_json(folder / SIDECAR, {**sidecar, **({"details": dict(details)} if details else {})})
    return seconds


def _written(where: EngineAddress) -> tuple[int, int] | None:
    """Inode and time of the sidecar, which tell one build from another; None if there is none."""
    try:
        status = (where.folder / SIDECAR).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


@dataclass(frozen=True)
class BuiltEngine:
    """An engine in the store: its folder, its size in bytes and its sidecar."""

    folder: Path
    size: int
    sidecar: dict[str, Any]


def built() -> list[BuiltEngine]:
    """Every built engine, by name. An unreadable sidecar counts as empty."""
    out = []
    for sidecar in sorted(engine_dir().glob(f"[!.]*/{SIDECAR}")):
        size = sum(p.stat().st_size for p in sidecar.parent.rglob("*") if p.is_file())
        out.append(BuiltEngine(sidecar.parent, size, jsonfile.object_or_empty(sidecar)))
    return out


def _lock(folder: Path) -> Path:
    """The lock that a build of the engine in a folder holds."""
    return folder.parent / ".locks" / folder.name


def leftovers() -> list[Path]:
    """Leftovers of killed builds: temporary folders without a write in the last hour, whose engine no process is building."""
    old = time.time() - 3600
    found = [path for path in engine_dir().glob(".*.tmp*") if path.is_dir() and path.stat().st_mtime < old]
    return sorted(path for path in found if not held(_lock(path.with_name(TEMPORARY.sub(r"\1", path.name)))))


def model_digest(model: Path, home: Path | None = None) -> str:
    """SHA-256 of a model: a file, or a folder. `home`: directory that remembers that of a file; None for the store."""
    return folder_digest(model) if model.is_dir() else digests.file_digest(model, home)


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and digests of a model folder's files: config, weights, an exported model; its notes are excluded."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in NOTES and not p.name.startswith(".")):
        digest.update(f"{path.relative_to(folder)}\0{model_digest(path)}\n".encode())
    return digest.hexdigest()
