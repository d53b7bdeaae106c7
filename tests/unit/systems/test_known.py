"""Known hardware and systems: what config files may name, and how it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import CPUArchitecture
from code.systems.known_hardware import KnownCPU, KnownGPU, KnownMIG
from code.systems.system_list import DeprecatedSystem, KnownSystem, SystemClassifications


def test_every_public_system_is_known_by_name_and_id(facts: dict[str, Any]) -> None:
    for section, retired in (("systems", False), ("retired_systems", True)):
        for name, row in facts[section].items():
            system = getattr(KnownSystem, name)
            assert system.system_id == row["system_id"]
            assert system.accelerators == row["count"]
            assert system.accelerator == row["accelerator"]
            assert bool(system.retired) is retired, name
            least = system.value.host_mem_conf.o.host_memory_capacity
            quantity, unit = row["min_host_memory"].split()
            assert (least.quantity, least.byte_suffix.name) == (float(quantity), unit)


def test_public_hardware_is_known_with_its_reported_names(facts: dict[str, Any]) -> None:
    for catalogue, section in ((KnownGPU, "gpus"), (KnownMIG, "migs"), (KnownCPU, "cpus")):
        assert {known.name for known in catalogue} >= set(facts[section])
        for name, row in facts[section].items():
            value = catalogue[name].value
            letters = all(len(alias) == 1 for alias in row["reported_names"]["aliases"]) and row["reported_names"]["aliases"]
            aliases = ["".join(row["reported_names"]["aliases"])] if letters else row["reported_names"]["aliases"]
            for reported in (row["reported_names"]["name"], *aliases):
                assert value.name.matches(reported), (name, reported)
            if section != "cpus" and row["pci_device_ids"] != "any":
                assert all(value.pci_id.matches(pci) for pci in row["pci_device_ids"]), name
                assert value.compute_sm == row["compute_sm"]


BOARDS = {
    "GB300": "GB300_GraceBlackwell_288GB",
    "GB200": "GB200_GraceBlackwell_186GB",
    "GH200[-_]144GB": "GH200_GraceHopper_144GB",
    "B300": "B300_SXM_270GB",
    "B200": "B200_SXM_180GB",
    "H200[-_]?NVL": "H200_NVL",
    "H200": "H200_SXM_141GB",
    "H100-NVL": "H100_NVL",
    "RTX_?PRO_?6000": "RTX_PRO_6000",
    "RTX_PRO_4500": "RTX_PRO_4500",
    "RTX_4000_Ada": "RTX_4000_Ada",
    "L40S": "L40S",
    "L4-": "L4",
}
"""The board in a system's folder name (the first that is found), and its known name."""


def test_every_board_of_the_newer_rounds_is_known_in_its_numbers(shared: Path) -> None:
    folders = json.loads((shared / "facts" / "config_fields_v5.json").read_text(encoding="utf-8"))["system_folders"]
    names = sorted({name for of_round in folders.values() for name in of_round})
    ids = {system.system_id for system in KnownSystem}
    counts = {(system.accelerator, system.accelerators) for system in KnownSystem}
    for name in names:
        board = next(known for pattern, known in BOARDS.items() if re.search(pattern, name, re.IGNORECASE))
        assert board in KnownGPU
        counted = re.findall(r"[xX](\d+)(?=_|$)", name)  # the last: G894-SD3-AAX7_B300-SXM-270GBx8 is eight
        if counted:
            assert (board, int(counted[-1])) in counts, name
    own = re.compile(r"(B200-SXM-180GB|B300-SXM-270GB|GB[23]00-NVL72_GB[23]00-\d+GB_aarch64|H200-SXM-141GB)x\d+|ND_GB200_v6")
    assert {name for name in names if own.fullmatch(name)} <= ids


def test_a_misspelt_system_names_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"KnownSystem\.A100_SXM4_40GBx8"):
        _ = KnownSystem["A100_SXM4_40GB_x8"]
    with pytest.raises(AttributeError, match=r"KnownGPU\.L40S"):
        _ = KnownGPU.L40S_
    assert KnownSystem.get("A100_SXM4_40GB_x8") is None
    assert "nothing_like_it_at_all" not in KnownSystem


def test_an_attribute_that_nobody_defined_is_a_placeholder_that_says_so() -> None:
    system = KnownSystem.A100_SXM4_40GB_x8
    assert system.name == "A100_SXM4_40GB_x8"
    assert "KnownSystem.A100_SXM4_40GBx8" in system.undefined
    assert not system.custom and system not in KnownSystem and system not in list(KnownSystem)
    assert not hasattr(KnownSystem, "_private")


def test_the_catalogue_reads_like_an_enum() -> None:
    system = KnownSystem.ND_H100_v5
    assert KnownSystem["ND_H100_v5"] is system
    assert system in KnownSystem and "ND_H100_v5" in KnownSystem
    assert system in list(KnownSystem)
    assert str(system) == "KnownSystem.ND_H100_v5"
    assert {KnownSystem.ND_H100_v5: 1}[system] == 1
    assert system.value.system_id == "ND_H100_v5"
    assert "ND_H100_v5" in dir(KnownSystem)


def test_retired_systems_say_so() -> None:
    assert "retired" in KnownSystem.A100_PCIe_40GBx8.retired
    assert "A100_PCIe_40GBx8" in DeprecatedSystem
    assert "A100_PCIe_80GBx8" not in DeprecatedSystem


def test_classifications_answer_for_known_systems() -> None:
    assert SystemClassifications.is_blackwell(KnownSystem.B300_SXM_270GBx8)
    assert SystemClassifications.is_blackwell(KnownSystem.RTX_PRO_6000_96GBx8)
    assert not SystemClassifications.is_blackwell(KnownSystem.H200_NVL_141GBx8)
    assert SystemClassifications.is_hopper(KnownSystem.H100_SXM_80GBx8)
    assert SystemClassifications.is_ada(KnownSystem.L4x1)
    assert SystemClassifications.is_ampere(KnownSystem.A10x1)
    assert SystemClassifications.is_turing(KnownSystem.T4x1)
    assert SystemClassifications.is_aarch64(KnownSystem.GH200_96GB_ARMx1)
    assert SystemClassifications.is_orin(KnownSystem.Orin) and SystemClassifications.is_soc(KnownSystem.Orin)
    assert not SystemClassifications.is_orin(KnownSystem.L4x1)
    assert SystemClassifications.multi_gpu(KnownSystem.A100_SXM4_40GBx8)
    assert not SystemClassifications.multi_gpu(KnownSystem.A100_SXM4_40GBx1)
    assert SystemClassifications.start_from_device_enabled(KnownSystem.A100_SXM_80GBx8)
    assert SystemClassifications.start_from_device_enabled(KnownSystem.GB200_NVL72_186GB_ARMx4)
    assert not SystemClassifications.start_from_device_enabled(KnownSystem.L40Sx1)
    assert not SystemClassifications.gpu_based(KnownSystem.CPU_x86_64)


def test_generic_processors_have_an_architecture() -> None:
    assert KnownSystem.CPU_x86_64.value.host_cpu_conf.get_architecture() is CPUArchitecture.x86_64
    assert KnownSystem.CPU_aarch64.value.host_cpu_conf.get_architecture() is CPUArchitecture.aarch64


def test_importing_the_list_probes_nothing() -> None:
    program = (
        "import sys, subprocess\n"
        "def refuse(*a, **k): raise AssertionError('a process was started')\n"
        "subprocess.Popen.__init__ = refuse\n"
        "import code.common.systems.system_list as s\n"
        "assert 'A100_SXM4_40GBx8' in s.KnownSystem\n"
        "assert 'pynvml' not in sys.modules and 'code.machine.detect' not in sys.modules\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
