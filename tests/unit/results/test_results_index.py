"""The index, its trends, runs side by side, and what a page says of limits and of public results."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from code.common.errors import RunError
from code.results.page import compare, index, limits, nearest, plot
from code.results.page.compare import Column
from code.results.page.index import Entry


def entry(number: float | None = 100.0, name: str = "bert-99 Offline", **more: object) -> Entry:
    values = {"mode": "PerformanceOnly", "value": f"{number} samples/s", "word": "VALID", "system": "DGX", "precision": "int8"}
    return Entry(name, number=number, **{**values, "started": "2026-01-02T03:04:05Z", **more})  # type: ignore[arg-type]


def rows(page: str) -> list[list[str]]:
    found = re.findall(r"<tr data-best.*?</tr>", page)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] for row in found]


def test_the_index_lists_runs_and_those_without_a_page(tmp_path: Path) -> None:
    listed = [entry(marks=("tiny", "short"), link="a.html"), entry(None, word="incomplete", value="", why="no metadata.json")]
    text = index.write_index(listed, [(Path("/x<y"), RunError("it <broke>", "", ""))], tmp_path).read_text()
    first, second = rows(text)
    assert first == [
        "bert-99 Offline",
        "PerformanceOnly",
        "100.0 samples/s",
        "VALID",
        "DGX",
        "int8",
        "best, tiny, short",
        first[-1],
    ]
    assert second[3] == "incompleteno metadata.json" and '<a href="a.html">' in text and "2 runs</footer>" in text
    assert "<li><code>/x&lt;y</code>: it &lt;broke&gt;</li>" in text
    assert "0 runs" in index.page([]) and "<select" not in index.page([])


def test_the_best_of_each_workload_system_and_precision() -> None:
    fast, slow, other = entry(200.0), entry(100.0), entry(50.0, precision="fp16")
    quick, late = entry(1e6, "bert-99 SingleStream"), entry(2e6, "bert-99 SingleStream")
    bad = [entry(900.0, word="INVALID"), entry(900.0, mode="AccuracyOnly", word="PASSED"), entry(None)]
    assert index.best([slow, fast, other, late, quick, *bad]) == [fast, other, quick]


def test_interactive_runs_and_tokens_have_bests_and_trends() -> None:
    tokens = {"name": "llama3.1-8b Interactive", "key": "result_completed_tokens_per_second", "link": "a.html"}
    runs = [entry(number, **tokens) for number in (10.0, 30.0, 20.0)]
    assert index.best(runs) == [runs[1]] and runs[0].metric.unit == "tokens/s"
    assert ">tokens/s</text>" in index.page(runs)


def test_every_column_can_be_sorted_and_five_filtered() -> None:
    text = index.page([entry(), entry(system="L4")])
    heads = re.findall(r'<th aria-sort="none"><button type="button">(\w+)</button></th>', text)
    assert tuple(heads) == index.COLUMNS and 'data-key="100"' in text
    labels = re.findall(r"<label>(\w+)(?: by)? <", text)
    assert labels == ["Search", *index.FILTERS, "Group"] and "<option>DGX</option><option>L4</option>" in text
    assert "const LIVE = false" in text and "const LIVE = true" in index.page([entry()], live=True)


def test_text_of_a_run_cannot_become_markup() -> None:
    text = index.page([entry(system="<script>x</script>", why='"><b>', commit='"onclick="')])
    assert "<script>x" not in text and '"><b>' not in text and 'title="&quot;onclick' in text


def test_a_trend_marks_where_the_commit_changed() -> None:
    runs = [
        entry(100.0 + n, started=f"2026-01-0{n}", commit="aaaaaaaaa" if n < 3 else "bbbbbbbbb", link=f"{n}") for n in (1, 2, 3)
    ]
    text = index.page(runs[::-1])
    assert "<h2>Trends</h2>" in text and text.count('class="dot') == 3 and text.count('class="rule"') == 1 and ">bbbbbbb<" in text
    assert "2026-01-01: 101.0 samples/s, aaaaaaaaa" in text
    assert "Trends" not in index.page(runs[:2])


def test_runs_side_by_side_mark_what_differs() -> None:
    a = Column(
        "one", 100.0, "samples/s", {"result": "100"}, {"system": "DGX"}, {"gpu_batch_size": 8, "use_graphs": True}, "one.html"
    )
    b = Column("two", 150.0, "samples/s", {"result": "150"}, {"system": "DGX"}, {"gpu_batch_size": 16, "use_graphs": True})
    text = compare.page([a, b])
    assert '<li>A: <a href="one.html">one</a></li>' in text and "B: two" in text and "1 fields are the same" in text
    assert (
        '<th scope="row">gpu_<wbr>batch_<wbr>size</th><td class="differs" data-label="A">8</td>' in text
        and "use_graphs" not in text
    )
    assert '<th scope="row">system</th><td colspan="2" data-label="all">DGX</td>' in text and text.count('<rect class="area') == 2
    assert "no chart" in compare.page([a, Column("three", 1.0, "ms")]) and "does not differ" in compare.page([a, a])


def test_the_nearest_public_results_are_per_accelerator_and_dated() -> None:
    run = {"scenario": "Offline", "benchmark_full": "bert-99", "result_samples_per_second": 72_000.0, "devices": [{}] * 8}
    own, found = nearest.nearest(run)
    assert own == 9000 and len(found) == nearest.SHOWN
    assert all(0.9 < one.rate / own < 1.1 for one in found) and found == sorted(found, key=lambda one: -one.rate)
    assert any(one.when == "v4.1 (August 2024)" for one in found)
    for change in ({"scenario": "SingleStream"}, {"benchmark_full": "none"}, {"result_samples_per_second": None}):
        assert nearest.nearest({**run, **change})[1] == []
    assert nearest.nearest({**run, "test_mode": "AccuracyOnly"}) == (0.0, [])


def test_what_limits_a_run() -> None:
    batches = np.array([[0.0, 1.0, 8, 100], [0.5, 1.5, 4, 50], [1.0, 2.0, 8, 100]])
    found = limits.rows(
        {"devices": [{"busy_share": 0.5}, {"busy_share": 0.7}]}, {"batch": {"max_samples": 10}}, batches, np.array([40, 60])
    )
    assert [row[:2] for row in found] == [("Devices busy", "60.0%"), ("Batches filled", "66.7%"), ("Padding", "44.4%")]
    assert limits.rows({}, {}, None, None) == []
    assert limits.lanes(batches) == [[(0.0, 1.0, 8.0), (1.0, 2.0, 8.0)], [(0.5, 1.5, 4.0)]]
    assert limits.lanes(np.array([[0.0, 1.0, 1, 1]] * 30)) == [], "more at once than can be told apart"


@pytest.mark.parametrize(
    ("ends", "ticks"), [((0.0, 1.0), 6), ((0.0, 60.0), 7), ((3.0, 3.0), 7), ((-2.0, 2.0), 5), ((1e-9, 2e-9), 6), ((0.0, 7e9), 4)]
)
def test_ticks_are_even_and_within_the_axis(ends: tuple[float, float], ticks: int) -> None:
    found = plot.Scale(*ends, 0.0, 100.0).ticks()
    steps = {round((b - a) / (found[1] - found[0]), 6) for a, b in pairwise(found)}
    assert steps == {1.0} and abs(len(found) - ticks) <= 2 and found[0] >= ends[0] - 1e-12


def test_long_lines_are_thinned_but_keep_their_ends_and_peaks() -> None:
    x = np.arange(10_000.0)
    y = np.zeros(10_000)
    y[4321], y[77] = 5.0, -3.0
    a, b = plot.thinned(x, y)
    assert len(a) <= plot.MOST_POINTS and (a[0], a[-1], b.max(), b.min()) == (0.0, 9999.0, 5.0, -3.0)
