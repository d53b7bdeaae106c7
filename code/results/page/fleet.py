"""The page of a fleet: each node's verdict, its results against the fleet's, and what telemetry says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from code.common.files import atomic_write
from code.results.page.plot import Plot
from code.results.page.style import CSS
from code.results.page.text import PAGE, section

TONES = {"pass": "good", "rerun": "open", "fail": "bad"}
COLOURS = {"pass": 0, "rerun": 2, "fail": 1}
"""Verdict → the colour of its points, of the style sheet's."""


@dataclass(frozen=True)
class Point:
    """One workload of one node.

    Args:
        value: in the unit of its chart; None without a result.
        shown: as text.
        z: robust z as text; '' for none.
        verdict: 'pass', 'rerun' or 'fail'.
        why: reasons and causes, in words.
    """

    node: str
    workload: str
    value: float | None
    shown: str
    z: str
    verdict: str
    why: Sequence[str] = ()


@dataclass(frozen=True)
class Workload:
    """One workload over the fleet: its unit, median and robust standard deviation; None without results."""

    name: str
    unit: str
    median: float | None
    sigma: float | None


@dataclass(frozen=True)
class FleetPage:
    """What the page shows.

    Args:
        verdicts: (node, verdict), in order.
        summary: '40 nodes: 37 pass, 3 fail'.
        rerun: the command that runs again what did not pass; '' for none.
    """

    title: str
    summary: str
    accepted: bool
    verdicts: Sequence[tuple[str, str]]
    workloads: Sequence[Workload]
    points: Sequence[Point]
    rerun: str = ""
    simulated: bool = False


def write_fleet(found: FleetPage, path: Path) -> Path:
    """Write the page."""
    with atomic_write(path) as out:
        out.write(page(found))
    return path


def page(found: FleetPage) -> str:
    """The page as HTML."""
    tone, word = ("good", "ACCEPTED") if found.accepted else ("bad", "NOT ACCEPTED")
    simulated = '<p class="note">SIMULATED: engines that only wait. This is no measurement.</p>' if found.simulated else ""
    command = f'<p class="command"><code>{escape(found.rerun)}</code></p>' if found.rerun else ""
    charts = "".join(_chart(number, one, found) for number, one in enumerate(found.workloads))
    body = [
        f"<h1>{escape(found.title)}</h1>",
        f'<div class="verdict {tone}"><span class="word">{word}</span><div>{escape(found.summary)}</div>{simulated}</div>',
        section("Nodes that do not pass", _problems(found) + command),
        section("Results in order", f'<div class="charts">{charts}</div>' if charts else ""),
        section("All nodes", _table(found)),
    ]
    return PAGE.format(title=escape(found.title), css=CSS, body="\n".join(body), footer=f"{len(found.verdicts)} nodes")


def _problems(found: FleetPage) -> str:
    """A line for each workload of each node that does not pass."""
    rows = []
    for point in found.points:
        if point.verdict != "pass":
            why = "<br>".join(escape(line) for line in point.why)
            word = f'<td class="word {TONES[point.verdict]}" data-label="Verdict">{point.verdict}</td>'
            cells = "".join(
                f'<td data-label="{name}">{escape(text)}</td>'
                for name, text in (("Node", point.node), ("Workload", point.workload), ("Result", point.shown), ("z", point.z))
            )
            rows.append(f'<tr>{cells}{word}<td data-label="Why">{why}</td></tr>')
    return _framed(("Node", "Workload", "Result", "Robust z", "Verdict", "Why"), rows) if rows else ""


def _table(found: FleetPage) -> str:
    by_place = {(point.node, point.workload): point for point in found.points}
    rows = []
    for node, verdict in found.verdicts:
        cells = [
            f'<td data-label="Node">{escape(node)}</td><td class="word {TONES[verdict]}" data-label="Verdict">{verdict}</td>'
        ]
        for one in found.workloads:
            point = by_place.get((node, one.name))
            text = f"{point.shown} {f'(z {point.z})' if point.z else ''}" if point else ""
            title = f' title="{escape("; ".join(point.why))}"' if point and point.why else ""
            cells.append(f'<td class="number" data-label="{escape(one.name)}"{title}>{escape(text)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _framed(("Node", "Verdict", *(one.name for one in found.workloads)), rows)


def _framed(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    table = f'<table class="stack"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Nodes">{table}</div>'


def _chart(number: int, one: Workload, found: FleetPage) -> str:
    """The nodes' results in order of size, with the fleet's median."""
    points = [point for point in found.points if point.workload == one.name and point.value is not None]
    if not points or one.median is None:
        return ""
    ordered = sorted(points, key=lambda point: point.value or 0.0)
    values = np.array([point.value for point in ordered], dtype=np.float64)
    margin = 0.1 * float(values.max() - values.min()) or 0.05 * abs(one.median) or 1.0
    extent = (float(values.min()) - margin, float(values.max()) + margin)
    name = f"fleet{number}"
    plot = Plot(name, (0.5, len(ordered) + 0.5), extent, ("node, in order of its result", one.unit), whole="x")
    plot.level(one.median, f"median {one.median:,.6g}")
    for verdict, colour in COLOURS.items():
        places = [place for place, point in enumerate(ordered) if point.verdict == verdict]
        titles = [f"{ordered[place].node}: {ordered[place].shown}" for place in places]
        plot.points(np.array(places, dtype=np.float64) + 1, values[places], colour, titles)
    caption = f'<figcaption id="{name}-title">{escape(one.name)}</figcaption>'
    return f"<figure>{caption}{plot.svg()}</figure>"
