"""How long a test takes is told before it starts, by what LoadGen waits for, and while it runs by the work that is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from code.harness.schema.run_spec import RunSpec, parse
from code.rules.metrics import queries_for_estimate
from code.run.forecast import forecast, remaining_s
from tests.run_documents import SYNTHETIC, document, engine


def spec(scenario: str, min_duration_ms: float = 0.0, mode: str = "PerformanceOnly") -> RunSpec:
    """A run over 100 samples."""
    content = {**document(SYNTHETIC, engine("null", {})), "scenario": scenario, "test_mode": mode}
    return parse({**content, "expects": {"min_duration_ms": min_duration_ms, "samples_per_query": 8}}, "run.json")


def line(completed: float, issued: float, elapsed: float, **more: float) -> dict[str, Any]:
    return {"completed": completed, "issued": issued, "elapsed_s": elapsed, **more}


@pytest.mark.parametrize(
    ("scenario", "min_ms", "conf", "seconds", "words"),
    [
        ("Offline", 60_000, {"target_qps": 100.0, "min_query_count": 1}, 66, "6,600 samples: 1.1 × the expected rate"),
        ("Offline", 0, {"target_qps": 100.0, "min_query_count": 5_000}, 50, "5,000 samples: min_query_count"),
        ("Server", 600_000, {"target_qps": 10.0}, 600, "its minimum duration"),
        ("Server", 0, {"target_qps": 10.0, "min_query_count": 1_000}, 100, "1,000 queries (min_query_count) at 10 a second"),
        ("SingleStream", 60_000, {"target_latency": 1.0}, 60, "its minimum duration"),
        ("SingleStream", 60_000, {"target_latency": 30_000.0}, 3_000, "100 queries (min_query_count) at 0.03333 a second"),
        ("MultiStream", 60_000, {"target_latency": 1_000.0}, 662, "662 queries"),
        ("SingleStream", 60_000, {}, 60, "or longer if 100 queries take longer"),
    ],
)
def test_before_a_run(scenario: str, min_ms: float, conf: dict[str, Any], seconds: float, words: str) -> None:
    found = forecast(spec(scenario, min_ms), conf)
    assert found.expected_s == pytest.approx(seconds) and words in found.words() and not found.note


@pytest.mark.parametrize(("scenario", "needed"), [("SingleStream", 64), ("MultiStream", 662), ("Server", 459)])
def test_too_few_queries_for_early_stopping_are_told_before_the_run(scenario: str, needed: int) -> None:
    conf = {"min_query_count": 40, "target_latency": 10.0, "target_qps": 100.0}
    assert f"early stopping needs {needed} queries" in forecast(spec(scenario), conf).words()


def test_loadgens_own_numbers() -> None:
    assert [queries_for_estimate(share) for share in (0.9, 0.99)] == [64, 662]


def test_offline_goes_by_the_work_and_not_by_samples() -> None:
    needed = forecast(spec("Offline"), {"min_query_count": 1000})
    assert remaining_s(spec("Offline"), needed, line(100, 1000, 10)) == pytest.approx(90)
    assert remaining_s(spec("Offline"), needed, line(100, 1000, 10, work=0.5)) == pytest.approx(10)


def test_offline_asks_for_as_many_samples_as_the_benchmarks_own_data_set_has() -> None:
    other = replace(spec("Offline", 15_000), benchmark="bert")
    assert other.dataset.count == 100
    found = forecast(other, {"target_qps": 50.0})
    assert found.queries == 10_833 and found.expected_s == pytest.approx(10_833 / 50), (
        "mlperf.conf's bert.Offline.min_query_count"
    )


def test_streams_go_by_the_queries_that_are_missing() -> None:
    one = spec("SingleStream", 60_000)
    needed = forecast(one, {"target_latency": 1.0})
    assert remaining_s(one, needed, line(5, 6, 20)) == pytest.approx(380), "95 queries of 4 s each"
    assert remaining_s(one, needed, line(5_000, 5_001, 20)) == pytest.approx(40), "the rest of the minute"
    assert remaining_s(one, needed, line(0, 1, 20)) is None
    assert remaining_s(one, needed, line(100, 101, 70)) == 0
    several = spec("MultiStream", 0)
    size = several.expects.samples_per_query
    assert remaining_s(several, forecast(several, {}), line(size * 331, size * 332, 10)) == pytest.approx(10)


def test_an_accuracy_run_goes_through_the_data_set_once() -> None:
    one = spec("SingleStream", 60_000, "AccuracyOnly")
    needed = forecast(one, {})
    assert needed.queries == one.dataset.count and "once" in needed.words()
    assert remaining_s(one, needed, line(one.dataset.count / 4, 0, 10)) == pytest.approx(30)
