"""Actions, called in this process with a command line: exit status, what they print, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code import actions
from code.common.constants import Benchmark, Scenario
from code.common.errors import UsageError
from code.rules.benchmarks import BENCHMARKS
from code.systems.stubs import base_class
from tests.unit.acting import Act


def test_every_action_is_loaded() -> None:
    for name in actions.names():
        action = actions.load(name)
        assert callable(action.perform), name
    assert actions.load("list-systems") is actions.load("list_systems")
    with pytest.raises(UsageError, match="no action given"):
        actions.load("")
    with pytest.raises(UsageError) as caught:
        actions.load("list_sistems")
    assert "list_systems" in caught.value.next_step


def test_lists_of_systems_and_configs(act: Act) -> None:
    status, said = act("list_systems", "--json")
    assert status == 0 and "H100_SXM_80GBx8" in json.dumps(json.loads(said))
    status, said = act("list_systems")
    assert status == 0 and "H100_SXM_80GBx8" in said
    status, said = act("list_configs", "--benchmarks=bert", "--scenarios=Offline", "--json")
    assert status == 0 and "A100_SXM4_40GBx8" in said


ON_GPUS = [str(one) for one in Benchmark if str(one) in BENCHMARKS and base_class(one, Scenario.Offline, gpu=True)]
"""The benchmarks with configs of GPU systems."""


@pytest.mark.parametrize("benchmark", ON_GPUS)
def test_a_rehearsal_runs_nothing(act: Act, benchmark: str, project: Path) -> None:
    options = (f"--benchmarks={benchmark}", "--scenarios=Offline", f"--capture={project}/tests/captures/h100_sxm_80gbx8.json")
    status, said = act("run", *options, "--dry_run")
    assert status == 0 and "Offline" in said
    status, said = act("explain", *options)
    assert status == 0 and "gpu_batch_size" in said


def test_explain_says_a_note_once_and_gives_one_document(act: Act, project: Path) -> None:
    options = ("--benchmarks=bert", "--scenarios=Offline,Server", f"--capture={project}/tests/captures/nvml_fails.json")
    status, said = act("explain", *options)
    assert status == 0 and said.count("NVML failed") == 1
    status, said = act("explain", *options, "--json")
    content, _ = json.JSONDecoder().raw_decode(said, said.index("[\n"))
    assert status == 0 and [entry["scenario"] for entry in content] == ["Offline", "Server"]
    assert all("NVML failed" in note for entry in content for note in entry["notes"])


def test_an_error_of_one_workload_is_its_own(act: Act) -> None:
    status, said = act("run", "--benchmarks=3d-unet", "--scenarios=Server", "--dry_run")
    assert status == 2 and "3d-unet has no Server scenario" in said
    status, said = act("run", "--benchmarks=bert,3d-unet", "--scenarios=Server", "--dry_run", "--system=A100_SXM4_40GBx8")
    assert status == 0 and "3d-unet Server is not defined, and left out" in said and "bert-99 Server" in said
    status, said = act("run", "--benchmarks=nothing")
    assert status == 2 and "unknown benchmark" in said and "next:" in said


def test_an_interrupt_is_130(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("code.actions.list_systems.ACTION", actions.OncePerRequest(interrupted))
    status, said = act("list_systems")
    assert status == 130 and "interrupted" in said


def test_info_and_doctor(act: Act, project: Path) -> None:
    capture = f"--capture={project}/tests/captures/h100_sxm_80gbx8.json"
    status, said = act("info", capture)
    assert status == 0 and "H100" in said
    status, said = act("doctor", capture)
    assert status in (0, 3, 4) and said
