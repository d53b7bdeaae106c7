"""One chart as an <svg> element: axes with even ticks, and lines, areas, bars and points in the colours of the page's style sheet.

A plotting library takes a third of a second for each chart, and its colours do not follow a page into the dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from code.results.page.measured import Floats

WIDTH, HEIGHT = 420.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 24.0, 40.0
TICKS = 6
COLOURS = 8
"""Colours of tracks in the style sheet: .c0 to .c7."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_POINTS = 600
"""Of one line: more cannot be told apart at this size."""


class Scale:
    """Numbers of an axis → its pixels.

    Args:
        least, most: the numbers at its ends.
        first, last: the pixels at its ends.
        log: by powers of ten; both ends are above 0.
        whole: its ticks are whole numbers.
    """

    def __init__(self, least: float, most: float, first: float, last: float, log: bool = False, whole: bool = False) -> None:
        self.log, self.whole = log, whole
        self.least, self.most = (least, most) if most > least else (least, least + (abs(least) or 1.0))
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        """The pixel of a number."""
        low, high, at = self.least, self.most, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, low))
        return self._first + (at - low) / (high - low) * (self._last - self._first)

    def ticks(self) -> list[float]:
        """Even numbers between the ends; powers of ten on a log scale."""
        if self.log:
            powers = range(math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1)
            return [10.0**power for power in powers if self.least * 0.999 <= 10.0**power <= self.most * 1.001]
        step = even_step((self.most - self.least) / TICKS)
        if self.whole:
            step = max(1.0, math.ceil(step))
        first = math.ceil(self.least / step - 1e-9)
        return [round(number * step, 10) for number in range(first, math.floor(self.most / step + 1e-9) + 1)]


def even_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in STEPS if step * power >= least * (1 - 1e-9))


def label(value: float) -> str:
    """A number at a tick: '0.25', '12,000', '5e+06'."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:g}"
    return f"{value:,.10g}"


class Plot:
    """A chart that is drawn by its methods, and written by `svg`.

    Args:
        name: its ids begin with it.
        x, y: the numbers at the ends of its axes.
        labels: what its axes show.
        log: whether the x axis is by powers of ten.
        whole: the axes, of 'x' and 'y', that count.
        names: of the x axis' numbers from 1 on, where it does not show them.
    """

    def __init__(
        self,
        name: str,
        x: tuple[float, float],
        y: tuple[float, float],
        labels: tuple[str, str],
        log: bool = False,
        whole: str = "",
        names: Sequence[str] = (),
    ) -> None:
        self.name, self.labels, self.names = name, labels, names
        self.x = Scale(*x, LEFT, WIDTH - RIGHT, log, "x" in whole)
        self.y = Scale(*y, HEIGHT - BOTTOM, TOP, whole="y" in whole)
        self._marks: list[str] = []
        self._legend: list[str] = []

    def _at(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"

    def _path(self, x: Iterable[float], y: Iterable[float]) -> str:
        return " ".join(self._at(float(a), float(b)) for a, b in zip(x, y, strict=True))

    def line(self, x: Floats, y: Floats, colour: int = 0) -> None:
        """A line through points in order of x."""
        x, y = thinned(x, y)
        self._marks.append(f'<polyline class="line c{colour % COLOURS}" points="{self._path(x, y)}"/>')

    def area(self, x: Floats, low: Floats, high: Floats, colour: int = 0) -> None:
        """What lies between two lines."""
        points = f"{self._path(x, high)} {self._path(x[::-1], low[::-1])}"
        self._marks.append(f'<polygon class="area c{colour % COLOURS}" points="{points}"/>')

    def points(self, x: Floats, y: Floats, colour: int = 0, titles: Sequence[str] = ()) -> None:
        """Single points; `titles` show under the pointer."""
        for place, (a, b) in enumerate(zip(x, y, strict=True)):
            inside = f"<title>{escape(titles[place])}</title>" if titles else ""
            where = f'cx="{self.x(float(a)):.1f}" cy="{self.y(float(b)):.1f}" r="3"'
            self._marks.append(f'<circle class="dot c{colour % COLOURS}" {where}>{inside}</circle>')

    def box(self, x: tuple[float, float], y: tuple[float, float], colour: int = 0, title: str = "") -> None:
        """A rectangle between two numbers of each axis; `title` shows under the pointer."""
        left, right, top, bottom = self.x(x[0]), self.x(x[1]), self.y(y[1]), self.y(y[0])
        size = f'x="{left:.1f}" y="{top:.1f}" width="{max(0.4, right - left):.1f}" height="{max(0.0, bottom - top):.1f}"'
        inside = f"<title>{escape(title)}</title>" if title else ""
        self._marks.append(f'<rect class="area c{colour % COLOURS}" {size}>{inside}</rect>')

    def upright(self, x: float, text: str) -> None:
        """A dashed line across the y axis, with a text at its foot."""
        if self.x.least <= x <= self.x.most:
            at = self.x(x)
            right = at > WIDTH * 0.7
            end = ' text-anchor="end"' if right else ""
            place = f'x="{at + (-4 if right else 4):.1f}" y="{HEIGHT - BOTTOM - 6:.1f}"{end}'
            self._marks.append(f'<line class="rule" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP:.1f}" y2="{HEIGHT - BOTTOM:.1f}"/>')
            self._marks += [f'<text class="mark" {place}>{escape(text)}</text>'] if text else []

    def level(self, y: float, text: str) -> None:
        """A dashed line along the x axis, with a text at its beginning."""
        at = self.y(y)
        self._marks.append(f'<line class="rule" x1="{LEFT:.1f}" x2="{WIDTH - RIGHT:.1f}" y1="{at:.1f}" y2="{at:.1f}"/>')
        self._marks.append(f'<text class="mark" x="{LEFT + 4:.1f}" y="{at + 11:.1f}">{escape(text)}</text>')

    def legend(self, names: Sequence[str]) -> None:
        """Names of the colours, above the chart."""
        at = LEFT
        for number, name in enumerate(names):
            self._legend.append(f'<rect class="area c{number % COLOURS}" x="{at:.1f}" y="6" width="9" height="9"/>')
            self._legend.append(f'<text x="{at + 12:.1f}" y="14">{escape(name)}</text>')
            at += 20 + 6.2 * len(name)

    def svg(self) -> str:
        """The element. What leaves the axes is cut off."""
        clip = f"{self.name}-inside"
        area = f'x="{LEFT:.0f}" y="{TOP - 4:.0f}" width="{WIDTH - LEFT - RIGHT + 4:.0f}" height="{HEIGHT - TOP - BOTTOM + 4:.0f}"'
        head = f'<svg role="img" aria-labelledby="{self.name}-title" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}">'
        return "".join(
            (
                f'{head}<clipPath id="{clip}"><rect {area}/></clipPath>',
                *self._x_axis(),
                *self._y_axis(),
                f'<g clip-path="url(#{clip})">{"".join(self._marks)}</g>',
                *self._legend,
                "</svg>",
            )
        )

    def _x_axis(self) -> Iterable[str]:
        foot = HEIGHT - BOTTOM
        for tick in self.x.ticks():
            at = self.x(tick)
            yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP:.1f}" y2="{foot:.1f}"/>'
            yield f'<text x="{at:.1f}" y="{foot + 14:.1f}" text-anchor="middle">{escape(self._tick(tick))}</text>'
        yield f'<line class="axis" x1="{LEFT:.1f}" x2="{WIDTH - RIGHT:.1f}" y1="{foot:.1f}" y2="{foot:.1f}"/>'
        yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 8:.1f}" text-anchor="middle">{escape(self.labels[0])}</text>'

    def _tick(self, tick: float) -> str:
        return self.names[int(tick) - 1] if self.names and 1 <= tick <= len(self.names) else label(tick)

    def _y_axis(self) -> Iterable[str]:
        for tick in self.y.ticks():
            at = self.y(tick)
            yield f'<line class="grid" x1="{LEFT:.1f}" x2="{WIDTH - RIGHT:.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'
            yield f'<text x="{LEFT - 5:.1f}" y="{at + 3.5:.1f}" text-anchor="end">{label(tick)}</text>'
        yield f'<line class="axis" x1="{LEFT:.1f}" x2="{LEFT:.1f}" y1="{TOP:.1f}" y2="{HEIGHT - BOTTOM:.1f}"/>'
        middle = (TOP + HEIGHT - BOTTOM) / 2
        yield f'<text transform="rotate(-90 10 {middle:.1f})" x="10" y="{middle:.1f}" text-anchor="middle">{escape(self.labels[1])}</text>'


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most MOST_POINTS of a line, its ends and its extremes among them."""
    if len(x) <= MOST_POINTS:
        return x, y
    kept = np.linspace(0, len(x) - 1, MOST_POINTS - 2).astype(int)
    kept = np.unique(np.concatenate([kept, [int(np.argmin(y)), int(np.argmax(y))]]))
    return x[kept], y[kept]
