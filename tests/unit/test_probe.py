"""The probe of the Python harness: rates of full batches and of single samples, from an engine whose times are known."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.harness.python import probe
from code.run import afterwards

LENGTHS = np.array([10, 30] * 40, np.int32)
FIXED_S, UNIT_S = 0.002, 1e-4


class Slept:
    """A data set whose batches take FIXED_S and UNIT_S for each sample and unit of the longest."""

    count, lengths = len(LENGTHS), LENGTHS

    def __init__(self, proportional: bool = False) -> None:
        self.proportional = proportional

    def answer(self, _lane: object, indices: Any) -> None:
        time.sleep(FIXED_S + UNIT_S * len(indices) * int(LENGTHS[indices].max()))

    def meet(self, _lane: object, _index: int) -> None:
        """Nothing to meet."""


class Device:
    """A device of two lanes."""

    entry = SimpleNamespace(cores=[])

    def lane(self) -> Any:
        return SimpleNamespace(device=SimpleNamespace(cores=[]))

    def lanes(self) -> list[Any]:
        return [self.lane(), self.lane()]


@pytest.fixture(autouse=True)
def unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "bind_thread", lambda _cores: None)
    monkeypatch.setattr(probe, "bound", lambda _cores, work: work())
    monkeypatch.setattr(probe, "on_all", lambda devices, work: [work(device) for device in devices])
    monkeypatch.setattr(probe, "WARM_UP_S", 0.01)
    monkeypatch.setattr(probe, "LEAST_S", 0.3)


def measured(proportional: bool = False) -> dict[str, float]:
    spec = SimpleNamespace(batch=SimpleNamespace(max_samples=8, padding=0.0), expects=SimpleNamespace(samples_per_query=8))
    return probe.measure([Device()], Slept(proportional), spec)  # type: ignore[list-item, arg-type]


def test_single_samples_have_a_rate_of_their_own() -> None:
    found = measured()
    assert found["singles_per_second"] == pytest.approx(2 / (FIXED_S + UNIT_S * 20), rel=0.3)
    assert found["samples_per_second"] == pytest.approx(2 * 8 / (FIXED_S + UNIT_S * 8 * 20), rel=0.3)
    assert found["query_latency_ns"] == pytest.approx(8e9 / found["samples_per_second"])


def test_where_time_is_proportional_to_length_singles_are_what_is_measured_anyway() -> None:
    assert measured(proportional=True).keys() == {"samples_per_second", "latency_ns", "query_latency_ns"}


def test_a_run_notes_both_rates_of_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from code.machine.measurements import Measurement

    kept = [
        Measurement({"samples_per_second": 90.0, "singles_per_second": 50.0}, time.time(), "probe"),
        Measurement({"samples_per_second": 100.0, "singles_per_second": 40.0}, time.time(), "probe"),
        Measurement({"samples_per_second": 500.0}, time.time(), "run"),
    ]
    monkeypatch.setattr(afterwards.preparation, "memory", lambda _job, _language: SimpleNamespace(read=lambda: kept))
    job = SimpleNamespace(backend=SimpleNamespace(computes=True), workload={"test_mode": "PerformanceOnly"}, language=None)
    found = afterwards.engine_alone(job)["engine_alone"]  # type: ignore[arg-type]
    assert (found["samples_per_second"], found["singles_per_second"]) == (100.0, 50.0)
    assert found["measured"].startswith("by a probe on")
    kept[:] = [Measurement({"samples_per_second": 100.0}, time.time(), "probe")]
    assert "singles_per_second" not in afterwards.engine_alone(job)["engine_alone"]  # type: ignore[arg-type]
    kept.clear()
    assert afterwards.engine_alone(job) == {}  # type: ignore[arg-type]
