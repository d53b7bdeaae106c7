"""Lines that are printed once per invocation, however many workloads they concern."""

from __future__ import annotations

from code.common import console


class Notices:
    """What was printed already."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def first(self, key: str) -> bool:
        """Whether `key` has not been met before; it has been from now on."""
        fresh = key not in self._seen
        self._seen.add(key)
        return fresh

    def say(self, line: str) -> None:
        """Print a line unless it was printed already."""
        if self.first(line):
            console.say(line)

    def warn(self, line: str) -> None:
        """Print a warning unless it was printed already."""
        if self.first(line):
            console.warn(line)
