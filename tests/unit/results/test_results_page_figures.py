"""Charts of a report page, from small recordings whose numbers are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from code.results.page import charts, tracks, write
from code.results.page.measured import Latencies
from code.results.telemetry import Telemetry
from tests.unit.logs import log_of
from tests.unit.results.test_results_pages import ENDS, METADATA, MS, PERCENTILES

# ── telemetry as charts ────────────────────────────────────────────────


def recorded(**sources: Mapping[str, Any]) -> Telemetry:
    return Telemetry(
        {name: {key: np.array(values, float) for key, values in content.items()} for name, content in sources.items()},
        100.0,
        104.0,
    )


T = [99.0, 100.0, 101.0, 102.0, 103.0, 104.0, 105.0]
ONE = {"t": T, "cpu0_busy_s_total": [0, 1, 2, 3, 4, 5, 6], "cpu0_stolen_s_total": [0] * 7}


def test_processors_in_use_by_this_run_by_others_and_stolen() -> None:
    own = {"t": T, "cpu_s_total": [0, 0.5, 1, 1.5, 2, 2.5, 3]}
    seconds, shares = tracks.processors(recorded(processors=ONE, own=own))
    assert seconds.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert {name: values.tolist() for name, values in shares.items()} == {"this run": [0.5] * 4, "other work": [0.5] * 4}
    stolen = {**ONE, "cpu0_stolen_s_total": [0, 0, 0.25, 0.25, 0.25, 0.25, 0.25]}
    more = {**own, "cpu_s_total": [0, 3, 6, 9, 12, 15, 18]}
    _, shares = tracks.processors(recorded(processors=stolen, own=more))
    assert shares["hypervisor"].tolist() == [0.25, 0, 0, 0]
    assert shares["this run"].tolist() == [1.0] * 4 and shares["other work"].tolist() == [0.0] * 4, "no more than was busy"


def test_lines_of_gpus_lie_within_the_test() -> None:
    found = dict(
        tracks._lines(recorded(gpu0={"t": T, "power_w": [1, 2, 3, 4, 5, 6, 7]}, gpu1={"t": [1.0], "power_w": [9]}), "power_w")
    )
    assert list(found) == ["gpu0"]
    seconds, watts = found["gpu0"]
    assert seconds.tolist() == [0, 1, 2, 3, 4] and watts.tolist() == [2, 3, 4, 5, 6]


def test_rows_of_telemetry() -> None:
    content = {
        "energy_j": 1234.56,
        "energy_per_sample_j": 0.123456,
        "throttled_s": 1.25,
        "resident_bytes_peak": 300 * 2**20,
        "readings": 12345,
        "noise": [{"words": "other work"}, "x"],
        "gpus": [],
    }
    assert tracks.rows(content) == [
        ("Energy", "1,234.6 J"),
        ("Energy of a sample", "0.1235 J"),
        ("Held back by the control group", "1.2 s of processor time"),
        ("Most memory of the harness", "300 MiB"),
        ("Readings", "12,345"),
        ("Disturbed by", "other work"),
    ]
    assert tracks.rows({"energy_j": "1", "noise": "x"}) == []


# ── charts ─────────────────────────────────────────────────────────────


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_chart_is_an_image_with_a_title_and_ids_of_its_own() -> None:
    svg = charts.throughput(np.array([0.5, 1.5]), np.array([10.0, 20.0]))
    assert svg.startswith('<svg role="img" aria-labelledby="timeline-title"') and "<metadata>" not in svg
    head = svg[: svg.index(">")]
    assert " width=" not in head and " height=" not in head and "viewBox" in head
    assert all(one.startswith("timeline-") for one in re.findall(r'\bid="([^"]*)"', svg))
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', svg)
    assert used and all(one.startswith("timeline-") for one in used)
    assert {"time (s)", "samples/s", "0"} <= set(texts(svg))
    assert charts.throughput(np.array([0.5, 1.5]), np.array([10.0, 20.0])) == svg, "the same run gives the same page"


def test_a_latency_chart_has_bound_percentile_and_unit() -> None:
    few = Latencies(np.array([10.0, 20.0]), np.array([0.5, 1.0]), "", True)
    svg = charts.latency_cdf(few, 130.0, 0.99, "queries")
    assert {"bound 130 ms", "99 %", "latency (ms)", "queries (%)"} <= set(texts(svg))
    bare = charts.latency_cdf(few, None, None, "samples")
    assert not [text for text in texts(bare) if "bound" in text or text == "99 %"] and "samples (%)" in texts(bare)
    for last, unit in ((9_999.0, "ms"), (10_000.0, "s")):
        slow = Latencies(np.array([5000.0, last]), np.array([0.5, 1.0]), "", True)
        assert f"latency ({unit})" in texts(charts.latency_cdf(slow, None, None, "queries"))


def test_latencies_far_apart_are_drawn_on_a_log_scale() -> None:
    def ticks(last: float) -> list[float]:
        found = Latencies(np.array([1.0, last]), np.array([0.5, 1.0]), "", True)
        shown = texts(charts.latency_cdf(found, None, None, "queries"))
        return [float(text) for text in shown[: shown.index("latency (ms)")]]

    assert {1.0, 10.0, 100.0} <= set(ticks(100.0)), "powers of ten"
    even = ticks(49.0)
    steps = {round(b - a, 6) for a, b in pairwise(even)}
    assert len(steps) == 1, "even steps"


def test_telemetry_charts_name_their_tracks_up_to_eight() -> None:
    t = np.array([0.0, 1.0])
    two = {"this run": t, "other work": t}
    assert {"this run", "other work", "processors", "time (s)"} <= set(texts(charts.stacked("p", t, two, "processors")))
    eight = {f"gpu{n}": (t, t) for n in range(8)}
    assert "gpu7" in texts(charts.lines("power", eight, "power (W)"))
    shown = texts(charts.lines("power", {**eight, "gpu8": (t, t)}, "power (W)"))
    assert "gpu0" not in shown and "power (W)" in shown


def test_histograms_name_their_axes() -> None:
    assert {"samples in a batch", "batches"} <= set(texts(charts.batch_sizes(np.arange(1.0, 60.0))))
    assert {"length of a sample", "samples"} <= set(texts(charts.sample_lengths(np.array([3, 3, 5]))))


def test_the_figures_of_a_run(tmp_path: Path) -> None:
    run = write.RunPage(tmp_path, METADATA, {}, {}, "")
    log = log_of(
        "Server", effective_target_latency_ns=130 * MS, effective_target_latency_percentile=0.99, more={**PERCENTILES, **ENDS}
    )
    html = write._charts(run, log)
    assert "bound 130 ms" in html and "99 %" in html and "no timeline available" in html
    assert '<figcaption id="cdf-title">Latency <span class="soft">(LoadGen&#x27;s percentiles' in html
    np.save(tmp_path / "batches.npy", np.array([[0.0, 2.0, 4, 9]]))
    offline = log_of(
        "Offline", effective_target_latency_ns=130 * MS, effective_target_latency_percentile=0.99, more={**PERCENTILES, **ENDS}
    )
    html = write._charts(run, offline)
    assert "bound" not in texts(html) and "samples (%)" in texts(html) and "no timeline" not in html
    assert "Throughput over the run" in html and "(1 batches)" in html and "99 %" not in texts(html)
    single = log_of(
        "SingleStream",
        effective_target_latency_ns=130 * MS,
        effective_target_latency_percentile=0.9,
        more={**PERCENTILES, **ENDS},
    )
    shown = texts(write._charts(run, single))
    assert "90 %" in shown and "queries (%)" in shown and not [text for text in shown if "bound" in text]
