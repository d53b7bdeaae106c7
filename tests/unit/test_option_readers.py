"""Which options an action reads is what its code asks of the request; why an option has no effect is said by what reads it elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from code import actions
from code.fields.accepted import ACCEPTED
from code.fields.consumer import Consumer, Run
from code.fields.table import FIELDS, field_table
from code.plan import reads, unused

PLAIN = Run("openvino", "CPU", "bert", "Offline", "python", "fp32", True)


def asked(path: Path) -> Iterator[str]:
    """The options that a module takes out of a request by name."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value) in ("request", "context.request")
            and isinstance(node.slice, ast.Constant)
        ):
            yield str(node.slice.value)


def test_an_action_reads_what_its_code_asks_for(project: Path) -> None:
    table, found = field_table(), 0
    for name in actions.names():
        for option in asked(project / "code/actions" / f"{name}.py"):
            assert reads.reads(name, table[option]), f"{name} asks for {option}"
            found += 1
    assert found > 60


def test_an_option_of_a_few_actions_is_read_by_them_alone() -> None:
    table = field_table()
    for option, readers in {**reads.READ_BY, **reads.READ_BY_AS_WELL}.items():
        assert {name for name in actions.names() if reads.reads(name, table[option])} == set(readers) & set(actions.names()), (
            option
        )
        assert set(readers) <= set(actions.names()), f"{option} is read by an action that does not exist"


def test_no_action_reads_what_this_harness_ignores_or_only_classes_set() -> None:
    ignored = [field for field in FIELDS if field.name in ACCEPTED or field.class_only or field.placed]
    assert {bool(field.class_only) for field in ignored} == {True, False} and any(field.placed for field in ignored)
    for field in ignored:
        assert not any(reads.reads(name, field) for name in actions.names()), field.name


def test_whoever_plans_reads_every_config_field() -> None:
    fields = [one for one in FIELDS if not (one.request or one.class_only or one.placed or one.name in ACCEPTED)]
    assert len(fields) > 50
    for name in reads.PLANNING:
        assert all(reads.reads(name, one) for one in fields), name
    assert not any(reads.reads("list_systems", one) for one in fields)
    assert [one.name for one in fields if reads.reads("preprocess_data", one)] == [
        one.name for one in fields if one.name in ("model_variant", "preprocessed_data_dir")
    ]


# ── why an option has no effect ────────────────────────────────────────


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> list[Consumer]:
    """All consumers that there are, for a test to fill."""
    listed: list[Consumer] = []
    monkeypatch.setattr(unused, "is_read", lambda name, run: any(one.reads(name, run) for one in listed))
    monkeypatch.setattr(unused, "consumers_of", lambda name: [one for one in listed if name in one.fields])
    return listed


def why(name: str, run: Run = PLAIN, value: object = 5, origin: str = "command line") -> str | None:
    return dict(unused.unused({name: SimpleNamespace(value=value, origin=origin)}, run)).get(name)


NAME = "gpu_copy_streams"


def test_what_a_consumer_of_the_run_reads_is_used(only: list[Consumer]) -> None:
    only.append(Consumer("x", (NAME,), devices=("GPU",)))
    assert why(NAME, replace(PLAIN, device="GPU")) is None and why(NAME) == "it is for GPUs"
    assert why(NAME, origin="default") is None and why(NAME, value=None) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"devices": ("GPU",)}, "it is for GPUs"),
        ({"precisions": ("int8", "fp8")}, "it is for int8 and fp8 graphs"),
        ({"backends": ("tensorrt", "tensorrt_rtx")}, "it is for the backend tensorrt and tensorrt_rtx"),
        ({"served": True}, "it is for runs behind Triton: --config_ver=triton"),
        ({"benchmarks": ("gptj",), "devices": ("GPU",)}, "openvino compiles the model as it is"),
        ({"graphs": True}, "openvino compiles the model as it is"),
    ],
)
def test_the_reason_is_what_the_run_is_not(only: list[Consumer], given: dict[str, object], words: str) -> None:
    only.append(Consumer("x", (NAME,), **given))  # type: ignore[arg-type]
    assert why(NAME, replace(PLAIN, graphs=False)) == words


def test_several_consumers_are_named_once_each(only: list[Consumer]) -> None:
    only += [Consumer("x", (NAME,), backends=("tensorrt",)), Consumer("y", (NAME,), backends=("tensorrt", "onnxruntime"))]
    assert why(NAME) == "it is for the backend tensorrt and onnxruntime"
    only.append(Consumer("z", (NAME,), served=True))
    assert why(NAME) == "it is for the backend tensorrt and onnxruntime", "not behind Triton alone"
    assert why(NAME, replace(PLAIN, served=True)) is None


def test_what_only_the_other_languages_harness_reads(only: list[Consumer]) -> None:
    only.append(Consumer("x", (NAME, "use_graphs"), languages=("cpp",), notes={NAME: "copies once"}))
    assert why(NAME) == "the Python harness copies once; --harness_lang=cpp acts on it"
    assert why("use_graphs") == "the Python harness does not act on it; --harness_lang=cpp acts on it"
    assert why("use_graphs", value=False) is None, "a switch that is off has no effect in any case"
    assert why(NAME, replace(PLAIN, language="cpp")) is None
    only[:] = [Consumer("x", (NAME,), languages=("cpp",), devices=("GPU",))]
    assert why(NAME) == "it is for GPUs", "the other language would not read it either"


def test_a_server_of_its_own_that_a_run_does_not_start(only: list[Consumer]) -> None:
    only.append(Consumer("x", (NAME,), own_server=True))
    assert why(NAME) == "it is for runs with --with_server" and why(NAME, replace(PLAIN, own_server=True)) is None
    only.append(Consumer("y", (NAME,), devices=("GPU",)))
    assert why(NAME) == "it is for GPUs, or with --with_server"
    assert why(NAME, replace(PLAIN, served=True)) == "it is for GPUs, or with --with_server"


def test_consumers_of_other_benchmarks_are_no_reason(only: list[Consumer]) -> None:
    only += [Consumer("x", (NAME,), benchmarks=("gptj",), backends=("tensorrt",)), Consumer("y", (NAME,), precisions=("int8",))]
    assert why(NAME) == "it is for int8 graphs"
    only.append(Consumer("z", (NAME,), benchmarks=("bert",), backends=("onnxruntime",), precisions=("fp32",)))
    assert why(NAME) == "it is for int8 graphs" and why(NAME, replace(PLAIN, precision="int8")) is None
    del only[1]
    assert why(NAME) == "it is for the backend onnxruntime"


def test_a_switch_that_is_off_hides_no_later_option(only: list[Consumer]) -> None:
    only.append(Consumer("x", ("use_graphs", "workspace_size"), languages=("cpp",)))
    given = {name: SimpleNamespace(value=value, origin="x") for name, value in (("use_graphs", False), ("workspace_size", 5))}
    assert [name for name, _ in unused.unused(given, PLAIN)] == ["workspace_size"]


def test_options_of_a_few_benchmarks_or_scenarios_are_read_in_these_alone(only: list[Consumer]) -> None:
    assert why("num_beams") == "it is for gptj, llama3.1-8b, llama3.1-8b-edge" and why("server_target_qps") == "it is for Server"
    only.append(Consumer("x", ("num_beams", "server_target_qps"), devices=("GPU",)))
    assert why("num_beams", replace(PLAIN, benchmark="gptj")) == "it is for GPUs"
    assert why("server_target_qps", replace(PLAIN, scenario="Server")) == "it is for GPUs"


def test_request_options_and_class_only_fields_are_never_named(only: list[Consumer]) -> None:
    named = [field.name for field in FIELDS if field.request or field.class_only]
    assert len(named) > 20 and dict(unused.unused({name: SimpleNamespace(value=1, origin="x") for name in named}, PLAIN)) == {}


def test_its_own_options_come_before_those_of_all_and_these_before_config_fields() -> None:
    ranks = [(not field.request, field.name not in reads.READ_BY) for field in reads.options_of("tune")]
    assert ranks == sorted(ranks) and {(False, False), (False, True), (True, True)} <= set(ranks)


def test_config_fields_of_actions_that_plan_nothing() -> None:
    table = field_table()
    for name in ("check_submission", "pack_submission", "plan_submission"):
        assert reads.reads(name, table["round"]) and not reads.reads(name, table["precision"])
    assert reads.reads("download_model", table["model_variant"]) and reads.reads("clean_engines", table["backend"])
    assert reads.reads("doctor", table["num_nodes"]) and not reads.reads("list_systems", table["num_nodes"])
