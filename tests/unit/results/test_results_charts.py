"""What charts show: their marks read back from the drawing, in the numbers of its axes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.harness.schema.lengths import lengths_of
from code.results.page import charts, compare, index, limits, plot, tracks
from code.results.page.compare import Column
from code.results.page.measured import Latencies
from code.results.telemetry import Telemetry
from code.telemetry.source import FILE
from tests.unit.test_telemetry import log, record


class Drawn:
    """A chart: its axes by their ticks, and its marks in their numbers."""

    def __init__(self, svg: str, log: bool = False) -> None:
        self.svg = svg
        texts = re.findall(r'<text x="([\d.-]+)" y="([\d.-]+)" text-anchor="(middle|end)">([^<]*)</text>', svg)
        foot = plot.HEIGHT - plot.BOTTOM + 14
        self.x_ticks = [(float(x), number(word)) for x, y, where, word in texts if where == "middle" and float(y) == foot]
        self.y_ticks = [
            (float(y) - 3.5, number(word)) for x, y, where, word in texts if where == "end" and float(x) == plot.LEFT - 5
        ]
        self.log = log
        body = svg.partition("<g clip-path")[2].partition("</g>")[0]
        self.titles = re.findall(r"<title>([^<]*)</title>", body)
        self.boxes = [self.box(*map(float, found)) for found in re.findall(rf"<rect [^>]*{' '.join(SIZE)}", body)]
        self.lines = [self.path(found) for found in re.findall(r'<polyline [^>]*points="([^"]*)"', body)]
        self.areas = [self.path(found) for found in re.findall(r'<polygon [^>]*points="([^"]*)"', body)]
        self.dots = [(self.x(float(a)), self.y(float(b))) for a, b in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', body)]
        self.colours = re.findall(r'class="(?:line|area|dot) c(\d)"', body)
        self.words = re.findall(r"<text[^>]*>([^<]*)</text>", svg)

    def x(self, at: float) -> float:
        value = read(at, self.x_ticks, np.log10 if self.log else float)
        return round(float(10**value), 3) if self.log else round(value, 2)

    def y(self, at: float) -> float:
        return round(read(at, self.y_ticks, float), 2)

    def box(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        return self.x(x), self.x(x + width), self.y(y + height), self.y(y)

    def path(self, points: str) -> list[tuple[float, float]]:
        return [(self.x(float(a)), self.y(float(b))) for a, b in (one.split(",") for one in points.split())]

    @property
    def ends(self) -> tuple[float, float, float, float]:
        """Of the x axis, then of the y axis."""
        return (
            self.x(plot.LEFT),
            self.x(plot.WIDTH - plot.RIGHT),
            self.y(plot.HEIGHT - plot.BOTTOM),
            self.y(plot.TOP),
        )


SIZE = [rf'{name}="([\d.]+)"' for name in ("x", "y", "width", "height")]


def number(word: str) -> float:
    return float(compare.NAMES.index(word) + 1 if word in compare.NAMES else word.replace(",", ""))


def read(at: float, ticks: list[tuple[float, float]], scale: Any) -> float:
    (low, first), (high, last) = ticks[0], ticks[-1]
    return float(scale(first) + (at - low) / (high - low) * (scale(last) - scale(first)))


def near(found: Any, wanted: Any, off: float) -> bool:
    return bool(np.allclose(np.array(found, float), np.array(wanted, float), atol=off))


# ── of one run ─────────────────────────────────────────────────────────


def test_throughput_is_an_area_over_each_interval() -> None:
    drawn = Drawn(charts.throughput(np.array([0.5, 1.5, 2.5]), np.array([10.0, 40.0, 20.0])))
    [area] = drawn.areas
    assert near(area[:6], [(0, 10), (1, 10), (1, 40), (2, 40), (2, 20), (3, 20)], 0.1)
    assert near(area[6:], [(3, 0), (2, 0), (2, 0), (1, 0), (1, 0), (0, 0)], 0.1)
    assert near(drawn.ends, (0, 3, 0, 42), 0.2)
    assert near(Drawn(charts.throughput(np.array([2.0]), np.array([10.0]))).ends, (0, 4, 0, 10.5), 0.1)
    assert near(Drawn(charts.throughput(np.array([0.0]), np.array([10.0]))).ends[:2], (0, 0.5), 0.01)


def test_batches_are_bars_of_each_size() -> None:
    drawn = Drawn(charts.batch_sizes(np.array([8.0, 4.0, 4.0, 8.0, 8.0, 6.0])))
    assert drawn.titles == ["2 batches of 4", "1 batches of 6", "3 batches of 8"]
    assert near(drawn.boxes, [(3.58, 4.42, 0, 2), (5.58, 6.42, 0, 1), (7.58, 8.42, 0, 3)], 0.03)
    assert near(drawn.ends, (3.5, 8.5, 0, 3.15), 0.03)
    assert all(value == int(value) for _, value in (*drawn.x_ticks, *drawn.y_ticks)), "sizes and counts are whole"
    assert drawn.colours == ["0"] * 3
    assert len(Drawn(charts.batch_sizes(np.arange(1.0, 41.0))).boxes) == 40
    many = Drawn(charts.batch_sizes(np.repeat(np.arange(1.0, 82.0), 3)))
    assert len(many.boxes) == 40 and many.titles[0].startswith("6: 1 to 3")
    assert near(many.ends[:2], (1, 81), 0.3)


def test_lengths_are_a_histogram_without_empty_bars() -> None:
    drawn = Drawn(charts.sample_lengths(np.array([10, 10, 20, 50])))
    assert drawn.titles == ["2: 9.5 to 10.5", "1: 19.5 to 20.5", "1: 49.5 to 50.5"]
    assert near(drawn.ends[:2], (9.5, 50.5), 0.3) and drawn.boxes[0][0] == pytest.approx(9.5, abs=0.2)
    many = Drawn(charts.sample_lengths(np.arange(1, 500)))
    assert len(many.boxes) == 46 and many.titles[0] == "11: 0.5 to 11.5", "as many lengths in each bar"
    assert charts.sample_lengths(np.array([7, 7])).count("<title>2: ") == 1
    gap = Drawn(charts.sample_lengths(np.array([1, 2, 2, 90, 91, 100])))
    assert len(gap.boxes) < 5 and all(box[3] > 0 for box in gap.boxes)


def test_parts_are_drawn_one_on_the_other() -> None:
    seconds = np.array([0.0, 1.0, 2.0])
    parts = {"this run": np.array([1.0, 2.0, 1.0]), "other": np.array([1.0, 0.0, 3.0])}
    drawn = Drawn(charts.stacked("p", seconds, parts, "processors"))
    first, second = drawn.areas
    assert near(first, [(0, 1), (1, 2), (2, 1), (2, 0), (1, 0), (0, 0)], 0.03)
    assert near(second, [(0, 2), (1, 2), (2, 4), (2, 1), (1, 2), (0, 1)], 0.03)
    assert drawn.colours == ["0", "1"] and near(drawn.ends, (0, 2, 0, 4.2), 0.03)
    assert near(Drawn(charts.stacked("p", seconds, {"a": np.zeros(3)}, "x")).ends[2:], (0, 1), 0.01)


def test_each_track_is_a_line_of_its_own_colour() -> None:
    t = np.array([0.0, 5.0, 10.0])
    tracks = {"gpu0": (t, np.array([100.0, 200.0, 150.0])), "gpu1": (t[:2], np.array([300.0, 100.0]))}
    drawn = Drawn(charts.lines("power", tracks, "power (W)"))
    assert near(drawn.lines[0], [(0, 100), (5, 200), (10, 150)], 0.7) and near(drawn.lines[1], [(0, 300), (5, 100)], 0.7)
    assert drawn.colours == ["0", "1"] and {"gpu0", "gpu1"} <= set(drawn.words)
    assert near(drawn.ends, (0, 10, 90, 310), 0.7)
    ten = {f"gpu{n}": (t, t + n) for n in range(10)}
    assert Drawn(charts.lines("power", ten, "W")).colours == [str(n % 8) for n in range(10)]


def test_batches_at_once_are_rows() -> None:
    drawn = Drawn(charts.lanes([[(0.0, 1.0, 8.0), (1.0, 4.0, 16.0)], [(0.5, 1.5, 4.0)]]))
    assert near(drawn.boxes, [(0, 1, 0.12, 0.88), (1, 4, 0.12, 0.88), (0.5, 1.5, 1.12, 1.88)], 0.02)
    assert drawn.titles == ["8 samples in 1,000 ms", "16 samples in 3,000 ms", "4 samples in 1,000 ms"]
    assert near(drawn.ends, (0, 4, 0, 2), 0.02)


def cdf(*ms: float, points: bool = False) -> Latencies:
    return Latencies(np.array(ms), np.linspace(1 / len(ms), 1, len(ms)), "x", points)


def test_latencies_with_their_bound_and_percentile() -> None:
    drawn = Drawn(charts.latency_cdf(cdf(10.0, 20.0, 40.0, 50.0), 100.0, 0.99, "queries"))
    assert near(drawn.lines[0], [(10, 25), (20, 50), (40, 75), (50, 100)], 0.5) and not drawn.dots
    assert near(drawn.ends, (10, 100, 0, 102), 0.5) and {"bound 100 ms", "99 %", "queries (%)"} <= set(drawn.words)
    [upright] = re.findall(r'class="rule" x1="([\d.]+)" x2="\1"', drawn.svg)
    assert drawn.x(float(upright)) == pytest.approx(100, abs=0.5)
    [level] = re.findall(r'class="rule" x1="64.0" x2="408.0" y1="([\d.]+)"', drawn.svg)
    assert drawn.y(float(level)) == pytest.approx(99, abs=0.5)
    dots = Drawn(charts.latency_cdf(cdf(10.0, 20.0, points=True), None, None, "samples"))
    assert near(dots.dots, [(10, 50), (20, 100)], 0.5) and not dots.lines and 'class="rule"' not in dots.svg


def test_latencies_of_seconds_and_far_apart() -> None:
    slow = Drawn(charts.latency_cdf(cdf(5_000.0, 10_000.0), 20_000.0, None, "queries"))
    assert "latency (s)" in slow.words and near(slow.ends[:2], (5, 20), 0.1) and "bound 20 s" in slow.words
    assert "latency (ms)" in Drawn(charts.latency_cdf(cdf(5_000.0, 9_999.0), None, None, "queries")).words
    wide = charts.latency_cdf(cdf(0.0, 1.0, 10.0, 1000.0), None, None, "queries")
    drawn = Drawn(wide, log=True)
    assert [value for _, value in drawn.x_ticks] == [1, 10, 100, 1000]
    assert near([x for x, _ in drawn.lines[0]], [1, 1, 10, 1000], 5), "a latency of 0 is at the end of the axis"
    even = Drawn(charts.latency_cdf(cdf(1.0, 50.0), None, None, "queries"))
    assert len(even.x_ticks) > 3 and even.x_ticks[0][1] != 1, "fifty times apart is still an even axis"
    far = Drawn(charts.latency_cdf(cdf(10.0, 40.0), 2_000.0, None, "queries"), log=True)
    assert [value for _, value in far.x_ticks] == [10, 100, 1000], "a distant bound leaves the line its room"


# ── telemetry ──────────────────────────────────────────────────────────


def test_what_was_recorded_is_drawn(tmp_path: Path) -> None:
    t = np.arange(-2.0, 23.0, 0.5)
    power = {"gpu0/power_w": (t, 200 + t), "gpu1/power_w": (t, 300 + t), "gpu1/temperature_c": (t, 60 + 0 * t)}
    record(tmp_path, **power)
    found = {name: (title, Drawn(svg), source) for name, title, svg, source in tracks.drawn(tmp_path, log())}
    assert list(found) == ["processors", "power_w", "temperature_c"]
    title, drawn, source = found["processors"]
    assert (title, source) == ("Processors", "2 watched") and "processors in use" in drawn.words
    assert len(drawn.areas[0]) == 40 and near(drawn.areas[0][0], (0.5, 2), 0.05) and near(drawn.areas[1][0], (0.5, 2), 0.05)
    title, drawn, source = found["power_w"]
    assert (title, source) == ("GPU power (W)", "2 GPUs") and near(drawn.lines[1][0], (0, 300), 0.5)
    assert found["temperature_c"][2] == "NVML"
    (tmp_path / FILE).unlink()
    assert list(tracks.drawn(tmp_path, log())) == []


def test_a_long_run_is_shown_in_at_most_as_many_intervals_as_a_chart_has_room_for() -> None:
    def intervals(seconds: float) -> int:
        t = np.array([0.0, seconds])
        busy = {"t": t, "cpu0_busy_s_total": t}
        return len(tracks.processors(Telemetry({"processors": busy}, 0.0, seconds))[0])

    assert [intervals(seconds) for seconds in (0.5, 1.0, 2.5, 60.0, 240.0, 1000.0)] == [1, 1, 2, 60, 240, 240]
    t = np.array([0.0, 1.0, 10.0])
    once = {"processors": {"t": t, "cpu0_busy_s_total": t}, "own": {"t": t[:1], "cpu_s_total": t[:1]}}
    shares = tracks.processors(Telemetry(once, 0.0, 10.0))[1]
    assert not shares["this run"].any() and shares["other work"].tolist() == pytest.approx([1.0] * 10), (
        "one reading tells nothing"
    )
    two = {"processors": {"t": t[:2], "cpu0_busy_s_total": t[:2]}}
    assert tracks.processors(Telemetry(two, 0.0, 1.0))[1]["other work"].tolist() == [1.0]


# ── of several runs ────────────────────────────────────────────────────


def test_runs_side_by_side_are_bars_up_to_the_best() -> None:
    columns = [Column("one", 50.0, "samples/s"), Column("two", 100.0, "samples/s"), Column("three", 0.0, "samples/s")]
    drawn = Drawn(compare._chart(columns))
    assert near(drawn.boxes, [(0.7, 1.3, 0, 50), (1.7, 2.3, 0, 100), (2.7, 3.3, 0, 0)], 0.3)
    assert drawn.titles == ["one: 50 samples/s", "two: 100 samples/s", "three: 0 samples/s"]
    assert near(drawn.ends, (0.5, 3.5, 0, 108), 0.4) and [value for _, value in drawn.x_ticks] == [1, 2, 3]
    assert near(Drawn(compare._chart([*columns[2:], *columns[2:]])).ends[2:], (0, 1), 0.01)
    for other in (Column("x", None, "samples/s"), Column("x", 5.0, "ms")):
        assert "no chart" in compare._chart([*columns, other])


def test_tables_of_several_runs() -> None:
    a, b = Column("a<b", 1.0, "x", {"r": 1}, {}, {"k": [1], "only": 2}), Column("two", 2.0, "x", {"s": None}, {}, {"k": [1]})
    assert compare._rows([a, b], "results") == {"r": [1, None], "s": [None, None]}
    text = compare.page([a, b])
    assert "A: a&lt;b" in text and "<h2>Machine and software</h2>" not in text, "no rows, no section"
    assert '<th scope="row">only</th><td class="differs" data-label="A">2</td><td class="differs" data-label="B"></td>' in text
    assert '<th scope="row">s</th>' not in text and "1 fields are the same" in text, "no run has a value of it"
    assert "2 runs" in text
    many = compare._table([Column(str(n), None, "") for n in range(28)], {"r": [0] * 28})
    assert '<td colspan="28" data-label="all">0</td>' in many and compare._table([a], {}) == ""


def test_a_trend_is_a_line_through_its_runs() -> None:
    runs = [
        index.Entry("bert-99 Offline", "PerformanceOnly", "v", value, "VALID", "DGX", "int8", f"2026-01-0{n}", link="x")
        for n, value in ((1, 100.0), (2, 300.0), (3, 200.0))
    ]
    drawn = Drawn(index._trends(runs[::-1]))
    assert near(drawn.lines[0], [(1, 100), (2, 300), (3, 200)], 1) and near(drawn.dots, drawn.lines[0], 0.01)
    assert near(drawn.ends[:2], (0.5, 3.5), 0.02) and near(drawn.ends[2:], (80, 320), 1) and 'class="rule"' not in drawn.svg
    other = [replace(one, commit="abc" if one.started > "2026-01-02" else "") for one in runs]
    changed = Drawn(index._trends(other))
    [rule] = re.findall(r'class="rule" x1="([\d.]+)" x2="\1"', changed.svg)
    assert changed.x(float(rule)) == pytest.approx(2.5, abs=0.02), "between the second run and the third"
    flat = [
        index.Entry("bert-99 SingleStream", "PerformanceOnly", "v", 2e6, "VALID", "a", "b", str(n), link="x") for n in range(3)
    ]
    assert near(Drawn(index._trends(flat)).ends[2:], (1.8, 2.2), 0.02), "in ms"
    assert "2 runs" in index.page(flat[:2]) and 'id="controls"' in index.page(flat) and 'id="controls"' not in index.page([])


# ── what held a run back ───────────────────────────────────────────────


BATCHES = np.array([[0.0, 1.0, 2, 30], [1.0, 2.0, 4, 30]])


@pytest.mark.parametrize(("most", "rows"), [(4, ["Batches filled"]), (2, ["Batches filled"]), (1, []), ("4", []), (None, [])])
def test_batches_of_one_are_always_full(most: object, rows: list[str]) -> None:
    found = limits.rows({}, {"batch": {"max_samples": most}}, BATCHES, None)
    assert [row[0] for row in found] == rows
    assert all(row[1] == f"{3 / most:.1%}" and row[2] == f"3.0 of at most {most} samples" for row in found)  # type: ignore[operator]
    assert limits.rows({}, {"batch": None}, BATCHES, None) == [] == limits.rows({}, {}, BATCHES[:0], np.array([1]))


def test_padding_needs_lengths_that_are_shorter() -> None:
    def padding(longest: float, *lengths: int) -> list[str]:
        batches = BATCHES.copy()
        batches[:, 3] = longest
        return [
            value for what, value, _ in limits.rows({}, {}, batches, np.array(lengths) if lengths else None) if what == "Padding"
        ]

    assert padding(30, 10, 20) == ["50.0%"] and padding(2, 1) == ["50.0%"]
    assert padding(30) == padding(30, 30) == padding(30, 40) == padding(1, 0) == padding(0, 0) == []


def test_devices_that_say_how_busy_they_were() -> None:
    assert (
        limits.rows({"devices": [{"busy_share": 0.25}, {"busy_share": None}, {}, {"busy_share": 1}]}, {}, None, None)[0][1]
        == "62.5%"
    )
    assert limits.rows({"devices": [{}]}, {}, None, None) == [] == limits.rows({"devices": None}, {}, None, None)


def test_lanes_show_the_middle_of_a_long_run() -> None:
    long = np.array([[n, n + 1.0, 8, 1] for n in range(limits.MOST_BOXES + 101)], float)
    [row] = limits.lanes(long[::-1])
    assert len(row) == limits.MOST_BOXES and row[0] == (50.0, 51.0, 8.0) and row[-1][0] == limits.MOST_BOXES + 49
    short = limits.lanes(long[:7])
    assert len(short) == 1 and len(short[0]) == 7
    at_once = np.array([[0.0, 1.0, 1, 1]] * limits.MOST_LANES)
    assert len(limits.lanes(at_once)) == limits.MOST_LANES and limits.lanes(np.vstack([at_once, at_once[:1]])) == []
    for gap, lanes in ((1e-10, 1), (-1e-10, 1), (-1e-6, 2)):
        assert len(limits.lanes(np.array([[0.0, 1.0, 1, 1], [1.0 + gap, 2.0, 1, 1]]))) == lanes


def test_lengths_may_be_zero(tmp_path: Path) -> None:
    def read(values: Any) -> list[int] | None:
        np.save(tmp_path / "lengths.npy", np.array(values))
        found = lengths_of({"lengths": "lengths.npy", "folder": str(tmp_path)})
        return None if found is None else found.tolist()

    assert read([0, 5]) == [0, 5] and read([-1, 5]) is None and read([]) is None and read([2**53]) is None


# ── axes ───────────────────────────────────────────────────────────────


def test_numbers_at_ticks() -> None:
    shown = {
        0.25: "0.25",
        12_000.0: "12,000",
        5e6: "5e+06",
        1e6: "1e+06",
        999_999.0: "999,999",
        0.001: "0.001",
        0.0005: "0.0005",
        0.0: "0",
        -2e6: "-2e+06",
    }
    assert {value: plot.label(value) for value in shown} == shown
    assert [plot.even_step(value) for value in (1.0, 1.1, 2.2, 3.0, 6.0, 10.0, 0.03)] == pytest.approx(
        [1, 2, 2.5, 5, 10, 10, 0.05]
    )


def test_scales_place_numbers_between_their_ends() -> None:
    linear = plot.Scale(10.0, 30.0, 100.0, 300.0)
    assert [linear(value) for value in (10, 20, 30, 40)] == [100, 200, 300, 400] and linear.ticks() == [
        10.0,
        15.0,
        20.0,
        25.0,
        30.0,
    ]
    log = plot.Scale(1.0, 100.0, 0.0, 200.0, log=True)
    assert [log(value) for value in (1, 10, 100, 0.5)] == pytest.approx([0, 100, 200, 0])
    assert plot.Scale(0.5, 200.0, 0, 1, log=True).ticks() == [1.0, 10.0, 100.0]
    assert plot.Scale(0.0, 3.0, 0, 1, whole=True).ticks() == [0.0, 1.0, 2.0, 3.0]
    assert plot.Scale(0.0, 13.0, 0, 1, whole=True).ticks() == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert (plot.Scale(5.0, 5.0, 0, 1).least, plot.Scale(5.0, 5.0, 0, 1).most) == (5.0, 10.0)
    assert plot.Scale(0.0, 0.0, 0, 1).most == 1.0 and plot.Scale(-4.0, -4.0, 0, 1).most == 0.0


def test_marks_of_a_plot() -> None:
    one = plot.Plot("n", (0.0, 10.0), (0.0, 10.0), ("x <1>", "y"))
    one.box((5.0, 5.0), (3.0, 2.0), title="a<b")
    one.upright(1.0, "left")
    one.upright(9.0, "right")
    one.upright(11.0, "outside")
    one.upright(5.0, "")
    one.legend(["first", "second"])
    svg = one.svg()
    assert 'width="0.4" height="0.0"><title>a&lt;b</title>' in svg and "x &lt;1&gt;" in svg
    assert re.search(r'<text class="mark" x="102.4" y="204.0">left</text>', svg)
    assert re.search(r'<text class="mark" x="369.6" y="204.0" text-anchor="end">right</text>', svg)
    assert 'rotate(-90 10 117.0)" x="10" y="117.0" text-anchor="middle">y<' in svg
    assert "outside" not in svg and svg.count('class="rule"') == 3 and svg.count('class="mark"') == 2
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="14">', svg)]
    assert places[1] - places[0] == pytest.approx(20 + 6.2 * 5, abs=0.1) and 'clip-path="url(#n-inside)"' in svg
