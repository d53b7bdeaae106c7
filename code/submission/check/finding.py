"""What a check of results or of a submission finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Args:
        path: the file or folder concerned.
        what: what is wrong with it.
        next_step: the command or edit that mends it.
        error: False for a remark that does not keep a result from being submitted.
        check: the name of the check, for tests and for people who look it up.
    """

    path: Path
    what: str
    next_step: str = ""
    error: bool = True
    check: str = ""

    def lines(self, root: Path | None = None) -> list[str]:
        """As people read it, with the path below `root` where it lies there."""
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
    """The findings that keep a result from being submitted."""
    return [one for one in findings if one.error]
