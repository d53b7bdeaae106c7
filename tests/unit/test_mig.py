"""Cutting GPUs into MIG slices: what is asked for, the changes and what is put back, over stand-ins for NVML and nvidia-smi."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.machine.sources import CapturedMachine
from code.main import main
from code.mig import journal, state
from code.mig.machine import Cutter
from code.mig.wanted import Wanted, parse
from code.run import device_lock

PROJECT = Path(__file__).resolve().parents[2]
STAND_IN = PROJECT / "tests" / "nvml_stand_in" / "mig"
CAPTURES = PROJECT / "tests" / "captures"
H100 = [[19, "1g.10gb", 1, 1, 7], [14, "2g.20gb", 2, 2, 3], [9, "3g.40gb", 3, 4, 2], [0, "7g.80gb", 7, 8, 1]]


class Machine:
    """Two H100 of the stand-in: one with MIG mode off, one with a slice 3g.40gb at its second place in two compute instances."""

    def __init__(self, path: Path) -> None:
        self.path = path
        whole = {"uuid": "GPU-0", "name": "NVIDIA H100 80GB HBM3", "on": False, "profiles": H100, "instances": []}
        cut = {**whole, "uuid": "GPU-1", "on": True, "instances": [{"id": 2, "profile": 9, "start": 4, "compute": [0, 1]}]}
        path.write_text(json.dumps([whole, cut]))

    def gpus(self) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = json.loads(self.path.read_text())
        return content

    def change(self, number: int, **values: Any) -> None:
        content = self.gpus()
        content[number].update(values)
        self.path.write_text(json.dumps(content))

    def slices(self, number: int) -> list[tuple[int, int, list[int]]]:
        return [(one["profile"], one["start"], one["compute"]) for one in self.gpus()[number]["instances"]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("NVML_STAND_IN", str(tmp_path / "nvml.json"))
    monkeypatch.setenv(journal.FOLDER_VARIABLE, str(tmp_path / "journals"))
    monkeypatch.setenv(device_lock.FOLDER_VARIABLE, str(tmp_path / "locks"))
    monkeypatch.syspath_prepend(str(STAND_IN))
    real = sys.modules.pop("pynvml", None)
    assert Path(str(importlib.import_module("pynvml").__file__)).parent == STAND_IN
    yield Machine(tmp_path / "nvml.json")
    del sys.modules["pynvml"]
    if real is not None:
        sys.modules["pynvml"] = real


def journals() -> list[str]:
    return sorted(path.stem for path in Path(os.environ[journal.FOLDER_VARIABLE]).glob("*.json"))


def asked(action: str, *words: str) -> int:
    return main([f"--action={action}", *words])


SEVEN = [(19, place, [0]) for place in range(7)]


def test_gpus_are_cut_and_put_back(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    before = machine.gpus()
    assert asked("configure_mig", "--mig=1g.10gb:7") == 0
    assert machine.slices(0) == SEVEN and machine.slices(1) == SEVEN and journals() == ["GPU-0", "GPU-1"]
    assert asked("configure_mig", "--mig=1g.10gb:7") == 0 and "already" in capsys.readouterr().out
    assert asked("teardown_mig") == 0 and journals() == []
    assert machine.gpus()[0] == {**before[0], "pending": False}
    assert machine.slices(1) == [(9, 4, [0, 1])] and machine.gpus()[1]["on"]


def test_what_was_first_there_is_kept_over_several_changes(machine: Machine) -> None:
    assert asked("configure_mig", "--mig=1g.10gb:7", "--devices=1") == 0
    assert asked("configure_mig", "--mig=2g.20gb:2,3g.40gb", "--devices=GPU-1") == 2  # 3g.40gb as often as it fits: no room
    assert asked("configure_mig", "--mig=2g.20gb:2,3g.40gb:1", "--devices=GPU-1") == 0
    assert sorted(machine.slices(1)) == [(9, 4, [2]), (14, 0, [1]), (14, 2, [1])]  # the largest first, so that all fit
    assert asked("teardown_mig") == 0
    assert machine.slices(1) == [(9, 4, [0, 1])] and machine.slices(0) == []


def test_a_systems_name_stands_for_its_slices(machine: Machine) -> None:
    assert asked("configure_mig", "--mig=a100_sxm_80gb_mig_7x1g_10gb") == 0
    assert machine.slices(0) == SEVEN and machine.slices(1) == [(9, 4, [0, 1])]  # the first GPU has them all
    assert asked("configure_mig", "--mig=A100_SXM_80GB_MIG_56x1g_10gb") == 2  # more than two GPUs hold
    assert parse("A30-MIG_1x1g.6gb") == [Wanted("1g.6gb", total=1)]


REFUSED: dict[str, tuple[dict[str, Any], str, type[HarnessError], str, str]] = {
    "in use": ({"processes": [4711]}, "1g.10gb:7", MissingError, "in use and is left alone", "trainer (4711)"),
    "no right": ({"locked": True}, "1g.10gb:7", MissingError, "no right", "Insufficient Permissions"),
    "no MIG mode": ({"on": None}, "1g.10gb:7", UsageError, "no MIG mode", "A100"),
    "awaits a reset": ({"pending": False}, "1g.10gb:7", RunError, "when the GPU is reset", "monitoring"),
    "another profile": ({}, "1g.5gb:7", UsageError, "unknown MIG profile '1g.5gb'", "1g.10gb, 2g.20gb"),
    "too many": ({}, "1g.10gb:8", UsageError, "no room for 8 × 1g.10gb", "holds 7"),
    "too large": ({}, "3g.40gb:2,1g.10gb:2", UsageError, "no room for 2 × 3g.40gb, 2 × 1g.10gb", "has 7"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nothing_changes_where_one_gpu_cannot_be_cut(
    machine: Machine, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values, text, kind, what, why = REFUSED[name]
    machine.change(1, **values)
    before = machine.gpus()
    assert asked("configure_mig", f"--mig={text}") == kind.exit_status
    printed = " ".join(capsys.readouterr().err.split())
    assert what in printed and why in printed
    after = machine.gpus()
    assert after[1] == before[1] and after[0]["instances"] == [] and not after[0]["on"] and journals() == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_gpu_that_fails_half_way_is_what_it_was(machine: Machine, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    machine.change(number, fails_at=3)
    assert asked("configure_mig", "--mig=1g.10gb:7") == 4
    printed = " ".join(capsys.readouterr().err.split())
    assert "Insufficient Resources" in printed and f"nvidia-smi mig -i GPU-{number} -cgi 19 -C" in printed
    assert machine.slices(0) == [] and not machine.gpus()[0]["on"] and machine.slices(1) == [(9, 4, [0, 1])] and journals() == []


def test_a_mode_that_needs_a_reset_is_turned_back(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.change(0, needs_reset=True)
    assert asked("configure_mig", "--mig=1g.10gb:7") == 4
    assert "--gpu-reset -i 0" in capsys.readouterr().err
    assert machine.gpus()[0]["pending"] is False and journals() == []


def test_the_next_command_puts_back_what_a_killed_one_left(machine: Machine) -> None:
    gpu = next(one for one in state.read(Cutter()._machine()).gpus if one.index == 1)
    journal.write(gpu, journal.Kept(gpu.uuid, True, gpu.instances or ()))
    machine.change(1, instances=[{"id": 1, "profile": 19, "start": 0, "compute": []}])
    assert asked("teardown_mig") == 0
    assert machine.slices(1) == [(9, 4, [0, 1])] and journals() == []


def test_teardown_leaves_other_peoples_slices_alone(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("teardown_mig") == 3 and "no GPU here was cut by configure_mig" in capsys.readouterr().err
    assert asked("configure_mig", "--mig=1g.10gb:7", "--devices=1") == 0
    machine.change(1, instances=[{"id": 1, "profile": 14, "start": 0, "compute": [1]}])
    assert asked("teardown_mig") == 2 and "somebody has cut it since" in " ".join(capsys.readouterr().err.split())
    machine.change(1, processes=[1])
    assert asked("teardown_mig", "--mig=all") == 3 and machine.slices(1) == [(14, 0, [1])]
    machine.change(1, processes=[])
    assert asked("teardown_mig", "--mig=all") == 0 and machine.slices(1) == []


def test_a_rehearsal_prints_the_commands_and_changes_nothing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    before = machine.gpus()
    assert asked("configure_mig", "--mig=3g.40gb:2", "--dry_run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "nvidia-smi -i GPU-0 -mig 1",
        *["nvidia-smi mig -i GPU-0 -cgi 3g.40gb -C"] * 2,
        "nvidia-smi mig -i GPU-1 -dci -gi 2",
        "nvidia-smi mig -i GPU-1 -dgi -gi 2",
        *["nvidia-smi mig -i GPU-1 -cgi 3g.40gb -C"] * 2,
    ]
    assert machine.gpus() == before and journals() == []


def test_the_status(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("configure_mig", "--mig=3g.40gb:1,1g.10gb:4", "--devices=0") == 0
    capsys.readouterr()
    assert asked("mig_status", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["counts"] == {"3g.40gb": 1, "1g.10gb": 4} and len(first["slices"]) == 5 and first["kept"]["on"] is False
    assert second["counts"] == {"3g.40gb": 1} and second["kept"] is None
    assert asked("mig_status") == 0 and "MIG mode was off before" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("text", ["", "7", "1g.10gb:0", "1g.10gb:x", "1g.10gb,2g.20gb", "1g.10gb:1,1g.10gb:2", "$(reboot)"])
def test_what_is_not_a_cut_is_refused(text: str) -> None:
    if text == "7":  # a profile's number
        assert parse(text) == [Wanted("7")]
        return
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert "1g.10gb:7" in caught.value.next_step


def test_the_stand_in_is_like_the_package() -> None:
    import pynvml

    text = (STAND_IN / "pynvml.py").read_text()
    functions = re.findall(r"^def (nvml\w+)\((.*?)\) ->", text, re.MULTILINE)
    assert len(functions) == 29
    for name, arguments in functions:
        taken = [word.split(":")[0].strip() for word in re.split(r",\s*(?=\w+:)", arguments) if word]
        assert len(inspect.signature(getattr(pynvml, name)).parameters) == len(taken), name
    for name in re.findall(
        r"\b(?:NVML|c_nvml)\w+", text.split("class Record")[0].replace("NVMLError", "").replace("NVML_STAND_IN", "")
    ):
        assert hasattr(pynvml, name), name
    used = re.findall(
        r"nvml\.((?:NVML|nvml|c_nvml)\w+)",
        (PROJECT / "code/mig/driver.py").read_text() + (PROJECT / "code/machine/mig.py").read_text(),
    )
    assert len(used) > 20 and all(hasattr(pynvml, name) for name in used)


# ── captures ─────────────────────────────────────────────────────────────────────────────────


def captured(name: str) -> state.Gpu:
    return state.read(CapturedMachine.read(CAPTURES / f"{name}.json")).gpus[0]


def test_an_h100_with_mixed_slices(capsys: pytest.CaptureFixture[str]) -> None:
    capture = f"--capture={CAPTURES / 'h100_mig_mixed.json'}"
    assert captured("h100_mig_mixed").counts() == {"3g.40gb": 1, "1g.10gb": 4}
    assert asked("mig_status", capture) == 0 and "3g.40gb" in capsys.readouterr().out
    assert asked("configure_mig", "--mig=1g.10gb:4,3g.40gb:1", "--dry_run", capture) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert asked("configure_mig", "--mig=1g.10gb:7", "--dry_run", capture) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 5 + 7 and lines[-1].endswith("-cgi 1g.10gb -C")
    assert asked("configure_mig", "--mig=1g.10gb:7", capture) == 2 and "a capture cannot be cut" in capsys.readouterr().err


def test_an_a100_without_a_free_slice(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("configure_mig", "--mig=1g.5gb:7", "--dry_run", f"--capture={CAPTURES / 'a100_mig_in_use.json'}") == 3
    printed = " ".join(capsys.readouterr().err.split())
    assert "in use and is left alone" in printed and "python3 (4711), python3 (4712)" in printed


def test_an_account_without_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    found = captured("a100_mig_no_right")
    assert found.instances is None and found.counts() == {"1g.5gb": 7} and [one.most for one in found.profiles][:2] == [7, 1]
    capture = f"--capture={CAPTURES / 'a100_mig_no_right.json'}"
    assert asked("configure_mig", "--mig=1g.5gb:7", "--dry_run", capture) == 3
    printed = " ".join(capsys.readouterr().err.split())
    assert "no right to do so" in printed and "Insufficient Permissions" in printed and "as root" in printed
    assert asked("mig_status", capture) == 0 and "hidden from this account" in " ".join(capsys.readouterr().out.split())


def test_a_machine_without_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("configure_mig", "teardown_mig", "mig_status"):
        assert (
            asked(action, *(["--mig=1g.5gb:7"] if action == "configure_mig" else []), f"--capture={CAPTURES / 'cpu_x86_64.json'}")
            == 3
        )
        assert "no NVIDIA GPU can be asked about MIG" in capsys.readouterr().err


# ── nvidia-smi ───────────────────────────────────────────────────────────────────────────────

SMI = f"""#!{sys.executable} -IS
import json, sys
from pathlib import Path
path = Path({{path!r}})
gpu = json.loads(path.read_text())
words = sys.argv[1:]
names = {{{{19: ("1g.10gb", 1, 1, 7), 9: ("3g.40gb", 3, 4, 2)}}}}
def out(text, status=0):
    path.write_text(json.dumps(gpu))
    print(text)
    sys.exit(status)
def row(*cells):
    return "|   0  " + "   ".join(str(cell) for cell in cells) + "   |"
option = lambda name: words[words.index(name) + 1]
if words[0].startswith("--query-gpu"):
    mode = "Enabled" if gpu["on"] else "Disabled"
    out(f"0, GPU-0, NVIDIA H100 80GB HBM3, {{{{mode}}}}, {{{{mode}}}}")
if words[0].startswith("--query-compute"):
    out("")
if words == ["-L"]:
    parts = [f"  MIG {{{{names[one[1]][0]}}}}   Device  {{{{i}}}}: (UUID: MIG-{{{{i}}}})" for i, one in enumerate(gpu["instances"])]
    out("\\n".join(["GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0)", *parts]))
if "-mig" in words:
    gpu["on"] = option("-mig") == "1"
    out("Enabled MIG Mode for GPU 00000000:1B:00.0")
if not gpu["on"]:
    out("No MIG-enabled devices found.", 6)
if "-lgip" in words:
    out("\\n".join(row("MIG", name, number, f"0/{{{{most}}}}", "9.75", "No") for number, (name, _, _, most) in names.items()))
if "-lgi" in words:
    lines = [row("MIG", names[one[1]][0], one[1], one[0], f"{{{{one[2]}}}}:{{{{names[one[1]][2]}}}}") for one in gpu["instances"]]
    out("\\n".join(lines) or "No GPU instances found: Not Found", 0 if lines else 6)
if "-lci" in words:
    lines = [row(one[0], "MIG", names[one[1]][0], f"{{{{number}}}}*", "0", "0:1") for one in gpu["instances"] for number in one[3]]
    out("\\n".join(lines) or "No compute instances found: Not Found", 0 if lines else 6)
if "-cgi" in words:
    number, _, start = option("-cgi").partition(":")
    taken = [one[0] for one in gpu["instances"]]
    made = min(set(range(1, 20)) - set(taken))
    if len(taken) == gpu.get("fails_at"):
        out("Unable to create a GPU instance on GPU 0 using profile 19: Insufficient Resources", 19)
    gpu["instances"].append([made, int(number), int(start or len(taken)), [0] if "-C" in words else []])
    out(f"Successfully created GPU instance ID  {{{{made}}}} on GPU  0 using profile MIG 1g.10gb (ID 19)")
if "-cci" in words:
    one = next(one for one in gpu["instances"] if one[0] == int(option("-gi")))
    one[3] = [int(word) for word in option("-cci").split(",")]
    out("Successfully created compute instance")
one = next(one for one in gpu["instances"] if one[0] == int(option("-gi")))
if "-dci" in words:
    one[3] = []
else:
    assert not one[3]
    gpu["instances"].remove(one)
out("Successfully destroyed")
"""


def test_nvidia_smi_does_it_where_nvml_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, program = tmp_path / "gpu.json", tmp_path / "bin" / "nvidia-smi"
    path.write_text(json.dumps({"on": True, "instances": [[5, 9, 4, [0, 1]]]}))
    program.parent.mkdir()
    program.write_text(SMI.format(path=str(path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv(journal.FOLDER_VARIABLE, str(tmp_path / "journals"))
    monkeypatch.setenv(device_lock.FOLDER_VARIABLE, str(tmp_path / "locks"))
    monkeypatch.setattr("code.machine.probes.PROBES", {"mig": lambda _: {"absent": "no library"}})
    monkeypatch.setattr("code.machine.sources.PROBES", {"mig": lambda _: {"absent": "no library"}})
    assert asked("configure_mig", "--mig=1g.10gb:2") == 0, capsys.readouterr().err
    assert json.loads(path.read_text())["instances"] == [[1, 19, 0, [0]], [2, 19, 1, [0]]]
    assert asked("teardown_mig") == 0, capsys.readouterr().err
    assert json.loads(path.read_text()) == {"on": True, "instances": [[1, 9, 4, [0, 1]]]}
    path.write_text(json.dumps({"on": False, "instances": [], "fails_at": 1}))
    assert asked("configure_mig", "--mig=1g.10gb:2") == 4
    assert "Insufficient Resources" in capsys.readouterr().err and json.loads(path.read_text())["on"] is False
