"""The command line and the environment are read strictly."""

from __future__ import annotations

import pytest

from code.common.constants import AccuracyTarget, Benchmark, HarnessType, PowerSetting, Scenario
from code.common.errors import UsageError
from code.fields.table import FIELDS, field_table
from code.plan.request import Request, parse


def asked(*arguments: str, **environment: str) -> Request:
    return parse(arguments, environment)


@pytest.mark.parametrize("word", ["bert", "BERT", "Bert-99", "bert-99.9", "bert_99"])
def test_benchmarks_are_known_by_their_aliases_in_any_case(word: str) -> None:
    assert asked(f"--benchmarks={word}").benchmarks() == [Benchmark.BERT]


@pytest.mark.parametrize("word", ["offline", "OFFLINE", "Offline"])
def test_scenarios_in_any_case(word: str) -> None:
    assert asked(f"--scenarios={word}").scenarios(Benchmark.BERT) == [Scenario.Offline]


def test_lists_are_comma_separated_and_each_entry_counts_once() -> None:
    request = asked("--scenarios=offline,single-stream,single_stream,Server")
    assert request.scenarios(Benchmark.BERT) == [Scenario.Offline, Scenario.SingleStream, Scenario.Server]


def test_without_scenarios_all_of_the_benchmark_are_meant() -> None:
    assert len(asked("--benchmarks=bert").scenarios(Benchmark.BERT)) == 4


def test_nothing_named_is_an_error_and_not_everything() -> None:
    with pytest.raises(UsageError, match="no benchmark given"):
        asked().benchmarks()


@pytest.mark.parametrize(
    ("argument", "suggestion"),
    [
        ("--benchmark=bert", "benchmarks"),
        ("--scenario=offline", "scenarios"),
        ("--test_modes=PerformanceOnly", "test_mode"),
        ("--gpu_batchsize=3", "gpu_batch_size"),
        ("--ofline_expected_qps=3", "offline_expected_qps"),
    ],
)
def test_an_unknown_flag_names_the_nearest(argument: str, suggestion: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(argument)
    assert repr(suggestion) in caught.value.why


@pytest.mark.parametrize(
    "argument",
    [
        "--min_duration=ten",
        "--fast=perhaps",
        "--offline_expected_qps=x",
        "--precision=fp31",
        "--test_mode=Accuracy-Only!",
        "--cpu_batch_size={'bert': 0}",
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_that_names_the_option(argument: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(argument)
    assert argument[2:].split("=")[0] in caught.value.what


def test_a_word_without_dashes_is_an_error_with_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        asked("benchmarks=bert")
    assert "--benchmarks" in caught.value.next_step


@pytest.mark.parametrize("switch", ["--fast", "--test_run", "--fast=true"])
def test_fast_means_a_minimum_of_60_seconds(switch: str) -> None:
    assert asked(switch)["min_duration"] == 60_000


def test_an_explicit_duration_wins_over_fast() -> None:
    assert asked("--fast", "--min_duration=5000")["min_duration"] == 5000


def test_values_can_stand_behind_the_flag() -> None:
    request = asked("--benchmarks", "bert", "--fast", "--scenarios", "offline")
    assert (request["benchmarks"], request["fast"], request["scenarios"]) == (["bert"], True, ["offline"])


def test_giving_an_option_twice_differently_is_an_error() -> None:
    with pytest.raises(UsageError, match="twice"):
        asked("--benchmarks=bert", "--benchmarks=gptj")


def test_command_line_wins_over_environment_and_both_say_where_they_came_from() -> None:
    request = asked("--min_duration=5", MLPINF_MIN_DURATION="7", MLPINF_CPU_BATCH_SIZE="3")
    assert (request["min_duration"], request.given["min_duration"].origin) == (5, "command line --min_duration")
    assert (request["cpu_batch_size"], request.given["cpu_batch_size"].origin) == (3, "environment MLPINF_CPU_BATCH_SIZE")


def test_an_unknown_variable_with_the_prefix_is_a_warning_with_the_nearest() -> None:
    request = asked(MLPINF_MIN_DURATIONS="7")
    assert "MLPINF_MIN_DURATION" in request.warnings[0]


def test_the_folder_of_own_definitions_is_no_unknown_variable() -> None:
    assert not asked(MLPINF_CUSTOM_DEFINITION_PATH="/somewhere").warnings


def test_config_versions() -> None:
    default, high = asked("--config_ver=default,High_Accuracy").settings()
    assert {s.harness_type for s in default} == {HarnessType.Custom, HarnessType.LWIS}
    assert {s.accuracy_target for s in high} == {AccuracyTarget.k_99_9}
    (maxq,) = asked("--config_ver=high_accuracy_maxq").settings()
    assert maxq[0].power_setting is PowerSetting.MaxQ
    with pytest.raises(UsageError) as caught:
        asked("--config_ver=hi_accuracy").settings()
    assert "high_accuracy" in caught.value.why


def test_a_benchmark_without_an_implementation_is_refused() -> None:
    with pytest.raises(UsageError, match="is not supported"):
        asked("--benchmarks=resnet50").benchmarks()


def test_no_option_stands_twice_and_every_one_is_explained() -> None:
    assert len(field_table()) == sum(1 + len(f.aliases) for f in FIELDS)
    assert all(f.help.endswith((".", "…")) for f in FIELDS)


def test_every_public_config_field_is_known(shared: object) -> None:
    import json
    from pathlib import Path

    kinds = {"dict[str, int]": "batch"}
    facts = json.loads((Path(str(shared)) / "facts" / "config_fields.json").read_text())["fields"]
    own = {"benchmark", "scenario", "system"}
    for name, fact in facts.items():
        wider = ("any", "precision", "flags")  # newer configs also write dicts by component
        assert name in own or field_table()[name].type in (kinds.get(fact["type"], fact["type"]), *wider), name


@pytest.mark.parametrize(
    ("word", "harness", "target", "power"),
    [
        ("high_accuracy_triton", HarnessType.Triton, AccuracyTarget.k_99_9, PowerSetting.MaxP),
        ("triton_high_accuracy", HarnessType.Triton, AccuracyTarget.k_99_9, PowerSetting.MaxP),
        ("maxq_high_accuracy", HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxQ),
        ("triton_unified_maxq", HarnessType.TritonUnified, AccuracyTarget.k_99, PowerSetting.MaxQ),
        ("lon_node_high_accuracy", HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP),
        ("custom_k_99_9_MaxQ", HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxQ),
        ("High-Accuracy", HarnessType.Custom, AccuracyTarget.k_99_9, PowerSetting.MaxP),
    ],
)
def test_a_config_version_is_words_in_any_order(
    word: str, harness: HarnessType, target: AccuracyTarget, power: PowerSetting
) -> None:
    ((first, *_),) = asked(f"--config_ver={word}").settings()
    assert (first.harness_type, first.accuracy_target, first.power_setting) == (harness, target, power)


@pytest.mark.parametrize("word", ["high_accuracy_tritn", "maxq_maxp", "k_99_high_accuracy", "_"])
def test_a_list_of_versions_with_one_bad_item_names_it(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(f"--config_ver=default,{word}").settings()
    assert repr(word) in caught.value.what and "default" not in caught.value.what


def test_a_version_by_its_parts() -> None:
    request = asked("--accuracy_target=.999", "--power_setting=maxq", "--harness_type=auto")
    assert request.settings()[0][0].config_ver() == "high_accuracy_maxq" and not request.warnings
    assert asked("--accuracy_target=99.9").settings()[0][0].accuracy_target is AccuracyTarget.k_99_9
    request = asked("--config_ver=maxq", "--power_setting=MaxP")
    assert request.settings()[0][0].power_setting is PowerSetting.MaxQ and "goes before" in request.warnings[0]
    with pytest.raises(UsageError, match=r"accuracy_target cannot be 0\.9"):
        asked("--accuracy_target=0.9").settings()


def test_an_unsupported_benchmark_beside_another_is_a_warning() -> None:
    request = asked("--benchmarks=resnet50,bert")
    assert request.benchmarks() == [Benchmark.BERT] and "resnet50 is not supported" in request.warnings[0]
    assert not asked("--benchmarks=resnet50").warnings


@pytest.mark.parametrize("word", ["AccuracyMode", "accuracy", "accuracy_only", "acc"])
def test_test_modes_in_other_spellings(word: str) -> None:
    assert asked(f"--test_mode={word}")["test_mode"] == "AccuracyOnly"
