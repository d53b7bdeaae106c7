"""Values of a plan: what a text means, which combinations no run can have, which version of a config is meant, what has no effect."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import AccuracyTarget, HarnessType, PowerSetting, Precision, Scenario, WorkloadSetting
from code.common.errors import UsageError
from code.fields import texts
from code.fields.consumer import Consumer, Run
from code.fields.field import Field
from code.fields.table import FIELDS, field_table, lookup
from code.plan import conf_files, config_versions, consumers, explain, flags, limits, reads, unused
from code.plan.request import Request, Value, parse
from code.rules import metrics
from code.rules.benchmark_facts import PublishedFile, RoundRules, Space
from code.rules.benchmarks import facts_of, newest_with, required_audits, required_scenarios, result_named, rules_in, short_name
from code.rules.official_names import known_names, official_name
from code.rules.rounds import ROUNDS, Round, round_named
from configs.configuration import Probed

DEFAULTS = {field.name: Value(field.default, "default") for field in FIELDS}


def values(**given: Any) -> dict[str, Value]:
    return {**DEFAULTS, **{name: Value(value, f"command line --{name}") for name, value in given.items()}}


# ── texts ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bert:64", {"bert": "64"}),
        (" bert : 64 , 'a':\"b\" ", {"bert": "64", "a": "b"}),
        ("a:[1,2],b:3", {"a": "[1,2]", "b": "3"}),
        ("a:1,", {"a": "1"}),
    ],
)
def test_pairs(text: str, found: dict[str, str]) -> None:
    assert texts.pairs(text) == found


@pytest.mark.parametrize("text", ["", ",", "a", "a:", ":1", "a:1,a:2", "a:1,,b:2"])
def test_texts_that_are_no_pairs(text: str) -> None:
    with pytest.raises(ValueError):
        texts.pairs(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True),
        ("false", False),
        ("None", None),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("[1, 'a', [2]]", [1, "a", [2]]),
        ("a", "a"),
    ],
)
def test_a_flags_value_has_the_type_it_is_spelled_as(text: str, value: object) -> None:
    found = texts.scalar(text)
    assert found == value and type(found) is type(value)
    assert texts.flags(f"x:{text}")["x"] == value


def test_values_of_config_files_without_their_classes() -> None:
    given = {Precision.FP16: [Precision.INT8, 1, None, True, 0.5, Path("/a")], "set": {"one"}}
    assert texts.plain(given) == {str(Precision.FP16): [str(Precision.INT8), 1, None, True, 0.5, "/a"], "set": ["one"]}
    assert texts.precision("float16") == "fp16" == texts.precision(Precision.FP16)
    assert texts.precision("x") is None and texts.precision(5) is None


# ── fields ─────────────────────────────────────────────────────────────

WHOLE = Field("whole", "int", "h", "g", unit="ms", limits=(1, 100))
SHARE = Field("share", "float", "h", "g", limits=(0.0, 1.0))
FREE = Field("free", "float", "h", "g", limits=(0.0, 1.0), finite=False)
SIZE = Field("size", "batch", "h", "g", limits=(1, 64))
WORD = Field("word", "str", "h", "g", choices=("Alpha", "Beta"), spellings=(("first", "Alpha"),), request=True)
SWITCH, LIST, FLAGS = Field("switch", "bool", "h", "g"), Field("list", "list", "h", "g"), Field("flags", "flags", "h", "g")
KIND = Field("kind", "precision", "h", "g", choices=("fp16", "int8"))
OTHER = Field("other", "any", "h", "g")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (WHOLE, "1", 1),
        (WHOLE, "100", 100),
        (WHOLE, "1_0", 10),
        (WHOLE, "1e1", 10),
        (SHARE, "0", 0.0),
        (SHARE, "1", 1.0),
        (SHARE, ".5", 0.5),
        (FREE, "inf", math.inf),
        (FREE, "-inf", -math.inf),
        (SIZE, "64", 64),
        (SIZE, "a:1,b:64", {"a": 1, "b": 64}),
        (SIZE, "{'a': 2}", {"a": 2}),
        (WORD, "ALPHA", "Alpha"),
        (WORD, "First", "Alpha"),
        (SWITCH, "On", True),
        (SWITCH, "0", False),
        (LIST, " a, ,b,", ["a", "b"]),
        (FLAGS, "a:4,b:enable", {"a": 4, "b": "enable"}),
        (KIND, "float16", "fp16"),
        (KIND, "a:int8,b:fp16", {"a": "int8", "b": "fp16"}),
        (OTHER, "anything", "anything"),
    ],
)
def test_a_text_is_read_as_its_field(field: Field, text: str, value: object) -> None:
    found = field.parse(text, "here")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (WHOLE, "0"),
        (WHOLE, "101"),
        (WHOLE, "1.5"),
        (WHOLE, "1__0"),
        (WHOLE, ""),
        (WHOLE, "inf"),
        (WHOLE, "9" * 401),
        (SHARE, "1.01"),
        (SHARE, "-0.1"),
        (SHARE, "nan"),
        (SHARE, "inf"),
        (FREE, "1.5"),
        (FREE, "nan"),
        (SIZE, "0"),
        (SIZE, "65"),
        (SIZE, "a:65"),
        (SIZE, "{}"),
        (SIZE, "{'a': 1.5}"),
        (SIZE, "{'a': True}"),
        (WORD, "gamma"),
        (SWITCH, "maybe"),
        (FLAGS, "a"),
        (FLAGS, "{1"),
        (KIND, "fp8"),
        (KIND, "a:fp8"),
        (KIND, "{}"),
    ],
)
def test_a_text_that_its_field_does_not_take(field: Field, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        field.parse(text, "here")
    assert caught.value.what.startswith(f"{field.name} cannot be ") and caught.value.where == "here"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        (WHOLE, True, 1),
        (WHOLE, 2.0, 2),
        (SHARE, 1, 1.0),
        (SWITCH, 1, True),
        (LIST, ("a",), ["a"]),
        (LIST, "a,b", ["a", "b"]),
        (WORD, Path("beta"), "Beta"),
        (KIND, Precision.INT8, "int8"),
        (KIND, {"a": "float16"}, {"a": "fp16"}),
        (SIZE, {"a": 1}, {"a": 1}),
        (FLAGS, {"a": Precision.INT8}, {"a": str(Precision.INT8)}),
        (WHOLE, None, None),
        (OTHER, object, object),
    ],
)
def test_a_value_of_a_config_class(field: Field, value: Any, found: object) -> None:
    assert field.check(value, "here") == found and type(field.check(value, "here")) is type(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (WHOLE, "1"),
        (WHOLE, 2.5),
        (SHARE, True),
        (SWITCH, 2),
        (SWITCH, "true"),
        (LIST, 5),
        (WORD, []),
        (SIZE, 1.0),
        (SIZE, True),
        (SIZE, {}),
        (FLAGS, [1]),
        (FLAGS, {1: 2}),
        (KIND, {}),
    ],
)
def test_a_value_of_a_config_class_that_is_none(field: Field, value: Any) -> None:
    with pytest.raises(UsageError):
        field.check(value, "here")


def test_an_error_names_range_unit_choices_and_page() -> None:
    error = WHOLE.bad(5000, "here")
    assert error.why == "it must be a whole number from 1 to 100 (ms)" and "documentation/fields.md" in error.next_step
    error = WORD.bad("alpa", "here")
    assert error.why == "it must be one of Alpha, Beta; the nearest is 'Alpha'" and "documentation/commands.md" in error.next_step
    assert WHOLE.bad("x" * 80, "").what == f"whole cannot be {repr('x' * 80)[:60]}…"
    assert WHOLE.bad("x" * 58, "").what == f"whole cannot be '{'x' * 58}'"
    assert WHOLE.bad(10**5000, "").what == "whole cannot be a number of thousands of digits"
    assert SHARE.range == "from 0 to 1" and WORD.range == "" and WORD.least is None and WHOLE.most == 100
    assert WHOLE.environment == "MLPINF_WHOLE" and WHOLE.numeric and not WORD.numeric
    for kind, range_ in (("int", None), ("str", (0, 1))):
        with pytest.raises(ValueError, match="numeric fields, and only those, have limits"):
            Field("x", kind, "h", "g", limits=range_)


# ── combinations ───────────────────────────────────────────────────────


def refused(scenario: Scenario, **given: Any) -> str:
    """What is wrong with values; '' where nothing is."""
    try:
        limits.check(values(**given), scenario)
    except UsageError as error:
        assert error.why and error.next_step
        return error.what
    return ""


@pytest.mark.parametrize(
    ("scenario", "given", "words"),
    [
        *((scenario, {}, "") for scenario in Scenario),
        (Scenario.Offline, {"offline_expected_qps": 0.0}, "offline_expected_qps is 0"),
        (Scenario.Server, {"offline_expected_qps": 0.0}, ""),
        (Scenario.Server, {"server_target_qps": 0.0}, "server_target_qps is 0"),
        (Scenario.SingleStream, {"single_stream_expected_latency_ns": 0}, "single_stream_expected_latency_ns is 0"),
        (Scenario.Server, {"server_target_latency_percentile": 1}, "server_target_latency_percentile cannot be 1"),
        (Scenario.Server, {"server_target_latency_percentile": 0.99}, ""),
        (Scenario.Offline, {"min_duration": 5, "max_duration": 4}, "min_duration is 5, above max_duration, which is 4"),
        (Scenario.Offline, {"min_duration": 5, "max_duration": 5}, ""),
        (Scenario.Offline, {"min_duration": 5, "max_duration": 0}, ""),
        (Scenario.Offline, {"min_query_count": 5, "max_query_count": 4}, "min_query_count is 5, above max_query_count"),
        (Scenario.Offline, {"offline_expected_qps": 1e9, "min_duration": 100_000}, ""),
        (
            Scenario.Offline,
            {"offline_expected_qps": 1.1e9, "min_duration": 100_000},
            "offline_expected_qps and min_query_count ask for",
        ),
        (Scenario.Offline, {"offline_expected_qps": 2e8}, "offline_expected_qps and min_query_count ask for 1.2e+11 samples"),
        (Scenario.Offline, {"min_query_count": int(1.1e11)}, "offline_expected_qps and min_query_count ask for 1.1e+11"),
        (Scenario.SingleStream, {"single_stream_expected_latency_ns": 1, "min_duration": 49_000}, ""),
        (
            Scenario.SingleStream,
            {"single_stream_expected_latency_ns": 1, "min_duration": 51_000},
            "single_stream_expected_latency_ns and",
        ),
        (Scenario.MultiStream, {"multi_stream_expected_latency_ns": 1, "min_duration": 6_000}, ""),
        (
            Scenario.MultiStream,
            {"multi_stream_expected_latency_ns": 1, "min_duration": 7_000},
            "multi_stream_expected_latency_ns and",
        ),
        (
            Scenario.MultiStream,
            {"multi_stream_expected_latency_ns": 1, "min_duration": 7_000, "multi_stream_samples_per_query": 1},
            "",
        ),
        (Scenario.Server, {"server_target_qps": 1.0, "min_query_count": 604_800}, ""),
        (
            Scenario.Server,
            {"server_target_qps": 1.0, "min_query_count": 691_200},
            "a Server run of 691,200 queries at 1 queries/s takes 8 ",
        ),
        (Scenario.Offline, {"offline_expected_qps": 1.0, "min_query_count": 691_200}, ""),
    ],
)
def test_combinations_that_no_run_can_have(scenario: Scenario, given: dict[str, Any], words: str) -> None:
    found = refused(scenario, **given)
    assert found.startswith(words) and bool(found) == bool(words), found


def test_an_error_cites_where_the_value_was_written() -> None:
    given = {**DEFAULTS, "offline_expected_qps": Value(0.0, "config configs/x.py:12 A.b")}
    with pytest.raises(UsageError) as caught:
        limits.check(given, Scenario.Offline)
    assert caught.value.where == "configs/x.py:12"
    with pytest.raises(UsageError) as caught:
        limits.check(values(offline_expected_qps=0.0), Scenario.Offline)
    assert caught.value.where == "command line --offline_expected_qps"


def test_a_runtime_that_is_not_installed_gives_way_unless_it_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "installed_instead", lambda name: "onnxruntime" if name == "openvino" else None)
    given = {**DEFAULTS, "backend": Value("openvino", "config x.py:1")}
    assert limits.use_installed(given, chosen=True) == [] and given["backend"].value == "openvino"
    assert limits.use_installed(given, chosen=False) == [
        "openvino is not installed here (documentation/platforms.md); onnxruntime runs it instead"
    ]
    assert given["backend"] == Value("onnxruntime", "config x.py:1, whose openvino is not installed here")
    assert limits.use_installed(given, chosen=False) == [] and given["backend"].value == "onnxruntime"


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


# ── rules ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scenario", "value", "shown"),
    [
        ("Offline", 12_345.6, "12,346 samples/s"),
        ("Offline", 9_999.44, "9,999.4 samples/s"),
        ("Offline", 10_000, "10,000 samples/s"),
        ("Server", 999.94, "999.9 queries/s"),
        ("Server", 1000.0, "1,000.0 queries/s"),
        ("SingleStream", 1_553_400, "1.553 ms (90 %)"),
        ("MultiStream", 25_000_000, "25 ms (99 %)"),
    ],
)
def test_a_metric_as_people_read_it(scenario: str, value: float, shown: str) -> None:
    assert metrics.METRICS[scenario].shown(value) == shown


def test_queries_of_early_stopping() -> None:
    assert [metrics.queries_for_estimate(share) for share in (0.9, 0.99)] == [64, 662]
    assert [metrics.queries_without_late(share) for share in (0.9, 0.99)] == [44, 459]


@pytest.mark.parametrize(("name", "found"), [("v6.1", "v6.1"), ("6.1", "v6.1"), ("v4.1", "v4.1")])
def test_a_round_with_and_without_v(name: str, found: str) -> None:
    assert round_named(name).name == found


def test_facts_by_full_and_short_names() -> None:
    high = result_named("bert-99.9")
    low = result_named("bert-99")
    assert high is not None and low is not None
    assert (high.name, high.below, low.below) == ("bert", "bert-99", "") and high.target.full_name == "bert-99.9"
    assert result_named("bert") is None and short_name("bert-99.9") == "bert" and short_name("other-99.9") == "other"
    assert short_name("other-99") == "other" and short_name("other-98") == "other-98"
    rounds = list(facts_of("bert").rounds)
    assert newest_with("bert") is ROUNDS[[name for name in ROUNDS if name in rounds][-1]]
    for name, round_ in ROUNDS.items():
        rules = rules_in(round_, "bert-99")
        assert (rules is not None) == (name in rounds)
        assert required_scenarios(round_, "bert-99", "edge") == (rules.scenarios("edge") if rules else ())
        assert required_audits(round_, "bert") == (rules.audits if rules else ())
    assert rules_in(round_named("v6.1"), "other") is None and required_scenarios(round_named("v6.1"), "other", "edge") == ()
    with pytest.raises(UsageError, match="no round includes the benchmark other"):
        newest_with("other")


def test_what_a_category_requires() -> None:
    rules = RoundRules({"edge": ("A",), "datacenter,edge": ("A", "B")}, required_at={"x-99.9": {"edge": ("C",)}})
    assert rules.scenarios("edge") == ("A",) and rules.scenarios("datacenter") == ()
    assert rules.scenarios("edge, datacenter") == ("A", "B") == rules.scenarios("datacenter,edge")
    assert rules.scenarios("edge", "x-99.9") == ("C",) and rules.scenarios("edge", "x-99") == ("A",)
    assert Space(1, 2, 3, 4).total == 10
    assert PublishedFile("p", "u", also=("v",)).urls == ("u", "v") and PublishedFile("p", also=("v",)).urls == ("v",)
    assert PublishedFile("p", megabytes=2).about == 2_000_000 and PublishedFile("p", size=5, megabytes=2).about == 5


@pytest.mark.parametrize(
    ("name", "mapping", "found"),
    [
        ("bert-99", {}, "bert-99"),
        ("resnet50", {}, "resnet"),
        ("my-mobilenet-v2", {}, "resnet"),
        ("ssd-resnet34", {}, "retinanet"),
        ("mine", {"mine": "resnet"}, "resnet"),
        ("mine", {"mine": "nothing"}, None),
        ("mine", {}, None),
    ],
)
def test_names_as_the_official_checker_takes_them(name: str, mapping: dict[str, str], found: str | None) -> None:
    round_: Round = ROUNDS["v5.0"]
    assert official_name(round_, name, mapping) == found
    assert found is None or found in known_names(round_)


def test_lookup_of_an_unknown_option_names_the_nearest() -> None:
    call: Callable[..., Field] = lookup
    with pytest.raises(UsageError) as caught:
        call("precisio", kind="flag")
    assert "--precision" in caught.value.next_step or "precision" in caught.value.why
