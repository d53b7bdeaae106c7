"""A folder of good files that examples harm, and what a file of each kind becomes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.harm import bytes_of, json_bytes, lines_of

DETAIL = "mlperf_log_detail.txt"
NOT_JSON = ("mlperf_log_accuracy.json", "mlperf_log_trace.json")
"""Logs of LoadGen's whose lines are JSON, but not their whole."""


class Kept:
    """A folder whose files an example changes; all of it is put back before the next."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._good = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def good(self, path: Path) -> bytes:
        return self._good[path]

    def paths(self) -> list[Path]:
        return sorted(self._good)

    def restore(self) -> None:
        """Put everything back, and remove what is new."""
        folders = {folder for path in self._good for folder in path.parents}
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if path not in folders:
                    shutil.rmtree(path)
            elif path not in self._good or path.is_symlink() or not path.is_file():
                path.unlink()
        for path, content in self._good.items():
            if not path.is_file() or path.read_bytes() != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


def harmed(name: str, content: bytes) -> st.SearchStrategy[bytes]:
    """A file of a run with other content."""
    if name == DETAIL:
        return detail(content.decode())
    if name.endswith(".json") and name not in NOT_JSON:
        return json_bytes(json.loads(content))
    if name.endswith((".txt", ".conf", ".json")):
        return lines_of(content.decode("utf-8", "replace"))
    return bytes_of(content)


def detail(good: str) -> st.SearchStrategy[bytes]:
    """A detail log in which one event has other content, or lines are others."""
    lines = good.splitlines()

    def with_event(drawn: tuple[int, bytes]) -> bytes:
        return "\n".join([*lines[: drawn[0]], ":::MLLOG " + drawn[1].decode("utf-8", "replace"), *lines[drawn[0] + 1 :]]).encode()

    def event(number: int) -> st.SearchStrategy[tuple[int, bytes]]:
        return st.tuples(st.just(number), json_bytes(json.loads(lines[number].partition(" ")[2])))

    return st.one_of(st.integers(0, len(lines) - 1).flatmap(event).map(with_event), lines_of(good))
