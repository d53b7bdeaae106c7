"""make reproduce: which folders hold results, whatever they are called, and the system and the numbers of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.fields.table import field_table
from code.submission.reproduce import published, recipe
from tests.unit.submission.published_trees import SYSTEM, classes, config, publish, values
from tests.unit.submission.test_reproduce_parts import of_conf


def found(path: Path) -> list[tuple[str, str]]:
    """System and scenario of each result in a folder."""
    return sorted((one.place.system, one.place.scenario) for one in published.find(path))


# ── where results are ──────────────────────────────────────────────────


def test_the_division_itself_may_be_named(tmp_path: Path) -> None:
    result = publish(tmp_path)
    (tmp_path / "closed/Other").mkdir()
    assert found(tmp_path / "closed") == found(tmp_path) == [(SYSTEM, "Offline")], "a submitter without results is passed over"
    assert (result.submitter, result.folder) == (
        tmp_path / "closed/Vendor",
        tmp_path / f"closed/Vendor/results/{SYSTEM}/bert-99/Offline",
    )


@pytest.mark.parametrize("system", ["open", "closed", "network"])
def test_a_system_may_be_named_like_a_division(system: str, tmp_path: Path) -> None:
    result = publish(tmp_path, system=system)
    assert result.root == tmp_path and result.place.system == system
    for path in (result.folder, result.folder.parent, result.folder.parent.parent, result.folder / "performance/run_1"):
        assert found(path) == [(system, "Offline")], path


def test_a_folder_without_results_is_told_from_one_outside_of_a_tree(tmp_path: Path) -> None:
    result = publish(tmp_path / "tree")
    (result.folder.parent.parent / "gptj-99").mkdir()
    for path, words in (
        (tmp_path / "none", f"{tmp_path / 'none'} does not exist"),
        (tmp_path, f"{tmp_path} is not in a submission tree"),
        (result.submitter / "systems", f"{result.submitter / 'systems'} is not in a submission tree"),
        (result.folder.parent.parent / "gptj-99", "no results in "),
    ):
        with pytest.raises(MissingError, match=words) as caught:
            published.find(path)
        assert caught.value.next_step


def test_a_tree_whose_divisions_are_empty_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    with pytest.raises(MissingError, match="no results in "):
        published.find(tmp_path)


def test_what_the_files_beside_a_result_say(tmp_path: Path) -> None:
    result = publish(tmp_path, conf="*.*.a = 1\n", measured={"retraining": "No"}, framework="OpenVINO")
    assert (result.measured, result.system["framework"], result.conf) == ({"retraining": "No"}, "OpenVINO", {"a": "1"})
    assert result.conf_file == tmp_path / f"closed/Vendor/measurements/{SYSTEM}/bert-99/Offline/user.conf"
    assert result.log is None and not result.measures_power
    (result.folder / "performance/power").mkdir()
    assert result.measures_power
    bare = tmp_path / "open/Vendor/results/S/bert-99/Offline"
    bare.mkdir(parents=True)
    (one,) = published.find(bare)
    assert (one.measured, one.system, one.conf, one.conf_file) == ({}, {}, {}, None)


def test_a_line_without_the_result_does_not_count(tmp_path: Path) -> None:
    """Neither another benchmark with the scenario, nor another scenario with the benchmark; of equal lines the last."""
    conf = "gptj.Offline.a = 1\nbert.Server.a = 2\n*.*.b = 3\n*.*.b = 4\nbert.*.c = 5\n*.Offline.c = 6\nresnet50.*.d = 7\n"
    assert publish(tmp_path, conf=conf).conf == {"b": "4", "c": "5"}


def test_a_benchmark_that_is_not_here_has_lines_of_its_name(tmp_path: Path) -> None:
    assert publish(tmp_path, "resnet50", conf="resnet50.Offline.a = 1\nbert.Offline.a = 2\n").conf == {"a": "1"}


# ── the system ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("system", "name", "known"),
    [
        ("H100_PCIe_80GBx1", "H100_PCIe_80GBx1", True),
        ("r760-h100-pcie-80gb-x1-trt", "H100_PCIe_80GBx1", True),
        ("H100_PCIe_80GBx16", "H100_PCIe_80GBx16", False),
        ("GB200-NVL72_GB200-186GB_aarch64x4_TRT", "GB200_NVL72_186GB_ARMx4", True),
        ("8x Example-GPU", "System_8x_Example_GPU", False),
        ("My machine!", "My_machine", False),
        ("Orin_NX_MaxQ", "Orin_NX", True),
    ],
)
def test_the_system_that_a_name_contains(system: str, name: str, known: bool, tmp_path: Path) -> None:
    one = recipe.recipe_of(publish(tmp_path, system=system))
    assert (one.system, one.known) == (name, known)
    assert (f"make add_system NAME={name}" in recipe.commands(one)) == (not known)


# ── the numbers ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("server_target_qps", "10", 10),
        ("server_target_qps", "10.0", 10),
        ("server_target_qps", "10.5", 10.5),
        ("min_query_count", "270336", 270_336),
        ("min_query_count", "2.7e5", 270_000),
        ("server_target_latency_ns", "0.5", 500_000),
        ("server_target_latency_percentile", "99", 0.99),
        ("server_target_latency_percentile", "1", 1.0),
        ("server_target_latency_percentile", "0.97", 0.97),
        ("server_coalesce_queries", "1", True),
        ("server_coalesce_queries", "0", False),
    ],
)
def test_a_number_of_loadgens_in_the_fields_unit(name: str, text: str, value: object) -> None:
    found = recipe._from_loadgen(field_table()[name], text)
    assert found == value and type(found) is type(value)


def test_settings_of_other_scenarios_are_not_taken(tmp_path: Path) -> None:
    one = of_conf(tmp_path, "*.Server.target_latency = 5\n*.*.target_latency = 130\n*.*.coalesce_queries = 1\n", "Server")
    assert values(one)["server_target_latency_ns"] == 5_000_000 and values(one)["server_coalesce_queries"] is True
    offline = of_conf(tmp_path / "b", "*.*.coalesce_queries = 1\n*.*.min_duration = 600000\n")
    assert "min_duration" in values(offline) and "server_coalesce_queries" not in values(offline)
    assert [note.rpartition(": ")[2] for note in offline.notes if "coalesce" in note] == [
        "coalesce_queries = 1 has no option here"
    ]


def test_a_config_file_goes_before_the_descriptions_and_user_conf_before_both(tmp_path: Path) -> None:
    result = publish(tmp_path, conf="*.*.target_qps = 7\n", measured={"weight_data_types": "int8"}, framework="OpenVINO 2025")
    plain = recipe.recipe_of(result)
    assert values(plain) == {"precision": "int8", "backend": "openvino", "offline_expected_qps": 7}
    classes(result, config("A", f"system = K.{SYSTEM}\nprecision = 'fp16'\nbackend = 'onnxruntime'\noffline_expected_qps = 9"))
    one = recipe.recipe_of(result)
    assert values(one) == {"precision": "fp16", "backend": "onnxruntime", "offline_expected_qps": 7}
    assert one.values["precision"][1] == "closed/Vendor/configs/bert/Offline/__init__.py:4"


def test_tensorrt_of_a_text_is_tensorrt_llm(tmp_path: Path) -> None:
    for place, (benchmark, backend) in enumerate((("gptj-99", "tensorrt_llm"), ("bert-99", "tensorrt"))):
        assert values(recipe.recipe_of(publish(tmp_path / str(place), benchmark, framework="TensorRT 10")))["backend"] == backend
    openvino = publish(tmp_path / "o", "gptj-99", framework="OpenVINO")
    assert values(recipe.recipe_of(openvino))["backend"] == "openvino"


def test_what_this_harness_ignores_is_noted_with_its_reason(tmp_path: Path) -> None:
    from code.fields.accepted import ACCEPTED

    result = publish(tmp_path)
    classes(result, config("A", f"system = K.{SYSTEM}\nuse_direct_host_access = True"))
    one = recipe.recipe_of(result)
    reason = ACCEPTED["use_direct_host_access"]
    assert one.notes[0].endswith(f"__init__.py:4: use_direct_host_access = True is ignored here: {reason}")
    assert "use_direct_host_access" not in one.values


def test_the_command_lines_name_what_is_repeated(tmp_path: Path) -> None:
    one = of_conf(tmp_path, "*.*.target_qps = 7\n")
    line = recipe.command_without_class(one)
    assert line == (
        'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --offline_expected_qps=7.0 --test_mode=PerformanceOnly"'
    )
    first = recipe.commands(one)[:3]
    assert first == [f"make {name} BENCHMARKS=bert" for name in ("download_data", "download_model", "preprocess_data")]
    high = recipe.recipe_of(publish(tmp_path / "high", "bert-99.9"))
    assert "--config_ver=high_accuracy " in recipe.command_without_class(high)
    assert recipe.file_name(high) == "configs/bert/Offline/custom.py"
    (high.result.folder / "performance/power").mkdir()
    assert "--config_ver=high_accuracy_maxq " in recipe.command_without_class(high)
    assert "AccuracyTarget.k_99_9, PowerSetting.MaxQ" in recipe.class_text(high)
