"""What a report page says, from small recordings whose numbers are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common.errors import RunError
from code.harness.schema.lengths import lengths_of
from code.results.page import measured, write
from code.results.page.text import shown as cell_text
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
    found = lengths_of({"lengths": "lengths.npy", "folder": str(tmp_path)})
    assert found is not None and found.tolist() == [3, 5]
    for dataset in ({}, {"lengths": "lengths.npy"}, {"folder": str(tmp_path)}, {"lengths": "no.npy", "folder": str(tmp_path)}):
        assert lengths_of(dataset) is None


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
