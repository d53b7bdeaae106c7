"""Rows of the table that tests/benchmarks/all.py makes, and what its pieces share."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.harness_figures import ROOT, Figure

SHARED = ROOT.parent / "shared"
"""What lies beside the project; pieces that need it are left out without it."""
SECONDS = 10
"""Of each measured run of a workload."""
STEADY = 0.1
"""By how much the measurements of one limit may differ."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Args:
        what: what is measured.
        ours: what the harness reaches, with its unit.
        limit: what it is measured against, with its unit.
        share: of the limit; None where a row is no share.
        rest: where the rest went, or the spread.
    """

    what: str
    ours: str
    limit: str
    share: float | None
    rest: str = ""

    def markdown(self) -> str:
        """As a row of a Markdown table."""
        share = "" if self.share is None else f"{self.share:.3f}"
        return f"| {self.what} | {self.ours} | {self.limit} | {share} | {self.rest} |"


def of_figure(one: Figure) -> Row:
    """A row of tests/benchmarks/harness_overhead.py."""
    ours, limit = f"{one.harness:,.4g} {one.unit}", f"{one.against:,.4g} {one.unit}"
    return Row(one.what, ours, limit, None if one.unit == "ns" else one.ratio, one.spread)


def not_measured(what: str, why: object) -> Row:
    """A row that says why there is no figure."""
    return Row(what, "not measured", str(why).splitlines()[0][:90], None)


def parts(shares: Mapping[str, float]) -> str:
    """'products 12%, attention 3%', the largest first; shares below half a percent are left out."""
    return ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda one: -one[1]) if share >= 0.005)


def unsteady(rates: Sequence[float]) -> str:
    """'disturbed: the limit itself varied by 23%; ' where a limit that was measured several times differs by more than a tenth."""
    varied = max(rates) / min(rates) - 1
    return f"disturbed: the limit itself varied by {varied:.0%}; " if varied > STEADY else ""


def build_folder() -> Path:
    """Engines, data and what the pieces keep."""
    return Path(os.environ.get("BUILD_DIR", ROOT / "build"))


def called(action: str, *words: str) -> str:
    """What an action prints to stdout; SystemExit with its error where it fails."""
    command = [sys.executable, "-m", "code.main", f"--action={action}", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("error")]
        raise SystemExit(lines[-1] if lines else f"{action} ended with {done.returncode}")
    return done.stdout


def ran(folder: Path, *words: str) -> Path:
    """Run one workload; the folder of its result."""
    (row,) = json.loads(called("run", *words, f"--log_dir={folder}", "--json"))
    return Path(row["folder"])


def middle(values: list[float]) -> str:
    """'10 (9 to 12)': the median, and the range of several."""
    median = f"{statistics.median(values):,.4g}"
    return median if len(values) == 1 else f"{median} ({min(values):,.4g} to {max(values):,.4g})"
