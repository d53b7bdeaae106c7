"""What a report page draws and says, from small recordings whose numbers are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common.errors import RunError
from code.results.page import charts, measured, tracks, write
from code.results.page.measured import Latencies
from code.results.page.text import shown as cell_text
from code.results.telemetry import Telemetry
from tests.unit.logs import log_of

MS = 1_000_000
METADATA: dict[str, Any] = {
    "benchmark_full": "bert-99",
    "scenario": "Offline",
    "test_mode": "PerformanceOnly",
    "system_name": "DGX_H100",
    "result_validity": "VALID",
    "result_samples_per_second": 1234.5,
}


def page(spec: Mapping[str, Any] | None = None, provenance: Mapping[str, Any] | None = None, **metadata: Any) -> write.RunPage:
    return write.RunPage(
        Path("/logs/a/DGX/bert-99/Offline"), {**METADATA, **metadata}, spec or {}, provenance or {}, "2026-01-02 03:04"
    )


def cells(html: str) -> list[list[str]]:
    """The rows of all tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, flags=re.DOTALL)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]


# ── what a page says of a run ──────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "word", "value"),
    [
        ({}, "VALID", "1,234.5 samples/s"),
        ({"result_validity": "INVALID"}, "INVALID", "1,234.5 samples/s"),
        ({"result_validity": None}, "None", "1,234.5 samples/s"),
        ({"simulated": True}, "VALID", "1,234.5 samples/s SIMULATED"),
        ({"result_samples_per_second": None}, "VALID", "no result"),
        (
            {"test_mode": "AccuracyOnly", "accuracy_pass": True, "accuracy": [{"name": "F1", "value": 90.1234}]},
            "PASSED",
            "F1 90.123",
        ),
        ({"test_mode": "AccuracyOnly", "accuracy": []}, "FAILED", ""),
    ],
)
def test_word_and_value(changed: dict[str, Any], word: str, value: str) -> None:
    found = page(**changed)
    assert (found.word, found.value) == (word, value)
    assert found.accuracy is (changed.get("test_mode") == "AccuracyOnly")


def test_the_tone_is_that_of_the_word() -> None:
    assert [write._tone(word) for word in ("VALID", "PASSED", "INVALID", "FAILED", "None")] == [
        "good",
        "good",
        "bad",
        "bad",
        "bad",
    ]


def test_a_page_has_a_name_of_its_own() -> None:
    assert page().file_name == "2026-01-02-03-04_bert-99_Offline_PerformanceOnly_DGX_H100_Offline.html"
    unknown = write.RunPage(Path("/logs/2026.01.02/DGX/bert-99/Offline.2"), METADATA, {}, {}, "")
    assert unknown.file_name == "2026.01.02_bert-99_Offline_PerformanceOnly_DGX_H100_Offline.2.html"
    assert page(system_name="a/b c").file_name.endswith("_a-b-c_Offline.html")


def test_the_head_has_verdict_reasons_and_notes() -> None:
    reasons = [{"what": "too <short>", "field": "min_duration", "suggestion": "600000"}, {"what": "x", "suggestion": "y"}]
    html = write._head(page(reasons=reasons, division_note="open only", summary_string="so & so", notes=[]))
    assert '<div class="verdict good">' in html and "so &amp; so" in html and '<p class="note">open only</p>' in html
    assert "<li>too &lt;short&gt;<br><code>min_duration: 600000</code></li><li>x<br><code>y</code></li>" in html
    assert "<strong>Why</strong>" in html and "Notes" not in html
    plain = write._head(write.RunPage(Path("/x"), METADATA, {}, {}, ""))
    assert "Started at an unknown time" in plain and "note" not in plain and "Why" not in plain


def test_tables_of_accuracy_devices_config_engine_and_system() -> None:
    scores = [
        {"name": "F1", "value": 90.5, "threshold": 90.0, "pass": True},
        {"name": "EM", "value": 1, "threshold": 2, "pass": False},
    ]
    assert cells(write._accuracy(page(accuracy=scores)))[1:] == [["F1", "90.5", "90", "PASSED"], ["EM", "1", "2", "FAILED"]]
    assert write._accuracy(page()) == ""
    given = [{"index": 1, "name": "GPU-a", "samples": 12345, "batches": 1000, "busy_share": 0.987}, {"index": 0, "name": "b"}]
    spec = {"devices": [{"index": 1, "cores": [0, 1, 2, 5], "streams": 2}, {"cores": [9]}]}
    assert cells(write._devices(page(spec, devices=given)))[1:] == [
        ["GPU-a", "12,345", "1,000", "98.7%", "2", "0-2,5"],
        ["b", "0", "0", "0.0%", "", "any"],
    ]
    values = {
        "b": {"value": 2, "origin": "default"},
        "a": {"value": [1], "origin": "command line"},
        "c": {"value": None, "origin": "default"},
    }
    html = write._config(page(provenance={"plan": {"values": values}}))
    chosen, rest = html.split("<details>")
    assert cells(chosen)[1:] == [["a", "[1]", "command line"]] and cells(rest)[1:] == [["b", "2"]]
    assert cells(write._config(page({"record": {"z": 1, "y": 2}})))[1:] == [["y", "2"], ["z", "1"]]
    engine = {"name": "e-1", "settings": {"precision": "fp8", "batch": 4}}
    assert cells(write._engine(page({"engines": [{"folder": "/e"}, {"folder": "/f"}]}, {"engine": engine})))[1:] == [
        ["folder", "/e"],
        ["name", "e-1"],
        ["settings: batch", "4"],
        ["settings: precision", "fp8"],
    ]
    assert write._engine(page()) == ""
    machine = {"cpus": 2, "foreign_cpus": 0.7, "beside": []}
    found = dict(
        cells(
            write._system(
                page(
                    None,
                    {"arguments": ["--action=run", "--fast"], "commit": "abc"},
                    machine=machine,
                    openvino_version="2026.4",
                    detected_system="",
                    telemetry={"energy_j": 1234.56},
                )
            )
        )[1:]
    )
    assert found == {
        "System": "DGX_H100",
        "openvino_version": "2026.4",
        "Other work during the run": "0.7 of 2 processors",
        "Energy": "1,234.6 J",
        "Commit": "abc",
        "Command": "--action=run --fast",
    }
    assert dict(cells(write._system(page(machine="x", telemetry=[])))[1:])["Commit"] == "not recorded"


def test_loadgens_settings_results_and_events() -> None:
    log = log_of("Offline", result_samples_per_second=5.0, effective_min_duration_ms=7)
    html = write._loadgen(log)
    assert html.index("Results") < html.index("Settings in effect")
    assert ["samples_per_second", "5.0"] in cells(html) and ["min_duration_ms", "7"] in cells(html)
    assert write._events(log) == "" and cell_text(None) == "" and cell_text({"a": [1]}) == '{"a": [1]}'


def test_a_page_of_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no LoadGen log"):
        write.write_run(write.RunPage(tmp_path, METADATA, {}, {}, "x"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# ── recordings ─────────────────────────────────────────────────────────


def test_batches_are_sorted_by_their_end(tmp_path: Path) -> None:
    assert measured.batches(tmp_path) is None
    path = tmp_path / "batches.npy"
    np.save(path, np.array([[1.0, 4.0, 2, 9], [0.0, 3.0, 1, 8]]))
    found = measured.batches(tmp_path)
    assert found is not None and found[:, 2].tolist() == [1.0, 2.0] and found.dtype == np.float64
    np.save(path, np.array([[1.0, 4.0, 2, 9, 7]]))
    found = measured.batches(tmp_path)
    assert found is not None and found[:, 4].tolist() == [7.0], "the device of a batch, which earlier versions did not log"
    for harm in (
        np.zeros((2, 3)),
        np.zeros((2, 6)),
        np.zeros(4),
        np.zeros((0, 4)),
        np.full((1, 4), -1.0),
        np.full((1, 4), np.nan),
        np.full((1, 4), 2.0**53),
    ):
        np.save(path, harm)
        assert measured.batches(tmp_path) is None
    np.save(path, np.array([[0.0, 0.0, 0.0, 2.0**53 - 1]]))
    assert measured.batches(tmp_path) is not None
    np.save(path, np.array([["a", "b", "c", "d"]]))
    assert measured.batches(tmp_path) is None


def test_lengths_of_the_data_set(tmp_path: Path) -> None:
    np.save(tmp_path / "lengths.npy", np.array([[3], [5]]))
    found = measured.lengths({"dataset": {"lengths": "lengths.npy", "folder": str(tmp_path)}})
    assert found is not None and found.tolist() == [3, 5]
    for dataset in ({}, {"lengths": "lengths.npy"}, {"folder": str(tmp_path)}, {"lengths": "no.npy", "folder": str(tmp_path)}):
        assert measured.lengths({"dataset": dataset}) is None


def test_a_timeline_covers_the_run_in_seconds() -> None:
    seconds, rate = measured.timeline(np.array([[0, 1.0, 10, 0], [0, 2.5, 20, 0], [0, 4.0, 30, 0]], float))
    assert seconds.tolist() == [0.5, 1.5, 2.5, 3.5] and rate.tolist() == [0.0, 10.0, 20.0, 30.0]
    seconds, rate = measured.timeline(np.array([[0, 0.5, 10, 0]], float))
    assert seconds.tolist() == [0.25] and rate.tolist() == [20.0], "a short run is one interval"
    long = np.column_stack([np.zeros(1000), np.arange(1.0, 1001), np.ones(1000), np.ones(1000)])
    assert len(measured.timeline(long)[0]) == 120 and len(measured.timeline(long, 7)[0]) == 7


PERCENTILES = {f"result_{share}_percentile_latency_ns": value * MS for share, value in (("50.00", 2), ("99.00", 4), ("90.00", 3))}
ENDS = {"result_min_latency_ns": MS, "result_mean_latency_ns": 2.5 * MS, "result_max_latency_ns": 5 * MS}


def test_percentiles_in_order_with_both_ends(tmp_path: Path) -> None:
    log = log_of("Server", more={**PERCENTILES, **ENDS})
    assert measured.percentiles(log) == [
        ("least", 1.0),
        ("50 %", 2.0),
        ("90 %", 3.0),
        ("99 %", 4.0),
        ("mean", 2.5),
        ("most", 5.0),
    ]
    found = measured.latencies(tmp_path, log)
    assert found is not None and found.points and "log_enable_trace" in found.source
    assert found.ms.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0] and found.share.tolist() == [0.0, 0.5, 0.9, 0.99, 1.0]
    for mode in ("AccuracyOnly",):
        accuracy = log_of("Server", mode, more={**PERCENTILES, **ENDS})
        assert measured.latencies(tmp_path, accuracy) is None and measured.percentiles(accuracy) == []
    assert measured.percentiles(log_of("Server", more=PERCENTILES))[0] == ("50 %", 2.0)
    one = log_of("Server", more={"result_50.00_percentile_latency_ns": MS})
    assert measured.latencies(tmp_path, one) is None, "one point is no distribution"


def test_multistream_shows_queries_and_no_ends_of_samples(tmp_path: Path) -> None:
    queries = {f"result_{share}_percentile_per_query_latency_ns": value * MS for share, value in (("50.00", 8), ("99.00", 9))}
    log = log_of("MultiStream", more={**PERCENTILES, **queries, **ENDS})
    assert measured.percentiles(log) == [("50 %", 8.0), ("99 %", 9.0)]
    found = measured.latencies(tmp_path, log)
    assert found is not None and found.ms.tolist() == [8.0, 9.0]


def trace(*spans: tuple[int, int]) -> str:
    """LoadGen's trace of samples: (query, complete in ns)."""
    return "".join(
        f'{{"name":"Sample","ph":"b","args":{{"query_seq":{query},"complete_ns":{complete}}}}},\n' for query, complete in spans
    )


def test_a_trace_gives_each_query_or_the_samples_of_a_single_one(tmp_path: Path) -> None:
    log = log_of("Server", more={**PERCENTILES, **ENDS})
    path = tmp_path / "mlperf_log_trace.json"
    path.write_text(trace((0, 9 * MS), (1, 3 * MS), (1, 5 * MS), (2, 4 * MS)))
    found = measured.latencies(tmp_path, log)
    assert found is not None and not found.points and "LoadGen's trace (3)" in found.source
    assert found.ms.tolist() == pytest.approx([4.0, 5.0, 9.0]) and found.share.tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])
    path.write_text(trace((0, 9 * MS), (0, 3 * MS)))
    single = measured.latencies(tmp_path, log)
    assert single is not None and single.ms.tolist() == pytest.approx([3.0, 9.0])
    for text in ("", trace((0, MS)), "hello"):
        path.write_text(text)
        other = measured.latencies(tmp_path, log)
        assert other is not None and other.points


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
