"""What pages and the final table show at their edges: files as written, axes that begin at 0, long paths, one folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from code.results import report
from code.results.page import charts, compare, index, limits, measured, tracks, write
from code.results.page.compare import Column
from code.results.page.measured import Latencies
from code.results.reason import Reason
from code.results.report import Outcome, ReportRow
from code.results.telemetry import Telemetry
from tests.unit.logs import log_of
from tests.unit.results.test_results_charts import Drawn, near
from tests.unit.results.test_results_pages import page, trace


def test_a_comparison_is_written_whole(tmp_path: Path) -> None:
    columns = [Column("one", 50.0, "samples/s", {"result": "50"}), Column("two", 100.0, "samples/s", {"result": "100"})]
    path = compare.write_compare(columns, tmp_path)
    assert path == tmp_path / "compare.html" and path.read_text(encoding="utf-8") == compare.page(columns)


def test_loadgens_percentiles_are_points_beside_the_harness_histogram() -> None:
    also = (np.array([20.0, 80.0]), np.array([0.5, 0.99]))
    drawn = Drawn(charts.latency_cdf(Latencies(np.array([10.0, 50.0]), np.array([0.5, 1.0]), "x", False, also), None, None, "q"))
    assert near(drawn.dots, [(20, 50), (80, 99)], 0.5) and near(drawn.lines[0], [(10, 50), (50, 100)], 0.5)
    assert drawn.colours == ["0", "1", "1"] and near(drawn.ends[:2], (10, 80), 0.5)


def test_a_histogram_has_a_bar_for_each_whole_number_from_nothing_up() -> None:
    drawn = Drawn(charts.sample_lengths(np.array([1, 2, 2, 3])))
    assert near(drawn.boxes, [(0.5, 1.5, 0, 1), (1.5, 2.5, 0, 2), (2.5, 3.5, 0, 1)], 0.03)
    assert near(drawn.ends, (0.5, 3.5, 0, 2.1), 0.02)


def test_the_index_can_show_the_best_runs_only() -> None:
    entry = index.Entry("bert-99 Offline", "PerformanceOnly", "1 samples/s", 1.0, "VALID", "DGX", "int8", "2026-01-01")
    assert '<input type="checkbox" id="best"> best only' in index.page([entry])


def test_lanes_are_of_the_middle_of_a_long_run() -> None:
    begins = np.arange(2_500.0)
    [row] = limits.lanes(np.column_stack([begins, begins + 1, np.full(2_500, 8.0), np.ones(2_500)]))
    assert len(row) == 1_500 and row[0] == (500.0, 501.0, 8.0)


def test_one_folder_has_its_logs_and_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    row = ReportRow("bert-99", "Offline", "PerformanceOnly", Outcome.VALID, folder=tmp_path / "mine/DGX/bert-99/Offline")
    assert report.last_line([row]) == f"Logs: {row.folder}   Report: make report LOG_DIR={tmp_path / 'mine'}"
    usual = ReportRow(
        "bert-99", "Offline", "PerformanceOnly", Outcome.VALID, folder=tmp_path / "build/logs/x/DGX/bert-99/Offline"
    )
    assert report.last_line([usual]).endswith("   Report: make report")
    assert report.last_line([ReportRow("bert-99", "Offline", "PerformanceOnly", Outcome.SKIPPED)]) == ""


def test_names_and_paths_are_never_broken() -> None:
    path = "/a/folder-with-a-name-of/" + "-".join(["many"] * 30)
    row = ReportRow("bert-99", "Offline", "PerformanceOnly", Outcome.INVALID, reasons=(Reason(f"the file {path} is damaged"),))
    lines = report.explanation_lines([row])
    assert any(path in line for line in lines) and lines[1] == "  - the file"


def trend(*commits: str, **last: str) -> Drawn:
    values = {"mode": "PerformanceOnly", "value": "v", "word": "VALID", "system": "DGX", "precision": "int8", "link": "x"}
    runs = [
        index.Entry("bert-99 Offline", number=100.0 + n, started=f"2026-01-{n:02}", commit=commit, **values)  # type: ignore[arg-type]
        for n, commit in enumerate(commits, start=1)
    ]
    return Drawn(index._trends([*runs[:-1], replace(runs[-1], **last)]))


def test_only_changes_with_room_have_a_name() -> None:
    drawn = trend(*(f"commit{n:02}" for n in range(1, 13)))
    assert drawn.svg.count('class="rule"') == 11
    assert [word for word in drawn.words if word.startswith("commit")] == ["commit0", "commit0", "commit0", "commit1"]


def test_a_trend_is_in_the_unit_of_its_last_run() -> None:
    assert "tokens/s" in trend("a", "a", "a", key="result_tokens_per_second").words
    assert "samples/s" in trend("a", "a", "a").words


def test_time_of_processors_is_per_second_and_needs_two_intervals() -> None:
    t = np.array([0.0, 0.5])
    busy = {"processors": {"t": t, "cpu0_busy_s_total": t}}
    assert tracks.processors(Telemetry(busy, 0.0, 0.5))[1]["other work"].tolist() == pytest.approx([1.0])
    assert list(tracks._of(Telemetry(busy, 0.0, 0.5))) == []
    t = np.array([0.0, 3.0])
    [(name, *_)] = tracks._of(Telemetry({"processors": {"t": t, "cpu0_busy_s_total": t}}, 0.0, 3.0))
    assert name == "processors"


def test_a_page_begins_with_its_result() -> None:
    assert f'<div class="value">{page().value}</div>' in write._head(page()) and page().value.endswith("samples/s")


def test_texts_have_a_histogram_of_their_tokens(tmp_path: Path) -> None:
    np.save(tmp_path / "texts.npy", np.array([[0.0, 0.2, 1.2, 3], [0.0, 0.3, 2.3, 5], [0.0, 0.1, 1.0, 3]]))
    figures = list(write._texts(write.RunPage(tmp_path, {}, {}, {}, "")))
    assert len(figures) == 3 and "Output lengths" in figures[2] and "3 texts" in figures[2]
    assert Drawn(figures[2]).titles == ["2: 2.5 to 3.5", "1: 4.5 to 5.5"]


def test_logs_of_batches_with_and_without_devices_are_read(tmp_path: Path) -> None:
    for columns, known in ((4, True), (5, True), (3, False), (6, False)):
        np.save(tmp_path / "batches.npy", np.ones((2, columns)))
        found = measured.batches(tmp_path)
        assert (found is not None) == known and (found is None or found.shape == (2, columns))


def test_a_query_that_took_no_time_took_none(tmp_path: Path) -> None:
    (tmp_path / "mlperf_log_trace.json").write_text(trace((0, 0), (1, 2_000_000)))
    log = log_of("Server", more={"result_50.00_percentile_latency_ns": 1_000_000})
    found = measured.latencies(tmp_path, log)
    assert found is not None and found.ms.tolist() == [0.0, 2.0]


def test_the_load_is_read_with_its_four_columns(tmp_path: Path) -> None:
    np.save(tmp_path / measured.INTERVALS_FILE, np.array([[0.0, 1.0, 5.0, 3.0], [1.0, 2.0, 0.0, 2.0]]))
    found = measured.intervals(tmp_path)
    assert found is not None and found.tolist() == [[0, 1, 5, 3], [1, 2, 0, 2]]
