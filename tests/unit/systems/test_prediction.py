"""Predictions: as good as documentation/predictions.md says, by the same arithmetic, and refused where nothing supports them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from code.common import paths
from code.common.constants import Benchmark, Scenario
from code.systems import prediction
from code.systems.prediction import Point, covariance, leave_out, measured, predict
from code.systems.stubs import Target, stub
from scripts.write_predictions import GOALS, NESTED, TABLES, fit, table


@pytest.mark.parametrize(
    "group", [lambda point: point.machine, lambda point: (point.accelerator, point.accelerators)], ids=["machine", "system"]
)
def test_results_left_out_are_predicted_within_the_goals(group: Callable[[Point], Any]) -> None:
    checks = [check for check in leave_out(group) if not check.point.configured]
    errors = defaultdict(list)
    for check in checks:
        errors[check.point.network, check.point.scenario].append(check.error)
    assert len(errors) == 7
    for (_, scenario), values in errors.items():
        assert statistics.median(values) <= GOALS[scenario]
    assert sum(check.held for check in checks) >= 0.9 * len(checks)


def test_leaving_out_is_the_same_as_predicting_from_the_others() -> None:
    known = list(measured())
    accelerator = "L40S"
    others = [(p, rate) for p, rate in known if p.accelerator != accelerator]
    mine = [p for p, _ in known if p.accelerator == accelerator]
    points = [p for p, _ in others]
    logs = np.log([rate / p.accelerators for p, rate in others])
    towards = covariance(mine, points)
    means = towards @ np.linalg.solve(covariance(points, points), logs)
    found = {check.point: check for check in leave_out(lambda p: p.accelerator)}
    told = [(point, mean) for point, mean in zip(mine, means, strict=True) if point in found]
    assert len(told) > 10
    for point, mean in told:
        assert found[point].predicted.rate == pytest.approx(point.accelerators * np.exp(mean), rel=1e-4)


def test_the_page_has_the_table() -> None:
    page = (paths.project_root() / "documentation" / "predictions.md").read_text(encoding="utf-8")
    written = page.split(f"<!-- begin {TABLES} -->")[1].split(f"<!-- end {TABLES} -->")[0]
    assert table() in written, "python -m scripts.write_predictions"


def test_accelerators_left_out_are_predicted_within_the_goals_with_intervals_that_hold() -> None:
    found = defaultdict(list)
    for check in leave_out(lambda point: point.accelerator):
        if not check.point.configured:
            found[check.point.network, check.point.scenario].append(check)
    assert len(found) == 7
    for (network, scenario), checks in found.items():
        assert statistics.median(check.error for check in checks) <= GOALS[scenario], network
        assert sum(check.held for check in checks) >= 0.9 * len(checks)


def test_the_page_has_what_amplitudes_without_the_accelerator_give() -> None:
    """Medians meet the goals, and intervals hold nine in ten results together. The table takes minutes to make: its rows are read."""
    page = (paths.project_root() / "documentation" / "predictions.md").read_text(encoding="utf-8")
    lines = page.split(f"<!-- begin {NESTED} -->")[1].split(f"<!-- end {NESTED} -->")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][1:]
    results = [row for row in rows if "config" not in row[0] and set(row[0]) != {"-"}]
    assert len(results) == 7
    assert all(float(row[3].rstrip("%")) <= 100 * GOALS[row[1]] for row in results)
    held = sum(int(row[2]) * int(row[-1].rstrip("%")) for row in results)
    assert held >= 90 * sum(int(row[2]) for row in results)


@pytest.mark.full
def test_amplitudes_are_fitted_without_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [(point, rate) for point, rate in measured() if point.network == "gptj"]
    left_out = [index for index, (point, _) in enumerate(known) if point.accelerator == "L40S"]
    other = [(point, 9 * rate if index in left_out else rate) for index, (point, rate) in enumerate(known)]
    found = []
    for rows in (known, other):
        monkeypatch.setattr(prediction, "measured", lambda rows=rows: iter(rows))
        found.append(fit(left_out, prediction.AMPLITUDES))
    assert left_out and found[0] == found[1]


def test_the_config_of_one_other_accelerator_is_not_enough() -> None:
    """GPT-J on Ada: results of the L40S, and a config of the L4."""
    checks = leave_out(lambda point: point.accelerator)
    assert not [c for c in checks if c.point.accelerator == "L40S" and c.point.network == "gptj"]
    assert [c for c in checks if c.point.accelerator == "L4" and c.point.network == "gptj"], "results of one are"
    assert [c for c in checks if c.point.accelerator == "L40S" and c.point.network == "bert"]
    assert predict("gptj-99", "Offline", "L4", 1) is not None
    assert predict("bert-99", "Offline", "A30", 1) is not None, "configs of two are"


def test_more_accelerators_reach_more() -> None:
    rates = [predict("bert-99", "Server", "H100_SXM_80GB", count) for count in (1, 2, 4, 8)]
    assert all(b is not None and a is not None and 1.7 < b.rate / a.rate < 2.1 for a, b in pairwise(rates))


def test_less_is_known_of_an_accelerator_without_results() -> None:
    def width(accelerator: str) -> float:
        found = predict("bert-99", "Offline", accelerator, 8)
        assert found is not None and found.low < found.rate < found.high
        return found.high / found.low

    assert width("H100_SXM_80GB") < min(width("A100_SXM_80GB"), width("H200_NVL")), "a vendor's config, and other benchmarks'"


@pytest.mark.parametrize(
    ("benchmark", "scenario", "accelerator"),
    [
        ("bert-99", "Offline", "B200_SXM_180GB"),
        ("gptj-99", "Server", "T4"),
        ("bert-99", "SingleStream", "L4"),
        ("bert-99", "Offline", "no such GPU"),
        ("resnet50", "Offline", "L4"),
    ],
)
def test_nothing_is_predicted_without_support(benchmark: str, scenario: str, accelerator: str) -> None:
    assert predict(benchmark, scenario, accelerator, 1) is None


def test_the_source_says_how_near_results_are() -> None:
    def source(accelerator: str, count: int) -> str:
        found = predict("bert-99", "Offline", accelerator, count)
        assert found is not None
        return found.source

    assert source("H200_SXM_141GB", 8).endswith("of this system")
    assert "in other counts" in source("H200_SXM_141GB", 4)
    assert "none of this accelerator" in source("H200_NVL", 8)


def test_a_new_systems_config_says_what_a_submission_would_reach() -> None:
    def text(accelerator: str) -> str:
        found = stub("Mine", Benchmark.BERT, Scenario.Server, Target(accelerator, 8), "ServerGPUBaseConfig")
        return " ".join(found.replace("#", "").split())

    expected = predict("bert-99", "Server", "H100_SXM_80GB", 8)
    assert expected is not None and f"a submission would reach {expected.words()}" in text("H100_SXM_80GB")
    assert "would reach" not in text("B200_SXM_180GB")


def test_no_server_rate_is_proposed_that_devices_cannot_complete() -> None:
    """An A100's slices were once given a rate scaled from an L40S, nearly that of their Offline."""

    def value(scenario: Scenario, base: str) -> float:
        text = stub("Mine", Benchmark.BERT, scenario, Target("A100_SXM4_40GB_1GPC", 7), base)
        return float(next(line.split(" = ")[1] for line in text.splitlines() if "_qps = " in line))

    predicted = predict("bert-99", "Server", "A100_SXM4_40GB_1GPC", 7)
    assert predicted is not None
    server = value(Scenario.Server, "ServerGPUBaseConfig")
    assert server <= predicted.rate and server < 0.85 * value(Scenario.Offline, "OfflineGPUBaseConfig")


def test_amplitudes_belong_to_effects() -> None:
    points = [point for point, _ in measured()][:3]
    assert set(prediction.AMPLITUDES) == set(prediction.effects(points, points))


def test_the_pages_example_is_what_it_prints() -> None:
    page = (paths.project_root() / "documentation" / "predictions.md").read_text(encoding="utf-8")
    found = predict("bert-99", "Server", "H100_SXM_80GB", 8)
    assert found is not None and f"\"H100_SXM_80GB\", 8).words()  # '{found.words()}'" in page
