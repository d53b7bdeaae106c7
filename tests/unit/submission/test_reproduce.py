"""From a published result to a config class, command lines and differences."""

from __future__ import annotations

import ast
import json
import shlex
import shutil
import textwrap
from pathlib import Path

import pytest

from code.actions import Context, reproduce
from code.common.errors import MissingError, UsageError
from code.machine.detect import detect
from code.plan import workload as plan
from code.plan.request import parse
from code.submission.reproduce import config_files, differences, published, recipe
from configs import loading
from tests.unit.submission import made

CLASSES = """
    from configs.configuration import *
    from configs.bert import GPUBaseConfig

    class OfflineGPUBaseConfig(GPUBaseConfig):
        scenario = Scenario.Offline
        gpu_copy_streams = 2
        gpu_inference_streams = 2

    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
    class H100_PCIe_80GBx1(OfflineGPUBaseConfig):
        system = KnownSystem.H100_PCIe_80GBx1
        gpu_batch_size = {'bert': 1280}
        offline_expected_qps = 5700
        use_small_tile_gemm_plugin = False

    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP)
    class H100_PCIe_80GBx1_HighAccuracy(H100_PCIe_80GBx1):
        precision = "fp16"
        gpu_batch_size = {'bert': 512 * 2}
        log_dir = some_function()

    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxQ)
    class H100_PCIe_80GBx1_MaxQ(H100_PCIe_80GBx1):
        gpu_batch_size = {'bert': 8}

    @ConfigRegistry.register(HarnessType.Triton, AccuracyTarget.k_99, PowerSetting.MaxP)
    class H100_PCIe_80GBx1_Triton(H100_PCIe_80GBx1):
        gpu_batch_size = {'bert': 9}
"""
BASE = """
    class GPUBaseConfig(BenchmarkConfiguration):
        benchmark = Benchmark.BERT
        precision = "int8"
        workspace_size = 7 * 2**30 if False else 1
        graphs_max_seqlen = 200
"""
EXPORTS = """
    import code.common.constants as C
    import code.fields.models as model_fields
    import code.fields.loadgen as loadgen_fields

    base = {
        model_fields.gpu_batch_size: {"bert": 64},
        model_fields.precision: "int8",
        loadgen_fields.offline_expected_qps: 3000,
    }
    EXPORTS = {
        C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget(0.99), C.PowerSetting.MaxP): base,
        C.WorkloadSetting(C.HarnessType.Custom, C.AccuracyTarget(0.999), C.PowerSetting.MaxP): {
            **base,
            loadgen_fields.offline_expected_qps: 3000 // 2,
            model_fields.unheard_of: 1,
        },
    }
"""


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def publish(root: Path, good: Path, benchmark: str = "bert-99", system: str = "R760_H100_PCIe_80GBx1_TRT") -> Path:
    """A tree of the 'beside' layout with one result, whose logs are real ones; returns the result's folder."""
    submitter = root / "closed/Vendor"
    folder = submitter / "results" / system / benchmark / "Offline"
    shutil.copytree(made.result(good) / "performance", folder / "performance")
    shutil.copytree(made.result(good) / "accuracy", folder / "accuracy")
    measurements = submitter / "measurements" / system / benchmark / "Offline"
    put(
        measurements / "user.conf",
        "*.Offline.target_qps = 100\nbert.Offline.target_qps = 5600 # ours\n*.Offline.coalesce_queries = 1\n",
    )
    put(measurements / f"{system}_TensorRT_Offline.json", json.dumps({"weight_data_types": "int8"}))
    description = {
        "accelerator_model_name": "NVIDIA H100-PCIe-80GB",
        "accelerators_per_node": 1,
        "framework": "TensorRT 10.2.0, CUDA 12.4",
        "host_processor_model_name": "Example CPU",
        "number_of_nodes": 1,
        "cooling": "Air",
    }
    put(submitter / "systems" / f"{system}.json", json.dumps(description))
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    """A published result with config classes."""
    found = publish(tmp_path, good)
    put(tmp_path / "closed/Vendor/configs/bert/Offline/__init__.py", CLASSES)
    put(tmp_path / "closed/Vendor/configs/bert/__init__.py", BASE)
    return found


def only(folder: Path) -> recipe.Recipe:
    [found] = published.find(folder)
    return recipe.recipe_of(found)


@pytest.mark.parametrize("levels", range(6))
def test_any_folder_of_a_tree_will_do(folder: Path, levels: int) -> None:
    path = folder
    for _ in range(levels):
        path = path.parent
    assert [one.folder for one in published.find(path)] == [folder]
    assert [one.folder for one in published.find(folder.parents[5])] == [folder]


def test_a_folder_outside_of_a_tree_is_an_error(folder: Path, tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none", "does not exist"), (folder.parents[5].parent, "not in a submission tree")):
        with pytest.raises(MissingError, match=words):
            published.find(path)
    with pytest.raises(MissingError, match="no results in"):
        shutil.rmtree(folder)
        published.find(folder.parents[2])


def test_the_class_of_the_system_and_target_is_found(folder: Path) -> None:
    one = only(folder)
    values = {name: value for name, (value, _) in one.values.items()}
    assert values["gpu_batch_size"] == {"bert": 1280} and values["gpu_inference_streams"] == 2
    assert values["precision"] == "int8" and values["graphs_max_seqlen"] == 200
    assert values["offline_expected_qps"] == 5600, "user.conf is what LoadGen got"
    assert values["backend"] == "tensorrt"
    assert (one.system, one.known) == ("H100_PCIe_80GBx1", True)
    assert one.values["gpu_batch_size"][1] == "closed/Vendor/configs/bert/Offline/__init__.py:13"
    notes = "\n".join(one.notes)
    assert "use_small_tile_gemm_plugin = False is ignored here" in notes
    assert "configs/bert/__init__.py:5: workspace_size is set by an expression" in notes


def test_the_high_accuracy_class_is_another(good: Path, folder: Path, tmp_path: Path) -> None:
    one = only(publish(tmp_path, good, "bert-99.9"))
    values = {name: value for name, (value, _) in one.values.items()}
    assert values["gpu_batch_size"] == {"bert": 1024} and values["precision"] == "fp16"
    assert any("log_dir is set by an expression" in note for note in one.notes)
    assert "--config_ver=high_accuracy" in recipe.commands(one)[-1] + recipe.commands(one)[-2]


def test_power_asks_for_the_maxq_class(folder: Path) -> None:
    (folder / "performance/power").mkdir()
    one = only(folder)
    assert one.values["gpu_batch_size"][0] == {"bert": 8}
    assert "--config_ver=maxq" in "\n".join(recipe.commands(one))


def test_exports_of_the_newer_layout(good: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path, good, "bert-99.9", "B200-SXM-180GBx8")
    put(tmp_path / "closed/Vendor/configs/B200-SXM-180GBx8/Offline/bert.py", EXPORTS)
    [result] = published.find(folder)
    found = config_files.find(result, "bert", "k_99_9")
    assert found is not None and not found.skipped
    assert {name: value for name, (value, _) in found.values.items()} == {
        "gpu_batch_size": {"bert": 64},
        "precision": "int8",
        "offline_expected_qps": 1500,
        "unheard_of": 1,
    }
    one = recipe.recipe_of(result)
    assert any("unheard_of = 1 has no option here" in note for note in one.notes)


def test_nothing_of_a_config_file_is_executed(good: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path, good, "bert-99", "B200-SXM-180GBx8")
    mark = tmp_path / "executed"
    code = f"open({str(mark)!r}, 'w')\n" + textwrap.dedent(EXPORTS).replace("3000,", "open('x'),")
    put(tmp_path / "closed/Vendor/configs/B200-SXM-180GBx8/Offline/bert.py", code)
    one = only(folder)
    assert not mark.exists() and any("offline_expected_qps is set by an expression" in note for note in one.notes)


def test_a_huge_number_in_a_config_ends(good: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path, good, "bert-99", "B200-SXM-180GBx8")
    text = textwrap.dedent(EXPORTS).replace("3000,", "10**9 * 10**9 * 10**9 * 10**9,").replace("10**9", "1000000000")
    put(tmp_path / "closed/Vendor/configs/B200-SXM-180GBx8/Offline/bert.py", text)
    assert any("offline_expected_qps is set by an expression" in note for note in only(folder).notes)


def test_the_class_can_be_loaded_and_the_commands_parsed(folder: Path) -> None:
    one = only(folder)
    text = recipe.class_text(one)
    tree = ast.parse(text)
    [cls] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [ast.unparse(base) for base in cls.bases] == ["OfflineGPUBaseConfig"] and "KnownSystem.H100_PCIe_80GBx1" in text
    for line in (*recipe.commands(one), recipe.command_without_class(one)):
        words = shlex.split(line)
        assert words[0] == "make"
        for word in words[2:]:
            if word.startswith("RUN_ARGS="):
                parse([f"--action={words[1]}", *shlex.split(word.removeprefix("RUN_ARGS="))], {})
    assert any("run_audit_harness" in line and "ROUND=v6.1" in line for line in recipe.commands(one))


def test_the_printed_class_and_command_plan_beside_the_projects_own_class(folder: Path, tmp_path: Path) -> None:
    one = only(folder)
    file = put(tmp_path / "definitions" / recipe.file_name(one), recipe.class_text(one))
    [line] = [line for line in recipe.commands(one) if line.startswith("make run ")]
    words = shlex.split(shlex.split(line)[2].removeprefix("RUN_ARGS="))
    configs = tmp_path / "definitions" / "configs"
    given = ["--action=explain", *words, f"--config_dir={configs}", f"--system={one.system}"]
    try:
        [workload], failed = plan.build(parse(given, {}))
    finally:
        loading.use_folder(None)
        loading.forget()
    assert (
        failed == []
        and workload.config.file == str(file)
        and workload["offline_expected_qps"] == one.values["offline_expected_qps"][0]
    )


def test_an_unknown_system_is_added_first(good: Path, tmp_path: Path) -> None:
    one = only(publish(tmp_path, good, system="4x-Tiny.Accelerator"))
    assert (one.system, one.known) == ("System_4x_Tiny_Accelerator", False)
    assert f"make add_system NAME={one.system}" in recipe.commands(one)


def test_another_number_of_accelerators_is_another_system(good: Path, tmp_path: Path) -> None:
    one = only(publish(tmp_path, good, system="CDI_L40Sx16_TRT"))
    assert (one.system, one.known) == ("CDI_L40Sx16_TRT", False)


def test_a_benchmark_that_is_not_here(good: Path, tmp_path: Path) -> None:
    folder = publish(tmp_path, good, "resnet50")
    with pytest.raises(UsageError, match="resnet50 Offline does not run in this harness"):
        only(folder)
    with pytest.raises(UsageError):
        reproduce.run(Context(parse([f"--from_tree={folder}"], {})))


def test_the_action_prints_all_three_parts(folder: Path, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(tmp_path, good, "resnet50")
    assert reproduce.run(Context(parse([f"--from_tree={tmp_path}", "--benchmarks=bert"], {}))) == 0
    out = capsys.readouterr().out
    for words in ("class H100_PCIe_80GBx1_Reproduced", "make run RUN_ARGS=", "Differences to this machine", "Example CPU"):
        assert words in out
    with pytest.raises(UsageError, match="no result was named"):
        reproduce.run(Context(parse([], {})))
    with pytest.raises(UsageError, match="no result of those benchmarks"):
        reproduce.run(Context(parse([f"--from_tree={tmp_path}", "--benchmarks=bert", "--scenarios=Server"], {})))


def test_differences_are_those_of_the_descriptions(folder: Path) -> None:
    [result] = published.find(folder)
    rows = {row.what: row for row in differences.compare(result, detect())}
    assert rows["processor"].there == "Example CPU" and not rows["processor"].same and rows["processor"].matters
    assert rows["nodes"].same
    assert rows["LoadGen"].same, "the logs were made by the LoadGen that is installed"
    assert "cooling" not in rows


def test_real_results(shared: Path) -> None:
    found = published.find(shared / "data/mlperf_logs")
    assert len(found) > 3
    for one in found:
        made_of = recipe.recipe_of(one)
        assert made_of.known and one.round is not None and one.round.name == "v4.1"
        ast.parse(recipe.class_text(made_of))
        assert made_of.values, one.place.label


def test_tensorrt_of_a_text_benchmark_is_tensorrt_llm(good: Path, tmp_path: Path) -> None:
    backends = {
        name: only(publish(tmp_path / name, good, name)).values.get("backend", ("",))[0] for name in ("bert-99", "gptj-99")
    }
    assert backends == {"bert-99": "tensorrt", "gptj-99": "tensorrt_llm"}
