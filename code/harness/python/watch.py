"""Watchdog thread of a harness process: signals, progress reports, a stuck engine, a removed log folder.

The C++ counterpart is code/harness/cpp/core/watch.cc, with the same rule: while loading, PATIENCE times `watchdog_s`; afterwards
`watchdog_s` without an answer, or in one engine call; and PATIENCE times as long while LoadGen neither asks nor logs anything.

Signals are handled here and not in a Python signal handler: a handler runs on the main thread between two bytecodes, so it waits for
a long call into an SDK, and it deadlocks if that thread holds a lock that the handler needs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from code.common.errors import HarnessError, Interrupted, RunError
from code.harness.python.progress import ProgressPipe

REPORT_EVERY_S = 0.25
PATIENCE = 10
"""How many times `watchdog_s` loading may take: large engines are read and compiled for minutes. LoadGen's end, too."""


class Watched(Protocol):
    """What a Watch observes. Called from its thread."""

    patience: float
    """Factor on `watchdog_s` for the time without an answer."""

    def answers(self) -> int:
        """A count that grows with every answer of an engine."""

    def pending(self) -> bool:
        """Whether an answer is due."""

    def longest_busy_s(self, now: float) -> float:
        """The longest time that an engine has been in its current call, in seconds; 0 if none is."""

    def describe(self, now: float) -> str:
        """State of each lane, for the error message."""


class Counted(Protocol):
    """How far a test is."""

    @property
    def issued(self) -> int:
        """Samples that LoadGen issued."""

    @property
    def completed(self) -> int:
        """Samples that were answered."""

    @property
    def share(self) -> float:
        """The share of the work that is done, 0 to 1; 0 where it is not known."""


@dataclass(frozen=True)
class Nothing:
    """Before a test."""

    issued: int = 0
    completed: int = 0
    share: float = 0.0


class Watch:
    """The watchdog of one process.

    Args:
        stuck_s: the process fails after this many seconds without an answer; 0: never.
        end: called with the error that ends the process; default: report it and exit.
    """

    def __init__(self, pipe: ProgressPipe, stuck_s: float = 0.0, end: Callable[[HarnessError], None] | None = None) -> None:
        self._pipe = pipe
        self._end = end or pipe.end_process
        self._lock = threading.Lock()
        self._stuck_s = stuck_s
        self._folder: Path | None = None
        self._watched: Watched | None = None
        self._counts: Callable[[], Counted] = Nothing
        self._phase = "start"
        self._began = self._moved = time.monotonic()
        self._answers = 0
        self._progress, self._rests_since = 0, self._began
        self._wake, self._woken = os.pipe()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def catch_signals(self) -> None:
        """End the process on SIGINT and SIGTERM, whatever the main thread does. Call it from the main thread."""
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave_to_the_watch)

    def limit(self, stuck_s: float, folder: Path | None = None) -> None:
        """Set `stuck_s`, and the log folder whose removal fails the run."""
        with self._lock:
            self._stuck_s, self._folder = stuck_s, folder

    def enter(self, phase: str, watched: Watched | None = None, counts: Callable[[], Counted] | None = None) -> None:
        """Begin a phase: 'load', 'probe', 'warmup', 'run' or 'end'.

        Args:
            watched: what is observed in it; None: only the duration of loading.
            counts: gives the samples issued and completed, and the share of the work that is done.
        """
        with self._lock:
            self._phase, self._watched = phase, watched
            self._counts = counts or self._counts
            self._moved = time.monotonic()
            self._answers = self._progress = 0
            if phase != "end":
                self._began = self._moved
            self._report(self._moved)

    def close(self) -> None:
        """End the thread."""
        self._stopping = True
        os.write(self._woken, b"\0")
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping:
            ready, _, _ = select.select([self._wake], [], [], REPORT_EVERY_S)
            numbers = [n for n in os.read(self._wake, 64) if n] if ready else []
            if numbers:
                self._end(Interrupted(f"stopped by {signal.Signals(numbers[0]).name}", "the logs in this folder are incomplete"))
            with self._lock:
                error = self._look(time.monotonic())
            if error is not None:
                self._end(error)
                return

    def _look(self, now: float) -> HarnessError | None:
        if self._folder is not None and not self._folder.is_dir():
            what, step = (
                f"the log folder was removed: {self._folder}",
                "run again, and do not remove it while LoadGen writes to it",
            )
            return RunError(what, "", step)
        self._report(now)
        if self._stuck_s <= 0:
            return None
        if self._phase == "load":
            return (
                self._stuck(now, now - self._began, "the engine is not loaded")
                if now - self._began > PATIENCE * self._stuck_s
                else None
            )
        if self._watched is None:
            return None
        answers = self._watched.answers()
        if answers != self._answers or not self._watched.pending():
            self._answers, self._moved = answers, now
        busy, silent = self._watched.longest_busy_s(now), now - self._moved
        if busy > self._stuck_s or silent > self._watched.patience * self._stuck_s:
            return self._stuck(now, max(busy, silent), "no answer")
        return self._look_at_loadgen(now) if self._phase == "run" else None

    def _look_at_loadgen(self, now: float) -> HarnessError | None:
        """LoadGen's logger may lose the entry that the end of its test waits for (watch.cc has when), and that end never comes."""
        counts = self._counts()
        due = not counts.issued or counts.completed < counts.issued
        progress = 0 if due else counts.issued + counts.completed + _logged_bytes(self._folder)  # no file is looked at before
        if due or progress != self._progress:
            self._progress, self._rests_since = progress, now
        if now - self._rests_since <= PATIENCE * self._stuck_s:
            return None
        return RunError(
            "LoadGen does not end the test",
            f"all {counts.issued:,} samples were answered, and for {now - self._rests_since:,.0f} s it asked for no other "
            "and logged nothing",
            "run the same command again",
        )

    def _stuck(self, now: float, seconds: float, missing: str) -> RunError:
        return RunError(
            f"the engine is stuck: {missing} after {seconds:,.0f} s in phase {self._phase}",
            self._watched.describe(now) if self._watched is not None else "loading did not end",
            "run again; if the engine hangs again, rebuild it with --force_build or try another backend",
        )

    def _report(self, now: float) -> None:
        counts = self._counts()
        known: dict[str, float] = {"work": counts.share} if counts.share else {}
        if self._phase == "run" and self._watched is not None:
            known["answers"] = self._watched.answers()
        self._pipe.send(phase=self._phase, issued=counts.issued, completed=counts.completed, elapsed_s=now - self._began, **known)


def _logged_bytes(folder: Path | None) -> int:
    """Bytes of LoadGen's logs in a folder; 0 where they are removed meanwhile."""
    with contextlib.suppress(OSError):
        return sum(path.stat().st_size for path in folder.glob("mlperf_log_*")) if folder is not None else 0
    return 0


def _leave_to_the_watch(_number: int, _frame: Any) -> None:
    """The C-level handler has written the number to the wake-up descriptor already."""
