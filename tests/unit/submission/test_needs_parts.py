"""The plan of a submission, part by part: how long each kind of test takes, what counts as done, and the commands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.rules.benchmarks import facts_of
from code.rules.metrics import OFFLINE_SAMPLES_CAP
from code.rules.rounds import round_named
from code.submission import needs
from code.submission.needs import LEAST_S, SETUP_S, Logs, Rates, duration
from code.submission.stage import runs
from code.submission.stage.runs import ACCURACY, PERFORMANCE
from code.systems.system_list import KnownSystem, System
from tests.unit.submission import light

V61 = round_named("v6.1")


def system(name: str) -> System:
    found = KnownSystem.get(name)
    assert found is not None
    return found


def seconds(benchmark: str, scenario: str, test: str, rate: float, configured: float | None = None) -> float:
    found = duration(facts_of(benchmark), scenario, test, Rates(rate, rate, rate, configured or rate))
    assert found is not None and found[0] == found[1] == found[2]
    return found[0] - SETUP_S


@pytest.mark.parametrize(
    ("benchmark", "scenario", "test", "rate", "expected"),
    [
        ("bert", "Offline", PERFORMANCE, 1000.0, 660.0),
        ("bert", "Offline", PERFORMANCE, 1.0, 10_833.0),
        ("bert", "Server", PERFORMANCE, 0.001, 600.0),
        ("bert", "SingleStream", PERFORMANCE, 64 / 599, 600.0),
        ("bert", "SingleStream", PERFORMANCE, 64 / 700, 700.0),
        ("bert", "MultiStream", PERFORMANCE, 662 * 8 / 700, 700.0),
        ("3d-unet", "SingleStream", PERFORMANCE, 64 / 700, 700.0),
        ("bert", "Offline", ACCURACY, 10.0, 1083.3),
        ("bert", "Server", ACCURACY, 10.0, 1083.3),
        ("3d-unet", "SingleStream", ACCURACY, 1.0, 43.0),
        ("gptj", "Server", "TEST06", 4.0, 25.0),
        ("bert", "Offline", "TEST01", 1000.0, 660.0),
        ("bert", "Server", "TEST01", 1000.0, 600.0),
    ],
)
def test_how_long_a_test_takes(benchmark: str, scenario: str, test: str, rate: float, expected: float) -> None:
    assert seconds(benchmark, scenario, test, rate) == pytest.approx(expected, rel=1e-9)


def test_an_offline_query_is_sized_by_the_config_and_at_most_by_the_cap() -> None:
    assert LEAST_S == 600 and needs.SLACK == 1.1 and SETUP_S == 60
    assert seconds("bert", "Offline", PERFORMANCE, 500.0, configured=1000.0) == pytest.approx(1320.0)
    many = replace(facts_of("bert"), samples=100_000)
    found = duration(many, "Offline", PERFORMANCE, Rates(1.0, 1.0, 1.0, 1.0))
    assert found is not None and found[0] == SETUP_S + OFFLINE_SAMPLES_CAP
    wide = duration(facts_of("bert"), "Offline", ACCURACY, Rates(100.0, 50.0, 200.0, 100.0))
    assert wide is not None and [one - SETUP_S for one in wide] == pytest.approx([108.33, 54.165, 216.66])
    assert duration(facts_of("bert"), "Offline", ACCURACY, None) is None
    volumes = replace(facts_of("3d-unet"), samples=1000)
    slow = duration(volumes, "SingleStream", PERFORMANCE, Rates(1.0, 1.0, 1.0, 1.0))
    assert slow is not None and slow[0] == SETUP_S + 1000, "every volume once"


def test_rates_of_streams_are_the_inverse_of_latencies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "estimate", lambda *_: SimpleNamespace(value=2_000_000.0))
    one = system("L4x1")
    single = needs.rates_of(facts_of("bert"), "bert-99", "SingleStream", one)
    multi = needs.rates_of(facts_of("bert"), "bert-99", "MultiStream", one)
    assert single == Rates(500.0, 250.0, 1000.0, 500.0) and multi == Rates(4000.0, 2000.0, 8000.0, 4000.0)
    monkeypatch.setattr(needs.prediction, "predict", lambda *_: None)
    assert needs.rates_of(facts_of("bert"), "bert-99", "Offline", one) == Rates(2e6, 1e6, 4e6, 2e6)
    monkeypatch.setattr(needs.prediction, "predict", lambda *_: SimpleNamespace(rate=9.0, low=8.0, high=10.0))
    assert needs.rates_of(facts_of("bert"), "bert-99", "Server", one) == Rates(9.0, 8.0, 10.0, 2e6)
    monkeypatch.setattr(needs, "estimate", lambda *_: None)
    assert needs.rates_of(facts_of("bert"), "bert-99", "Offline", one) is None
    assert needs.rates_of(facts_of("bert"), "bert-99", "Offline", system("CPU_x86_64")) is None


def test_benchmarks_by_name_and_accuracy_target() -> None:
    def wanted(*names: str, round_: str = "v4.1", accuracy: str = "k_99") -> list[needs.Need]:
        return needs.needs(round_named(round_), "datacenter", system("L4x1"), accuracy, Logs((), {}), names)

    assert {one.benchmark for one in wanted("bert")} == {"bert-99"} and len({one.benchmark for one in wanted()}) > 2
    high = wanted("bert", accuracy="k_99_9")
    assert {one.benchmark for one in high} == {"bert-99.9"} and wanted("bert", accuracy="nothing") == []
    commands = [one.command for one in high if one.scenario == "Offline"]
    words = '"--benchmarks=bert --scenarios=Offline --system=L4x1 --round=v4.1 --config_ver=high_accuracy'
    assert commands[:2] == [f'make run RUN_ARGS={words} --test_mode={mode}"' for mode in (PERFORMANCE, ACCURACY)]
    assert all(one.startswith("make run_audit_harness ") and "--audit_test=TEST0" in one for one in commands[2:]) and commands[2:]
    assert all("--config_ver" not in one.command for one in wanted("bert"))


@pytest.mark.parametrize(
    ("mode", "changed", "good"),
    [
        (PERFORMANCE, {"result_validity": "VALID"}, True),
        (PERFORMANCE, {"result_validity": "INVALID"}, False),
        (PERFORMANCE, {}, False),
        (PERFORMANCE, {"result_validity": "VALID", "model_variant": "tiny"}, False),
        (PERFORMANCE, {"result_validity": "VALID", "division_note": "short"}, False),
        (PERFORMANCE, {"result_validity": "VALID", "simulated": True}, False),
        (PERFORMANCE, {"result_validity": "VALID", "round_": "v5.0"}, False),
        (ACCURACY, {"accuracy_pass": True}, True),
        (ACCURACY, {"accuracy_pass": False}, False),
        (ACCURACY, {"accuracy_pass": False, "result_validity": "VALID"}, False),
    ],
)
def test_what_counts_as_done(tmp_path: Path, mode: str, changed: dict[str, Any], good: bool) -> None:
    run = light.run(tmp_path / "run", mode, **changed)
    assert needs.good(run, V61) is good
    (tmp_path / "run/run.json").unlink()
    (tmp_path / "run/mlperf_log_summary.txt").unlink()
    unfinished = runs.read_run(tmp_path / "run")
    assert unfinished is None or not needs.good(unfinished, V61)


def test_the_newest_good_run_and_the_audit_that_repeated_it(tmp_path: Path) -> None:
    for name, day, validity in (("old", 1, "VALID"), ("good", 2, "VALID"), ("bad", 3, "INVALID")):
        light.write_run(tmp_path / name, started=f"2026-01-0{day}T00:00:00Z", result_validity=validity)
    for name, test, performed, passed in (
        ("a1", "TEST01", "good", True),
        ("a2", "TEST06", "good", "yes"),
        ("a3", "TEST04", "good", False),
        ("a4", "TEST01", "old", True),
    ):
        (tmp_path / name).mkdir()
        record = {"test": test, "performance_run": str(tmp_path / performed), "passed": passed}
        (tmp_path / name / "audit.json").write_text(json.dumps(record))
    logs = Logs.read(tmp_path)
    assert [run.folder.name for run in logs.runs] == ["bad", "good", "old"]
    assert logs.audits == {("TEST01", tmp_path / "good"): tmp_path / "a1", ("TEST01", tmp_path / "old"): tmp_path / "a4"}
    known = system("L4x1")
    here = SimpleNamespace(name="X", system_id="DGX", accelerator=known.accelerator, accelerators=1, value=known.value)
    found = {
        (one.scenario, one.test): one.have
        for one in needs.needs(V61, "edge", here, "k_99", logs, ("bert",))  # type: ignore[arg-type]
    }
    assert found["Offline", PERFORMANCE] == tmp_path / "good" and found["Offline", "TEST01"] == tmp_path / "a1"
    assert found["Offline", ACCURACY] is None and found["SingleStream", PERFORMANCE] is None is found["SingleStream", "TEST01"]
