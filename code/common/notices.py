"""Messages printed once per invocation, however many workloads they concern."""

from __future__ import annotations

from code.common import console


class Notices:
    """The lines printed so far."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def first(self, key: str) -> bool:
        """True on the first call with `key`, False afterwards."""
        fresh = key not in self._seen
        self._seen.add(key)
        return fresh

    def say(self, line: str) -> None:
        """Print a line, once."""
        if self.first(line):
            console.say(line)

    def warn(self, line: str) -> None:
        """Print a warning, once."""
        if self.first(line):
            console.warn(line)
