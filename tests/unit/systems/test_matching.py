"""Which known system a machine is: near matches are taken with a warning, others refused with a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from code.common.errors import MissingError
from code.machine.detect import DetectedSystem
from code.systems.matching import match, plain_cpu_name

Machine = Callable[..., DetectedSystem]


@pytest.mark.parametrize(
    ("name", "system", "system_id"),
    [
        ("standard_nd96asr_v4", "A100_SXM4_40GBx8", "DGX-A100_A100-SXM4-40GBx8"),
        ("h100_sxm_80gbx1", "H100_SXM_80GBx1", "DGX-H100_H100-SXM-80GBx1"),
        ("h100_sxm_80gbx8", "H100_SXM_80GBx8", "DGX-H100_H100-SXM-80GBx8"),
        ("nd_h100_v5", "ND_H100_v5", "ND_H100_v5"),
        ("l40sx4", "L40Sx4", "L40Sx4"),
        ("a100_mig_1g_5gb", "A100_SXM4_40GB_MIG_1x1g_5gb", "DGX-A100_A100-SXM4-40GB-MIG_1x1g.5gb"),
        ("gh200_96gb", "GH200_96GB_ARMx1", "GH200-GraceHopper-Superchip_GH200-96GB_aarch64x1"),
        ("cpu_x86_64", "CPU_x86_64", "Intel_Xeon_Processorx1"),
        ("nvml_fails", "CPU_x86_64", "AMD_EPYC_7742x2"),
    ],
)
def test_captured_machines_match_by_name(machine: Machine, name: str, system: str, system_id: str) -> None:
    detected = machine(name)
    found = match(detected)
    assert (found.system.name, found.system_id) == (system, system_id)
    assert detected.config.system_id == system_id


def test_another_processor_is_a_warning(machine: Machine) -> None:
    warnings = match(machine("l40sx4")).warnings
    assert any("AMD EPYC 9354" in warning and "AMD EPYC 7742" in warning for warning in warnings)
    assert match(machine("standard_nd96asr_v4")).warnings == ()  # any x86-64 processor was tested with it


@pytest.mark.parametrize(("share", "taken"), [(1.2, True), (0.97, True), (0.5, False)])
def test_a_little_less_memory_is_a_warning_and_half_is_not(machine: Machine, share: float, taken: bool) -> None:
    def memory(content: dict[str, Any]) -> None:
        content["files"]["/proc/meminfo"] = f"MemTotal: {int(500 * share) << 20} kB"

    if taken:
        found = match(machine("gh200_96gb", memory))
        assert found.system.name == "GH200_96GB_ARMx1"
        assert any("host memory" in warning for warning in found.warnings) is (share < 1)
    else:
        with pytest.raises(MissingError, match="host memory"):
            match(machine("gh200_96gb", memory))


def test_an_unlisted_count_shows_the_three_nearest(machine: Machine) -> None:
    def five(content: dict[str, Any]) -> None:
        del content["probes"]["nvml"]["gpus"][5:]

    with pytest.raises(MissingError) as error:
        match(machine("standard_nd96asr_v4", five))
    assert error.value.exit_status == 3
    lines = error.value.why.splitlines()
    assert "A100_SXM4_40GBx8" in lines[1] and "A100_SXM4_40GBx1" in lines[1]
    assert [line.split()[0] for line in lines[2:]] == ["accelerator", "count", "architecture", "processor", "host"]
    assert "differs" in lines[3]
    assert "make add_system NAME=" in error.value.next_step


def test_an_unknown_board_is_refused_by_what_it_says(machine: Machine) -> None:
    def other(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu.update(name="NVIDIA X900", pci_id="0xFFF010DE", memory_bytes=183359 << 20, compute_capability=[10, 0])

    with pytest.raises(MissingError, match="8 x NVIDIA X900"):
        match(machine("h100_sxm_80gbx8", other))


@pytest.mark.parametrize(
    ("capture", "count", "name", "pci", "mebibytes", "watts", "capability", "system"),
    [
        ("h100_sxm_80gbx8", 8, "NVIDIA B200", "2901", 183359, 1000.0, [10, 0], "B200_SXM_180GBx8"),
        ("h100_sxm_80gbx8", 8, "NVIDIA B300 SXM6 AC", "3182", 275040, 1100.0, [10, 3], "B300_SXM_270GBx8"),
        ("gh200_96gb", 4, "NVIDIA GB200", "2941", 189471, 1200.0, [10, 0], "GB200_NVL72_186GB_ARMx4"),
        ("gh200_96gb", 4, "NVIDIA GB300", "31C2", 284208, 1400.0, [10, 3], "GB300_NVL72_288GB_ARMx4"),
        ("l40sx4", 8, "NVIDIA RTX PRO 6000 Blackwell Server Edition", "2BB5", 97887, 600.0, [12, 0], "RTX_PRO_6000_96GBx8"),
        ("l40sx4", 1, "NVIDIA RTX PRO 4500 Blackwell", "2C31", 32623, 200.0, [12, 0], "RTX_PRO_4500_32GBx1"),
        ("l40sx4", 1, "NVIDIA RTX 4000 Ada Generation", "27B2", 20475, 130.0, [8, 9], "RTX_4000_Ada_20GBx1"),
        ("l40sx4", 1, "NVIDIA RTX 2000E Ada Generation", "28B0", 16380, 50.0, [8, 9], "RTX_2000E_Ada_16GBx1"),
        ("l40sx4", 2, "NVIDIA GeForce RTX 4090", "2684", 24564, 450.0, [8, 9], "GeForceRTX_4090x2"),
        ("l40sx4", 8, "NVIDIA H200 NVL", "233B", 143771, 600.0, [9, 0], "H200_NVL_141GBx8"),
        ("l40sx4", 4, "NVIDIA L4", "27B8", 23034, 72.0, [8, 9], "L4x4"),
    ],
)
def test_boards_since_v5_1_are_known(
    machine: Machine, capture: str, count: int, name: str, pci: str, mebibytes: int, watts: float, capability: Any, system: str
) -> None:
    """Sizes are those that nvidia-smi reports, a little below the names'."""

    def boards(content: dict[str, Any]) -> None:
        gpus = content["probes"]["nvml"]["gpus"]
        board = {"name": name, "pci_id": f"0x{pci}10DE", "memory_bytes": mebibytes << 20, "power_limit_max_w": watts}
        content["probes"]["nvml"]["gpus"] = [
            {**gpus[0], **board, "compute_capability": capability, "index": index, "uuid": f"GPU-{index}"}
            for index in range(count)
        ]

    found = match(machine(capture, boards))
    assert found.system.name == system
    assert not any("calls itself" in warning for warning in found.warnings)


def test_a_cloud_has_its_own_name_for_a_tray_of_grace_blackwell(machine: Machine) -> None:
    def tray(content: dict[str, Any]) -> None:
        gpus = content["probes"]["nvml"]["gpus"]
        board = {"name": "NVIDIA GB200", "pci_id": "0x294110DE", "memory_bytes": 189471 << 20, "compute_capability": [10, 0]}
        content["probes"]["nvml"]["gpus"] = [{**gpus[0], **board, "index": i, "uuid": f"GPU-{i}"} for i in range(4)]
        content["files"]["/sys/class/dmi/id/sys_vendor"] = "Microsoft Corporation"
        content["files"]["/sys/class/dmi/id/product_name"] = "Virtual Machine"

    assert match(machine("gh200_96gb", tray)).system.name == "ND_GB200_v6"


def test_the_pci_id_decides_before_the_name(machine: Machine) -> None:
    def renamed(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu["name"] = "NVIDIA Engineering Sample"

    found = match(machine("h100_sxm_80gbx8", renamed))
    assert found.system.name == "H100_SXM_80GBx8"
    assert any("Engineering Sample" in warning for warning in found.warnings)


def test_without_a_pci_id_the_name_decides(machine: Machine) -> None:
    def nameless(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu["pci_id"] = None

    assert match(machine("l40sx4", nameless)).system.name == "L40Sx4"


def test_a_gpu_of_another_size_is_another_gpu(machine: Machine) -> None:
    def larger(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu["memory_bytes"] *= 2

    with pytest.raises(MissingError):
        match(machine("standard_nd96asr_v4", larger))


def test_another_architecture_is_refused(machine: Machine) -> None:
    def arm(content: dict[str, Any]) -> None:
        command = content["commands"]["lscpu"]
        command["stdout"] = (
            command["stdout"].replace("x86_64", "aarch64").replace("AMD EPYC 9354 32-Core Processor", "Neoverse-N1")
        )

    with pytest.raises(MissingError, match="architecture"):
        match(machine("l40sx4", arm))


@pytest.mark.parametrize(("watts", "name"), [(700.0, "H200_SXM_141GBx8"), (1000.0, "H200_SXM_141GB_CTSx8")])
def test_the_power_limit_tells_twins_apart(machine: Machine, watts: float, name: str) -> None:
    def h200(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu.update(name="NVIDIA H200", pci_id="0x233510DE", memory_bytes=143771 << 20, power_limit_max_w=watts)

    assert match(machine("h100_sxm_80gbx8", h200)).system.name == name


def test_a_retired_system_matches_with_a_word(machine: Machine) -> None:
    def pcie(content: dict[str, Any]) -> None:
        for gpu in content["probes"]["nvml"]["gpus"]:
            gpu.update(name="NVIDIA A100-PCIe-40GB", pci_id="0x20F110DE", power_limit_max_w=250.0)

    found = match(machine("standard_nd96asr_v4", pcie))
    assert found.system.name == "A100_PCIe_40GBx8"
    assert any("retired" in warning for warning in found.warnings)


def test_an_exact_number_of_slices_is_not_a_part_of_them(machine: Machine) -> None:
    def one(content: dict[str, Any]) -> None:
        content["environment"]["CUDA_VISIBLE_DEVICES"] = content["probes"]["nvml"]["gpus"][0]["mig_devices"][0]["uuid"]

    found = match(machine("a100_mig_1g_5gb", one))
    assert not any("slices" in warning for warning in found.warnings)
    assert any("7 MIG slices" in warning for warning in match(machine("a100_mig_1g_5gb")).warnings)


def test_a_failing_driver_is_a_warning_of_the_match(machine: Machine) -> None:
    assert any("NVML failed" in warning for warning in match(machine("nvml_fails")).warnings)


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        ("Intel(R) Xeon(R) Platinum 8480C", "Intel_Xeon_Platinum_8480C"),
        ("Intel(R) Xeon(R) Platinum 8480+", "Intel_Xeon_Platinum_8480P"),
        ("Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", "Intel_Xeon_Platinum_8380"),
        ("AMD EPYC 7742 64-Core Processor", "AMD_EPYC_7742"),
        ("Neoverse-V2", "Neoverse-V2"),
        ("ARMv8 Processor rev 0 (v8l)", "ARMv8_Processor_rev_0_v8l"),
        ("../..//\0", "unknown"),
    ],
)
def test_system_ids_are_safe_file_names(model: str, plain: str) -> None:
    assert plain_cpu_name(model) == plain
