"""What a source of readings is, and what it watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FILE = "telemetry.npz"
"""The record of a test, beside LoadGen's logs."""
UNKNOWN = float("nan")
FAST_S = 0.1
SLOW_S = 1.0


@dataclass(frozen=True)
class Watched:
    """What a run uses.

    Args:
        cpus: logical processors that the run may use, ascending.
        gpus: UUIDs of its GPUs or MIG slices.
        process: the process whose children run the test.
        root: root of /proc and /sys.
    """

    cpus: tuple[int, ...]
    gpus: tuple[str, ...]
    process: int
    root: Path = Path("/")

    @property
    def _prefix(self) -> str:
        return "" if self.root == Path("/") else str(self.root)

    def text(self, path: str) -> str | None:
        """The content of a file below the root; None where it cannot be read."""
        try:
            with open(f"{self._prefix}/{path.lstrip('/')}", "rb", buffering=0) as file:  # noqa: PTH123  # a Path is five times as slow
                return file.read().decode("utf-8", "replace")
        except OSError:
            return None

    def number(self, path: str) -> float:
        """The number in a file below the root; UNKNOWN where there is none."""
        words = (self.text(path) or "").split()
        return float(words[0]) if len(words) == 1 and words[0].isdigit() else UNKNOWN


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Source:
    """Readings that are taken together.

    Args:
        name: 'processors', 'gpu0', …
        columns: '<what>_<unit>' of each reading. Those that end in `_total` count from some moment on and only rise.
        read: one reading for each column; UNKNOWN where there is none. Errors of the machine are not raised.
        period_s: least time between two readings.
        close: ends the use of its library.
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[], Sequence[float]]
    period_s: float = FAST_S
    close: Callable[[], None] = field(default=_nothing)


Opener = Callable[[Watched], list[Source]]
"""Opens the sources that a machine has; [] where it has none."""
