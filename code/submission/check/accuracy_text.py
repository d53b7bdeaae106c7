"""Parses accuracy.txt as the official checker does: the scores and the accuracy log's hash."""

from __future__ import annotations

import re
from pathlib import Path

HASH = re.compile(r"^hash=(\w+)$", re.MULTILINE)
PATTERNS: dict[str, re.Pattern[str]] = {
    "F1": re.compile(r"""^\{["']exact_match["']:\s*[\d.]+,\s*["']f1["']:\s*([\d.]+)\}""", re.MULTILINE),
    "DICE": re.compile(r"^Accuracy:\s*mean\s*=\s*([\d.]+)", re.MULTILINE),
    "ROUGE1": re.compile(r"'rouge1':\s+'?([\d.]+)'?"),
    "ROUGE2": re.compile(r"'rouge2':\s+'?([\d.]+)'?"),
    "ROUGELSUM": re.compile(r"'rougeLsum':\s+'?([\d.]+)'?"),
    "ROUGEL": re.compile(r"'rougeL':\s+'?([\d.]+)'?"),
    "GEN_LEN": re.compile(r"'gen_len':\s([\d.]+)"),
}
"""Metric → pattern whose group is its score."""


def scores(path: Path, metrics: tuple[str, ...]) -> dict[str, float | None]:
    """Metric → score in accuracy.txt, None if missing."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    found = {name: PATTERNS[name].search(text) for name in metrics}
    return {name: _number(hit.group(1)) if hit else None for name, hit in found.items()}


def _number(text: str) -> float | None:
    """The number in what a pattern matched; None for '1.2.3', which it matches too."""
    try:
        return float(text)
    except ValueError:
        return None


def resolution(path: Path, metric: str) -> float:
    """Rounding error of a metric's score: half a unit of its last digit, 0 if the metric is missing."""
    found = PATTERNS[metric].search(path.read_text(encoding="utf-8-sig", errors="replace"))
    return 0.5 * 10.0 ** -len(found.group(1).partition(".")[2]) if found else 0.0


def hash_of(path: Path) -> str:
    """The hash in accuracy.txt; '' if there is none."""
    found = HASH.search(path.read_text(encoding="utf-8-sig", errors="replace"))
    return found.group(1) if found else ""
