"""The engine store: an engine is addressed by a digest of its inputs.

`build/engines/<words>-<key>/` contains the backend's files and `engine.json`, which lists all inputs of the key's digest. The same
inputs give the same folder and no rebuild; a folder is created atomically.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.backends.locks import locked
from code.common.errors import MissingError
from code.common.files import atomic_directory, sha256, write_json
from code.common.paths import engine_dir
from code.fields.consumer import Consumer

SIDECAR = "engine.json"
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

    def require(self) -> Path:
        """Its folder; MissingError when it is not built."""
        if not self.exists:
            raise MissingError(
                f"the engine {self.folder.name} is not built",
                f"{self.folder} does not exist",
                "run `make generate_engines` with the same RUN_ARGS, or use `make run`, which builds and runs",
            )
        return self.folder


def address(backend: Backend, benchmark: str, model: Path, values: Mapping[str, Any]) -> EngineAddress:
    """The address of the engine that `backend` makes of `model` with these values."""
    settings = backend.build_settings(values)
    identity = {
        "backend": backend.name,
        "benchmark": benchmark,
        "model": {"file": model.name, "sha256": model_digest(model)},
        "runtime_version": backend.version(),
        "device": backend.device_identity(),
        "settings": settings,
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    words = f"{benchmark}-{model.stem}-{backend.name}-{READS.of(values)['precision']}"
    return EngineAddress(engine_dir() / f"{words}-{key}", identity)


def build(where: EngineAddress, backend: Backend, model: Path, values: Mapping[str, Any]) -> float:
    """Build the engine. Returns the build time in seconds; 0 when another process has built it meanwhile."""
    there = where.exists
    with locked(engine_dir() / ".locks" / where.folder.name):
        if where.exists and not there:
            return 0.0
        start = time.monotonic()
        with atomic_directory(where.folder) as folder:
            details = backend.build(model, values, folder)
            seconds = time.monotonic() - start
            files = {p.name: p.stat().st_size for p in sorted(folder.iterdir())}
            sidecar = {**where.identity, "build_seconds": round(seconds, 3), "files": files}
            write_json(folder / SIDECAR, {**sidecar, **({"details": dict(details)} if details else {})})
    return seconds


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
        try:
            content = json.loads(sidecar.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = {}
        size = sum(p.stat().st_size for p in sidecar.parent.iterdir() if p.is_file())
        out.append(BuiltEngine(sidecar.parent, size, content if isinstance(content, dict) else {}))
    return out


def leftovers() -> list[Path]:
    """Leftovers of killed builds: temporary folders without a write in the last hour."""
    old = time.time() - 3600
    return sorted(p for p in engine_dir().glob(".*.tmp*") if p.is_dir() and p.stat().st_mtime < old)


def model_digest(model: Path) -> str:
    """SHA-256 of the model, cached with the engines by path, size and time so that a warm run does not read gigabytes."""
    if model.is_dir():
        return folder_digest(model)
    stat = model.stat()
    stamp = [str(model.resolve()), stat.st_size, stat.st_mtime_ns]
    memory = engine_dir() / ".digests" / (hashlib.sha256(stamp[0].encode()).hexdigest()[:16] + ".json")  # type: ignore[attr-defined]
    try:
        known = json.loads(memory.read_text())
        if known["stamp"] == stamp:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError):
        pass
    digest = sha256(model)
    write_json(memory, {"stamp": stamp, "sha256": digest})
    return digest


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and digests of a model folder's files: config, weights, an exported model; its notes are excluded."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix not in NOTES and not p.name.startswith(".")):
        digest.update(f"{path.relative_to(folder)}\0{model_digest(path)}\n".encode())
    return digest.hexdigest()
