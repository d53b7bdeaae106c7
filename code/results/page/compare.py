"""A page that puts runs side by side: results, machine, and where their configs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from code.common.files import atomic_write
from code.results.page.plot import Plot
from code.results.page.style import CSS
from code.results.page.text import PAGE, section, shown

NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Column:
    """One run of a comparison.

    Args:
        title: the head of its column.
        value: its result in `unit`; None for none.
        results, machine, config: row → value.
        link: its page; '' for none.
    """

    title: str
    value: float | None
    unit: str
    results: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""


def write_compare(columns: Sequence[Column], folder: Path) -> Path:
    """Write compare.html into `folder`."""
    path = folder / "compare.html"
    with atomic_write(path) as out:
        out.write(page(columns))
    return path


def page(columns: Sequence[Column]) -> str:
    """The page of two or more runs."""
    config = _rows(columns, "config")
    differing = {name: values for name, values in config.items() if len({shown(value) for value in values}) > 1}
    rest = len(config) - len(differing)
    body = [
        "<h1>Runs side by side</h1>",
        _chart(columns),
        section("Results", _table(columns, _rows(columns, "results"))),
        section("Machine and software", _table(columns, _rows(columns, "machine"))),
        section("Config, where it differs", _table(columns, differing) or "<p>It does not differ.</p>"),
        f'<p class="soft">{rest} fields are the same. <a href="index.html">all runs</a></p>',
    ]
    return PAGE.format(title="Runs side by side", css=CSS, body="\n".join(body), footer=f"{len(columns)} runs")


def _rows(columns: Sequence[Column], part: str) -> dict[str, list[Any]]:
    """Row → its value in each column, in the order in which they come up."""
    names = dict.fromkeys(name for column in columns for name in getattr(column, part))
    return {name: [getattr(column, part).get(name) for column in columns] for name in names}


def _table(columns: Sequence[Column], rows: Mapping[str, Sequence[Any]]) -> str:
    """Rows of values, marked where they are not all the same."""
    if not rows:
        return ""
    titles = [f"{NAMES[place % len(NAMES)]}: {column.title}" for place, column in enumerate(columns)]
    links = [
        f'<a href="{escape(column.link)}">{escape(title)}</a>' if column.link else escape(title)
        for column, title in zip(columns, titles, strict=True)
    ]
    heads = "".join(f'<th scope="col">{head.replace("_", "_<wbr>")}</th>' for head in ("What", *links))
    lines = []
    for name, values in rows.items():
        differs = ' class="differs"' if len({shown(value) for value in values}) > 1 else ""
        cells = "".join(
            f'<td{differs} data-label="{NAMES[place % len(NAMES)]}">{escape(shown(value))}</td>'
            for place, value in enumerate(values)
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    table = f'<table class="sides"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Comparison">{table}</div>'


def _chart(columns: Sequence[Column]) -> str:
    """A bar for each result, where all are in one unit."""
    values = [column.value for column in columns if column.value is not None]
    if len(values) != len(columns) or len({column.unit for column in columns}) != 1:
        return '<p class="note">Their results are of different kinds: no chart.</p>'
    top = 1.08 * float(np.max(values)) or 1.0
    plot = Plot("sides", (0.5, len(columns) + 0.5), (0.0, top), ("run (1 is A)", columns[0].unit), whole="x")
    for place, (column, value) in enumerate(zip(columns, values, strict=True), start=1):
        plot.box((place - 0.3, place + 0.3), (0.0, value), title=f"{column.title}: {value:,.6g} {column.unit}")
    caption = '<figcaption id="sides-title">Results</figcaption>'
    return f'<div class="charts"><figure>{caption}{plot.svg()}</figure></div>'
