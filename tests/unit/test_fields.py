"""Each option is acted on, or ignored with a reason. Found in the code that reads options, not in a list."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from code.backends.base import BACKENDS, backend
from code.common.errors import HarnessError
from code.fields.accepted import ACCEPTED
from code.fields.consumer import Consumer, Run, UndeclaredFieldError
from code.fields.field import Field
from code.fields.table import FIELDS, field_table
from code.plan.consumers import consumers, consumers_of, engine_fields, honours
from code.plan.request import Value
from code.plan.unused import unused
from tests.empty import some
from tests.unit.graphs import values
from tests.unit.reading import Module, raw_reads, request_options

ROOT = Path(__file__).resolve().parents[2]
CONFIG_FIELDS = [f for f in FIELDS if not f.request]


@cache
def modules() -> tuple[Module, ...]:
    """Every module that declares a consumer."""
    found = [Module(path, ROOT) for top in ("code", "configs") for path in sorted((ROOT / top).rglob("*.py"))]
    return tuple(module for module in found if module.consumers)


@cache
def cpp_sources() -> str:
    folder = ROOT / "code" / "harness" / "cpp"
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in (".cc", ".h", ".cu") and "tests" not in p.parts]
    return "\n".join(p.read_text(encoding="utf-8") for p in files)


def run(name: str = "tensorrt", language: str = "cpp", benchmark: str = "bert", scenario: str = "Offline", **more: Any) -> Run:
    runtime = backend(name)
    return Run(name, runtime.device, benchmark, scenario, language, more.get("precision", "fp16"), not runtime.makes_precision)


@pytest.mark.parametrize("field", CONFIG_FIELDS, ids=lambda f: f.name)
def test_every_field_is_acted_on_or_accepted_with_a_reason(field: Field) -> None:
    assert bool(consumers_of(field.name)) != (field.name in ACCEPTED), "declare it in a Consumer, or in ACCEPTED with the reason"


def test_reasons_are_sentences_about_fields_that_exist() -> None:
    assert set(ACCEPTED) <= {f.name for f in CONFIG_FIELDS}
    assert all(reason and not reason.endswith(".") for reason in ACCEPTED.values())


def test_every_consumer_in_the_code_is_known_to_the_registry() -> None:
    declared = {id(consumer): f"{m.name}.{name}" for m in modules() for name, consumer in m.consumers.items()}
    known = {id(consumer) for consumer in consumers()}
    assert not [where for key, where in declared.items() if key not in known], "name its module in code/plan/consumers.py"
    assert known <= set(declared), "declare consumers at the top level of a module, each in a name of its own"


@pytest.mark.parametrize("where", [f"{m.name}.{name}" for m in modules() for name in m.consumers])
def test_every_declared_field_is_read_where_it_is_declared(where: str) -> None:
    module, _, name = where.rpartition(".")
    found = next(m for m in modules() if m.name == module)
    consumer = found.consumers[name]
    unread = [field for field in consumer.fields if not found.reads(name, field)]
    if consumer.languages == ("cpp",):
        unread = [field for field in unread if f'"{field}"' not in cpp_sources()]
    assert not unread, f"{consumer.name} declares fields that {where} never reads"


@pytest.mark.parametrize("folder", ["backends", "benchmarks", "harness", "plan", "precision", "run"])
def test_fields_are_read_through_consumers_only(folder: str) -> None:
    paths = sorted(some((ROOT / "code" / folder).rglob("*.py")))
    assert not [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in raw_reads(path)]


def test_every_option_of_the_request_is_read() -> None:
    read = request_options(ROOT)
    unread = {f.name for f in FIELDS if f.request} - read
    assert not unread


def test_reading_an_undeclared_field_fails_and_says_who_must_declare_it() -> None:
    read = Consumer("LoadGen settings", ("round",)).of({"round": "v5.1", "precision": "fp32"})
    assert read["round"] == "v5.1" and dict(read) == {"round": "v5.1"} and read.get("round") == "v5.1"
    for wrong in (lambda: read["precision"], lambda: read.get("precision"), lambda: "precision" in read):
        with pytest.raises(UndeclaredFieldError, match="LoadGen settings reads 'precision'"):
            wrong()


def test_a_declared_field_that_is_absent_is_a_missing_key() -> None:
    read = Consumer("x", ("round",)).of({})
    assert read.get("round") is None and "round" not in read and len(read) == 0
    with pytest.raises(KeyError):
        read["round"]


def test_a_reading_that_is_handed_on_is_limited_anew() -> None:
    first = Consumer("a", ("round",)).of({"round": "v5.1", "precision": "fp32"})
    assert Consumer("b", ("precision",)).of(first)["precision"] == "fp32"


@pytest.mark.parametrize(
    "wrong", [{"fields": ("rond",)}, {"fields": ("test_run",)}, {"fields": ("round",), "notes": {"fast": ""}}]
)
def test_a_consumer_declares_fields_of_the_table_by_their_own_names(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="LoadGen settings"):
        Consumer("LoadGen settings", **wrong)


# ── what is ignored ──────────────────────────────────────────────────────────────────────────


def ignored(where: Run, **given: Any) -> dict[str, str]:
    return dict(unused({name: Value(value, "config x.py:1") for name, value in given.items()}, where))


@pytest.mark.parametrize(
    "name",
    [
        *("logfile_suffix", "logfile_prefix_with_datetime", "verbose_glog", "verbose_nvtx", "tensor_path", "map_path"),
        *("graph_specs", "vboost_slider", "use_jemalloc", "soc_gpu_freq", "cache_file"),
    ],
)
def test_an_option_without_effect_is_named_with_its_reason(name: str) -> None:
    assert ignored(run(), **{name: 1}) == {name: ACCEPTED[name]}


@pytest.mark.parametrize("name", ["log_mode", "log_mode_async_poll_interval_ms", "log_copy_detail_to_stdout", "log_enable_trace"])
def test_loadgens_log_options_act(name: str) -> None:
    for language in ("cpp", "python"):
        assert not ignored(run(language=language), **{name: 1})


def test_soft_drop_acts_in_the_cpp_harness_only_and_only_in_server() -> None:
    assert not ignored(run(language="cpp", scenario="Server"), soft_drop=0.99)
    assert (
        "Python harness answers queries in order"
        in ignored(run(language="python", scenario="Server"), soft_drop=0.99)["soft_drop"]
    )
    assert ignored(run(language="cpp", scenario="Offline"), soft_drop=0.99) == {"soft_drop": "it is for Server"}


def test_defaults_unset_fields_and_the_request_are_never_named() -> None:
    given = {f.name: Value(f.default, "default") for f in FIELDS} | {"verbose_glog": Value(None, "config x.py:1")}
    assert not unused(given | {"fast": Value(True, "command line"), "system": Value("H100", "config")}, run())


def test_a_switch_that_is_off_is_what_the_other_harness_does_anyway() -> None:
    assert not ignored(run(language="python"), use_graphs=False)
    assert "--harness_lang=cpp" in ignored(run(language="python"), use_graphs=True)["use_graphs"]
    assert not ignored(run(language="auto"), use_graphs=True)


def test_fields_of_another_backend_benchmark_or_precision_say_whose_they_are() -> None:
    found = ignored(run("openvino", precision="fp32"), gpu_batch_size=4, num_beams=2, calib_max_batches=3, workspace_size=1)
    assert found["num_beams"] == "it is for gptj, llama3.1-8b, llama3.1-8b-edge"
    assert found["gpu_batch_size"] == "it is for GPUs"
    assert found["calib_max_batches"] == "it is for int8 and fp8 graphs"
    assert found["workspace_size"] == "it is for the backend tensorrt and tensorrt_rtx"
    assert ignored(run("tensorrt_llm", benchmark="gptj"), use_fp8=True) == {}
    assert ignored(run("openvino_genai", benchmark="gptj", precision="int8"), calib_max_batches=3) == {
        "calib_max_batches": "openvino_genai compiles the model as it is"
    }
    assert "calib_max_batches" in honours(run("openvino", precision="int8"))


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_names_its_own_consumers(name: str) -> None:
    assert backend(name).reads and all(name in consumer.backends for consumer in backend(name).reads)


# ── engines ──────────────────────────────────────────────────────────────────────────


class Recorded(dict[str, Any]):
    """Values that remember which of them were read."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


ENGINES = {
    "openvino": ("bert", "CPU_x86_64"),
    "onnxruntime": ("bert", "CPU_x86_64"),
    "openvino_genai": ("gptj", "CPU_x86_64"),
    "tensorrt": ("bert", "A100_SXM4_40GBx8"),
    "tensorrt_llm": ("gptj", "A100_SXM4_40GBx8"),
    "tensorrt_llm_api": ("gptj", "A100_SXM4_40GBx8"),
}
"""Backend → the benchmark and system of the test. TensorRT-RTX asks its SDK; its settings are TensorRT's."""

OTHER: dict[str, Any] = {
    "precision": "int8",
    "system": "L40Sx1",
    "benchmark": "3d-unet",
    "length_buckets": ["128", "384"],
    "hardware_compatibility": "ampere_plus",
    "profiling_verbosity": "none",
    "max_batch": 8,
    "num_beams": 7,
    "builder_optimization_level": 2,
    "workspace_size": 1 << 30,
}


def other(field: str, folder: Path) -> Any:
    """Another value than the default of a field."""
    if field == "plugin_libs":
        (folder / "kernels.so").write_bytes(b"a library")
        return [str(folder / "kernels.so")]
    if field == "llm_gen_config_path":
        (folder / "generation.json").write_text('{"runtime_beam_width": 9}')
        return str(folder / "generation.json")
    return OTHER.get(field, {"bool": True, "int": 64}.get(field_table()[field].type))


def settings(name: str, given: Mapping[str, Any]) -> Any:
    try:
        return backend(name).build_settings(given)
    except HarnessError as error:
        return error.what


@pytest.mark.parametrize("name", ENGINES)
def test_a_backend_reads_exactly_the_engine_fields_for_an_engines_address(name: str) -> None:
    benchmark, system = ENGINES[name]
    given = Recorded(values(benchmark=benchmark, system=system, max_batch=4))
    assert isinstance(settings(name, given), dict)
    wanted = engine_fields(run(name, benchmark=benchmark))
    checked = {f for consumer in backend(name).reads if not consumer.engine for f in consumer.fields}
    assert given.read - checked == wanted - checked


@pytest.mark.parametrize("name", ENGINES)
def test_another_value_of_an_engine_field_is_another_engine(name: str, tmp_path: Path) -> None:
    benchmark, system = ENGINES[name]
    plain = values(benchmark=benchmark, system=system, max_batch=4)
    # The kind of device tells apart the engines of a system with several kinds, and these systems have one.
    fields = sorted(engine_fields(run(name, benchmark=benchmark)) - {"device_kind"})
    assert fields
    for field in fields:
        assert settings(name, {**plain, field: other(field, tmp_path)}) != settings(name, plain), field


@pytest.mark.parametrize("name", ENGINES)
def test_other_fields_leave_the_engine_as_it_is(name: str, tmp_path: Path) -> None:
    benchmark, system = ENGINES[name]
    plain = values(benchmark=benchmark, system=system, max_batch=4)
    decisive = engine_fields(run(name, benchmark=benchmark))
    for field in CONFIG_FIELDS:
        if field.name not in decisive | {"trtllm_batching_mode", "trtllm_batch_sched_policy"}:
            changed = other(field.name, tmp_path) if field.type != "float" else 0.5
            assert settings(name, {**plain, field.name: changed}) == settings(name, plain), field.name


# ── the house ──────────────────────────────────────────────────────────────────────────


def test_naming_the_consumers_imports_no_sdk(project: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys\nfrom code.plan.consumers import consumers\nconsumers()\n"
        "heavy = {'openvino', 'openvino_genai', 'onnxruntime', 'onnx', 'tensorrt', 'tensorrt_llm', 'nncf', 'pynvml'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_documentation_has_a_row_for_every_field(project: Path) -> None:
    text = (project / "documentation" / "fields.md").read_text(encoding="utf-8")
    rows = {m[1]: m[0] for m in re.finditer(r"^\| `(\w+)` .*$", text, re.MULTILINE)}
    assert set(rows) == {f.name for f in CONFIG_FIELDS}
    assert all(row.rstrip(" |").rpartition("|")[2].strip() for row in rows.values()), "a row without a consumer or a reason"


def test_modules_of_the_registry_have_consumers() -> None:
    from code.plan.consumers import MODULES

    for name in MODULES:
        assert any(isinstance(item, Consumer) for item in vars(import_module(name)).values()), name


def test_the_scan_finds_a_declaration_that_nobody_reads(tmp_path: Path) -> None:
    source = (
        "from code.fields.consumer import Consumer\n"
        'NAMES = ("qsl_rng_seed", "schedule_rng_seed")\n'
        'READS = Consumer("x", ("round", "precision", "cpu_batch_size", "backend", *NAMES))\n'
        "def f(values, kind):\n"
        "    read = READS.of(values)\n"
        '    word = "backend"\n'
        "    seeds = {name: read[name] for name in NAMES}\n"
        '    return read["round"], READS.of(values)[f"{kind}_batch_size"], values["precision"], seeds\n'
    )
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "scanned.py").write_text(source)
    module = Module(tmp_path / "code" / "scanned.py", tmp_path, ast.parse(source))
    assert {f for f in module.consumers["READS"].fields if not module.reads("READS", f)} == {"precision", "backend"}
