"""Limits of a machine: set for a run, verified, put back, also after the run was killed."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from code import main
from code.common.errors import MissingError, RunError, UsageError
from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import build
from code.power import journal
from code.power.journal import Change, limited, recover
from code.power.knob import CpuClock
from code.run import power
from code.run.job import Job
from code.run.observers import Test

PROJECT = Path(__file__).resolve().parents[2]
STAND_IN = PROJECT / "tests" / "nvml_stand_in"
GPUS = ("GPU-1", "GPU-2")


class Machine:
    """Two GPUs of the stand-in, at 700 W of 200 to 700 W."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(json.dumps({gpu: {"limit_mw": 700_000, "least_mw": 200_000, "most_mw": 700_000} for gpu in GPUS}))

    def watts(self) -> list[float]:
        return [one["limit_mw"] / 1000 for one in json.loads(self.path.read_text()).values()]

    def of(self, gpu: str) -> dict[str, int]:
        """What is set of a GPU besides power; 0 is what the driver chooses."""
        names = ("sm_lock", "memory_lock", "fan0", "fan1")
        content = json.loads(self.path.read_text())[gpu]
        return {name: content[name] for name in names if content.get(name)}

    def change(self, gpu: str, **values: Any) -> None:
        content = json.loads(self.path.read_text())
        content[gpu].update(values)
        self.path.write_text(json.dumps(content))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("NVML_STAND_IN", str(tmp_path / "nvml.json"))
    monkeypatch.setenv(journal.FOLDER_VARIABLE, str(tmp_path / "journals"))
    monkeypatch.syspath_prepend(str(STAND_IN))
    real = sys.modules.pop("pynvml", None)
    assert Path(str(importlib.import_module("pynvml").__file__)).parent == STAND_IN
    yield Machine(tmp_path / "nvml.json")
    del sys.modules["pynvml"]
    if real is not None:
        sys.modules["pynvml"] = real


def both(watts: float) -> list[Change]:
    return [Change("gpu_power", gpu, watts) for gpu in GPUS]


def journals() -> list[str]:
    return sorted(path.name for path in Path(os.environ[journal.FOLDER_VARIABLE]).glob("*"))


def test_limits_hold_for_the_block_and_are_put_back(machine: Machine) -> None:
    with limited(both(300)):
        assert machine.watts() == [300, 300] and journals() == [f"{os.getpid()}.json"]
    assert machine.watts() == [700, 700] and journals() == []


def test_limits_are_put_back_after_an_error(machine: Machine) -> None:
    with pytest.raises(RuntimeError), limited(both(300)):
        raise RuntimeError
    assert machine.watts() == [700, 700] and journals() == []


def test_a_limit_out_of_range_is_refused_before_anything_changes(machine: Machine) -> None:
    with pytest.raises(UsageError, match="cannot be 100 W") as caught, limited([both(300)[0], both(100)[1]]):
        pass
    assert caught.value.why == "it takes 200 to 700 W"
    assert machine.watts() == [700, 700]


def test_without_the_right_the_first_limits_are_put_back(machine: Machine) -> None:
    machine.change("GPU-2", locked=True)
    with pytest.raises(MissingError, match="GPU-2") as caught, limited(both(300)):
        pass
    assert "Permission" in caught.value.why and "root" in caught.value.next_step
    assert machine.watts() == [700, 700] and journals() == []


def test_a_limit_that_does_not_stick_is_an_error(machine: Machine) -> None:
    machine.change("GPU-2", sticks_at_mw=500_000)
    with pytest.raises(RunError, match="is 500 W") as caught, limited(both(300)):
        pass
    assert "nvidia-smi -i GPU-2 -pl 300" in caught.value.next_step
    assert machine.watts()[0] == 700


def test_an_unknown_gpu_is_an_error(machine: Machine) -> None:
    with pytest.raises(MissingError, match="GPU-9"), limited([Change("gpu_power", "GPU-9", 300)]):
        pass


def test_clocks_are_locked_for_the_block_and_free_afterwards(machine: Machine) -> None:
    with limited([Change("gpu_clock", "GPU-1", 1200), Change("gpu_memory_clock", "GPU-1", 1593)]):
        assert machine.of("GPU-1") == {"sm_lock": 1200, "memory_lock": 1593} and machine.of("GPU-2") == {}
    assert machine.of("GPU-1") == {} and journals() == []


@pytest.mark.parametrize(
    ("knob", "value", "range_"), [("gpu_clock", 2500, "345 to 1,980 MHz"), ("gpu_memory_clock", 1000, "1,593 to 2,619 MHz")]
)
def test_a_clock_that_the_gpu_does_not_have_is_refused(machine: Machine, knob: str, value: int, range_: str) -> None:
    with pytest.raises(UsageError, match="MHz") as caught, limited([Change(knob, "GPU-1", value)]):
        pass
    assert caught.value.why == f"it takes {range_}" and machine.of("GPU-1") == {}


def test_a_gpu_that_runs_faster_than_its_lock_is_an_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SETTLE_S", 0.1)
    monkeypatch.setattr(sys.modules["pynvml"], "nvmlDeviceGetClockInfo", lambda *_: 1980)
    with (
        pytest.raises(RunError, match="the clock of GPU-1 is 1,980 MHz") as caught,
        limited([Change("gpu_clock", "GPU-1", 1200)]),
    ):
        pass
    assert "nvidia-smi -i GPU-1 -lgc 0,1200" in caught.value.next_step


@pytest.mark.parametrize("before", [0, 60])
def test_fans_turn_at_the_speed_that_was_set_and_then_as_before(machine: Machine, before: int) -> None:
    machine.change("GPU-1", fans=2, fan0=before, fan1=before)
    with limited([Change("gpu_fan", "GPU-1", 80)]):
        assert machine.of("GPU-1") == {"fan0": 80, "fan1": 80}
    assert machine.of("GPU-1") == ({"fan0": 60, "fan1": 60} if before else {})


def test_a_gpu_without_fans_is_refused(machine: Machine) -> None:
    with (
        pytest.raises(MissingError, match="the fan speed of GPU-1 cannot be set") as caught,
        limited([Change("gpu_fan", "GPU-1", 80)]),
    ):
        pass
    assert caught.value.why == "it has no fan" and journals() == []


def test_without_the_right_no_clock_is_locked(machine: Machine) -> None:
    machine.change("GPU-1", locked=True)
    with pytest.raises(MissingError, match="the clock of GPU-1") as caught, limited([Change("gpu_clock", "GPU-1", 1200)]):
        pass
    assert "root" in caught.value.next_step


KILLED = """
import os, signal, sys
sys.path[:0] = [{stand_in!r}, {project!r}]
from code.power.journal import Change, limited
changes = [Change({knob!r}, gpu, {value}) for gpu in ("GPU-1", "GPU-2")]
with limited(changes):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(knob: str = "gpu_power", value: float = 300) -> None:
    program = KILLED.format(stand_in=str(STAND_IN), project=str(PROJECT), knob=knob, value=value)
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_the_next_command_puts_back_what_a_killed_run_left(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    killed()
    assert machine.watts() == [300, 300] and len(journals()) == 1
    main.main(["--action=doctor"])
    assert machine.watts() == [700, 700] and journals() == []
    assert "the power limit of GPU-1 is 700 W again" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("knob", "value", "names"), [("gpu_clock", 1200, {"sm_lock": 1200}), ("gpu_fan", 80, {"fan0": 80, "fan1": 80})]
)
def test_clocks_and_fans_that_a_killed_run_left_are_free_again(
    machine: Machine, knob: str, value: float, names: dict[str, int]
) -> None:
    for gpu in GPUS:
        machine.change(gpu, fans=2)
    killed(knob, value)
    assert machine.of("GPU-1") == machine.of("GPU-2") == names
    lines = recover()
    assert len(lines) == 2 and all("is the driver's choice again" in line for line in lines)
    assert machine.of("GPU-1") == machine.of("GPU-2") == {} and journals() == []


def test_a_limit_that_somebody_else_has_set_since_is_left_alone(machine: Machine) -> None:
    killed()
    machine.change("GPU-1", limit_mw=450_000)
    assert len(recover()) == 1
    assert machine.watts() == [450, 700] and journals() == []


def test_a_journal_stays_until_its_limits_are_put_back(machine: Machine) -> None:
    killed()
    machine.change("GPU-1", locked=True)
    (first, second) = recover()
    assert "still 300 W" in first and "sudo nvidia-smi -i GPU-1 -pl 700" in first and "GPU-2" in second
    assert len(journals()) == 1
    machine.change("GPU-1", locked=False)
    assert len(recover()) == 1 and machine.watts() == [700, 700] and journals() == []


def test_a_run_beside_keeps_its_limits(machine: Machine) -> None:
    with limited(both(300)):
        assert recover() == [] and machine.watts() == [300, 300]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"pid": 1, "started": 0, "changes": [{"knob": "rm", "item": "/", "before": 1, "wanted": 1}]}']
)
def test_a_damaged_journal_changes_nothing(machine: Machine, text: str) -> None:
    folder = Path(os.environ[journal.FOLDER_VARIABLE])
    folder.mkdir()
    (folder / "999999.json").write_text(text)
    assert recover() == [] and machine.watts() == [700, 700]


def test_clocks_of_processors(tmp_path: Path) -> None:
    folder = tmp_path / "sys/devices/system/cpu/cpu3/cpufreq"
    folder.mkdir(parents=True)
    for name, value in (("scaling_max_freq", 3_000_000), ("cpuinfo_min_freq", 800_000), ("cpuinfo_max_freq", 3_600_000)):
        (folder / name).write_text(f"{value}\n")
    knob = CpuClock(tmp_path)
    assert knob.read("3") == 3_000_000 and knob.limits("3").words(knob.unit) == "800,000 to 3,600,000 kHz"
    knob.write("3", 2_000_000)
    assert (folder / "scaling_max_freq").read_text() == "2000000\n"
    with pytest.raises(MissingError, match="processor 0") as caught:
        knob.read("0")
    assert "leave cpu_freq out" in caught.value.next_step


def test_a_config_asks_for_the_limits_of_its_own_devices(tmp_path: Path) -> None:
    words = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--power_limit=300"]
    workload = build(parse([*words, "--devices=0,2", "--backend=simulated"], {}))[0][0]
    job = Job(workload, Notices())
    changes = power.wanted(Test(workload, "PerformanceOnly", tmp_path, job.placement))
    assert [(change.knob, change.wanted) for change in changes] == [("gpu_power", 300.0)] * 2


def test_each_field_of_gpus_turns_its_knob(tmp_path: Path) -> None:
    words = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--devices=0"]
    fields = ["--power_limit=300", "--gpu_clock=1200", "--gpu_memory_clock=1200", "--fan_speed=70"]
    workload = build(parse([*words, *fields, "--backend=simulated"], {}))[0][0]
    changes = power.wanted(Test(workload, "PerformanceOnly", tmp_path, Job(workload, Notices()).placement))
    found = [(change.knob, change.wanted) for change in changes]
    assert found == [("gpu_power", 300.0), ("gpu_clock", 1200.0), ("gpu_memory_clock", 1200.0), ("gpu_fan", 70.0)]


def test_the_stand_in_has_the_names_of_the_package() -> None:
    import pynvml

    text = (STAND_IN / "pynvml.py").read_text()
    names = [line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("def nvml")]
    assert len(names) == 19 and all(hasattr(pynvml, name) for name in names)
