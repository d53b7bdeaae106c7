"""How long a download is tried, and what it has used of that: each kind of fault has an end."""

from __future__ import annotations

import time
from dataclasses import dataclass

from code.common.console import duration
from code.common.typed import one_line

_LONGEST_REASON = 500


class LostError(Exception):
    """A transient failure: worth another attempt.

    Args:
        why: may quote the server; becomes one short line without control characters, which a terminal would obey.
        wait: seconds that the server asked to wait; 0 if it did not.
        answered: whether a server answered, if not as it should.
    """

    def __init__(self, why: str, wait: float = 0.0, answered: bool = False) -> None:
        super().__init__(_quoted(why))
        self.wait = wait
        self.answered = answered


class RefusedError(Exception):
    """A failure that another attempt at the same source would repeat.

    Args:
        why: as for LostError.
        fix: what the user can do about it; '' if only another source or the manual steps help.
        offline: whether the server could not be reached at all.
    """

    def __init__(self, why: str, fix: str = "", offline: bool = False) -> None:
        super().__init__(_quoted(why))
        self.fix = fix
        self.offline = offline


def _quoted(why: str) -> str:
    line = one_line(why)
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


@dataclass(frozen=True)
class Patience:
    """Limits of a download from one source; times in seconds. Whatever the server does, one of them ends it:

    - a server that never answered: after `offline`;
    - no byte beyond the furthest reached so far: after `attempts` in a row, each of which waits at most `silence` and a pause;
    - a server that does not resume, or whose file changes: after `restarts` further passes over the file;
    - a trickle: after `window` at less than `least_rate`, whatever the number of connections;
    - a server that asks for a longer wait than `longest_wait`: at once.

    Attributes:
        silence: time without data after which the connection counts as lost.
        pause: before the second attempt; doubles each time, up to `longest_pause`.
        least_rate: bytes per second, averaged over `window`. Waits that the server asked for do not count as time.
    """

    offline: float = 10.0
    silence: float = 10.0
    attempts: int = 6
    pause: float = 0.5
    longest_pause: float = 30.0
    longest_wait: float = 300.0
    restarts: int = 3
    least_rate: float = 4096.0
    window: float = 60.0


class Effort:
    """What a download from one source has used of its patience.

    Args:
        have: bytes of it that are there already.
    """

    def __init__(self, patience: Patience, have: int) -> None:
        self.patience = patience
        self.started = time.monotonic()
        self.furthest = have
        self.heard = False
        self._at_last_failure = have
        self._failures = 0
        self._restarts = 0
        self._window_start = self.started
        self._window_bytes = 0

    def received(self, count: int, have: int) -> None:
        """Count `count` new bytes, of which `have` are there now. RefusedError below the least rate."""
        self.furthest = max(self.furthest, have)
        self._window_bytes += count
        self._check_rate()

    def restarted(self, why: str) -> None:
        """The bytes received so far are discarded. RefusedError beyond the limit."""
        self._restarts += 1
        if self._restarts > self.patience.restarts:
            raise RefusedError(f"it had to start over {self.patience.restarts} times: {why}")

    def offline_left(self) -> float:
        """Seconds left for a server that has not answered yet."""
        return self.started + self.patience.offline - time.monotonic()

    def rest(self, lost: LostError, host: str) -> None:
        """Wait before the next attempt. RefusedError if there should be none."""
        self._failures = 1 if self.furthest > self._at_last_failure else self._failures + 1
        self._at_last_failure = self.furthest
        backoff = min(self.patience.pause * 2 ** (self._failures - 1), self.patience.longest_pause)
        if lost.wait > self.patience.longest_wait:
            raise RefusedError(f"{lost}; it asks to wait {duration(lost.wait)}", "run the same command again after that time")
        pause = max(lost.wait, backoff)
        few = self._failures >= min(4, self.patience.attempts)
        if not self.heard and (few or self.offline_left() - pause <= 0):
            raise RefusedError(f"{host} cannot be reached: {lost}", offline=True) from lost
        if self._failures >= self.patience.attempts:
            raise RefusedError(f"{self._failures} attempts in a row failed, the last with: {lost}") from lost
        time.sleep(pause)
        self._window_start += lost.wait
        self._check_rate()

    def _check_rate(self) -> None:
        elapsed = time.monotonic() - self._window_start
        if elapsed < self.patience.window or not self._window_bytes:
            return  # silence is counted in attempts
        rate = self._window_bytes / elapsed
        if rate < self.patience.least_rate:
            raise RefusedError(
                f"it sends {rate:,.0f} B/s, and less than {self.patience.least_rate:,.0f} B/s for {duration(elapsed)} is given up"
            )
        self._window_start, self._window_bytes = time.monotonic(), 0
