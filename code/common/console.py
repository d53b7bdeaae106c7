"""Terminal output: lines, warnings, progress and tables. No other module prints.

Everything here goes to standard error except tables and `say`, so that output can be piped; with --json these do too, and `emit`
alone writes to standard output. Colours and live bars are used on a terminal only, and no colours where NO_COLOR is set; elsewhere
progress is a plain line every few seconds.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from code.common.errors import RunError

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_INTERVAL_S = 5.0
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
"""Characters that a terminal obeys, which names and contents of others' files may have, and how they are shown."""
UNLIMITED = 1 << 20
"""Columns of a table that goes to a file or a pipe."""


class _Reader:
    """Who reads standard output: a person, or with --json a program."""

    program = False


@contextlib.contextmanager
def for_programs(yes: bool) -> Iterator[None]:
    """Whether standard output is for a program while this lasts: `say` and tables then go to standard error."""
    before, _Reader.program = _Reader.program, yes
    try:
        yield
    finally:
        _Reader.program = before


def emit(content: object) -> None:
    """Print a JSON document to standard output. Errors as for `say`."""
    _print(json.dumps(content, indent=4, default=dict))


def say(text: str) -> None:
    """Print a line to standard output. BrokenPipeError where its reader has gone, RunError where it cannot be written."""
    if _Reader.program:
        _to_stderr(text)
    else:
        _print(text)


def _print(text: str) -> None:
    try:
        print(text.translate(_CONTROLS), flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error


def warn(text: str) -> None:
    """Print a warning line."""
    _to_stderr(f"warning: {text}")


def fail(lines: Sequence[str]) -> None:
    """Print the lines of an error."""
    _to_stderr("\n".join(lines))


def unwritable(error: OSError) -> RunError:
    """The error for standard output that cannot be written."""
    return RunError(
        "standard output cannot be written", error.strerror or str(error), "free disk space, or redirect it elsewhere"
    )


def _to_stderr(text: str) -> None:
    """Messages never stop a run: standard error that is closed or full is ignored."""
    with contextlib.suppress(OSError):
        print(text.translate(_CONTROLS), file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds formatted for display: '42 s', '3 min 05 s', '2 h 04 min'."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """A live bar with an estimate of the remaining time on a terminal, plain lines elsewhere.

    Args:
        label: the activity, such as 'downloading model.onnx'.
        total: number of units, None if unknown.
        unit: the unit's name: 'samples', 'B' (shown as MB) or 's' (a clock).
    """

    def __init__(self, label: str, total: float | None, unit: str = "") -> None:
        self.label = label
        self.total = total
        self.unit = unit
        self.done = 0.0
        self.note = ""
        self._left = ""
        self._start = time.monotonic()
        self._last_line = self._start
        self._live: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        self._start = self._last_line = time.monotonic()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[counts]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._live.add_task(self.label, total=self.total, counts="", left="")
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def advance(self, units: float) -> None:
        """Advance by `units`."""
        self.update(self.done + units)

    def update(self, done: float, note: str = "", left_s: float | None = None) -> None:
        """Set the progress to `done` units.

        Args:
            note: shown after the counts.
            left_s: the seconds that are left, where units differ in what they take; None: by the units.
        """
        self.done = done
        self.note = note or self.note
        now = time.monotonic()
        if left_s is None and self.total and 0 < done <= self.total:
            left_s = (now - self._start) * (self.total - done) / done
        self._left = f"about {duration(left_s)} left" if left_s else ""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=done, total=self.total, counts=self._counts(), left=self._left)
            return
        if now - self._last_line >= PLAIN_INTERVAL_S:
            self._last_line = now
            _to_stderr(self._line(now - self._start))

    def _counts(self) -> str:
        if not self.unit and self.total is None:
            return self.note
        scale, unit = (1e6, "MB") if self.unit == "B" else (1.0, self.unit)
        done = f"{self.done / scale:,.0f}"
        text = f"{done}/{self.total / scale:,.0f} {unit}" if self.total else f"{done} {unit}"
        return f"{text} {self.note}".rstrip()

    def _line(self, elapsed: float) -> str:
        text = f"{self.label}: {self._counts()}, {duration(elapsed)} elapsed"
        return f"{text}, {self._left}" if self._left else text


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table: folded to fit a terminal, a row a line without one, whatever its width. Errors as for `say`."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Strict(Console):
        """rich ends the process when the reader has gone; here main decides."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    to = sys.stderr if _Reader.program else sys.stdout
    terminal = to.isatty()
    text = io.StringIO()
    console = Strict(file=to, highlight=False) if terminal else Strict(file=text, width=UNLIMITED, color_system=None)
    grid = Table(title=title if terminal else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        grid.add_column(name, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    try:
        console.print(grid)
        if not terminal:
            print("\n".join([title, *(line.rstrip() for line in text.getvalue().splitlines())]), file=to, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error
