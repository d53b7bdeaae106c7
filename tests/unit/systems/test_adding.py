"""Adding a machine and taking it back: what is written, that it is matched, and that nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import Benchmark, Scenario
from code.common.errors import MissingError, UsageError
from code.machine.accelerator import AcceleratorConfiguration
from code.machine.detect import DetectedSystem
from code.systems import adding
from code.systems.adding import add, plan_addition, plan_removal, remove
from code.systems.custom_files import with_entry
from code.systems.description import for_submission, read_description, unfinished, write_description
from code.systems.matching import match
from code.systems.system_list import KnownSystem

Machine = Callable[..., DetectedSystem]
ALL = [
    "a100_mig_1g_5gb",
    "cpu_x86_64",
    "gh200_96gb",
    "h100_sxm_80gbx1",
    "h100_sxm_80gbx8",
    "l40sx4",
    "nd_h100_v5",
    "nvml_fails",
    "standard_nd96asr_v4",
]


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*")) if p.is_file()}


def added(name: str, detected: DetectedSystem) -> adding.Change:
    return add(name, detected, plan_addition(name, detected, [Benchmark.BERT]))


@pytest.mark.parametrize("capture", ALL)
def test_every_captured_machine_can_be_added_and_is_then_matched(
    machine: Machine, definitions: Path, tmp_path: Path, capture: str
) -> None:
    before = files(tmp_path)
    added("my_machine", machine(capture))
    assert KnownSystem.problems == []
    assert match(machine(capture)).system.name == "my_machine"
    assert match(machine(capture)).warnings == () or capture == "nvml_fails"
    for scenario in ("Offline", "Server", "SingleStream", "MultiStream"):
        text = (definitions / "custom_configs" / "bert" / scenario / "custom.py").read_text(encoding="utf-8")
        compile(text, scenario, "exec")
        assert "system = KnownSystem.my_machine" in text
        assert " = 0\n" not in text
    remove(plan_removal("my_machine"))
    assert files(tmp_path) == before
    assert "my_machine" not in KnownSystem


def test_adding_again_changes_nothing(machine: Machine, definitions: Path, tmp_path: Path) -> None:
    detected = machine("l40sx4")
    added("mine", detected)
    before = files(tmp_path)
    assert plan_addition("mine", detected, [Benchmark.BERT]).texts == {}
    added("mine", detected)
    assert files(tmp_path) == before


def test_tuned_values_and_filled_fields_survive_adding_again(machine: Machine, definitions: Path) -> None:
    change = added("mine", machine("l40sx4"))
    config = definitions / "custom_configs/bert/Offline/custom.py"
    config.write_text(
        config.read_text(encoding="utf-8").replace("offline_expected_qps = 13200", "offline_expected_qps = 14321"), "utf-8"
    )
    assert change.description is not None
    content = read_description(change.description)
    write_description(change.description, {**content, "cooling": "Air", "submitter": "Us"})
    again = added("mine", machine("l40sx4"))
    assert "14321" in config.read_text(encoding="utf-8")
    assert not any(line.startswith(("cooling", "submitter")) for line in again.todo)
    removal = plan_removal("mine")
    assert any("is kept" in remark for remark in removal.remarks)
    remove(removal)
    assert change.description.exists()


def test_what_is_written_is_well_formed(machine: Machine, definitions: Path) -> None:
    added("mine", machine("l40sx4"))
    added("other", machine("cpu_x86_64"))
    root = Path(__file__).resolve().parents[3]
    for command in (["check", "--ignore=F403,F405,E402,N801"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", str(root / "pyproject.toml"), str(definitions)],
            capture_output=True,
            text=True,
            check=False,
        )
        if "No module named ruff" in done.stderr:
            pytest.skip("ruff is not installed: make packages_dev")
        assert done.returncode == 0, done.stdout + done.stderr


def test_two_systems_live_beside_each_other(machine: Machine, definitions: Path, tmp_path: Path) -> None:
    added("one", machine("l40sx4"))
    before = files(tmp_path)
    added("two", machine("gh200_96gb"))
    assert {"one", "two"} <= set(KnownSystem.names())
    remove(plan_removal("two"))
    assert files(tmp_path) == before


def test_what_a_vendor_wrote_stays(machine: Machine, definitions: Path) -> None:
    listing = definitions / "custom_systems" / "custom_list.py"
    listing.parent.mkdir()
    vendor = "from code.common.systems.systems import *\n\ncustom_systems = dict()\n\n# END OF CUSTOM SYSTEMS\n"
    vendor = "from code.common.constants import *\nfrom code.common.systems.accelerator import *\n" + vendor
    vendor = "from code.common.systems.cpu import *\nfrom code.common.systems.memory import *\n" + vendor
    listing.write_text(vendor, encoding="utf-8")
    config = definitions / "custom_configs/bert/Offline/custom.py"
    config.parent.mkdir(parents=True)
    own = "from . import *\n\nclass Mine(OfflineGPUBaseConfig):\n    system = KnownSystem.mine\n"
    config.write_text(own, encoding="utf-8")
    change = added("mine", machine("l40sx4"))
    assert any("custom.py:3 has a config for mine already" in remark for remark in change.remarks)
    assert config.read_text(encoding="utf-8") == own
    assert "mine" in KnownSystem and "# END OF CUSTOM SYSTEMS" in listing.read_text(encoding="utf-8")
    remove(plan_removal("mine"))
    assert listing.read_text(encoding="utf-8") == vendor


def test_only_the_named_workloads_get_configs(machine: Machine, definitions: Path) -> None:
    change = plan_addition("mine", machine("l40sx4"), [Benchmark.BERT], [Scenario.Server])
    configs = [path for path in change.texts if path.name == "custom.py"]
    assert [path.parent.name for path in configs] == ["Server"]


def test_no_server_rate_is_above_what_a_simulation_finds_valid(machine: Machine, definitions: Path) -> None:
    def six(content: dict[str, Any]) -> None:
        gpus = content["probes"]["nvml"]["gpus"]
        content["probes"]["nvml"]["gpus"] = [{**gpus[0], "index": i, "uuid": f"GPU-{i}"} for i in range(6)]

    highest = {("bert-99", "Server"): 1000.0, ("bert-99.9", "Server"): 0.0, ("gptj-99", "Server"): 1.0}
    change = plan_addition("mine", machine("l40sx4", six), [Benchmark.BERT, Benchmark.GPTJ], [Scenario.Server], highest)
    bert, gptj = (text for path, text in change.texts.items() if path.name == "custom.py")
    assert bert is not None and bert.count("server_target_qps") == 1
    assert "server_target_qps = 900\n" in bert and "90% of 1,000, the highest rate that is VALID in a simulation" in bert
    assert "No rate is proposed" in bert
    assert gptj is not None and "server_target_qps = 0.9" not in gptj, "continuous batching is not simulated"
    published = plan_addition("mine", machine("l40sx4"), [Benchmark.BERT], [Scenario.Server], highest)
    (text,) = (text for path, text in published.texts.items() if path.name == "custom.py")
    assert text is not None and "server_target_qps = 900\n" not in text, "somebody submitted more"


@pytest.mark.parametrize("name", ["", "4xL40S", "my-server", "class", "_x"])
def test_names_that_cannot_be_used_are_refused(machine: Machine, definitions: Path, name: str) -> None:
    with pytest.raises(UsageError):
        plan_addition(name, machine("l40sx4"))


def test_a_list_that_does_not_parse_is_not_written_to(machine: Machine, definitions: Path) -> None:
    listing = definitions / "custom_systems" / "custom_list.py"
    listing.parent.mkdir()
    listing.write_text("custom_systems = dict(\n", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be parsed") as error:
        plan_addition("mine", machine("l40sx4"))
    assert "custom_list.py:1" in error.value.where


def test_removing_what_was_not_added(machine: Machine, definitions: Path) -> None:
    added("my_server", machine("l40sx4"))
    with pytest.raises(MissingError, match="my_servr") as error:
        plan_removal("my_servr")
    assert "my_server" in error.value.next_step
    with pytest.raises(MissingError, match="nothing was added for L40Sx4"):
        plan_removal("L40Sx4")


def test_a_known_system_gets_first_configs_and_nothing_else(machine: Machine, definitions: Path, tmp_path: Path) -> None:
    before = files(tmp_path)
    added("H100_NVL_94GBx2", machine("cpu_x86_64"))
    new = files(tmp_path).keys() - before.keys()
    assert new and all(name.endswith("/custom.py") for name in new)
    text = (definitions / "custom_configs/bert/Offline/custom.py").read_text(encoding="utf-8")
    assert "class H100_NVL_94GBx2(OfflineGPUBaseConfig):" in text and "4 x H100_NVL" in text
    remove(plan_removal("H100_NVL_94GBx2"))
    assert files(tmp_path) == before


def test_a_system_that_the_project_configures_gets_no_second_config(machine: Machine, definitions: Path) -> None:
    change = plan_addition("CPU_x86_64", machine("cpu_x86_64"), [Benchmark.BERT])
    assert change.texts == {}
    assert any("configs/bert/Offline/__init__.py:" in remark for remark in change.remarks)


def test_the_description_has_every_field_and_says_what_is_open(machine: Machine, definitions: Path) -> None:
    change = added("mine", machine("h100_sxm_80gbx8"))
    assert change.description is not None
    content = json.loads(change.description.read_text(encoding="utf-8"))
    assert content["accelerators_per_node"] == 8
    assert content["accelerator_memory_configuration"] == "HBM3"
    assert content["host_processor_core_count"] == 56
    assert content["framework"].startswith("TensorRT ")
    open_fields = [line.split(":")[0] for line in content["todo"]]
    assert open_fields == ["division", "submitter", "status", "system_type", "host_memory_configuration", "cooling"]
    with pytest.raises(UsageError, match="is incomplete"):
        for_submission(content)
    content.update(division="closed", submitter="Us", status="available", system_type="datacenter", cooling="Air")
    content["host_memory_configuration"] = "32x 64GB"
    assert unfinished(content) == []
    assert "todo" not in for_submission(content)


def test_a_processor_system_says_zero_accelerators_as_the_checker_wants(machine: Machine, definitions: Path) -> None:
    change = added("mine", machine("cpu_x86_64"))
    assert change.description is not None
    content = read_description(change.description)
    assert content["accelerators_per_node"] == "0"
    assert content["accelerator_model_name"] == "N/A"


def test_an_added_processor_system_is_not_another_machine(machine: Machine, definitions: Path) -> None:
    added("mine", machine("cpu_x86_64"))
    assert match(machine("nvml_fails")).system.name == "CPU_x86_64"


HOSTILE = [
    "NVIDIA H100\nimport os",
    "a\rb",
    "a\x00b",
    "a\x0cb",
    "a\x85b",
    "a\u2028b",
    'a"b\\',
    "a\\",
    "\udc80",
    "'); import os #",
    "😀",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_gpu_name_stays_a_string_and_leaves_other_systems_alone(machine: Machine, definitions: Path, name: str) -> None:
    def rename(content: dict[str, Any]) -> None:
        for device in content["probes"]["nvml"]["gpus"]:
            device["name"] = name

    added("first", machine("gh200_96gb"))
    added("mine", machine("l40sx4", rename))
    added("last", machine("h100_sxm_80gbx1"))
    assert KnownSystem.problems == [] and {"first", "mine", "last"} <= set(KnownSystem.names())
    added("mine", machine("l40sx4"))
    remove(plan_removal("mine"))
    assert KnownSystem.problems == [] and {"first", "last"} <= set(KnownSystem.names()) and "mine" not in KnownSystem


def test_a_number_that_is_not_finite_is_refused_before_anything_is_written(
    machine: Machine, definitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added("first", machine("gh200_96gb"))
    before = files(tmp_path)
    detected = machine("l40sx4")
    gpu = replace(detected.gpus[0].kind, max_power_limit=float("nan"))
    config = replace(detected.config, accelerator_conf=AcceleratorConfiguration(layout={gpu: 4}))
    with pytest.raises(UsageError, match="cannot be added"):
        plan_addition("mine", replace(detected, config=config), [Benchmark.BERT])
    assert files(tmp_path) == before


def test_a_statement_that_would_take_other_entries_away_is_refused() -> None:
    text = with_entry(None, Path("custom_list.py"), "first", "SystemConfiguration()")
    with pytest.raises(UsageError, match="not one statement"):
        with_entry(text, Path("custom_list.py"), "second", 'None; custom_systems["third"] = None')
