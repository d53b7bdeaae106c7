"""Values of a plan: what a text means, and which combinations no run can have."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from code.common.constants import Precision, Scenario
from code.common.errors import UsageError
from code.fields import texts
from code.fields.field import Field
from code.plan import limits
from code.plan.request import Value
from tests.unit.default_values import DEFAULTS, values

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
