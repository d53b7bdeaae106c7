"""What is wrong with a config file costs itself alone, and is told with its place and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.common.constants import Benchmark, Scenario
from code.common.errors import UsageError
from configs.loading import CUSTOM_ENVIRONMENT
from tests.compat.conftest import HEAD, REGISTER, DropIn

START = HEAD.count("\n") + 1
"""The line of what follows the usual head."""


def config(name: str, *lines: str, base: str = "OfflineGPUBaseConfig") -> str:
    """A registered class with lines below its head."""
    return f"{REGISTER}class {name}({base}):\n" + "".join(f"    {line}\n" for line in lines) + "\n\n"


GOOD = config("L4x1", "system = KnownSystem.L4x1", "offline_expected_qps = 900")


@pytest.mark.parametrize(
    ("text", "line", "reason", "hint"),
    [
        ("class X(OfflineGPUBaseConfig)\n    pass\n", START, "syntax error", "the others load"),
        (f"{REGISTER}class X(OfflineGPUBaseConfig):\n\u00a0\u00a0\u00a0 system = 3\n", START + 2, "U+00A0", "non-breaking space"),
        ("class X(OfflineGPUBaseConfig):\n    a = 1\n   b = 2\n", START + 2, "unindent", "the others load"),
    ],
)
def test_a_file_that_does_not_parse_costs_itself_alone(drop_in: DropIn, text: str, line: int, reason: str, hint: str) -> None:
    path = drop_in.bert_offline(GOOD + text)
    line += GOOD.count("\n")
    drop_in.write(
        "bert/Server/custom.py", "from . import *\n\n\n" + config("L4x2", "system = KnownSystem.L4x2", base="ServerGPUBaseConfig")
    )
    (file,) = drop_in.load()
    (problem,) = file.problems
    assert file.entries == ()
    assert (problem.file, problem.line) == (str(path), line)
    assert reason in problem.reason and hint in problem.hint
    assert "L4x2" in drop_in.names(scenario=Scenario.Server)
    error = drop_in.refusal("--system=L4x1")
    assert isinstance(error, UsageError) and error.where == f"{path}:{line}"


def test_a_file_in_another_encoding_is_told(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(GOOD)
    path.write_bytes(b"NAME = 'caf\xe9'\n" + path.read_bytes())
    (file,) = drop_in.load()
    assert file.entries == () and "utf-8" in file.problems[0].reason


def test_a_system_that_nobody_defined_costs_its_class_alone(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(config("Rack", "system = KnownSystem.Rack_L40S", "offline_expected_qps = 900") + GOOD)
    assert drop_in.names() == ["Rack", "L4x1"]
    assert drop_in.one("--system=L4x1")["offline_expected_qps"] == 900
    with pytest.raises(UsageError) as caught:
        drop_in.plan("--system=Rack_L40S")
    assert "Rack_L40S" in caught.value.what
    assert "make add_system NAME=Rack_L40S" in caught.value.next_step
    assert caught.value.where == f"{path}:{START + 2}"


def test_a_system_that_nobody_defined_and_whose_name_tells_its_accelerators_plans(drop_in: DropIn) -> None:
    drop_in.bert_offline(config("Rack", "system = KnownSystem.Vendor9_A40x3", "offline_expected_qps = 900") + GOOD)
    workload = drop_in.one("--system=vendor9_a40x3")
    assert workload["offline_expected_qps"] == 900 and workload.system_id == "Vendor9_A40x3"
    assert "Vendor9_A40x3 is taken for 3 x A40, by its name" in workload.notes
    with pytest.raises(UsageError) as caught:
        drop_in.plan("--system=Vendor9_A40x4")
    assert "unknown system" in caught.value.what, "no class is for it"


def test_a_base_class_that_is_missing_costs_what_is_built_on_it(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(
        config("L4x1", "system = KnownSystem.L4x1", base="OflineGPUBaseConfig")
        + config("L4x1_HighAccuracy", "precision = 'fp16'", base="L4x1")
        + config("L40x1", "system = KnownSystem.L40x1", "offline_expected_qps = 1000")
    )
    (file,) = drop_in.load()
    assert [entry.cls.__name__ for entry in file.entries] == ["L40x1"]
    first, second = file.problems
    assert first.line == START + 1 and "OfflineGPUBaseConfig" in first.hint
    assert f"L4x1 failed on line {START + 1}" in second.hint
    workload = drop_in.one("--system=L40x1")
    assert any(f"{path}:{START + 1}" in note for note in workload.notes), "a run says what was not loaded"


def test_a_failed_class_is_not_replaced_by_an_older_one_of_its_name(drop_in: DropIn) -> None:
    drop_in.write(
        "bert/Offline/custom.py",
        "from . import *\n\n\n"
        + config("L4x1", "system = KnownSystem.L4x1", "gpu_batch_size = no_such_name", base="OfflineGPUBaseConfig")
        + config("L4x2", "system = KnownSystem.L4x2", base="L4x1"),
    )
    own, custom = drop_in.load()
    assert own.problems == () and len(custom.problems) == 2 and custom.entries == ()


def test_a_fault_in_the_benchmarks_base_classes_is_told_at_its_place(drop_in: DropIn) -> None:
    base = drop_in.write("bert/__init__.py", "from configs.configuration import *\n\n\nclass GPUBaseConfig(Nothing):\n    pass\n")
    drop_in.bert_offline(GOOD)
    shared, own = drop_in.load()
    assert (shared.file, shared.problems[0].line) == (str(base), 4)
    assert own.entries == () and "GPUBaseConfig" in own.problems[0].reason


def test_a_failed_import_names_what_is_missing(drop_in: DropIn) -> None:
    drop_in.bert_offline("from configs.bert import LONBaseConfig\n\n\n" + GOOD)
    (file,) = drop_in.load()
    assert [entry.cls.__name__ for entry in file.entries] == ["L4x1"]
    assert "LONBaseConfig" in file.problems[0].reason and "configs/bert/__init__.py" in file.problems[0].hint


def test_an_unknown_harness_type_names_the_nearest(drop_in: DropIn) -> None:
    drop_in.bert_offline(GOOD.replace("HarnessType.Custom", "HarnessType.Custum"))
    (file,) = drop_in.load()
    assert file.entries == () and "Custom" in file.problems[0].hint


@pytest.mark.parametrize("statement", ["raise SystemExit(0)", "if no_such_name:\n    pass", "no_such_call()"])
def test_after_a_failed_statement_without_a_name_the_rest_is_skipped(drop_in: DropIn, statement: str) -> None:
    drop_in.bert_offline(GOOD + statement + "\n\n\n" + config("L4x2", "system = KnownSystem.L4x2"))
    (file,) = drop_in.load()
    assert [entry.cls.__name__ for entry in file.entries] == ["L4x1"]
    assert file.problems[0].line == START + GOOD.count("\n") and "the rest of the file is skipped" in file.problems[0].hint


def test_a_misspelt_field_names_the_nearest_and_its_line(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(config("L4x1", "system = KnownSystem.L4x1", "offline_expected_gps = 900"))
    assert drop_in.names() == ["L4x1"], "loading only stores"
    error = drop_in.refusal("--system=L4x1")
    assert isinstance(error, UsageError)
    assert "'offline_expected_gps'" in error.what and "L4x1" in error.what and "'offline_expected_qps'" in error.why
    assert error.where == f"{path}:{START + 3}"


def test_a_fault_in_a_base_class_is_shown_where_it_is(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(
        "class Base(OfflineGPUBaseConfig):\n    gpu_inference_strems = 2\n\n\n"
        + config("L4x1", "system = KnownSystem.L4x1", "offline_expected_qps = 9", base="Base")
    )
    assert drop_in.refusal("--system=L4x1").where == f"{path}:{START + 1}"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("workspace_size = '7 GB'", "a whole number"),
        ("gpu_copy_streams = 2.5", "a whole number"),
        ("offline_expected_qps = '900'", "a number"),
        ("use_graphs = 'yes'", "True or False"),
        ("gpu_batch_size = {'bert': '64'}", "a whole number or a dict"),
        ("gpu_batch_size = {}", "a whole number or a dict"),
        ("gpu_batch_size = 0", "a whole number or a dict"),
        ("precision = 'int9'", "int8"),
        ("devices = {'a': 1}", "text"),
    ],
)
def test_a_value_of_the_wrong_type_says_what_is_wanted(drop_in: DropIn, line: str, wanted: str) -> None:
    path = drop_in.bert_offline(config("L4x1", "system = KnownSystem.L4x1", line))
    error = drop_in.refusal("--system=L4x1")
    assert isinstance(error, UsageError) and wanted in error.why
    assert error.where == f"{path}:{START + 3}"


def test_true_is_one_where_a_count_belongs(drop_in: DropIn) -> None:
    drop_in.bert_offline(config("L4x1", "system = KnownSystem.L4x1", "gpu_copy_streams = True", "offline_expected_qps = 9"))
    streams = drop_in.one("--system=L4x1")["gpu_copy_streams"]
    assert streams == 1 and streams is not True


def test_a_stub_with_a_zero_for_a_target_is_refused(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(config("L4x1", "system = KnownSystem.L4x1", "offline_expected_qps: float = 0.0"))
    error = drop_in.refusal("--system=L4x1")
    assert "offline_expected_qps is 0" in error.what and error.where == f"{path}:{START + 3}"
    assert drop_in.one("--system=L4x1", "--offline_expected_qps=900")["offline_expected_qps"] == 900


def test_what_a_template_leaves_empty_is_not_set(drop_in: DropIn) -> None:
    """As scripts that add systems write it: every field with an annotation and the empty value of its type."""
    lines = ("precision: str = ''", "gpu_batch_size: Dict = {}", "bert_opt_seqlen: int = 0", "graph_specs: str = ''")
    more = ("use_graphs: bool = False", "offline_expected_qps: float = 4000")
    path = drop_in.bert_offline(
        config("Parent", "system = KnownSystem.L40x1", "gpu_batch_size = {'bert': 48}", "offline_expected_qps = 3")
        + config("L4x1", "system = KnownSystem.L4x1", *lines, *more, base="Parent")
        + config("L4x2", "system = KnownSystem.L4x2", "precision = ''", "offline_expected_qps = 9")
    )
    workload = drop_in.one("--system=L4x1")
    assert workload["gpu_batch_size"] == {"bert": 48}, "the parent's value holds"
    assert (workload["precision"], workload["use_graphs"], workload["offline_expected_qps"]) == ("int8", False, 4000)
    (note,) = [note for note in workload.notes if "placeholders of a template" in note]
    assert note.startswith(f"{path}:{START + 10}: ") and note.endswith(
        ": precision, gpu_batch_size, bert_opt_seqlen, graph_specs"
    )
    assert "precision cannot be ''" in drop_in.refusal("--system=L4x2").what, "without an annotation it was written by hand"


def test_a_second_class_for_a_workload_cites_both_lines(drop_in: DropIn) -> None:
    path = drop_in.bert_offline(GOOD + config("Again", "system = KnownSystem.L4x1", "offline_expected_qps = 901"))
    error = drop_in.refusal("--system=L4x1")
    assert isinstance(error, UsageError) and "L4x1" in error.why and "Again" in error.why
    assert f"{path}:{START}" in error.why and f"{path}:{START + GOOD.count(chr(10))}" in error.why


def test_a_second_class_in_custom_py_cites_both_files(drop_in: DropIn) -> None:
    first = drop_in.bert_offline(GOOD)
    second = drop_in.write("bert/Offline/custom.py", "from . import *\n\n\n" + GOOD)
    error = drop_in.refusal("--system=L4x1")
    assert f"{first}:{START}" in error.why and f"{second}:4" in error.why


def test_two_classes_of_one_name_each_have_their_own_lines(drop_in: DropIn) -> None:
    high = GOOD.replace("k_99", "k_99_9").replace("900", "450")
    path = drop_in.bert_offline(GOOD + high)
    below = START + GOOD.count("\n") + 3
    assert f":{START + 3} " in drop_in.one("--system=L4x1").values["offline_expected_qps"].origin
    origin = drop_in.one("--system=L4x1", "--config_ver=high_accuracy").values["offline_expected_qps"].origin
    assert origin == f"config {path}:{below} (L4x1)"


def test_a_class_of_another_scenario_is_refused(drop_in: DropIn) -> None:
    drop_in.write(
        "bert/Server/custom.py",
        "from configs.bert.Offline import *\n\n\n" + config("L4x8", "system = KnownSystem.L4x8", "offline_expected_qps = 9"),
    )
    error = drop_in.refusal("--benchmarks=bert", "--scenarios=server", "--system=L4x8")
    assert isinstance(error, UsageError) and "Offline" in error.what and "Server" in error.what


def test_a_class_without_a_system_is_never_chosen(drop_in: DropIn) -> None:
    drop_in.bert_offline(config("Nothing", "offline_expected_qps = 9") + GOOD)
    assert drop_in.names() == ["L4x1"] and any("system" in p.reason for file in drop_in.load() for p in file.problems)
    assert drop_in.one("--system=L4x1").config.cls.__name__ == "L4x1"


SYSTEM = """\
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

custom_systems['Rack_H100x4'] = SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={CPU(name="AMD EPYC 9374F 32-Core \
Processor", architecture=CPUArchitecture.x86_64, core_count=32, threads_per_core=2): 2}), host_mem_conf=MemoryConfiguration(\
host_memory_capacity=Memory(quantity=1.58, byte_suffix=ByteSuffix.TB), comparison_tolerance=0.05), accelerator_conf=\
AcceleratorConfiguration(layout={KnownGPU.H100_SXM_80GB.value: 4}), numa_conf=None, system_id="Rack_H100x4")
"""


@pytest.mark.parametrize("scenario", ["Offline", "offline"])
def test_a_folder_of_definitions(drop_in: DropIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str) -> None:
    folder = tmp_path / "definitions"
    (folder / "custom_systems").mkdir(parents=True)
    (folder / "custom_systems" / "custom_list.py").write_text(SYSTEM, encoding="utf-8")
    place = folder / "custom_configs" / "bert" / scenario / "custom.py"
    place.parent.mkdir(parents=True)
    place.write_text(
        "from . import *\n\n\n" + config("Rack", "system = KnownSystem.Rack_H100x4", "offline_expected_qps = 9000 * 4"),
        encoding="utf-8",
    )
    monkeypatch.setenv(CUSTOM_ENVIRONMENT, str(folder))
    workload = drop_in.one("--system=Rack_H100x4")
    assert workload["offline_expected_qps"] == 36000 and workload.system_id == "Rack_H100x4"
    assert workload.config.where == f"{place}:4"
    assert "Rack" in drop_in.names() and "L4x1" in drop_in.names(), "beside the project's own"
    assert drop_in.names(Benchmark.BERT, Scenario.Server).count("Rack") == 0
