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
        _named(columns),
        '<p class="soft">Shaded values differ.</p>',
        _chart(columns),
        _section(columns, "Results", _rows(columns, "results")),
        _section(columns, "Machine and software", _rows(columns, "machine")),
        _section(columns, "Config, where it differs", differing) or section("Config", "<p>It does not differ.</p>"),
        f'<p class="soft">{rest} fields are the same. <a href="index.html">all runs</a></p>',
    ]
    return PAGE.format(title="Runs side by side", css=CSS, body="\n".join(body), footer=f"{len(columns)} runs")


def _rows(columns: Sequence[Column], part: str) -> dict[str, list[Any]]:
    """Row → its value in each column, in the order in which they come up."""
    names = dict.fromkeys(name for column in columns for name in getattr(column, part))
    return {name: [getattr(column, part).get(name) for column in columns] for name in names}


def _section(columns: Sequence[Column], title: str, rows: Mapping[str, Sequence[Any]]) -> str:
    return section(title, _table(columns, rows, title))


def _table(columns: Sequence[Column], rows: Mapping[str, Sequence[Any]], title: str = "Comparison") -> str:
    """Rows of values, marked where they are not all the same.

    Args:
        title: what a screen reader calls it; unique on a page.
    """
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("What", *_names(columns)))
    lines = []
    for name, values in rows.items():
        if any(shown(value) for value in values):
            lines.append(f'<tr><th scope="row">{escape(name).replace("_", "_<wbr>")}</th>{_values(columns, values)}</tr>')
    width = f"min-width: {11 + 9 * len(columns)}rem"
    table = f'<table class="stack sides" style="{width}"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">{table}</div>'


def _values(columns: Sequence[Column], values: Sequence[Any]) -> str:
    """The cells of a row: one across all columns where all values are the same."""
    texts = [escape(shown(value)) for value in values]
    if len(set(texts)) == 1:
        return f'<td colspan="{len(columns)}" data-label="all">{texts[0]}</td>'
    pairs = zip(_names(columns), texts, strict=True)
    return "".join(f'<td class="differs" data-label="{name}">{text}</td>' for name, text in pairs)


def _names(columns: Sequence[Column]) -> list[str]:
    """'A', 'B', … of the runs."""
    return [NAMES[place % len(NAMES)] for place in range(len(columns))]


def _named(columns: Sequence[Column]) -> str:
    """Which run each letter is."""
    items = []
    for name, column in zip(_names(columns), columns, strict=True):
        title = escape(column.title)
        link = f'<a href="{escape(column.link)}">{title}</a>' if column.link else title
        items.append(f"<li>{name}: {link}</li>")
    return f'<ul class="named">{"".join(items)}</ul>'


def _chart(columns: Sequence[Column]) -> str:
    """A bar for each result, where all are in one unit."""
    values = [column.value for column in columns if column.value is not None]
    if len(values) != len(columns) or len({column.unit for column in columns}) != 1:
        return '<p class="note">Their results are of different kinds: no chart.</p>'
    top = 1.08 * float(np.max(values)) or 1.0
    plot = Plot("sides", (0.5, len(columns) + 0.5), (0.0, top), ("run", columns[0].unit), whole="x", names=_names(columns))
    for place, (column, value) in enumerate(zip(columns, values, strict=True), start=1):
        plot.box((place - 0.3, place + 0.3), (0.0, value), title=f"{column.title}: {value:,.6g} {column.unit}")
    caption = '<figcaption id="sides-title">Results</figcaption>'
    return f'<div class="charts"><figure>{caption}{plot.svg()}</figure></div>'
