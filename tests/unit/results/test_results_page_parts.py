"""Recordings that a run's page shows beside its batches: load over time, times of tokens, the tail, and the way to a Triton server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.results.page import limits, measured, write
from tests.unit.logs import log_of
from tests.unit.results.test_results_pages import cells, page, trace

MS = 1_000_000


def test_the_load_is_per_second_between_edges() -> None:
    recorded = np.array([[0, 1, 10, 4], [1, 3, 20, 6], [3, 4, 0, 20]], float)
    edges, rates, waiting = measured.load(recorded)
    assert edges.tolist() == [0, 1, 3, 4] and waiting.tolist() == [0, 6, 20, 0]
    assert rates["offered"].tolist() == [10, 10, 0] and rates["answered"].tolist() == [4, 3, 20]
    edges, rates, waiting = measured.load(recorded, bins=1)
    assert edges.tolist() == [0, 4] and rates["offered"].tolist() == [7.5] and waiting.tolist() == [0, 0]
    answered_before = np.array([[0, 0, 1, 5], [0, 0, 5, 1]], float)
    _, rates, waiting = measured.load(answered_before)
    assert waiting.tolist() == [0, 0, 0] and np.isfinite(rates["offered"]).all(), "an interval of no length"
    many = np.column_stack([np.arange(500.0), np.arange(1.0, 501), np.ones(500), np.ones(500)])
    assert len(measured.load(many)[0]) == 121


def test_times_of_tokens_are_of_texts_whose_first_was_reported() -> None:
    texts = np.array([[1.0, 1.5, 2.5, 11], [0.0, 0.2, 0.2, 1], [2.0, 0.0, 5.0, 9], [3.0, 3.1, 3.7, 3]])
    first, each = measured.token_times(texts)
    assert first.tolist() == pytest.approx([100.0, 200.0, 500.0]) and each.tolist() == pytest.approx([100.0, 300.0])


def tokens(**more: float) -> Any:
    return log_of("Server", more={f"result_{name.replace('__', '.')}_ns": value * MS for name, value in more.items()})


def test_percentiles_of_tokens_come_in_pairs() -> None:
    log = tokens(
        first_token_99__00_percentile_latency=900,
        time_per_output_token_99__00_percentile=90,
        first_token_50__00_percentile_latency=500,
        time_per_output_token_50__00_percentile=50,
        first_token_97__00_percentile_latency=1,
    )
    assert measured.token_percentiles(log) == [("50 %", 500.0, 50.0), ("99 %", 900.0, 90.0)]
    html = write._percentiles(page(), log)
    assert cells(html)[-2:] == [["50 %", "500", "50"], ["99 %", "900", "90"]] and "First token (ms)" in html
    accuracy = log_of("Server", "AccuracyOnly", more={"result_first_token_99.00_percentile_latency_ns": 5})
    assert measured.token_percentiles(accuracy) == []


def test_the_tail_is_of_ten_thousand_queries_and_more(tmp_path: Path) -> None:
    log = log_of("Server", result_mean_latency_ns=2 * MS)
    path = tmp_path / "mlperf_log_trace.json"
    path.write_text(trace(*((number, (number + 1) * 1000) for number in range(10_000))))
    [(name, ms)] = measured.tail(tmp_path, log)
    assert (name, ms) == ("99.99 %", pytest.approx(9.999))
    path.write_text(trace(*((number, 1000) for number in range(9_999))))
    assert measured.tail(tmp_path, log) == []
    path.unlink()
    np.save(tmp_path / "latencies.npy", np.array([[MS, 9_998.0], [7 * MS, 1.0], [9 * MS, 1.0]]))
    assert measured.tail(tmp_path, log) == [("99.99 % (harness)", pytest.approx(7.0))]
    assert measured.tail(tmp_path, log_of("MultiStream")) == [] == measured.tail(tmp_path, log_of("Server", "AccuracyOnly"))
    run = write.RunPage(tmp_path, {}, {}, {}, "")
    assert cells(write._percentiles(run, log))[1:] == [["99.99 % (harness)", "7"], ["mean", "2"]], "before the mean"


def test_the_harness_histogram_is_a_line_with_loadgens_points(tmp_path: Path) -> None:
    log = log_of("Server", more={"result_50.00_percentile_latency_ns": MS, "result_99.00_percentile_latency_ns": 3 * MS})
    np.save(tmp_path / "latencies.npy", np.array([[MS, 3.0], [3 * MS, 1.0]]))
    found = measured.latencies(tmp_path, log)
    assert found is not None and not found.points and found.ms.tolist() == pytest.approx([1.0, 3.0])
    assert found.share.tolist() == [0.75, 1.0] and found.also is not None
    assert found.also[0].tolist() == pytest.approx([1.0, 3.0]) and found.also[1].tolist() == [0.5, 0.99]
    np.save(tmp_path / "latencies.npy", np.array([[MS, 1.0]]))
    other = measured.latencies(tmp_path, log)
    assert other is not None and other.points, "one sample is no distribution"


@pytest.mark.parametrize(("scenario", "ms"), [("Offline", [1000.0, 3000.0]), ("SingleStream", [1000.0, 2000.0])])
def test_batches_give_latencies_where_nothing_else_does(tmp_path: Path, scenario: str, ms: list[float]) -> None:
    """Of Offline since the run began, of SingleStream since each batch did."""
    log = log_of(scenario, more={"result_50.00_percentile_latency_ns": MS, "result_99.00_percentile_latency_ns": 3 * MS})
    np.save(tmp_path / "batches.npy", np.array([[10.0, 11.0, 3, 1], [11.0, 13.0, 1, 1]]))
    found = measured.latencies(tmp_path, log)
    assert found is not None and found.ms.tolist() == pytest.approx(ms) and found.share.tolist() == [0.75, 1.0]
    server = measured.latencies(
        tmp_path, log_of("Server", more={"result_50.00_percentile_latency_ns": MS, "result_min_latency_ns": 1})
    )
    assert server is not None and server.points


def test_where_requests_to_triton_spent_their_time() -> None:
    spent = {"requests": 4, "total_s": 6.0, "queue_s": 2.0, "input_s": 0.5, "output_s": 0.3}
    metadata = {"triton_time": spent, "devices": [{"busy_share": 0.5}, {"busy_share": 0.3}]}
    spec = {"devices": [{"streams": 1}, {}]}
    batches = np.array([[0, 10.0, 1, 1]])
    found = [row for row in limits.rows(metadata, spec, batches, None) if "Triton" in row[0]]
    assert [row[:2] for row in found] == [("Triton's queue", "25.0%"), ("Triton's copies", "10.0%"), ("Way to Triton", "25.0%")]
    assert found[0][2] == "of 2,000 ms a request, waited for an instance of the model"
    more = {**metadata, "triton_time": {**spent, "total_s": 9.0}}
    assert limits.rows(more, spec, batches, None)[-1][1] == "0.0%", "never less than nothing"
    two = {"devices": [{"streams": 3}, {"streams": 1}]}
    assert [row[1] for row in limits.rows(metadata, two, batches, None) if "queue" in row[0] and "Triton" in row[0]] == ["11.1%"]
    for other in ({**metadata, "triton_time": None}, {**metadata, "devices": [{"busy_share": 0.5}]}):
        assert not any("Triton" in row[0] for row in limits.rows(other, spec, batches, None))
    assert not any("Triton" in row[0] for row in limits.rows(metadata, spec, None, None))
    idle = {**metadata, "devices": [{"busy_share": 0.0}, {"busy_share": 0.0}]}
    assert not any("Triton" in row[0] for row in limits.rows(idle, spec, batches, None))


def test_the_share_of_what_an_engine_does_alone_is_of_offline_results() -> None:
    alone = {"samples_per_second": 200.0, "measured": "on Monday"}
    metadata = {"scenario": "Offline", "result_samples_per_second": 150.0, "engine_alone": alone}
    [(what, share, meaning)] = limits.rows(metadata, {}, None, None)
    assert (what, share) == ("Engine alone", "75.0%") and "of 200 samples/s" in meaning and meaning.endswith("measured on Monday")
    assert limits.rows({**metadata, "scenario": "Server"}, {}, None, None) == []
    assert limits.rows({**metadata, "engine_alone": {"samples_per_second": 0}}, {}, None, None) == []
    assert limits.rows({**metadata, "engine_alone": "x"}, {}, None, None) == []
    [(_, _, meaning)] = limits.rows({**metadata, "engine_alone": {"samples_per_second": 200.0}}, {}, None, None)
    assert meaning.endswith("at an unknown time")
