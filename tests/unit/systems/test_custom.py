"""Systems from custom_list.py files, in the form in which vendors hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.systems.system_list import KnownSystem

HEADER = """\
from __future__ import annotations

import os

from code.common.constants import *
from code.common.systems.base import *
from code.common.systems.accelerator import AcceleratorConfiguration, GPU, MIG
from code.common.systems.cpu import CPUConfiguration, CPU
from code.common.systems.memory import MemoryConfiguration
from code.common.systems.systems import SystemConfiguration
from code.common.systems.known_hardware import *

custom_systems = dict()

"""

PLAIN = (
    "custom_systems['Rack_L4x4'] = SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={CPU(name=\"Intel(R) Xeon(R) Gold "
    '5412U", architecture=CPUArchitecture.x86_64, core_count=24, threads_per_core=2): 1}), host_mem_conf=MemoryConfiguration('
    "host_memory_capacity=Memory(quantity=263.68625199999997, byte_suffix=ByteSuffix.GB), comparison_tolerance=0.05), "
    'accelerator_conf=AcceleratorConfiguration(layout={KnownGPU.L4.value: 4}), numa_conf=None, system_id="Rack_L4x4")\n'
)

OWN_GPU = (
    "custom_systems['Edge_Orin'] = SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={CPU(name=\"Cortex-A78AE\", "
    "architecture=CPUArchitecture.aarch64, core_count=4, threads_per_core=1): 1}), host_mem_conf=MemoryConfiguration("
    "host_memory_capacity=Memory(quantity=56.1, byte_suffix=ByteSuffix.GB), comparison_tolerance=0.05), "
    'accelerator_conf=AcceleratorConfiguration(layout={GPU(name="Orin (nvgpu)", accelerator_type=AcceleratorType.Integrated, '
    'vram=None, max_power_limit=None, pci_id="[N/A]", compute_sm=87): 1}), numa_conf=None, system_id="edge_orin")\n'
)


@pytest.fixture
def listing(definitions: Path) -> Path:
    """The custom_list.py of the folder of definitions."""
    path = definitions / "custom_systems" / "custom_list.py"
    path.parent.mkdir()
    return path


def test_a_vendors_list_is_read(listing: Path) -> None:
    listing.write_text(HEADER + PLAIN + OWN_GPU, encoding="utf-8")
    system = KnownSystem.Rack_L4x4
    assert system.custom and system.accelerator == "L4" and system.accelerators == 4
    assert KnownSystem.Edge_Orin.system_id == "edge_orin"
    assert KnownSystem.problems == []
    assert "A100_SXM4_40GBx8" in KnownSystem


def test_a_failing_line_costs_itself_alone(listing: Path) -> None:
    broken = PLAIN.replace("Rack_L4x4", "Broken").replace("KnownGPU.L4", "KnownGPU.L4_S")
    listing.write_text(HEADER + broken + PLAIN, encoding="utf-8")
    assert "Rack_L4x4" in KnownSystem
    assert "Broken" not in KnownSystem
    (problem,) = KnownSystem.problems
    assert (problem.path, problem.line) == (listing, 15)
    assert "KnownGPU.L4" in problem.message
    assert str(problem).startswith(f"{listing}:15: ")


@pytest.mark.parametrize(
    ("text", "word"), [("custom_systems['x' = 3\n", "syntax error"), ("custom_systems =\u00a0dict()\n", "space")]
)
def test_a_file_that_does_not_parse_is_named_by_line(listing: Path, text: str, word: str) -> None:
    listing.write_text(HEADER + text, encoding="utf-8")
    assert "A100_SXM4_40GBx8" in KnownSystem
    (problem,) = KnownSystem.problems
    assert problem.line == 15 and word in problem.message


def test_entries_that_are_no_systems_are_told(listing: Path) -> None:
    listing.write_text(
        HEADER + PLAIN + "custom_systems['other'] = 3\ncustom_systems['no name'] = custom_systems['Rack_L4x4']\n", "utf-8"
    )
    assert "Rack_L4x4" in KnownSystem
    assert len(KnownSystem.problems) == 2


def test_even_leaving_costs_the_file_alone(listing: Path) -> None:
    listing.write_text(HEADER + "raise SystemExit(0)\n" + PLAIN, encoding="utf-8")
    assert "Rack_L4x4" in KnownSystem
    assert len(KnownSystem.problems) == 1


def test_a_list_may_itself_ask_for_known_systems(listing: Path) -> None:
    text = "from code.common.systems.system_list import KnownSystem\ncustom_systems['Twin'] = KnownSystem.L4x1.value\n"
    listing.write_text(HEADER + text, encoding="utf-8")
    assert "Twin" in KnownSystem and KnownSystem.problems == []


def test_a_missing_folder_of_definitions_is_told(tmp_path: Path, definitions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPINF_CUSTOM_DEFINITION_PATH", str(tmp_path / "absent"))
    KnownSystem.forget()
    assert "L4x1" in KnownSystem
    assert "does not exist" in KnownSystem.problems[0].message


def test_one_more_list_can_be_read(tmp_path: Path, definitions: Path) -> None:
    other = tmp_path / "custom_list.py"
    other.write_text(HEADER + PLAIN, encoding="utf-8")
    before = list(KnownSystem._included)
    KnownSystem.include(other)
    try:
        assert "Rack_L4x4" in KnownSystem and KnownSystem.Rack_L4x4.origin == str(other)
    finally:
        KnownSystem._included[:] = before
        KnownSystem.forget()
