"""The index of all runs: a table to search, filter, sort and group, the best run of each workload, and trends over time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np

from code.common.errors import HarnessError
from code.common.files import atomic_write
from code.results.page.plot import Plot
from code.results.page.script import SCRIPT
from code.results.page.style import CSS
from code.results.page.text import PAGE
from code.rules.metrics import Metric, metric_with

GOOD = ("VALID", "PASSED")
COLUMNS = ("Run", "Mode", "Result", "Verdict", "System", "Precision", "Marks", "Started")
FILTERS = ("Run", "Mode", "Verdict", "System", "Precision")
"""Columns with a choice of their values."""
TREND_FROM = 3
"""Runs of a workload on a system that make a trend."""
LABELS = 6
"""Changes of a trend that have room for a name."""
UNREAL = frozenset(("simulated", "dry run"))
"""Marks of what is not a result."""


@dataclass(frozen=True)
class Entry:
    """One line of the index.

    Args:
        name: 'bert-99 Offline'.
        mode: 'PerformanceOnly', 'AccuracyOnly', 'TEST01', …
        value: as shown.
        number: to sort by; None for no result.
        word: VALID, INVALID, PASSED, FAILED, or incomplete.
        marks: 'tiny', 'short', 'busy', 'simulated', 'dry run'.
        commit, runtime: of the harness, and the runtime with its version.
        link: its page's file name; '' for none.
        why: what is missing for it to be complete.
        key: LoadGen's key of its number; '' for its scenario's own.
    """

    name: str
    mode: str
    value: str
    number: float | None
    word: str
    system: str
    precision: str
    started: str
    marks: tuple[str, ...] = ()
    commit: str = ""
    runtime: str = ""
    link: str = ""
    why: str = ""
    key: str = ""

    @property
    def metric(self) -> Metric:
        """What its number counts."""
        return metric_with(self.name.rpartition(" ")[2], self.key)

    @property
    def workload(self) -> tuple[str, str, str]:
        """What it is compared with others by: workload, system, precision."""
        return self.name, self.system, self.precision

    @property
    def counts(self) -> bool:
        """Whether it is a performance result that others can be compared with."""
        return (
            not UNREAL & set(self.marks) and self.mode == "PerformanceOnly" and self.word == "VALID" and self.number is not None
        )

    @property
    def more_is_better(self) -> bool:
        """Whether its number is a rate."""
        return self.metric.higher_is_better


def best(entries: Iterable[Entry]) -> list[Entry]:
    """The best result of each workload on each system in each precision."""
    found: dict[tuple[str, str, str], Entry] = {}
    for one in entries:
        other = found.get(one.workload)
        if one.counts and (other is None or _better(one, other)):
            found[one.workload] = one
    return list(found.values())


def _better(one: Entry, other: Entry) -> bool:
    assert one.number is not None and other.number is not None
    return one.number > other.number if one.more_is_better else one.number < other.number


def write_index(
    entries: Sequence[Entry], problems: Sequence[tuple[Path, HarnessError]], folder: Path, live: bool = False
) -> Path:
    """Write index.html into `folder`: every run, newest first, and what could not be read."""
    path = folder / "index.html"
    with atomic_write(path) as out:
        out.write(page(entries, problems, live))
    return path


def page(entries: Sequence[Entry], problems: Sequence[tuple[Path, HarnessError]] = (), live: bool = False) -> str:
    """The index as a page.

    Args:
        live: it is served, and asks for itself again every few seconds.
    """
    top = set(map(id, best(entries)))
    body = [
        "<h1>Runs</h1>",
        _controls(entries) if entries else '<p class="soft">No runs yet.</p>',
        f'<p class="soft" id="count" role="status">{len(entries)} runs</p>' if entries else "",
        f'<table class="stack runs" id="runs"><thead><tr>{_heads()}</tr></thead><tbody>',
        *(_row(one, id(one) in top) for one in entries),
        "</tbody></table>",
        _trends(entries),
    ]
    if problems:
        items = "".join(f"<li><code>{escape(str(path))}</code>: {escape(error.what)}</li>" for path, error in problems)
        body.append(f"<h2>Runs without a page</h2><ul>{items}</ul>")
    body.append(f"<script>const LIVE = {json.dumps(live)};{SCRIPT}</script>")
    return PAGE.format(title="Runs", css=CSS, body="\n".join(body), footer=f"{len(entries)} runs")


def _controls(entries: Sequence[Entry]) -> str:
    parts = ['<label>Search <input type="search" id="search" autocomplete="off"></label>']
    for column in FILTERS:
        values = sorted({_cells(one)[COLUMNS.index(column)] for one in entries} - {""})
        options = "".join(f"<option>{escape(value)}</option>" for value in ("", *values)).replace(
            "<option>", '<option value="">all', 1
        )
        parts.append(f'<label>{column} <select data-column="{COLUMNS.index(column)}">{options}</select></label>')
    groups = "".join(f'<option value="{COLUMNS.index(column)}">{column}</option>' for column in FILTERS)
    parts.append(f'<label>Group by <select id="group"><option value="">nothing</option>{groups}</select></label>')
    parts.append('<label><input type="checkbox" id="best"> best only</label>')
    return f'<form class="controls" id="controls">{"".join(parts)}</form>'


def _heads() -> str:
    return "".join(f'<th aria-sort="none"><button type="button">{name}</button></th>' for name in COLUMNS)


def _cells(one: Entry) -> tuple[str, ...]:
    return one.name, one.mode, one.value, one.word, one.system, one.precision, ", ".join(one.marks), one.started


def _row(one: Entry, top: bool) -> str:
    cells = [escape(text) for text in _cells(one)]
    cells[0] = f'<a href="{escape(one.link)}">{cells[0]}</a>' if one.link else cells[0]
    cells[3] += f'<br><span class="soft">{escape(one.why)}</span>' if one.why else ""
    cells[4] = cells[4].replace("_", "_<wbr>")
    if top:
        cells[6] = f'<strong class="best">best</strong>{", " if cells[6] else ""}{cells[6]}'
    tone = "good" if one.word in GOOD else "bad" if one.word in ("INVALID", "FAILED") else "open"
    classes = {2: ' class="number"', 3: f' class="word {tone}"'}
    key = "" if one.number is None else f"{one.number:.10g}"
    keys = {2: f' data-key="{key}"'}
    out = [
        f'<td{classes.get(place, "")} data-label="{COLUMNS[place]}"{keys.get(place, "")}>{text}</td>'
        for place, text in enumerate(cells)
    ]
    details = " ".join(word for word in (one.commit[:12], one.runtime) if word)
    return f'<tr data-best="{int(top)}" title="{escape(details)}">{"".join(out)}</tr>'


def _trends(entries: Sequence[Entry]) -> str:
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for one in sorted(entries, key=lambda one: one.started):
        if one.mode == "PerformanceOnly" and one.number is not None and one.link and not UNREAL & set(one.marks):
            groups.setdefault(one.workload, []).append(one)
    figures = [_trend(number, key, runs) for number, (key, runs) in enumerate(groups.items()) if len(runs) >= TREND_FROM]
    return f'<h2>Trends</h2><div class="charts">{"".join(figures)}</div>' if figures else ""


def _trend(number: int, key: tuple[str, str, str], runs: Sequence[Entry]) -> str:
    """A chart of one workload's results in order of time; a dashed line where commit or runtime changed."""
    name, values = f"trend{number}", np.array([one.number for one in runs], dtype=np.float64)
    metric = runs[-1].metric
    shown = values * metric.scale
    low, high = float(shown.min()), float(shown.max())
    margin = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    plot = Plot(name, (0.5, len(runs) + 0.5), (low - margin, high + margin), ("run, in order of time", metric.unit), whole="x")
    x = np.arange(1.0, len(runs) + 1)
    plot.line(x, shown)
    plot.points(x, shown, titles=[f"{one.started}: {one.value}, {one.commit[:12]} {one.runtime}" for one in runs])
    named = 0
    for place, (before, one) in enumerate(pairwise(runs), start=1):
        if (before.commit, before.runtime) != (one.commit, one.runtime):
            apart = not named or place - named > len(runs) / LABELS
            plot.upright(place + 0.5, (one.commit[:7] if before.commit != one.commit else one.runtime) if apart else "")
            named = place if apart else named
    title = f"{key[0]} {key[2]}"
    caption = f'<figcaption id="{name}-title">{escape(title)} <span class="soft">{escape(key[1])}</span></figcaption>'
    return f"<figure>{caption}{plot.svg()}</figure>"
