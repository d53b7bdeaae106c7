"""TOML files that a user writes: every key is known, has its type, and errors name the line it stands on."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.errors import MissingError, UsageError, nearest
from code.common.files import require_regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIMIT = 2**20
"""Bytes of a file that is read."""
_HEAD = re.compile(r"\s*\[(\[?)\s*([^\[\]#]+?)\s*\]")
_KEY = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+))\s*[.=]")
_AT = re.compile(r"at line (\d+)")


@dataclass(frozen=True)
class Table:
    """A table of the file. The methods that read a key raise UsageError, with its line, for a value of another type.

    Args:
        content: its keys.
        file: as the user named it.
        path: where it stands, 'workload[1]'; '' for the file itself.
        lines: path of a table or a key → its line.
    """

    content: Mapping[str, Any]
    file: Path
    path: str
    lines: Mapping[str, int]

    def where(self, key: str = "") -> str:
        """'file:line' of a key, or of the table."""
        line = self.lines.get(f"{self.path}.{key}" if key else self.path) or self.lines.get(self.path)
        return f"{self.file}:{line}" if line else str(self.file)

    def only(self, known: Iterable[str]) -> None:
        """UsageError, with the nearest known one, for a key that is not among `known`."""
        names = list(known)
        for key in self.content:
            if key not in names:
                near = nearest(key, names)
                raise UsageError(
                    f"unknown key {key!r}{f' in [{self.path}]' if self.path else ''}",
                    f"the nearest known key is {near!r}" if near else "no known key has a similar name",
                    f"known: {', '.join(names)}",
                    self.where(key),
                )

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self.content.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, 'text, as in "…"')
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one text with commas; () where it is absent."""
        value = self.content.get(key, [])
        if isinstance(value, str):
            value = [word.strip() for word in value.split(",")]
        if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
            raise self.wrong(key, 'a list of texts, as in ["…", "…"]')
        return tuple(value)

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number in a range."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least:,} to {most:,}")
        return value

    def real(self, key: str, default: float, least: float, most: float) -> float:
        """A number in a range."""
        value = self.content.get(key, default)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not least <= value <= most:
            raise self.wrong(key, f"a number from {least:g} to {most:g}")
        return float(value)

    def choice(self, key: str, default: str, known: Iterable[str]) -> str:
        """One of some words."""
        value, names = self.text(key, default), list(known)
        if value not in names:
            near = nearest(value, names)
            hint = f"did you mean {near!r}? " if near else ""
            raise UsageError(f"{key} is {value!r}", "", f"{hint}Known: {', '.join(names)}", self.where(key))
        return value

    def table(self, key: str) -> Table:
        """A table below this one; an empty one where it is absent."""
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"a table: write [{key}] and its keys below it")
        return self._below(key, value)

    def tables(self, key: str) -> list[Table]:
        """The tables of a list."""
        value = self.content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.wrong(key, f"a list of tables: write [[{key}]] and its keys below it")
        return [self._below(f"{key}[{number}]", entry) for number, entry in enumerate(value)]

    def wrong(self, key: str, wanted: str) -> UsageError:
        """The error for a key whose value is of another kind."""
        shown = repr(self.content.get(key))
        return UsageError(f"{key} is {shown[:60]}", f"it has to be {wanted}", "fix the file", self.where(key))

    def _below(self, key: str, content: Mapping[str, Any]) -> Table:
        return Table(content, self.file, f"{self.path}.{key}" if self.path else key, self.lines)


def read(path: Path) -> Table:
    """The content of a TOML file. MissingError where there is none, UsageError for one that is not TOML."""
    try:
        size = require_regular(path).stat().st_size
        if size > LIMIT:
            raise UsageError(f"{path} has {size:,} bytes", f"at most {LIMIT:,} are read", "name another file")
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise MissingError(
            f"{path} does not exist", "", "name the file: FILE=campaign.toml (documentation/campaigns.md)"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read", error.strerror or str(error), "name another file") from error
    except RecursionError:
        raise UsageError(f"{path} is not valid TOML", "it is nested too deeply", "fix the file", str(path)) from None
    except ValueError as error:
        line = _AT.search(str(error))
        raise UsageError(
            f"{path} is not valid TOML", str(error), "fix the file", f"{path}:{line[1]}" if line else str(path)
        ) from error
    return Table(content, path, "", dict(_places(text)))


def _places(text: str) -> Iterator[tuple[str, int]]:
    """(path of a table or a key, its line) of each line that begins one."""
    path, counts = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), start=1):
        if head := _HEAD.match(line):
            path = head[2]
            if head[1]:
                counts[path] = counts.get(path, -1) + 1
                path = f"{path}[{counts[path]}]"
            yield path, number
        elif key := _KEY.match(line):
            name = key[1] or key[2] or key[3] or ""
            yield (f"{path}.{name}"), number
