"""Reading of JSON that another process, program or person wrote."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from code.common.files import not_stored

LIMIT = 64 * 2**20
"""Bytes of a JSON file that is read whole."""
DEEPEST = 200
"""Most levels of nesting; Python's own limit is where it stops with a RecursionError."""


class DamagedError(ValueError):
    """Not the JSON that was expected; its text is the reason."""


def read(path: Path, limit: int = LIMIT) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read.
        DamagedError, a ValueError: it is not a regular file, larger than `limit` bytes, not UTF-8 or not JSON.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or not_stored(path):
        raise DamagedError(f"{path.name} is not a regular file")
    if status.st_size > limit:
        raise DamagedError(f"{path.name} has {status.st_size:,} bytes, and at most {limit:,} are read")
    return parse(path.read_bytes())


def parse(text: str | bytes) -> Any:
    """The JSON value in a text. DamagedError, a ValueError, for anything else, however deep it is nested."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text)
    except RecursionError:
        raise DamagedError("it is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise DamagedError(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    except ValueError as error:
        raise DamagedError(f"it is not valid JSON: {error}") from error


def read_object(path: Path, limit: int = LIMIT) -> dict[str, Any]:
    """The JSON object in a file; errors as for `read`."""
    content = read(path, limit)
    if not isinstance(content, dict):
        raise DamagedError(f"{path.name} is not a JSON object")
    return content


def object_or_empty(path: Path) -> dict[str, Any]:
    """The JSON object in a file; {} if it is absent, unreadable or something else."""
    try:
        return read_object(path)
    except (OSError, ValueError):
        return {}
