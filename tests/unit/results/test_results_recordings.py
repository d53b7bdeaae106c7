"""What a report page draws of the harness's own recordings: load, queue, latencies, texts; and in which metric it shows a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from code.results.page import charts, limits, measured, write
from tests.unit.logs import log_of
from tests.unit.results.test_results_page_figures import texts
from tests.unit.results.test_results_pages import ENDS, METADATA, MS, PERCENTILES, page


def test_the_harness_own_histogram_is_a_line_with_loadgens_percentiles_on_it(tmp_path: Path) -> None:
    log = log_of("Server", more={**PERCENTILES, **ENDS})
    np.save(tmp_path / "latencies.npy", np.array([[4.0 * MS, 1], [2.0 * MS, 3]]))
    found = measured.latencies(tmp_path, log)
    assert found is not None and not found.points and "histogram" in found.source
    assert found.ms.tolist() == [2.0, 4.0] and found.share.tolist() == [0.75, 1.0]
    assert found.also is not None and found.also[0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    svg = charts.latency_cdf(found, None, None, "queries")
    assert svg.count("<circle") == 5 and svg.count("<polyline") == 1
    for harm in (np.zeros((2, 3)), np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])):
        np.save(tmp_path / "latencies.npy", harm)
        other = measured.latencies(tmp_path, log)
        assert other is not None and other.points
    queries = {f"result_{share}_percentile_per_query_latency_ns": value * MS for share, value in (("50.00", 8), ("99.00", 9))}
    np.save(tmp_path / "latencies.npy", np.array([[4.0 * MS, 1], [2.0 * MS, 3]]))
    several = measured.latencies(tmp_path, log_of("MultiStream", more=queries))
    assert several is not None and several.points, "it counts samples, LoadGen queries"


@pytest.mark.parametrize(("scenario", "ms"), [("Offline", [500.0, 1500.0]), ("SingleStream", [500.0, 900.0])])
def test_batches_give_the_latencies_of_what_is_issued_at_once_or_one_by_one(
    tmp_path: Path, scenario: str, ms: list[float]
) -> None:
    np.save(tmp_path / "batches.npy", np.array([[1.0, 1.5, 3, 9], [1.6, 2.5, 1, 8]]))
    found = measured.latencies(tmp_path, log_of(scenario, more={**PERCENTILES, **ENDS}))
    assert found is not None and found.ms.tolist() == pytest.approx(ms) and found.share.tolist() == [0.75, 1.0]
    server = measured.latencies(tmp_path, log_of("Server", more={**PERCENTILES, **ENDS}))
    assert server is not None and server.points, "a batch says nothing of how long its queries waited"


def test_load_and_queue_over_time() -> None:
    recorded = np.array([[0.0, 0.5, 10, 2], [0.5, 1.0, 6, 8], [1.0, 1.5, 0, 6]])
    edges, rates, waiting = measured.load(recorded)
    assert edges.tolist() == [0.0, 0.5, 1.0, 1.5] and waiting.tolist() == [0, 8, 6, 0]
    assert {name: rate.tolist() for name, rate in rates.items()} == {"offered": [20, 12, 0], "answered": [4, 16, 12]}
    edges, rates, _ = measured.load(np.column_stack([np.arange(1000.0), np.arange(1.0, 1001), np.ones(1000), np.ones(1000)]))
    assert len(edges) == 121 and np.allclose(rates["offered"], 1.0)
    assert {"offered", "answered"} <= set(texts(charts.offered(edges, rates)))


def test_times_of_tokens() -> None:
    recorded = np.array([[0.0, 0.5, 1.5, 11], [1.0, 0.0, 2.0, 5], [1.0, 1.25, 1.25, 1]])
    first, each = measured.token_times(recorded)
    assert first.tolist() == [250.0, 500.0] and each.tolist() == [100.0], (
        "unreported first tokens and single tokens count in neither"
    )
    keys = {"result_first_token_99.00_percentile_latency_ns": 3 * MS, "result_time_per_output_token_99.00_percentile_ns": MS}
    log = log_of("Server", more={**keys, "result_first_token_50.00_percentile_latency_ns": MS})
    assert measured.token_percentiles(log) == [("99 %", 3.0, 1.0)]
    assert measured.token_percentiles(log_of("Server", "AccuracyOnly", more=keys)) == []


def test_charts_of_load_and_texts_stand_on_the_page(tmp_path: Path) -> None:
    np.save(tmp_path / "intervals.npy", np.array([[0.0, 0.5, 10, 2], [0.5, 1.0, 6, 14]]))
    np.save(tmp_path / "texts.npy", np.array([[0.0, 0.5, 1.5, 11], [1.0, 1.2, 2.0, 5]]))
    run = write.RunPage(tmp_path, METADATA, {}, {}, "x")
    html = write._charts(run, log_of("Server", more=PERCENTILES))
    for title in ("Offered and answered", "Queue depth", "Time to first token", "Time per output token", "Output lengths"):
        assert title in html
    offline = write._charts(run, log_of("Offline", more=PERCENTILES))
    assert "Queue depth" not in offline and "Output lengths" in offline


def test_a_thinned_recording_keeps_the_rate_of_the_run() -> None:
    _, rate = measured.timeline(np.array([[0, 0.5, 10, 0], [0, 2.0, 10, 0]], float), samples=80)
    assert rate.tolist() == [40.0, 40.0]
    assert measured.timeline(np.array([[0, 1.0, 10, 0]], float), samples=5)[1].tolist() == [10.0]


def test_a_result_is_shown_in_its_own_metric_also_of_interactive_and_tokens() -> None:
    key = "result_completed_tokens_per_second"
    found = page(scenario="Interactive", scenario_key=key, **{key: 1234.5})
    assert found.value == "1,234.5 tokens/s"
    assert page(scenario="Interactive", result_completed_samples_per_sec=7.0).value == "7 queries/s"


def test_rates_that_bound_a_result() -> None:
    alone = {"samples_per_second": 2469.0, "measured": "by a probe on 2026-01-02"}
    rows = limits.rows({**METADATA, "engine_alone": alone}, {}, None, None)
    assert [row[:2] for row in rows] == [("Engine alone", "50.0%")]
    assert "2,469 samples/s" in rows[0][2] and rows[0][2].endswith("by a probe on 2026-01-02")
    for odd in (5, {}, {"samples_per_second": "x"}, {"samples_per_second": 0}):
        assert limits.rows({**METADATA, "engine_alone": odd}, {}, None, None) == []
    assert limits.rows({**METADATA, "scenario": "Server", "engine_alone": alone}, {}, None, None) == []


def test_the_last_percentile_is_the_harness_s_from_ten_thousand_queries_on(tmp_path: Path) -> None:
    server = log_of("Server", more={"result_50.00_percentile_latency_ns": MS})
    assert measured.tail(tmp_path, server) == []
    for counts, ms in (([9_990, 8, 1], None), ([9_990, 8, 2], 30.0), ([99_999, 0, 1], 10.0)):
        np.save(tmp_path / measured.LATENCIES_FILE, np.column_stack([np.array([10, 20, 30]) * MS, counts]).astype(np.float64))
        assert measured.tail(tmp_path, server) == ([] if ms is None else [("99.99 % (harness)", ms)])
    assert measured.tail(tmp_path, log_of("MultiStream")) == [] == measured.tail(tmp_path, log_of("Server", "AccuracyOnly"))
