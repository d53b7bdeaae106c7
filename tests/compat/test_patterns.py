"""Config files as vendors hold them load unchanged: the patterns that public files use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import AccuracyTarget, Benchmark, HarnessType, PowerSetting, Scenario
from code.systems.system_list import KnownSystem
from configs.configuration import ConfigRegistry
from configs.inspection import faults, fields_of
from tests.compat.conftest import REGISTER, DropIn

FAMILY = """\
@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx1(OfflineGPUBaseConfig):
    system = KnownSystem.L40Sx1
    gpu_batch_size = {'bert': 512}
    offline_expected_qps = 3000
    workspace_size: int = 7516192768
    note_to_self: str


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
class L40Sx1_HighAccuracy(L40Sx1):
    precision = "fp16"
    use_fp8 = True
    offline_expected_qps = L40Sx1.offline_expected_qps / 2


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class L40Sx8(L40Sx1):
    system = KnownSystem.L40Sx8
    offline_expected_qps = L40Sx1.offline_expected_qps * 8
    numa_config = "0-3:0-15&4-7:16-31"
"""


def test_a_replaced_file_stands_for_the_projects_own(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(FAMILY)
    assert drop_in.names() == ["L40Sx1", "L40Sx1_HighAccuracy", "L40Sx8"]
    workload = drop_in.one("--system=L40Sx8")
    assert workload["offline_expected_qps"] == 24000 and workload["gpu_batch_size"] == {"bert": 512}
    assert workload["workspace_size"] == 7516192768 and workload["gpu_copy_streams"] == 2
    assert workload["bert_opt_seqlen"] == 384, "inherited from the project's configs/bert"
    line = path.read_text().splitlines().index('    numa_config = "0-3:0-15&4-7:16-31"') + 1
    assert workload.values["numa_config"].origin == f"config {path}:{line} (L40Sx8)"
    assert "note_to_self" not in fields_of(workload.config.cls)


def test_a_high_accuracy_class_inherits_its_system(drop_in: DropIn) -> None:
    drop_in.bert_offline(FAMILY)
    workload = drop_in.one("--system=L40Sx1", "--config_ver=high_accuracy")
    assert workload["precision"] == "fp16" and workload["offline_expected_qps"] == 1500
    assert workload.full_name == "bert-99.9"


def test_the_working_directory_does_not_stay_in_the_module_path(drop_in: DropIn) -> None:
    before = list(sys.path)
    drop_in.bert_offline(FAMILY)
    drop_in.load()
    assert sys.path == before


def test_custom_py_beside_a_replaced_file(drop_in: DropIn) -> None:
    drop_in.bert_offline(FAMILY)
    drop_in.write(
        "bert/Offline/custom.py",
        "from . import *\n\n\n"
        + REGISTER
        + "class L40Sx4(L40Sx1):\n    system = KnownSystem.L40Sx4\n    offline_expected_qps: float = 11000.5\n",
    )
    assert drop_in.names() == ["L40Sx1", "L40Sx1_HighAccuracy", "L40Sx8", "L40Sx4"]
    assert drop_in.one("--system=L40Sx4")["offline_expected_qps"] == 11000.5


def test_custom_py_beside_the_projects_own_file(drop_in: DropIn) -> None:
    drop_in.write(
        "bert/Offline/custom.py",
        "from . import *\n\n\n"
        + REGISTER
        + "class L4x8(L4x1):\n    system = KnownSystem.L4x8\n    offline_expected_qps = L4x1.offline_expected_qps * 8\n",
    )
    workload = drop_in.one("--system=L4x8")
    assert workload["offline_expected_qps"] == 8 * drop_in.one("--system=L4x1")["offline_expected_qps"]


@pytest.mark.parametrize(
    ("folder", "benchmark"), [("3d-unet", Benchmark.UNET3D), ("gptj", Benchmark.GPTJ), ("bert", Benchmark.BERT)]
)
def test_the_parent_through_import_module(drop_in: DropIn, folder: str, benchmark: Benchmark) -> None:
    drop_in.write(
        f"{folder}/SingleStream/__init__.py",
        "from importlib import import_module\n"
        "from code.common.constants import Benchmark, Scenario\n"
        "from code.common.systems.system_list import KnownSystem\n"
        "from configs.configuration import *\n\n"
        f'ParentConfig = import_module("configs.{folder}")\n'
        "GPUBaseConfig = ParentConfig.GPUBaseConfig\n\n\n"
        "class SingleStreamGPUBaseConfig(GPUBaseConfig):\n    scenario = Scenario.SingleStream\n\n\n"
        + REGISTER
        + f"class L4x1(SingleStreamGPUBaseConfig):\n    system = KnownSystem.L4x1\n    gpu_batch_size = {{'{folder}': 1}}\n"
        "    single_stream_expected_latency_ns = 14490000\n",
    )
    (file,) = drop_in.load(benchmark, Scenario.SingleStream)
    assert file.problems == () and [entry.cls.__name__ for entry in file.entries] == ["L4x1"]
    workload = drop_in.one(f"--benchmarks={folder}", "--scenarios=SingleStream", "--system=L4x1")
    assert workload["single_stream_expected_latency_ns"] == 14490000


def test_a_benchmarks_own_base_classes_may_be_replaced_too(drop_in: DropIn) -> None:
    drop_in.write(
        "bert/__init__.py",
        "import os\nimport sys\nsys.path.insert(0, os.getcwd())\n\n"
        "from code.common.constants import Benchmark\nfrom configs.configuration import BenchmarkConfiguration\n\n\n"
        "class GPUBaseConfig(BenchmarkConfiguration):\n    benchmark = Benchmark.BERT\n    input_format = 'linear'\n"
        "    tensor_path = 'a.npy,b.npy'\n    precision = 'int8'\n\n\nclass CPUBaseConfig(GPUBaseConfig):\n    pass\n",
    )
    drop_in.bert_offline(FAMILY)
    workload = drop_in.one("--system=L40Sx1")
    assert workload["tensor_path"] == "a.npy,b.npy"
    assert workload["backend"] == "tensorrt", "the default, since this base class names none"


@pytest.mark.parametrize("name", ["bert", "gptj", "3d-unet"])
def test_the_projects_base_classes_have_the_usual_names(name: str) -> None:
    from importlib import import_module

    parent = import_module(f"configs.{name}")
    assert issubclass(parent.GPUBaseConfig, object) and parent.CPUBaseConfig.benchmark is parent.GPUBaseConfig.benchmark
    scenarios = {"bert": list(Scenario)[:4], "3d-unet": [Scenario.Offline, Scenario.SingleStream]}.get(name) or list(Scenario)[:3]
    for scenario in scenarios:
        base = getattr(import_module(f"configs.{name}.{scenario}"), f"{scenario}GPUBaseConfig")
        assert base.scenario is scenario


def test_the_star_import_gives_the_languages_names() -> None:
    names: dict[str, Any] = {}
    exec("from configs.configuration import *", names)
    for name in (
        "ConfigRegistry",
        "HarnessType",
        "AccuracyTarget",
        "PowerSetting",
        "KnownSystem",
        "BenchmarkConfiguration",
        "Dict",
    ):
        assert name in names
    assert {h.name for h in names["HarnessType"]} == {
        "LWIS",
        "Custom",
        "Triton",
        "TritonUnified",
        "HeteroMIG",
        "LON_Node",
        "SUT_Node",
    }


def test_every_harness_type_and_power_setting_loads(drop_in: DropIn) -> None:
    body = ""
    for harness in HarnessType:
        for power in PowerSetting:
            body += f"@ConfigRegistry.register(HarnessType.{harness.name}, AccuracyTarget.k_99, PowerSetting.{power.name})\n"
            body += f"class T4_{harness.name}_{power.name}(OfflineGPUBaseConfig):\n    system = KnownSystem.T4x1\n"
            body += "    offline_expected_qps = 400\n    power_limit = 60\n\n\n"
    drop_in.bert_offline(body)
    (file,) = drop_in.load()
    assert file.problems == () and len(file.entries) == 14
    assert all(faults(entry) == [] for entry in file.entries)
    assert drop_in.one("--system=T4x1", "--config_ver=maxq").config.cls.__name__ == "T4_Custom_MaxQ"
    workloads, errors = drop_in.plan("--system=T4x1", "--config_ver=all")
    assert len(workloads) == 2 and errors == [], "'all' is what this build can run"


def test_a_class_for_runs_beside_others_is_chosen_by_its_version(drop_in: DropIn) -> None:
    classes = "".join(
        f"@ConfigRegistry.register(HarnessType.{harness}, AccuracyTarget.k_99, PowerSetting.MaxP)\n"
        f"class L4x1_{harness}(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = {rate}\n\n\n"
        for harness, rate in (("Custom", 900), ("HeteroMIG", 800))
    )
    drop_in.bert_offline(classes)
    assert drop_in.one("--system=L4x1", "--config_ver=hetero")["offline_expected_qps"] == 800
    assert drop_in.one("--system=L4x1")["offline_expected_qps"] == 900


@pytest.mark.parametrize(("harness", "version"), [("Triton", "triton"), ("TritonUnified", "triton_unified")])
def test_tritons_classes_run_behind_triton(drop_in: DropIn, harness: str, version: str) -> None:
    drop_in.bert_offline(
        f"@ConfigRegistry.register(HarnessType.{harness}, AccuracyTarget.k_99, PowerSetting.MaxP)\n"
        "class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = 900\n"
    )
    found = drop_in.one("--system=L4x1", f"--config_ver={version}")
    assert found["use_triton"] is True and found.origin("use_triton") == f"config version {version}"


@pytest.mark.parametrize("harness", ["LON_Node", "SUT_Node"])
def test_nodes_of_the_network_division_load(drop_in: DropIn, harness: str) -> None:
    register = f"@ConfigRegistry.register(HarnessType.{harness}, AccuracyTarget.k_99, PowerSetting.MaxP)\n"
    body = "class Node(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = 900\n    tcp_port = '7000'\n"
    drop_in.bert_offline(register + body)
    (file,) = drop_in.load()
    assert file.problems == () and len(file.entries) == 1
    error = drop_in.refusal("--system=L4x1", "--config_ver=default")
    assert "L4x1 has no config for bert Offline" in error.what
    assert "lon_node" not in f"{error.why} {error.next_step}", "no version selects it"


def test_a_changed_model_is_a_variant(drop_in: DropIn) -> None:
    """Round v4.1's open division registers with a fourth argument for how the model was changed."""
    register = "@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP, ModelOpt.{})\n"
    body = "class L4x1_{}(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = {}\n\n\n"
    names = ("NoOpt", "Sparse", "DepthPruned")
    drop_in.bert_offline("".join(register.format(name) + body.format(name, rate) for rate, name in enumerate(names, 1)))
    (file,) = drop_in.load()
    assert file.problems == () and [entry.suffix for entry in file.entries] == ["", "Sparse", "DepthPruned"]
    assert drop_in.one("--system=L4x1")["offline_expected_qps"] == 1
    assert drop_in.one("--system=L4x1", "--config_suffix=sparse")["offline_expected_qps"] == 2


def test_use_triton_in_a_class_of_this_harness_acts(drop_in: DropIn) -> None:
    drop_in.bert_offline(
        REGISTER
        + "class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = 900\n    use_triton = True\n"
    )
    assert drop_in.one("--system=L4x1")["use_triton"] is True
    assert drop_in.one("--system=L4x1", "--use_triton=false")["use_triton"] is False


def test_lwis_is_a_default_config_too(drop_in: DropIn) -> None:
    drop_in.bert_offline(
        "@ConfigRegistry.register(HarnessType.LWIS, AccuracyTarget.k_99, PowerSetting.MaxP)\n"
        "class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = 900\n"
    )
    assert drop_in.one("--system=L4x1").setting.harness_type is HarnessType.LWIS


@pytest.mark.parametrize("value", ["64", "{'bert': 64}"])
def test_batch_sizes_are_a_number_or_a_dict(drop_in: DropIn, value: str) -> None:
    drop_in.bert_offline(
        REGISTER
        + f"class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps = 9\n    gpu_batch_size = {value}\n"
    )
    assert drop_in.one("--system=L4x1")["gpu_batch_size"] in (64, {"bert": 64})


def test_annotations_are_never_evaluated(drop_in: DropIn) -> None:
    drop_in.bert_offline(
        REGISTER
        + "class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n    offline_expected_qps: Whatever[int] = 900\n"
    )
    assert drop_in.one("--system=L4x1")["offline_expected_qps"] == 900


def test_older_tools_find_classes_through_the_registry(drop_in: DropIn) -> None:
    drop_in.bert_offline(FAMILY)
    assert ConfigRegistry.load_configs(Benchmark.BERT, Scenario.Offline)
    assert not ConfigRegistry.load_configs(Benchmark.RNNT, Scenario.Offline)
    found = ConfigRegistry.get(Benchmark.BERT, Scenario.Offline, KnownSystem.L40Sx1, accuracy_target=AccuracyTarget.k_99_9)
    assert found is not None and found.__name__ == "L40Sx1_HighAccuracy"
    assert ConfigRegistry.get(Benchmark.BERT, Scenario.Offline, KnownSystem.L4x1) is None


SAMPLE_VALUES = {"int": "3", "float": "1.5", "str": "'x'", "bool": "True", "dict[str, int]": "{'bert': 4}"}
OWN_VALUES = {"precision": "'int8'", "test_mode": "'PerformanceOnly'", "use_triton": "False", "log_mode": "'AsyncPoll'"}
OWN_VALUES |= {"soft_drop": "0.993", "kvcache_free_gpu_mem_frac": "0.95"}


def test_every_public_field_is_accepted(drop_in: DropIn, shared: Path) -> None:
    import json

    public = json.loads((shared / "facts" / "config_fields.json").read_text())["fields"]
    lines = [
        f"    {name} = {OWN_VALUES.get(name) or SAMPLE_VALUES[field['type']]}"
        for name, field in public.items()
        if name not in ("benchmark", "scenario", "system")
    ]
    drop_in.bert_offline(
        REGISTER + "class L4x1(OfflineGPUBaseConfig):\n    system = KnownSystem.L4x1\n" + "\n".join(lines) + "\n"
    )
    (file,) = drop_in.load()
    assert faults(file.entries[0]) == []
    assert drop_in.one("--system=L4x1")["verbose_glog"] == 3
