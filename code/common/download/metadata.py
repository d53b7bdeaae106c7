"""MLCommons' metadata of files in its R2 storage: which files a model or data set has, where, and their digests.

`<name>.uri` holds the URL of a folder, and `<name>.md5` beside it a line of digest and path for each of its files. Source of the
format: the script mlc-r2-downloader.sh of mlcommons/r2-downloader.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from code.common.download import connection
from code.common.download.fetch import OfflineError, fetch
from code.common.download.patience import Patience
from code.common.download.record import write_record
from code.common.errors import MissingError
from code.common.files import sha256, storage_error

SUFFIX = ".uri"
_LIMIT = 1 << 24
_LINE = re.compile(r"(?P<md5>[0-9a-f]{32})\s+\*?(?:\./)?(?P<path>\S.*)")


@dataclass(frozen=True)
class Listed:
    """One file: its path below the folder, its digest and its URL."""

    path: str
    md5: str
    url: str


def read_metadata(url: str, folder: Path, *, label: str, manual_steps: str, patience: Patience | None = None) -> list[Listed]:
    """The files that the metadata at `url` lists; both metadata files are kept in `folder`.

    They are fetched again each time, because a list may be of files that moved since; those kept are used where nobody can be reached.

    Raises:
        MissingError: they cannot be fetched, or do not list files.
    """
    uri, sums = folder / urlsplit(url).path.rpartition("/")[2], url.removesuffix(SUFFIX) + ".md5"
    listed_before = uri.is_file() and uri.with_suffix(".md5").is_file()
    with contextlib.suppress(*([OfflineError] if listed_before else [])):
        _renew(((url, uri), (sums, uri.with_suffix(".md5"))), f"{label}: list of files", manual_steps, patience)
    base = uri.read_text(encoding="utf-8").strip()
    listed = parse_list(uri.with_suffix(".md5").read_text(encoding="utf-8"), base)
    why = "" if listed else "its list is not one of digests and paths"
    why = why or _untrusted(base, url, [file.path for file in listed])
    if why:
        uri.unlink()
        uri.with_suffix(".md5").unlink()
        raise MissingError(f"the metadata of {label} at {url} cannot be used", why, manual_steps)
    return listed


def _renew(wanted: Sequence[tuple[str, Path]], label: str, manual_steps: str, patience: Patience | None) -> None:
    """Fetch files (URL, path) into a folder beside them, and replace those that are there when all have come."""
    folder = wanted[0][1].parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as made:
            fresh = [(url, Path(made) / target.name, target) for url, target in wanted]
            for url, new, target in fresh:
                fetch(url, new, label=label, manual_steps=manual_steps, limit=_LIMIT, known_as=target, patience=patience)
            for _, new, target in fresh:
                new.replace(target)
                write_record(target, sha256(target))
    except OSError as error:
        raise storage_error(error, folder) from error


def parse_list(text: str, base: str) -> list[Listed]:
    """The files of a list of digests and paths below the URL `base`; [] for a text that is not one."""
    found = [_LINE.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
    listed = [Listed(m["path"], m["md5"], f"{base.rstrip('/')}/{quote(m['path'])}") for m in found if m is not None]
    return listed if len(listed) == len(found) else []


def _untrusted(base: str, url: str, listed: Sequence[str]) -> str:
    """Why the folder or the paths that metadata names must not be used; '' if they may."""
    if connection.fault_of(base) or urlsplit(base)[:2] != urlsplit(url)[:2]:
        return f"its folder is {base[:200]!r}, which is not on the same server"
    outside = next((path for path in listed if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts), None)
    return "" if outside is None else f"it lists a path outside its folder: {outside!r}"
