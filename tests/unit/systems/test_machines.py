"""What the owner of each kind of machine is told: info, explain, doctor and add_system, from captures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from code.actions import info
from code.machine.detect import DetectedSystem, detect
from code.machine.processors import read_processors
from code.machine.sources import CapturedMachine
from code.main import main
from code.preflight import Level, run_checks
from code.preflight.finding import Finding
from code.systems.adding import plan_addition, proposed_name
from code.systems.matching import match

Machine = Callable[..., DetectedSystem]


class Owner(NamedTuple):
    """What an owner expects: the ID of results, processors, usable cores, devices of a run, the platform, remarks of doctor."""

    system_id: str
    processors: str
    usable: int
    devices: int
    platform: str
    remarks: dict[str, str]


OWNERS = {
    "graviton4": Owner("AWS_Graviton4x2", "2 x AWS Graviton4, 96 cores each", 192, 2, "aws", {}),
    "altra_q80": Owner(
        "Ampere_Altra_Processor_Q80-30x2", "2 x Ampere(R) Altra(R) Processor Q80-30, 80 cores each", 160, 2, "", {}
    ),
    "epyc_9755_nps4": Owner("AMD_EPYC_9755x2", "2 x AMD EPYC 9755 128-Core Processor, 128 cores each", 256, 8, "", {}),
    "core_i9_13900k": Owner(
        "13th_Gen_Intel_Core_i9-13900Kx1",
        "1 x 13th Gen Intel(R) Core(TM) i9-13900K, 24 cores each",
        24,
        1,
        "",
        {"hybrid cores": "performance cores are CPUs 0-15, efficiency cores 16-31"},
    ),
    "wsl2": Owner(
        "AMD_Ryzen_7_7840U_w_Radeon_780M_Graphicsx1",
        "1 x AMD Ryzen 7 7840U w/ Radeon 780M Graphics, 8 cores each",
        8,
        1,
        "wsl",
        {"host": "WSL 2"},
    ),
    "lxc": Owner(
        "Intel_Xeon_Gold_6430x2",
        "2 x Intel(R) Xeon(R) Gold 6430, 32 cores each",
        4,
        1,
        "",
        {"cores": "this process may use 4 of 64 cores"},
    ),
    "vm_hidden_topology": Owner(
        "Common_KVM_processorx1",
        "1 x Common KVM processor, 32 cores each",
        32,
        1,
        "",
        {"sockets": "32 sockets of one core", "AVX2": "no AVX2"},
    ),
    "cxl_memory_node": Owner(
        "Intel_Xeon_6767Px2",
        "2 x Intel(R) Xeon(R) 6767P, 64 cores each",
        128,
        2,
        "",
        {"memory nodes": "nodes 2 have memory and no processors"},
    ),
    "offline_cpus": Owner(
        "Intel_Xeon_Platinum_8180x2",
        "2 x Intel(R) Xeon(R) Platinum 8180 CPU @ 2.50GHz, 28 cores each",
        48,
        2,
        "",
        {"offline CPUs": "8 logical processors are switched off: 48-55", "cores": "this process may use 48 of 56 cores"},
    ),
}


@pytest.mark.parametrize("name", OWNERS)
def test_detection_and_doctor(name: str, captures: Path) -> None:
    owner = OWNERS[name]
    found = detect(captures / f"{name}.json")
    assert match(found).system_id == owner.system_id
    processors = found.processors
    assert f"{processors.sockets} x {processors.model}, {processors.cores_per_socket} cores each" == owner.processors
    assert (found.usable_cores, found.platform, found.notes) == (owner.usable, owner.platform, ())
    findings = run_checks(found.machine, found)
    warned = {finding.name: finding.message for finding in findings if finding.level is Level.WARNING}
    assert set(warned) == set(owner.remarks)
    assert all(text in warned[remark] for remark, text in owner.remarks.items())
    assert all(finding.fix for finding in findings if finding.level is Level.WARNING)


@pytest.mark.parametrize("name", OWNERS)
def test_info_and_explain_are_of_the_captured_machine(
    name: str, captures: Path, definitions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owner, capture = OWNERS[name], str(captures / f"{name}.json")
    rows = dict(info.collect(capture))
    assert rows["machine"] == capture
    assert owner.system_id in rows["system"]
    assert rows["usable cores"] == str(owner.usable)
    assert main(["--action=explain", "--benchmarks=bert", "--scenarios=offline", f"--capture={capture}"]) == 0
    told = capsys.readouterr().out
    assert told.count("device ") == owner.devices


@pytest.mark.parametrize("name", OWNERS)
def test_add_system_describes_it(name: str, captures: Path, definitions: Path) -> None:
    found = detect(captures / f"{name}.json")
    change = plan_addition(proposed_name(found), found, [], [])
    text = "".join(change.texts.values())
    assert found.processors.model in text
    assert f"core_count={found.processors.cores_per_socket}" in text


def test_a_named_system_is_planned_with_its_own_cores(
    captures: Path, definitions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = str(captures / "epyc_9755_nps4.json")
    assert main(["--action=add_system", "--name=rack", f"--capture={capture}", "--benchmarks=bert", "--yes"]) == 0
    capsys.readouterr()
    assert main(["--action=explain", "--benchmarks=bert", "--scenarios=offline", "--system=rack"]) == 0
    told = capsys.readouterr()
    assert told.out.count("device ") == 2
    assert "cores 0-127,256-383" in told.out
    assert "those of rack's description, not of this machine" in told.out + told.err


def test_info_of_a_capture_is_not_a_run_on_it(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--action=run_harness", "--benchmarks=bert", f"--capture={captures / 'lxc.json'}"]) == 2
    assert "describes another machine" in capsys.readouterr().err


ODD: dict[str, dict[str, str]] = {
    "physical id is a dash": {"/proc/cpuinfo": "processor : 0\nphysical id : -\ncore id : -\n\nprocessor : 1\nphysical id : -\n"},
    "no processor has a number": {"/proc/cpuinfo": "processor : zero\nmodel name : X\n"},
    "memory in words": {"/proc/meminfo": "MemTotal: lots"},
    "memory without a value": {"/proc/meminfo": "MemTotal:"},
    "a period of zero": {"/sys/fs/cgroup/cpu.max": "100000 0"},
    "a quota of zero": {"/sys/fs/cgroup/cpu.max": "0 100000"},
    "a quota in words": {"/sys/fs/cgroup/cpu.max": "much 100000"},
    "offline in words": {"/sys/devices/system/cpu/offline": "none"},
    "memory nodes in words": {"/sys/devices/system/node/has_memory": "-"},
}


@pytest.mark.parametrize("files", ODD.values(), ids=ODD)
def test_odd_answers_of_the_kernel_are_survived(files: dict[str, str], machine: Machine) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["files"].update(files)
        if "/proc/cpuinfo" in files:
            content["commands"] = {}

    found = machine("cpu_x86_64", edit)
    assert found.usable_cores >= 1
    run_checks(found.machine, found)


def read(**files: str) -> Any:
    content = {"files": files, "commands": {}, "probes": {"architecture": "aarch64"}}
    return read_processors(CapturedMachine(content, "made"), [])


def test_arm_processors_of_one_design_have_names_of_their_own() -> None:
    design = "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd4f\n"
    assert read(**{"/proc/cpuinfo": design}).model == "Neoverse-V2"
    amazon = {"/proc/cpuinfo": design, "/sys/class/dmi/id/sys_vendor": "Amazon EC2"}
    assert read(**amazon).model == "AWS Graviton4"


@pytest.mark.parametrize(
    ("board", "model"),
    [
        ("Grace A02", "Grace A02"),
        ("AWS Graviton4 AWS Graviton4 CPU @ 2.8GHz", "AWS Graviton4"),
        ("Ampere(R) Altra(R) Max Processor M128-30 CPU @ 3.0GHz", "Ampere(R) Altra(R) Max Processor M128-30"),
        ("virt-7.2 CPU @ 2.0GHz", "Neoverse-V2"),
        ("Not Specified", "Neoverse-V2"),
        ("", "Neoverse-V2"),
    ],
)
def test_the_board_s_name_goes_before_the_design_s(board: str, model: str, machine: Machine) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["commands"]["lscpu"]["stdout"] += f"BIOS Model name:  {board}\n"

    found = machine("gh200_96gb", edit)
    assert found.processors.model == model
    assert match(found).system.name == "GH200_96GB_ARMx1"


@pytest.mark.parametrize(
    ("files", "platform"),
    [
        ({"/sys/class/dmi/id/chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, "azure"),
        ({"/sys/class/dmi/id/chassis_asset_tag": "0000-0009-8765"}, ""),
        ({"/proc/sys/kernel/osrelease": "6.6.87.2-microsoft-standard-WSL2"}, "wsl"),
    ],
)
def test_not_every_hyper_v_is_azure(files: dict[str, str], platform: str, machine: Machine) -> None:
    found = machine("standard_nd96asr_v4", lambda content: content["files"].update(files))
    assert found.platform == platform


def test_counts_that_contradict_each_other_are_counted_anew(machine: Machine) -> None:
    def edit(content: dict[str, Any]) -> None:
        text = content["commands"]["lscpu"]["stdout"]
        content["commands"]["lscpu"]["stdout"] = text.replace("Socket(s):                               1", "Socket(s): 255")

    processors = machine("cpu_x86_64", edit).processors
    assert (processors.sockets, processors.cores_per_socket) == (1, 2)


def test_a_topology_without_numbers_counts_each_processor(machine: Machine) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["commands"]["lscpu -p=CPU,CORE,SOCKET"]["stdout"] = "0,-,-\n1,,\n"

    assert machine("cpu_x86_64", edit).usable_cores == 2


def test_an_arm_machine_with_two_kinds_of_cores(machine: Machine) -> None:
    def edit(content: dict[str, Any]) -> None:
        content["commands"]["lscpu"]["stdout"] += "Model name:   Cortex-A78\n"

    found = machine("altra_q80", edit)
    (hybrid,) = [f for f in run_checks(found.machine, found) if isinstance(f, Finding) and f.name == "hybrid cores"]
    assert "Neoverse-N1 and Cortex-A78" in hybrid.message
