"""make reproduce, part by part: user.conf, names of systems, and words of a command line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from code.common.errors import UsageError
from code.rules.rounds import ROUNDS, round_named
from code.submission.reproduce import differences, published, recipe
from tests.unit.submission.published_trees import SYSTEM, classes, config, logged, publish, values

# ── what a tree says ───────────────────────────────────────────────────


def test_the_line_of_the_benchmark_and_scenario_goes_first(tmp_path: Path) -> None:
    conf = """
        # a comment
        bert.Offline.a = 1
        *.Offline.a = 2
        bert.*.a = 3
        *.*.b = 4
        *.Offline.b = 5
        *.*.b = 6
        gptj.Offline.c = 7
        *.Server.d = 8
        bert.Offline.e=9 # ours
        no setting
        *.*.f = 1
        *.*.f = 2
    """
    assert publish(tmp_path, conf=conf).conf == {"a": "1", "b": "5", "e": "9", "f": "2"}


@pytest.mark.parametrize(
    ("system", "framework", "backend"),
    [
        ("a", "TensorRT 10", "tensorrt"),
        ("a_TRT", "", "tensorrt"),
        ("a", "OpenVINO 2024", "openvino"),
        ("a", "ONNX Runtime", "onnxruntime"),
        ("a", "TensorRT with ONNX", "tensorrt"),
        ("a", "PyTorch", ""),
        ("a", "", ""),
    ],
)
def test_the_nearest_backend(tmp_path: Path, system: str, framework: str, backend: str) -> None:
    assert publish(tmp_path, system=system, framework=framework).backend == backend


@pytest.mark.parametrize(
    ("types", "precision"),
    [("INT8", "int8"), ("fp16, int8", "fp16"), ("int4", ""), ("int4, fp8", "fp8"), ("bf16", "bf16"), ("", "")],
)
def test_the_precision_of_the_weights(tmp_path: Path, types: str, precision: str) -> None:
    result = publish(tmp_path, measured={"weight_data_types": types})
    assert result.precision == precision
    assert recipe.recipe_of(result).values.get("precision", ("",))[0] == precision


def test_folders_above_that_are_named_like_a_division_are_none(tmp_path: Path) -> None:
    result = publish(tmp_path / "open" / "work" / "closed")
    assert result.root == tmp_path / "open/work/closed" and result.place.division == "closed"
    other = result.submitter / "results" / SYSTEM / "bert-99" / "Server"
    other.mkdir(parents=True)
    (result.submitter / "results/Other/bert-99/Offline").mkdir(parents=True)

    def found(path: Path) -> list[tuple[str, str]]:
        return sorted((one.place.system, one.place.scenario) for one in published.find(path))

    assert found(result.submitter / "measurements" / SYSTEM / "bert-99" / "Offline") == [(SYSTEM, "Offline")]
    assert found(result.folder / "performance") == [(SYSTEM, "Offline")], "a folder inside a result"
    assert found(result.submitter / "results" / SYSTEM) == [(SYSTEM, "Offline"), (SYSTEM, "Server")]
    assert len(found(result.root)) == len(found(result.submitter)) == len(found(result.submitter / "results")) == 3


def test_the_round_is_that_of_the_logged_seeds(tmp_path: Path) -> None:
    result = publish(tmp_path)
    assert result.round is None and result.seeds == {}
    for round_ in ROUNDS.values():
        seeds = {f"effective_{name}": seed for name, seed in round_.seeds.items()}
        assert logged(result, **seeds).round == round_
        first = next(iter(seeds))
        assert logged(result, **{**seeds, first: seeds[first] + 1}).round is None
    assert logged(result).round is None


# ── the recipe ─────────────────────────────────────────────────────────


def of_conf(root: Path, conf: str, scenario: str = "Offline", benchmark: str = "bert-99") -> recipe.Recipe:
    return recipe.recipe_of(publish(root, benchmark, scenario, conf=conf))


def test_settings_of_user_conf_in_the_units_of_the_fields(tmp_path: Path) -> None:
    single = of_conf(tmp_path / "a", "*.SingleStream.target_latency = 1.5\n*.*.target_latency_percentile = 90\n", "SingleStream")
    assert values(single)["single_stream_expected_latency_ns"] == 1_500_000
    assert [value for name, value in values(single).items() if name.endswith("_percentile")] == [0.9]
    server = of_conf(
        tmp_path / "b", "*.Server.target_latency = 130\n*.Server.target_qps = 10\n*.*.min_duration = 600000\n", "Server"
    )
    assert values(server)["server_target_latency_ns"] == 130_000_000 and values(server)["min_duration"] == 600_000
    assert values(server)["server_target_qps"] == 10 and server.values["min_duration"][1] == (
        f"closed/Vendor/measurements/{SYSTEM}/bert-99/Server/user.conf"
    )
    share = of_conf(tmp_path / "c", "*.*.target_latency_percentile = 0.97\n", "Server")
    assert [value for name, value in values(share).items() if name.endswith("_percentile")] == [0.97]
    rate = of_conf(tmp_path / "d", "*.*.target_qps = 10.5\n*.*.performance_sample_count_override = 5\n*.*.nothing = 1\n")
    assert values(rate)["offline_expected_qps"] == 10.5
    assert [note for note in rate.notes if "override" in note] == [], "what follows from the data set is no difference"
    assert any(note.endswith("user.conf: nothing = 1 has no option here") for note in rate.notes)


def test_what_the_fields_do_not_take_is_a_note(tmp_path: Path) -> None:
    result = publish(tmp_path, conf="*.*.target_qps = -5\n")
    body = "system = K.H100_PCIe_80GBx1\nunheard_of = 1\nprecision = 'int3'\nuse_graphs = None\naction = 'run'\nlog_dir = call()"
    classes(result, config("A", body))
    one = recipe.recipe_of(result)
    notes = "\n".join(one.notes)
    assert not one.values.keys() & {"unheard_of", "precision", "use_graphs", "action", "offline_expected_qps"}
    assert "unheard_of = 1 has no option here" in notes and "precision = 'int3' is not taken over: " in notes
    assert "target_qps" not in notes and "offline_expected_qps = -5" in notes
    assert "closed/Vendor/configs/bert/Offline/__init__.py:8: log_dir is set by an expression that is not read" in notes
    assert "no config file" not in notes
    assert "no config file of its submitter fits it" in recipe.recipe_of(publish(tmp_path / "other")).notes[0]


def test_seeds_of_an_unknown_round_are_on_the_command_line(tmp_path: Path) -> None:
    result = publish(tmp_path)
    known = recipe.recipe_of(logged(result, **{f"effective_{name}": seed for name, seed in round_named("v5.0").seeds.items()}))
    assert "--round=v5.0" in recipe.command_without_class(known) and "seed" not in recipe.command_without_class(known)
    seeds = {"qsl_rng_seed": 1, "sample_index_rng_seed": 2, "schedule_rng_seed": 3}
    other = recipe.recipe_of(logged(result, **{f"effective_{name}": seed for name, seed in seeds.items()}))
    for line in (
        recipe.command_without_class(other),
        next(line for line in recipe.commands(other) if line.startswith("make run ")),
    ):
        assert "--round" not in line and all(line.count(f"--{name}={seed}") == 1 for name, seed in seeds.items())
    assert "seed" not in recipe.class_text(other), "a class has no seeds"
    assert "seed" not in recipe.command_without_class(recipe.recipe_of(result)), "without a log none are known"


def test_values_on_a_command_line() -> None:
    for value, words in (
        (True, "true"),
        (False, "false"),
        ({"bert": 64}, "64"),
        ({"a": 1, "b": 2}, "a:1,b:2"),
        ([1, 2], "1,2"),
        (2.5, "2.5"),
    ):
        assert recipe._on_command_line(value) == words
    assert shlex.split("X=" + recipe._quoted(['--a=b "c"', "--d=e f"])) == ["X='--a=b \"c\"' '--d=e f'"]


@pytest.mark.parametrize(("division", "audited"), [("closed", True), ("network", True), ("open", False)])
def test_audits_are_part_of_it_outside_of_the_open_division(tmp_path: Path, division: str, audited: bool) -> None:
    result = publish(tmp_path, division=division)
    seeds = {f"effective_{name}": seed for name, seed in round_named("v5.0").seeds.items()}
    lines = recipe.commands(recipe.recipe_of(logged(result, **seeds)))
    assert [line.split()[1] for line in lines] == [
        "download_data",
        "download_model",
        "preprocess_data",
        "run",
        *["run_audit_harness"] * audited,
    ]
    assert "--test_mode=SubmissionRun" in lines[3] and "--config_suffix=Reproduced" in lines[3]
    assert not audited or (lines[4].endswith(" ROUND=v5.0") and "--test_mode" not in lines[4])
    assert len(recipe.commands(recipe.recipe_of(result))) == 4, "of an unknown round no audit is known"


def test_the_base_of_the_class_is_that_of_the_hardware(tmp_path: Path) -> None:
    gpu = recipe.class_text(recipe.recipe_of(publish(tmp_path / "a", accelerator_model_name="Example GPU 9")))
    trt = recipe.class_text(recipe.recipe_of(publish(tmp_path / "b", framework="TensorRT")))
    cpu = recipe.class_text(recipe.recipe_of(publish(tmp_path / "c", system="Some_CPU", framework="OpenVINO")))
    assert "GPUBaseConfig):" in gpu and "GPUBaseConfig):" in trt and "GPUBaseConfig):" not in cpu
    assert "class Some_CPU_Reproduced(" in cpu and "    system = KnownSystem.Some_CPU\n" in cpu
    assert '"""Repeats closed/Vendor/results/Some_CPU/bert-99/Offline."""' in cpu
    assert 'AccuracyTarget.k_99, PowerSetting.MaxP, "Reproduced")' in cpu
    assert "    backend = 'openvino'  # framework of the system description\n" in cpu


def test_benchmarks_and_scenarios_that_the_harness_has(tmp_path: Path) -> None:
    for benchmark, scenario in (("resnet50", "Offline"), ("3d-unet-99", "Server")):
        result = publish(tmp_path / benchmark, benchmark, scenario)
        with pytest.raises(UsageError) as caught:
            recipe.recipe_of(result)
        assert caught.value.what == f"{benchmark} {scenario} does not run in this harness" and "bert" in caught.value.why


# ── this machine beside it ─────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("NVIDIA H200-SXM-141GB", "h200 sxm 141 GB", True),
        ("Intel(R) Xeon(TM) 8592", "Intel Xeon 8592", True),
        ("N/A", "0", True),
        ("None", "", True),
        ("H100", "H200", False),
        ("2.5", "25", False),
    ],
)
def test_values_are_compared_without_their_spelling(one: str, other: str, same: bool) -> None:
    assert (differences._plain(one) == differences._plain(other)) == same
    assert differences._text(None) == "" and differences._text(" 8 ") == "8" == differences._text(8)


def test_what_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"number_of_nodes": 1, "host_memory_capacity": "64 GB", "host_processor_model_name": ""}
    monkeypatch.setattr(differences, "describe", lambda detected, name: ours)
    monkeypatch.setattr(differences, "_installed", lambda package: "6.0" if package == "mlcommons-loadgen" else "")
    there = {"number_of_nodes": "1", "host_memory_capacity": "128 GB", "host_processor_model_name": "X", "framework": " "}
    result = publish(tmp_path, **there, cooling="Air")
    rows = differences.compare(result, None)  # type: ignore[arg-type]
    assert rows == [
        ("nodes", "1", "1", True, True),
        ("processor", "X", "not detected", False, True),
        ("memory", "128 GB", "64 GB", False, False),
    ]
    for version, same in (("6.0 @ 1234", True), ("4.1", False)):
        [*_, last] = differences.compare(logged(result, loadgen_version=version), None)  # type: ignore[arg-type]
        assert last == ("LoadGen", version.partition(" ")[0], "6.0", same, False)
    monkeypatch.undo()
    assert differences._installed("no-such-package") == "not installed"
