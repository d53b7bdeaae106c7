"""Which flags, versions and settings files of a config are meant, who reads an option, what has no effect, what a plan explains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import AccuracyTarget, HarnessType, PowerSetting, WorkloadSetting
from code.common.errors import UsageError
from code.fields.consumer import Consumer, Run
from code.fields.table import FIELDS, field_table
from code.plan import conf_files, config_versions, consumers, explain, flags, reads, unused
from code.plan.request import Request, Value, parse
from configs.configuration import Probed
from tests.unit.default_values import DEFAULTS, values

# ── flags of TensorRT-LLM ──────────────────────────────────────────────


def test_flags_set_the_fields_of_the_same_meaning() -> None:
    given = {
        **DEFAULTS,
        "trtllm_build_flags": Value({"strange": 1, "max_beam_width": 4, "use_inflight_batching": True}, "config x.py:1"),
        "trtllm_checkpoint_flags": Value({"tp_size": 2}, "config x.py:2"),
        "trtllm_runtime_flags": Value({"kvcache_free_gpu_mem_frac": 0.9}, "config x.py:3"),
    }
    found = flags.with_flags(given, "gptj")
    assert found["num_beams"] == Value(4, "config x.py:1: trtllm_build_flags['max_beam_width']")
    assert found["trtllm_batching_mode"].value == "IFB" and found["tensor_parallelism"].value == 2
    assert found["kvcache_free_gpu_mem_frac"].value == 0.9
    policy = {**DEFAULTS, "trtllm_runtime_flags": Value({"batch_scheduler_policy": "max_util"}, "config x.py:3")}
    assert flags.with_flags(policy, "gptj")["trtllm_batch_sched_policy"].value == "max_util"
    static = flags.with_flags({**DEFAULTS, "trtllm_build_flags": Value({"use_inflight_batching": False}, "x")}, "gptj")
    assert static["trtllm_batching_mode"].value == "STATIC"
    kept = flags.with_flags({**given, "num_beams": Value(2, "command line")}, "gptj")
    assert kept["num_beams"].value == 2, "what is set itself goes before a flag"
    [line] = flags.leftover(given)
    assert line.startswith("trtllm_build_flags: not used here: strange: ")
    with pytest.raises(UsageError):
        flags.with_flags({**DEFAULTS, "trtllm_build_flags": Value({"max_beam_width": -4}, "config x.py:1")}, "gptj")
    other = flags.with_flags(given, "bert")
    assert other["num_beams"] == DEFAULTS["num_beams"], "a field of another benchmark stays as it is"


def test_flags_of_the_command_line_are_merged_into_the_configs() -> None:
    merged = flags.merged(Value({"a": 1, "b": 2}, "config"), Value({"b": 3, "c": 4}, "command line"))
    assert merged == Value({"a": 1, "b": 3, "c": 4}, "command line for b, c; config")
    for config, given in ((None, {"a": 1}), ({"a": 1}, None)):
        assert flags.merged(Value(config, "x"), Value(given, "y")) == Value(given, "y")


# ── config versions ────────────────────────────────────────────────────

K99, K999, MAXQ, MAXP = AccuracyTarget.k_99, AccuracyTarget.k_99_9, PowerSetting.MaxQ, PowerSetting.MaxP


def test_the_settings_of_a_version_best_first() -> None:
    assert config_versions.parsed("default").settings() == [
        WorkloadSetting(HarnessType.Custom, K99, MAXP),
        WorkloadSetting(HarnessType.LWIS, K99, MAXP),
    ]
    quiet = config_versions.parsed("maxq_high_accuracy").settings()
    assert [(one.accuracy_target, one.power_setting) for one in quiet] == [(K999, MAXQ)] * 2 + [(K999, MAXP)] * 2
    triton = config_versions.parsed("triton").settings()
    assert [one.harness_type for one in triton] == [HarnessType.Triton, HarnessType.Custom, HarnessType.LWIS]


def test_words_of_a_version_that_exclude_each_other() -> None:
    with pytest.raises(UsageError) as caught:
        config_versions.parsed("maxq_maxp")
    assert caught.value.what == "config version 'maxq_maxp' contradicts itself" and caught.value.why.startswith("maxq and maxp")
    assert config_versions.parsed("maxq_maxq").power is MAXQ
    for word in ("", "_", "fast", "maxq_fast", "maxqq"):
        with pytest.raises(UsageError):
            config_versions.parsed(word)


@pytest.mark.parametrize(("given", "target"), [(0.99, K99), (99, K99), (0.999, K999), (99.9, K999), (None, None)])
def test_an_accuracy_target_as_share_or_percent(given: float | None, target: AccuracyTarget | None) -> None:
    assert config_versions.by_parts(None, given, None).target is target


def test_other_targets_are_refused_and_parts_are_read() -> None:
    for target in (1, 0.9, 98, 0.9901):
        with pytest.raises(UsageError, match="accuracy_target cannot be"):
            config_versions.by_parts(None, target, None)
    found = config_versions.by_parts("triton", None, "maxq")
    assert (
        found.harness is HarnessType.Triton
        and found.power is MAXQ
        and config_versions.by_parts("auto", None, None).harness is None
    )


def test_versions_are_filled_once_each_and_noted() -> None:
    quiet = config_versions.by_parts(None, None, "MaxQ")
    [one] = config_versions.versions(["default"], quiet)
    assert one.power is MAXQ and one.target is None
    for words, count in ((["default", "k_99", "custom"], 1), (["default", "maxp"], 2)):
        assert len(config_versions.versions(words, quiet)) == count
    assert config_versions.notes(["maxp"], quiet) == [
        "config version 'maxp' goes before --harness_type, --accuracy_target and --power_setting"
    ]
    assert config_versions.notes(["maxq", "default", "all"], quiet) == []
    [line] = config_versions.notes(["lon_node"], quiet)
    assert line.startswith("config version 'lon_node': lon_node is left out: ")


def test_why_a_config_is_of_another_setting() -> None:
    custom, lwis = (WorkloadSetting(kind, K99, MAXP) for kind in (HarnessType.Custom, HarnessType.LWIS))
    triton = WorkloadSetting(HarnessType.Triton, K99, MAXP)
    assert config_versions.instead(custom, lwis, "DGX") == "" == config_versions.instead(custom, custom, "DGX")
    assert config_versions.instead(triton, custom, "DGX") == "", "any config of the system runs behind Triton"
    hetero = WorkloadSetting(HarnessType.HeteroMIG, K99, MAXP)
    assert "DGX has no config for runs beside others" in config_versions.instead(hetero, custom, "DGX")
    quiet = WorkloadSetting(HarnessType.Custom, K99, MAXQ)
    assert "DGX has no config for" in config_versions.instead(quiet, custom, "DGX")


# ── what has no effect ─────────────────────────────────────────────────

PLAIN = Run("openvino", "CPU", "bert", "Offline", "python", "fp32", True)


def test_consumers_take_part_in_the_runs_that_they_declare() -> None:
    def applies(run: Run = PLAIN, **given: Any) -> bool:
        return Consumer("x", ("precision",), **given).applies(run)

    assert applies() and applies(backends=("openvino",)) and not applies(backends=("tensorrt",))
    assert not applies(devices=("GPU",)) and not applies(benchmarks=("gptj",)) and not applies(precisions=("int8",))
    assert applies(graphs=True) and not applies(Run("openvino", "CPU", "bert", "Offline", "python", "fp32", False), graphs=True)
    assert not applies(languages=("cpp",)) and applies(languages=("python",))
    auto = Run("openvino", "CPU", "bert", "Offline", "auto", "fp32", True)
    assert applies(auto, languages=("cpp",)) and applies(auto)
    assert Consumer("x", ("precision",)).only == ""
    assert (
        Consumer("x", ("precision",), languages=("cpp",), devices=("GPU",), precisions=("int8", "fp8")).only
        == "C++ harness, GPU, int8 and fp8 only"
    )
    for wrong in ({"fields": ("nothing",)}, {"fields": ("precision",), "notes": {"backend": "x"}}):
        with pytest.raises(ValueError, match="declare"):
            Consumer("x", **wrong)  # type: ignore[arg-type]


def test_a_field_of_another_scenario_is_not_read() -> None:
    one = Consumer("x", ("server_target_qps", "precision"))
    assert one.reads("precision", PLAIN) and not one.reads("server_target_qps", PLAIN) and not one.reads("backend", PLAIN)
    reading = one.of({"precision": "fp32", "backend": "b"})
    assert dict(reading) == {"precision": "fp32"} and len(reading) == 1


def test_ignored_options_are_named_in_the_tables_order() -> None:
    given = values(server_target_qps=5.0, offline_expected_qps=5.0, gpu_copy_streams=2)
    found = unused.unused(given, PLAIN)
    names = [name for name, _ in found]
    assert names == sorted(names, key=[field.name for field in FIELDS].index)
    assert dict(found)["server_target_qps"] == "it is for Server" and "offline_expected_qps" not in names
    assert unused.unused({**DEFAULTS, "server_target_qps": Value(5.0, "default")}, PLAIN) == []
    assert unused.unused(values(server_target_qps=None), PLAIN) == []
    assert unused.reason("num_beams", PLAIN).startswith("it is for ")


def test_engines_and_languages_follow_from_the_consumers() -> None:
    assert {"precision"} <= consumers.engine_fields(PLAIN) <= consumers.honours(PLAIN)
    assert "server_target_qps" not in consumers.honours(PLAIN) and "offline_expected_qps" in consumers.honours(PLAIN)
    assert len(set(map(id, consumers.consumers()))) == len(consumers.consumers())
    server = replace(PLAIN, scenario="Server")
    cpp = consumers.cpp_fields(server)
    assert "soft_drop" in cpp
    assert not cpp & consumers.honours(server)
    assert all("precision" in one.fields for one in consumers.consumers_of("precision"))
    for run in (PLAIN, server, replace(PLAIN, benchmark="gptj", backend="openvino_genai", served=True)):
        assert {field.name for field in FIELDS if consumers.is_read(field.name, run)} == consumers.honours(run)


# ── who reads what ─────────────────────────────────────────────────────


def test_actions_and_their_options() -> None:
    by_name = field_table()
    assert reads.reads("compare", by_name["a"]) and not reads.reads("run", by_name["a"])
    assert reads.reads("run", by_name["precision"]) and not reads.reads("compare", by_name["precision"])
    assert reads.reads("clean_engines", by_name["backend"]) and reads.reads("list_results", by_name["log_dir"])
    names = [field.name for field in reads.options_of("compare")]
    assert names[0] in ("a", "b", "anyway", "json") and {"a", "b", "anyway", "json"} == set(names[:4])
    assert [field.request for field in reads.options_of("run")] == sorted(
        (f.request for f in reads.options_of("run")), reverse=True
    )
    assert (
        reads.prints_json("list_systems", False) and not reads.prints_json("doctorx", False) and not reads.prints_json(None, True)
    )
    assert (
        reads.prints_json("calibrate", True)
        and not reads.prints_json("calibrate", False)
        and not reads.prints_json("submission", True)
    )


def test_options_of_other_actions_are_noted() -> None:
    def noted(*words: str) -> list[str]:
        return [line for line in Request(parse(list(words), {}).given).unused() if " is for " in line]

    assert noted("--action=run", "--benchmarks=bert", "--trials=5") == ["trials is for tune, and run does not read it"]
    assert noted("--action=tune", "--benchmarks=bert", "--trials=5") == []
    assert noted("--action=compare", "--benchmarks=bert", "--force_build") == [
        "force_build is for run and generate_engines and submission, and compare does not read it"
    ]
    [line] = noted("--action=tune", "--benchmarks=bert", "--json")
    assert line == "json is for run, run_harness, explain and others, and tune does not read it"
    assert noted("--action=tune", "--benchmarks=bert", "--json", "--dry_run") == []


def test_interactive_and_undefined_scenarios() -> None:
    request = parse(["--benchmarks=bert,3d-unet", "--scenarios=Server,interactive"], {})
    assert [str(scenario) for scenario in request.scenarios(request.benchmarks()[0])] == ["Server"]
    undefined = [(str(b), str(s)) for b, s in request.undefined()]
    assert undefined == [("bert", "Interactive"), ("3d-unet", "Server"), ("3d-unet", "Interactive")]
    with pytest.raises(UsageError, match="bert has no Interactive scenario"):
        parse(["--benchmarks=bert", "--scenarios=interactive"], {}).undefined()
    with pytest.raises(UsageError, match="3d-unet has no Server scenario"):
        parse(["--benchmarks=3d-unet", "--scenarios=Server"], {}).undefined()
    assert parse(["--benchmarks=3d-unet", "--scenarios=all"], {}).undefined() == []
    assert parse(["--fast"], {})["min_duration"] == 60_000 and parse(["--fast=false"], {})["min_duration"] is None
    assert parse(["--use_triton"], {})["use_triton"] is True


def test_words_behind_options() -> None:
    def given(*words: str) -> dict[str, Any]:
        return {name: item.value for name, item in parse(list(words), {}).given.items()}

    assert given("--strict", "no", "--benchmarks", "bert") == {"strict": False, "benchmarks": ["bert"]}
    assert given("--strict", "--benchmarks", "bert")["strict"] is True
    for words in (("--benchmarks",), ("--benchmarks", "--strict")):
        with pytest.raises(UsageError, match="--benchmarks needs a value"):
            parse(list(words), {})
    assert given("--benchmarks=bert", "--benchmarks=bert") == {"benchmarks": ["bert"]}
    with pytest.raises(UsageError, match="unexpected argument"):
        parse(["--"], {})


# ── settings files ─────────────────────────────────────────────────────


def applied(tmp_path: Path, text: str, **given: Any) -> tuple[dict[str, Any], list[str]]:
    """(field → value of what a user.conf sets, notes) for BERT in Server."""
    path = tmp_path / "user.conf"
    path.write_text(text)
    before = values(user_conf_path=str(path), **given)
    after = dict(before)
    notes = conf_files.apply(after, "bert", "Server")
    return {name: item.value for name, item in after.items() if item != before[name]}, notes


def test_units_and_kinds_of_loadgens_settings(tmp_path: Path) -> None:
    text = (
        "# a comment\n\n*.Server.target_latency = 130\nbert.Server.target_qps = 1.5e3\n*.*.min_duration = 0x3e8\n"
        "*.Server.coalesce_queries = 1\n*.*.min_query_count = 5.0\n"
    )
    found, notes = applied(tmp_path, text)
    assert found == {
        "server_target_latency_ns": 130_000_000,
        "server_target_qps": 1500.0,
        "min_duration": 1000,
        "server_coalesce_queries": True,
        "min_query_count": 5,
    }, found
    assert notes == []


def test_the_more_special_line_goes_before_and_the_last_of_equals_counts(tmp_path: Path) -> None:
    heads = ("*.*", "bert.*", "*.Server", "*.Server", "*.Offline")
    text = "".join(f"{head}.min_duration = {number}\n" for number, head in enumerate(heads, 1))
    assert applied(tmp_path, text)[0] == {"min_duration": 4}
    assert applied(tmp_path, text + "bert.Server.min_duration = 5\n")[0] == {"min_duration": 5}
    found, notes = applied(tmp_path, text, min_duration=7)
    assert found == {"min_duration": 4} and "goes before the command line's 7" in notes[0]
    assert applied(tmp_path, text, min_duration=4)[1] == []


def test_settings_that_nothing_here_has(tmp_path: Path) -> None:
    found, notes = applied(tmp_path, "*.*.min_duratio = 5\n*.*.mode = 2\n*.Offline.min_duration = 5\ngptj.*.min_duration = 1\n")
    assert found == {}
    assert "LoadGen has no setting 'min_duratio'; did you mean 'min_duration'?" in notes[0]
    assert "mode is not used in Server: no option sets it" in notes[1] and "has no setting for bert Server" in notes[2]


@pytest.mark.parametrize("text", ["min_duration", "*.*.min_duration = x", "*.*.min_duration = inf", "*.*.min_duration = 0xzz"])
def test_a_line_that_loadgen_would_refuse(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        applied(tmp_path, f"\n{text}\n")
    assert caught.value.where == f"{tmp_path / 'user.conf'}:2"


# ── explained ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2], "[1, 2]"),
        ({"a": 1}, '{"a": 1}'),
        (5, "5"),
        (None, "None"),
        (Probed("rate", 0.9), "0.9 × rate, measured at the first run"),
    ],
)
def test_a_value_as_people_read_it(value: object, text: str) -> None:
    assert explain.shown(value) == text
