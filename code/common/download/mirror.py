"""A mirror of one's own: $MLPERF_MIRROR, a folder or a URL that is asked first for every file by its path below the build folder."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import quote

from code.common import paths
from code.common.download import connection
from code.common.download.patience import LostError, RefusedError
from code.common.download.record import record_path
from code.common.errors import UsageError
from code.common.files import atomic_write, sha256

VARIABLE = "MLPERF_MIRROR"
SUMS = "SHA256SUMS"
_SUM = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?:\./)?(?P<name>.+)")
_SUMS_LIMIT = 1 << 26
_SECONDS = 10.0


def known_name(target: Path) -> str:
    """A file's name in a mirror: its path below the build folder; '' for a file elsewhere."""
    try:
        return target.absolute().relative_to(paths.build_dir().absolute()).as_posix()
    except ValueError:
        return ""


def address() -> str:
    """The mirror in use; '' for none."""
    return os.environ.get(VARIABLE, "").strip()


def sources(name: str) -> list[str]:
    """Where the mirror would have a file: at most one URL or path. UsageError for a mirror that does not exist."""
    given = address()
    if not given:
        return []
    if "://" in given:
        if not given.startswith(("http://", "https://")):
            raise UsageError(
                f"{VARIABLE} is {given}", "it takes a folder, or a URL with http or https", f"correct or unset {VARIABLE}"
            )
        return [f"{given.rstrip('/')}/{quote(name)}"] if name else []
    folder = Path(given)
    if not folder.is_absolute() or not folder.is_dir():
        why = "it is not a directory" if folder.is_absolute() else "a folder is named by its path from the root"
        raise UsageError(f"{VARIABLE} names {given}", why, f"correct or unset {VARIABLE}")
    return [str(folder / name)] if name else []


def digest(name: str) -> str | None:
    """The SHA-256 of a file in the mirror's SHA256SUMS, or None."""
    return _published(address()).get(name)


def below(folder: str) -> list[str]:
    """The names in the mirror's SHA256SUMS that are in a folder or below it."""
    return sorted(name for name in _published(address()) if name.startswith(folder.rstrip("/") + "/"))


@functools.lru_cache(maxsize=4)
def _published(given: str) -> dict[str, str]:
    """Name → digest of the files in a mirror; {} if it does not say."""
    if not given:
        return {}
    if is_local(given):
        return _sums(Path(given))
    try:
        with connection.ask(f"{given.rstrip('/')}/{SUMS}", {}, _SECONDS) as answer:
            return _parsed(answer.read(_SUMS_LIMIT).decode("utf-8"))
    except (LostError, RefusedError, OSError, HTTPException, ValueError):
        return {}


def is_local(source: str) -> bool:
    """Whether a source is a file of a mirror's folder."""
    return "://" not in source


def copy(source: Path, out: IO[bytes], free: int) -> int:
    """Append a mirror's file to `out`. Returns its size in bytes. OSError where it cannot be read or does not fit.

    Args:
        free: bytes that are free where `out` is.
    """
    size = source.stat().st_size
    if size > free:
        raise OSError(28, "No space left on device")
    with source.open("rb") as file:
        shutil.copyfileobj(file, out, 1 << 22)
    return size


def export(names: Iterable[str], target: Path) -> tuple[int, int]:
    """Copy files of the build folder into the folder `target`, with a SHA256SUMS that `sha256sum -c` reads.

    A file of the same size and digest that is there already is kept; names of earlier exports stay in SHA256SUMS.

    Args:
        names: paths below the build folder, of files or folders.

    Returns:
        The number of files and their bytes.

    Raises:
        UsageError: the target is inside the build folder. RunError: it cannot be written.
    """
    root = paths.build_dir().resolve()
    if target.resolve().is_relative_to(root) or target.resolve().is_relative_to(paths.scratch_dir().resolve()):
        raise UsageError(f"{target} is inside the folders that are exported", "", "select another with TO=…")
    sums = _sums(target)
    total = 0
    files = sorted({file for name in names for file in _files(root / name)})
    for file in files:
        name = file.relative_to(root).as_posix()
        digest = sha256(file)
        copied = target / name
        if not (copied.is_file() and copied.stat().st_size == file.stat().st_size and sha256(copied) == digest):
            with atomic_write(copied, "wb") as out, file.open("rb") as source:
                shutil.copyfileobj(source, out, 1 << 22)
        sums[name] = digest
        total += file.stat().st_size
    with atomic_write(target / SUMS) as out:
        out.writelines(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    return len(files), total


def _files(path: Path) -> list[Path]:
    """The files at a path, without records and parts of downloads."""
    found = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    records = {record_path(file) for file in found}
    return [
        file for file in found if file not in records and ".part" not in file.suffixes and not file.name.endswith(".part.json")
    ]


def _sums(target: Path) -> dict[str, str]:
    try:
        return _parsed((target / SUMS).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


def _parsed(text: str) -> dict[str, str]:
    found = (_SUM.fullmatch(line) for line in text.splitlines())
    return {match["name"]: match["digest"] for match in found if match is not None}
