"""A mirror of one's own: $MLPERF_MIRROR, a folder or a URL that is asked first for every file by its path below the build folder."""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
import urllib.error
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from code.common import console, paths
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
_SUMS_SECONDS = 30.0
_IN_A_PATH = "/%:@!$&'()*+,;=~"


def known_name(target: Path) -> str:
    """A file's name in a mirror: its path below the build folder; '' for a file elsewhere."""
    try:
        return target.absolute().relative_to(paths.build_dir().absolute()).as_posix()
    except ValueError:
        return ""


def address() -> str:
    """The mirror in use; '' for none."""
    return os.environ.get(VARIABLE, "").strip()


def address_shown() -> str:
    """The mirror in use, for messages: without a password or a query's signature."""
    return connection.shown(address()) if "://" in address() else address()


def _below(given: str, name: str) -> str:
    """The URL of a file in the mirror at a URL, which may have a query (a signature of a cloud's storage). UsageError for another."""
    try:
        parts = urlsplit(given)
        joined = parts._replace(path=f"{quote(parts.path.rstrip('/'), safe=_IN_A_PATH)}/{quote(name)}").geturl()
    except ValueError as error:
        joined, why = "", str(error)
    else:
        why = connection.fault_of(joined)
    if why:
        raise UsageError(
            f"{VARIABLE} is {connection.shown(given)!r}",
            f"it takes a folder, or a URL with http or https: {why}",
            f"correct or unset {VARIABLE}",
        )
    return joined


def sources(name: str) -> list[str]:
    """Where the mirror would have a file: at most one URL or path. UsageError for a mirror that does not exist."""
    given = address()
    if not given:
        return []
    if "://" in given:
        return [_below(given, name)] if name else []
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
        with connection.ask(_below(given, SUMS), {}, _SECONDS) as answer:
            text, whole = connection.first_bytes(answer, _SUMS_LIMIT, _SUMS_SECONDS)
            if not whole:
                raise LostError(f"not all of it came within {_SUMS_SECONDS:.0f} s")
            return _parsed(text.decode("utf-8"))
    except urllib.error.HTTPError as error:
        with error:
            why = f"the mirror answered {error.code}"
    except (LostError, RefusedError, OSError, HTTPException, ValueError) as error:
        why = str(RefusedError(connection.words(error)))
    console.warn(f"{SUMS} of {address_shown()} cannot be read: {why}; files without a published digest are checked by content")
    return {}


def is_local(source: str) -> bool:
    """Whether a source is a file of a mirror's folder."""
    return "://" not in source


def size_of(source: str) -> int:
    """The bytes of a mirror's file. RefusedError if there is none."""
    try:
        status = Path(source).stat()
    except FileNotFoundError as error:
        raise RefusedError(f"{source} does not exist") from error
    except OSError as error:
        raise RefusedError(f"{source} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        raise RefusedError(f"{source} is {'empty' if stat.S_ISREG(status.st_mode) else 'not a file'}")
    return status.st_size


def blocks(source: str) -> Iterator[bytes]:
    """The content of a mirror's file. RefusedError where it cannot be read."""
    try:
        with Path(source).open("rb") as file:
            while block := file.read(1 << 22):
                yield block
    except OSError as error:
        raise RefusedError(f"{source} cannot be read: {error.strerror or error}") from error


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
        raise UsageError(f"{target} lies inside a folder that is exported", "", "select another with TO=…")
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
