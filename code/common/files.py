"""Atomic files and folders: written to a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

from code.common.errors import RunError

_FULL = {errno.ENOSPC, errno.EDQUOT}
KERNEL = (Path("/proc"), Path("/sys"))
"""Where the kernel's own file systems are mounted."""


def storage_error(error: OSError, path: Path) -> RunError:
    """The RunError for an OSError on `path`."""
    if error.errno in _FULL:
        free = ""
        with contextlib.suppress(OSError):
            free = f" ({shutil.disk_usage(_existing(path)).free / 2**20:.0f} MiB free)"
        return RunError(
            f"no space left while writing {path}{free}",
            "the disk or quota is full; no partial file was kept",
            "free some space or set MLPERF_SCRATCH_PATH (or BUILD_DIR) to a larger disk, then run the same command again",
        )
    return RunError(
        f"cannot write {path}",
        error.strerror or str(error),
        f"check that {path.parent} is writable, or choose another directory with LOG_DIR, BUILD_DIR or MLPERF_SCRATCH_PATH",
    )


def _existing(path: Path) -> Path:
    for candidate in (path, *path.parents):
        if candidate.exists():
            return candidate
    return Path("/")


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path`; rename it to `path` if the block succeeds, remove it otherwise.

    Raises RunError for a full disk, a folder that cannot be written, and a device, pipe or folder, which the file would replace.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise RunError(f"cannot write {path}", "it is not a regular file, and would be replaced by one", "name another file")
    handle: IO[Any] | None = None
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        os.fchmod(descriptor, 0o666 & ~_umask())
        handle = os.fdopen(descriptor, mode, encoding=None if "b" in mode else "utf-8")
        yield handle
        handle.flush()
        os.fsync(handle.fileno())
        handle.close()
        temporary.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if handle is not None:
            with contextlib.suppress(OSError):
                handle.close()
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it becomes `path` if the block succeeds and is removed otherwise.

    An older `path` is replaced. Raises RunError for a full disk or a folder that cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            discarded = temporary.with_name(temporary.name + ".old")
            path.rename(discarded)
            temporary.rename(path)
            shutil.rmtree(discarded, ignore_errors=True)
            return
        temporary.rename(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys, atomically."""
    with atomic_write(path) as out:
        json.dump(content, out, indent=4, sort_keys=True)
        out.write("\n")


def shared_folder(folder: Path) -> Path:
    """A folder that every user may put files into, made if it is not there. OSError where it cannot be."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)
    return folder


def not_stored(path: Path) -> str:
    """Why a path is not a file or folder of a disk; '' where it is one, and where there is nothing.

    Reading a pipe waits for a writer, and reading a file of the kernel may wait for an event (/proc/kmsg), for ever.
    """
    try:
        status = path.stat()
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        return ""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return "it is not a regular file"
    if any(real.is_relative_to(root) for root in KERNEL) or status.st_dev in _kernel_devices():
        return "it is the kernel's, not a file on a disk"
    return ""


@cache
def _kernel_devices() -> frozenset[int]:
    """The devices of the kernel's file systems, wherever else they are mounted."""
    found = set()
    for root in KERNEL:
        with contextlib.suppress(OSError):
            found.add(root.stat().st_dev)
    with contextlib.suppress(OSError):
        found.discard(Path("/").stat().st_dev)
    return frozenset(found)


def require_regular(path: Path) -> Path:
    """The path of a regular file, or of none. OSError for anything else: opening a pipe would wait for a writer for ever."""
    why = not_stored(path) or ("it is a directory" if path.is_dir() else "")
    if why:
        raise OSError(errno.EINVAL, why, str(path))
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as source:
        while block := source.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
