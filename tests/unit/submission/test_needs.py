"""The plan of a submission: what a round asks, what counts as done, and how long the rest takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from code.actions import Context, plan_submission
from code.common.errors import MissingError, UsageError
from code.plan.request import parse
from code.rules.benchmarks import facts_of
from code.rules.rounds import round_named
from code.submission import needs
from code.submission.needs import Logs, Rates, duration
from code.submission.stage import runs
from code.systems.system_list import KnownSystem, System
from tests.unit.submission.made import SYSTEM_ID

NOTHING = Logs((), {})


def system(name: str) -> System:
    found = KnownSystem.get(name)
    assert found is not None
    return found


def test_a_round_asks_for_runs_accuracy_and_audits_of_each_required_scenario() -> None:
    wanted = needs.needs(round_named("v6.1"), "edge", system("L4x1"), "k_99", NOTHING, ())
    assert {(one.benchmark, one.scenario) for one in wanted} >= {("bert-99", "Offline"), ("bert-99", "SingleStream")}
    bert = [one.test for one in wanted if (one.benchmark, one.scenario) == ("bert-99", "Offline")]
    assert bert == ["PerformanceOnly", "AccuracyOnly", "TEST01"]
    assert all(one.have is None for one in wanted)
    assert {one.benchmark for one in wanted if one.seconds is None} == {"llama3.1-8b-edge"}, "L4x1 has no config for it"
    assert all("--system=L4x1" in one.command and "--round=v6.1" in one.command for one in wanted)
    high = needs.needs(round_named("v4.1"), "datacenter", system("L4x1"), "k_99_9", NOTHING, ("bert",))
    assert high and all("--config_ver=high_accuracy" in one.command for one in high)


def test_a_good_run_is_found_and_one_of_another_round_is_not(logs: Path) -> None:
    for path in logs.rglob("metadata.json"):
        content = json.loads(path.read_text())
        content.update(model_variant="reference", division_note="", result_validity="VALID", accuracy_pass=True)
        path.write_text(json.dumps(content))
    here = replace(system("CPU_x86_64"), name=SYSTEM_ID)
    found = {
        (o.scenario, o.test): o.have for o in needs.needs(round_named("v6.1"), "edge", here, "k_99", Logs.read(logs), ("bert",))
    }
    assert found["Offline", "PerformanceOnly"] == next(logs.rglob("Offline"))
    assert found["Offline", "AccuracyOnly"] == next(logs.rglob("Offline.2"))
    assert found["Offline", "TEST01"] is None
    earlier = needs.needs(round_named("v5.0"), "edge", here, "k_99", Logs.read(logs), ("bert",))
    assert earlier and all(one.have is None for one in earlier)


def test_a_shortened_run_of_the_tiny_model_is_not_good(logs: Path) -> None:
    assert not any(needs.good(run, round_named("v6.1")) for run in runs.find_runs(logs))


@pytest.mark.parametrize(
    ("scenario", "test", "rate", "seconds"),
    [
        ("Offline", "PerformanceOnly", 1000.0, 660.0),
        ("Offline", "PerformanceOnly", 10.0, 1083.3),
        ("Server", "PerformanceOnly", 1000.0, 600.0),
        ("SingleStream", "PerformanceOnly", 100.0, 600.0),
        ("SingleStream", "PerformanceOnly", 0.05, 64 / 0.05),
        ("MultiStream", "PerformanceOnly", 100.0, 600.0),
        ("Offline", "AccuracyOnly", 100.0, 108.33),
        ("Offline", "TEST06", 10.0, 10.0),
    ],
)
def test_durations_follow_from_loadgens_rules(scenario: str, test: str, rate: float, seconds: float) -> None:
    found = duration(facts_of("bert"), scenario, test, Rates(rate, rate, rate, rate))
    assert found is not None and found[0] - needs.SETUP_S == pytest.approx(seconds, rel=1e-3)


def test_a_slower_machine_takes_longer() -> None:
    found = duration(facts_of("bert"), "Offline", "PerformanceOnly", Rates(1000, 900, 1100, 1000))
    assert found is not None and found[1] < found[0] < found[2]


def plan(*words: str) -> int:
    return plan_submission.run(Context(parse(["--action=plan_submission", "--category=edge", *words], {})))


def test_the_plan_has_hours_and_a_price(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert plan("--systems=L4x1", "--benchmarks=bert", f"--log_dir={tmp_path}", "--price_per_hour=10", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["at_least"] < found["hours"] < found["at_most"] < 2
    assert found["price_hours"] == pytest.approx(10 * found["hours"])
    assert plan("--systems=CPU_x86_64", "--benchmarks=bert", f"--log_dir={tmp_path}") == 0
    assert "cannot be estimated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ((), UsageError, "no system was named"),
        (("--systems=L4x9",), UsageError, "unknown system 'L4x9'"),
        (("--systems=L4x1", "--config_ver=triton"), UsageError, "accuracy target"),
        (("--systems=L4x1", "--benchmarks=gptj", "--round=v6.1"), MissingError, "asks nothing"),
    ],
)
def test_what_cannot_be_planned_is_said(words: tuple[str, ...], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        plan(*words)
