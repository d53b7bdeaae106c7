"""Public results beside a run's own: the nearest, per accelerator."""

from __future__ import annotations

from typing import Any

import pytest

from code.results.page import nearest
from code.rules.metrics import METRICS
from code.systems.data.results import MACHINES


def test_public_results_of_server_and_of_runs_that_say_no_devices() -> None:
    run: dict[str, Any] = {
        "scenario": "Server",
        "benchmark_full": "bert-99",
        "result_completed_samples_per_sec": 56_000.0,
        "devices": [{}] * 8,
    }
    own, found = nearest.nearest(run)
    rates = {(f"{one.submitter} {one.system}", one.rates["bert-99"][1]) for one in MACHINES if "bert-99" in one.rates}
    assert own == 7000 and len(found) == 5 and found == sorted(found, key=lambda one: -one.rate)
    ratios = sorted(max(one.rate / 7000, 7000 / one.rate) for one in found)
    all_of_them = sorted(
        max(rate / 7000, 7000 / rate)
        for one in MACHINES
        if (rate := (one.rates.get("bert-99", (None, None))[1] or 0) / one.accelerators)
    )
    assert ratios == pytest.approx(all_of_them[:5])
    for one in found:
        count = int(one.accelerators.split(" x ")[0])
        assert any(name == one.system and rate == pytest.approx(one.rate * count) for name, rate in rates)
    for devices in ({}, {"devices": None}, {"devices": []}):
        assert nearest.nearest({**{k: v for k, v in run.items() if k != "devices"}, **devices})[0] == 56_000.0
    for value in (0, 0.0, -1.0, "5", None):
        assert nearest.nearest({**run, "result_completed_samples_per_sec": value}) == (0.0, [])


def test_a_public_result_says_when_it_was_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "SHOWN", len(MACHINES))
    found: set[str] = set()
    for benchmark in {name for one in MACHINES for name in one.rates}:
        run = {"scenario": "Offline", "benchmark_full": benchmark, METRICS["Offline"].key: 1.0}
        found |= {one.when for one in nearest.nearest(run)[1]}
    dates = {"v4.1": " (August 2024)", "v5.0": " (April 2025)", "v5.1": " (September 2025)"}
    assert found == {one.round + dates.get(one.round, "") for one in MACHINES} and len(found) >= 3
