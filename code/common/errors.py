"""Errors a user can act on: what happened, why, and what to run next.

Every error of the project derives from `HarnessError` and carries its exit status; only `code.main` prints and exits.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """A failure, printed as three lines.

    Args:
        what: what happened, naming the file, option or object concerned.
        why: the cause, as far as known; '' if unknown.
        next_step: the command or edit that fixes it.
        where: `file:line` if the cause is in a file the user wrote.
    """

    exit_status = 4

    def __init__(self, what: str, why: str = "", next_step: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.where = where

    def lines(self) -> list[str]:
        """The error as printed: one line each for what, why and next."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        out = [f"error: {head}"]
        if self.why:
            out.append(f"  why:  {self.why}")
        if self.next_step:
            out.append(f"  next: {self.next_step}")
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __reduce__(self) -> tuple[type[HarnessError], tuple[str, str, str, str]]:
        return type(self), (self.what, self.why, self.next_step, self.where)


class UsageError(HarnessError):
    """The request is wrong: an unknown name, an invalid value, a contradiction."""

    exit_status = 2


class MissingError(HarnessError):
    """Something the request needs is missing: data, model, engine, SDK, system."""

    exit_status = 3


class RunError(HarnessError):
    """The work started and failed."""

    exit_status = 4


class Interrupted(HarnessError):
    """The user or a supervisor interrupted the run."""

    exit_status = 130


def last_words(error: BaseException) -> str:
    """The last line of another library's message, where most state the cause; the exception's class if there is no message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name closest to `word`, ignoring case; None if none is close."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.lower(), name)
    hit = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return folded[hit[0]] if hit else None


def unknown(kind: str, word: str, known: Iterable[str], where: str = "", listing: bool = True) -> UsageError:
    """The error for an unknown name of some kind, with the nearest known one and, for short lists, all of them."""
    names = list(known)
    hit = nearest(word, names)
    if hit is not None:
        why = f"the nearest known {kind} is {hit!r}"
        step = f"did you mean {hit!r}?"
    else:
        why = f"no known {kind} has a similar name"
        step = ""
    if listing and len(names) <= 16:
        step = (step + " " if step else "") + f"Known: {', '.join(names)}"
    elif not step:
        step = "run `make help` or read documentation/commands.md for the known names"
    return UsageError(f"unknown {kind} {word!r}", why, step, where)
