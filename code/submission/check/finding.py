"""Findings of the checks of results and submission trees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """A problem, or a note.

    Args:
        path: the file or folder concerned.
        what: what is wrong with it.
        next_step: the command or edit that fixes it.
        error: False for a note that does not prevent submission.
        check: the name of the check.
        own: a convention of this harness, which the official checker does not share: only a note on trees that others made.
    """

    path: Path
    what: str
    next_step: str = ""
    error: bool = True
    check: str = ""
    own: bool = False

    def lines(self, root: Path | None = None) -> list[str]:
        """The finding as printed; the path is relative to `root` if it is inside."""
        shown = str(self.path)
        if root is not None:
            try:
                shown = str(self.path.relative_to(root))
            except ValueError:
                shown = str(self.path)
        out = [f"{'error' if self.error else 'note'}: {shown}: {self.what}"]
        if self.next_step:
            out.append(f"  next: {self.next_step}")
        return out


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that prevent submission."""
    return [one for one in findings if one.error]


def softened(findings: Iterable[Finding]) -> list[Finding]:
    """The findings on a tree that others made: errors that only break a convention of this harness become notes."""
    return [replace(one, error=one.error and not one.own) for one in findings]
