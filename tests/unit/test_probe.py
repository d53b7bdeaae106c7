"""The probe of the Python harness: rates of full batches and of single samples, from an engine whose times are known."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.common.errors import RunError
from code.harness.python import probe
from code.run import afterwards

LENGTHS = np.array([10, 30] * 40, np.int32)
FIXED_S, UNIT_S = 0.002, 1e-4


class Slept:
    """A data set whose batches take FIXED_S and UNIT_S for each sample and unit of the longest."""

    count, lengths = len(LENGTHS), LENGTHS

    def __init__(self, proportional: bool = False, first_use_s: float = 0.0, idle_s: float = 0.0) -> None:
        self.proportional = proportional
        self.idle_s = idle_s  # what a call takes more on a lane that was idle before
        self.ended: dict[int, float] = {}
        self.first_use_s = first_use_s
        self.met: set[tuple[int, int, int]] = set()

    def answer(self, lane: object, indices: Any) -> list[Any]:
        shape = id(lane), len(indices), int(LENGTHS[indices].max())
        first = 0.0 if shape in self.met else self.first_use_s
        self.met.add(shape)
        was_idle = time.monotonic() - self.ended.get(id(lane), 0.0) > 0.001
        time.sleep(first + (self.idle_s if was_idle else 0.0) + FIXED_S + UNIT_S * shape[1] * shape[2])
        self.ended[id(lane)] = time.monotonic()
        return [np.zeros(1, np.float32)] * len(indices)

    def meet(self, _lane: object, _index: int) -> None:
        """Nothing to meet."""


class Device:
    """A device of two lanes."""

    def __init__(self, pci: str = "") -> None:
        self.entry = SimpleNamespace(cores=[], pci=pci, name="node 0", index=0)

    def lane(self) -> Any:
        return SimpleNamespace(device=self.entry, samples=0, batches=0)

    def lanes(self) -> list[Any]:
        return [self.lane(), self.lane()]


@pytest.fixture(autouse=True)
def unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "bind_thread", lambda _cores: None)
    monkeypatch.setattr(probe, "bound", lambda _cores, work: work())
    monkeypatch.setattr(probe, "on_all", lambda devices, work: [work(device) for device in devices])
    monkeypatch.setattr(probe, "WARM_UP_S", 0.01)
    monkeypatch.setattr(probe, "LEAST_S", 0.3)
    monkeypatch.setattr(probe, "SINGLES_S", 0.3)
    monkeypatch.setattr(probe, "ARRIVING_S", 0.3)
    monkeypatch.setattr(probe, "ARRIVALS", 40)


def measured(dataset: Slept | None = None, pci: str = "") -> dict[str, float]:
    spec = SimpleNamespace(batch=SimpleNamespace(max_samples=8, padding=0.0), expects=SimpleNamespace(samples_per_query=8))
    return probe.measure([Device(pci)], dataset or Slept(), spec)  # type: ignore[list-item, arg-type]


def test_single_samples_have_a_rate_of_their_own() -> None:
    found = measured()
    assert found["singles_per_second"] == pytest.approx(2 / (FIXED_S + UNIT_S * 20), rel=0.5)
    assert found["samples_per_second"] == pytest.approx(2 * 8 / (FIXED_S + UNIT_S * 8 * 20), rel=0.5)
    assert found["query_latency_ns"] == pytest.approx(8e9 / found["samples_per_second"])


def test_single_samples_are_measured_when_every_lane_has_met_their_lengths() -> None:
    found = measured(Slept(first_use_s=0.2))
    assert found["singles_per_second"] == pytest.approx(2 / (FIXED_S + UNIT_S * 20), rel=0.5)


def test_single_samples_pay_for_lanes_that_were_idle() -> None:
    assert measured(Slept(idle_s=0.008))["singles_per_second"] < 0.9 * 2 / (FIXED_S + UNIT_S * 20)


def test_a_batch_of_one_on_a_gpu_does_not_count_its_wait_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_arriving", lambda *_: 1.0)
    assert measured()["singles_per_second"] == 1.0
    assert measured(pci="0000:3b:00.0")["singles_per_second"] > 10


def test_too_few_single_samples_tell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LEAST_ALONE", 10**6)
    monkeypatch.setattr(probe, "_throughput", lambda *_: 80.0)
    assert measured()["singles_per_second"] == 80.0


def test_an_engine_that_fails_while_samples_arrive_ends_the_probe() -> None:
    class Short(Slept):
        def answer(self, lane: object, indices: Any) -> list[Any]:
            return super().answer(lane, indices)[1:]

    with pytest.raises(RunError, match="the engine answered 0 of 1"):
        measured(Short())


def test_where_time_is_proportional_to_length_singles_are_what_is_measured_anyway() -> None:
    assert measured(Slept(proportional=True)).keys() == {"samples_per_second", "latency_ns", "query_latency_ns"}


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
