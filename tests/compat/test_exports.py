"""Config files of the newer layout: they load beside the classes, a system folder selects them, and every value has its line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import configs
from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError, MissingError, UsageError
from code.plan.request import parse
from code.plan.selection import use_configs
from configs.configuration import Registered
from configs.exports import located
from configs.inspection import faults
from configs.loading import CUSTOM_ENVIRONMENT, LoadedFile, load_export, load_folders, use_folder
from tests.compat.conftest import DropIn
from tests.compat.exports_examples import BERT, CONFIGS, FILES, H100, HEAD, LONG, RACK, setting


@pytest.fixture
def folder(tmp_path: Path, drop_in: DropIn) -> Iterator[Path]:
    """The examples in a folder of their own."""
    root = tmp_path / "others"
    for place, text in FILES.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    yield root
    use_folder(None)


def loaded(root: Path, place: str) -> LoadedFile:
    use_folder(root)
    file = located(root / place, root)
    assert file is not None
    return load_export(file)


def line_of(path: Path, text: str) -> int:
    return next(i for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line)


def write(root: Path, place: str, text: str) -> Path:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("place", CONFIGS)
def test_every_pattern_loads(folder: Path, place: str) -> None:
    before, variables = list(sys.path), dict(os.environ)
    file = loaded(folder, place)
    assert file.problems == () and file.entries
    assert [error.what for entry in file.entries for error in faults(entry)] == []
    assert sys.path == before and dict(os.environ) == variables
    assert not [name for name in sys.modules if name.startswith(("src", "nvmitten", "code.llmlib")) or name == "common_settings"]


def test_there_are_thirty_examples() -> None:
    assert len(CONFIGS) >= 30


def entry(root: Path, place: str, target: str = "k_99", power: str = "MaxP") -> Registered:
    found = [
        e
        for e in loaded(root, place).entries
        if (e.setting.accuracy_target.name, e.setting.power_setting.name) == (target, power)
    ]
    assert len(found) == 1
    return found[0]


def test_config_dir_and_the_system_folder_select(folder: Path, drop_in: DropIn) -> None:
    workload = drop_in.one(f"--config_dir={folder}", f"--system={H100}")
    path = folder / H100 / "Offline" / "bert.py"
    assert workload.system_name == "H100_SXM_80GBx8" and workload.system_id == H100
    assert workload["offline_expected_qps"] == 75200 and workload["gpu_batch_size"] == {"bert": 64}
    assert type(workload["gpu_batch_size"]) is dict
    rate = line_of(path, "loadgen_fields.offline_expected_qps: 75200")
    assert workload.origin("offline_expected_qps") == f"config {path}:{rate} ({H100})"
    shared = line_of(path, 'model_fields.precision: "int8"')
    assert workload.origin("precision") == f"config {path}:{shared} ({H100})", "the line of the entry, where the dict was written"
    assert any("the class H100_SXM_80GBx8" in note and "is not" in note for note in workload.notes)
    high = drop_in.one(f"--config_dir={folder}", f"--system={H100}", "--config_ver=high_accuracy")
    assert high["precision"] == "fp16" and high.origin("precision").endswith(f":{line_of(path, 'fp16')} ({H100})")


@pytest.mark.parametrize(
    ("variable", "name"),
    [("SYSTEM_NAME", H100), ("SYSTEM_NAME", H100.lower()), ("SYSTEM_NAME", "h100_sxm_80gbx8"), ("MLPINF_SYSTEM", H100)],
)
def test_the_environment_selects_too(folder: Path, drop_in: DropIn, variable: str, name: str) -> None:
    from code.plan import workload as plan

    words = ["--action=explain", "--benchmarks=bert", "--scenarios=offline"]
    workloads, failed = plan.build(parse(words, {"CONFIG_DIR": str(folder), variable: name}))
    assert failed == [] and workloads[0]["offline_expected_qps"] == 75200
    assert drop_in.one(f"--config_dir={folder}", f"--system_name={name}")["offline_expected_qps"] == 75200


def test_the_references_variable_sets_the_field() -> None:
    from code.plan import workload as plan

    words = ["--action=explain", "--benchmarks=gptj", "--scenarios=offline", "--system=CPU_x86_64"]
    for given, variables in ((["--num_beams=1"], {}), ([], {"GPTJ_BEAM_SIZE": "1"})):
        workloads, failed = plan.build(parse([*words, *given], variables))
        assert failed == [] and workloads[0]["num_beams"] == 1


def test_folders_put_into_configs_load_beside_the_classes(drop_in: DropIn) -> None:
    drop_in.write(f"{H100}/Offline/bert.py", FILES[f"{H100}/Offline/bert.py"])
    assert drop_in.one(f"--system={H100}")["offline_expected_qps"] == 75200
    assert drop_in.one("--system=L4x1").config.folder == ""


@pytest.mark.parametrize("below", ["", "configs", "custom_configs"])
def test_the_folder_of_definitions_holds_system_folders(
    drop_in: DropIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    write(tmp_path / "definitions" / below, f"{RACK}/Offline/bert.py", FILES[f"{RACK}/Offline/bert.py"])
    write(tmp_path / "definitions" / below, f"{RACK}/Offline/common_settings.py", FILES[f"{RACK}/Offline/common_settings.py"])
    write(tmp_path / "definitions" / below, f"{RACK}/shared.py", FILES[f"{RACK}/shared.py"])
    monkeypatch.setenv(CUSTOM_ENVIRONMENT, str(tmp_path / "definitions"))
    assert drop_in.one(f"--system={RACK}")["offline_expected_qps"] == 36000


def test_an_unknown_systems_folder_describes_itself(folder: Path, drop_in: DropIn) -> None:
    workload = drop_in.one(f"--config_dir={folder}", f"--system={LONG}")
    assert workload.system_name == workload.system_id == LONG
    assert any("2 x L40S, by its name" in note for note in workload.notes)
    from code.backends.base import backend
    from code.run.placement import place

    assert [device.kind for device in place(workload, backend("tensorrt")).devices] == ["L40S", "L40S"]
    single = drop_in.one(f"--config_dir={folder}", f"--system={LONG}", "--scenarios=singlestream", "--benchmarks=bert")
    assert single["single_stream_expected_latency_ns"] == 2_500_000, "scenario folders match in any case"


def test_places_survive_copies_merges_and_neighbours(folder: Path) -> None:
    place = f"{RACK}/Offline/bert.py"
    own = vars(entry(folder, place).cls)["__places__"]
    neighbour, shared = folder / RACK / "Offline" / "common_settings.py", folder / RACK / "shared.py"
    assert own["precision"] == f"{neighbour}:{line_of(neighbour, 'precision')}"
    assert own["gpu_copy_streams"] == f"{shared}:{line_of(shared, 'STREAMS')}"
    assert own["offline_expected_qps"] == f"{folder / place}:{line_of(folder / place, 'EXPORTS')}"
    copied = folder / H100 / "Server" / "gptj.py"
    places = vars(entry(folder, f"{H100}/Server/gptj.py").cls)["__places__"]
    assert places["server_target_qps"] == f"{copied}:{line_of(copied, 'fast[loadgen_fields')}"
    assert places["gpu_batch_size"] == f"{copied}:{line_of(copied, 'gptj')}"
    server = folder / RACK / "Server" / "bert.py"
    places = vars(entry(folder, f"{RACK}/Server/bert.py", "k_99_9", "MaxQ").cls)["__places__"]
    assert places["server_target_qps"] == f"{server}:{line_of(server, 'new.update')}"
    assert places["deque_timeout_usec"] == f"{server}:{line_of(server, 'new |=')}"


def test_text_goes_through_the_fields_own_parser(folder: Path, drop_in: DropIn) -> None:
    workload = drop_in.one(f"--config_dir={folder}", f"--system={H100}", "--benchmarks=bert", "--scenarios=multistream")
    assert workload["multi_stream_expected_latency_ns"] == 8_000_000
    assert workload["gpu_batch_size"] == {"bert": 8} and workload["precision"] == "int8" and workload["use_graphs"] is True


def test_a_precision_by_component_is_the_benchmarks(folder: Path, drop_in: DropIn) -> None:
    workload = drop_in.one(f"--config_dir={folder}", f"--system={H100}", "--benchmarks=3d-unet", "--scenarios=offline")
    assert workload["precision"] == "int8" and workload["offline_expected_qps"] == 48


def test_flags_become_the_fields_of_their_meaning(folder: Path, drop_in: DropIn) -> None:
    words = (f"--config_dir={folder}", f"--system={H100}", "--benchmarks=gptj", "--scenarios=offline")
    workload = drop_in.one(*words)
    assert workload["backend"] == "tensorrt_llm"
    assert workload["max_num_tokens"] == 4096 and workload["num_beams"] == 4
    assert workload["trtllm_batch_sched_policy"] == "max_util" and workload["trtllm_batching_mode"] == "IFB"
    assert workload.origin("num_beams").endswith("trtllm_build_flags['max_beam_width']")
    assert any("context_fmha" in note and "max_num_tokens" not in note for note in workload.notes)
    workload = drop_in.one(*words, "--trtllm_build_flags=max_num_tokens:2048,opt_num_tokens:512")
    assert workload["max_num_tokens"] == 2048 and workload["trtllm_build_flags"]["max_beam_width"] == 4, "merged, not replaced"


def test_minimal_stands_in_for_a_system_without_configs(folder: Path, drop_in: DropIn) -> None:
    workload = drop_in.one(f"--config_dir={folder}", "--system=A100_SXM_80GB_ROx4")
    assert workload["offline_expected_qps"] == 100 and any("folder minimal" in note for note in workload.notes)


def test_atomic_exports_alone_are_the_configs(folder: Path, drop_in: DropIn) -> None:
    system = (f"--config_dir={folder}", "--system=A100_SXM_80GB_ROx4", "--benchmarks=bert")
    default = drop_in.one(*system, "--scenarios=server")
    high = drop_in.one(*system, "--scenarios=server", "--config_ver=high_accuracy")
    assert (default["server_target_qps"], default["precision"]) == (70, "int8")
    assert (high["server_target_qps"], high["precision"]) == (50, "fp16")
    assert drop_in.one(*system, "--scenarios=singlestream")["single_stream_expected_latency_ns"] == 9_000_000
    assert not any("ATOMIC_EXPORTS" in note for note in default.notes)


def test_what_a_file_says_and_is_not_used_is_said(folder: Path) -> None:
    (remark,) = loaded(folder, f"{H100}/Server/llama2-70b.py").remarks
    assert "TRTLLM_SERVER_DISABLE_GC" in remark and "MLPINF_HTTP_USE_COMPLETIONS" in remark
    remarks = loaded(folder, "B200-SXM-180GBx8/Server/deepseek-r1.py").remarks
    assert [line.partition(" ")[0] for line in remarks] == ["ATOMIC_EXPORTS", "ACCURACY_OVERRIDES", "COMPLIANCE_OVERRIDES"]


def test_nothing_of_another_harness_is_executed(drop_in: DropIn, tmp_path: Path) -> None:
    root = tmp_path / "theirs" / "configs"
    for place in ("code/__init__.py", "code/bert/tensorrt/fields.py", "code/fields/models.py", "nvmitten/constants.py"):
        write(tmp_path / "theirs", place, "raise SystemExit('executed')\n")
    head = f"import sys\nsys.path.insert(0, {str(tmp_path / 'theirs')!r})\n"
    text = head + HEAD + "import code.bert.tensorrt.fields as bert_fields\nfrom nvmitten.constants import Precision\n"
    write(root, f"{H100}/Offline/bert.py", text + BERT + f"EXPORTS = {{{setting()}: base}}\n")
    assert loaded(root, f"{H100}/Offline/bert.py").problems == ()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("EXPORTS = {\n", 10, "syntax error"),
        ("EXPORTS = [1]\n", 1, "EXPORTS that is a list"),
        ("base = {}\n", 1, "has no EXPORTS"),
        ("EXPORTS = {\n    'x': {},\n}\n", 11, "'x' is not a WorkloadSetting"),
        (f"EXPORTS = {{{setting()}: 3}}\n", 10, "custom_k_99_MaxP is not a WorkloadSetting with a dict"),
        (f"EXPORTS = {{{setting()}: {{\n    3: 4,\n}}}}\n", 11, "3 is not a field"),
        (f"EXPORTS = {{{setting()}: {{C.Nonsense: 4}}}}\n", 10, "Nonsense"),
        ("import nvmitten.tree\nEXPORTS = nvmitten.tree.Tree()\n", 11, "this project serves nothing of it"),
    ],
)
def test_what_is_no_config_is_a_problem_with_its_line(drop_in: DropIn, tmp_path: Path, text: str, line: int, reason: str) -> None:
    root = tmp_path / "others"
    path = write(root, f"{H100}/Offline/bert.py", HEAD + text)
    file = loaded(root, f"{H100}/Offline/bert.py")
    assert file.entries == () and reason in file.problems[0].reason
    assert file.problems[0].where == f"{path}:{line}"
    workload = drop_in.one(f"--config_dir={root}", f"--system={H100}", "--config_ver=maxq")
    assert any(f"{path}:{line}: not loaded" in message for message in workload.notes)


def test_an_unknown_field_costs_its_config_alone(drop_in: DropIn, tmp_path: Path) -> None:
    root = tmp_path / "others"
    text = f"EXPORTS = {{\n    {setting()}: {{loadgen_fields.offline_expected_gps: 1}},\n    {setting('0.999')}: base,\n}}\n"
    path = write(root, f"{H100}/Offline/bert.py", HEAD + BERT + text)
    error = drop_in.refusal(f"--config_dir={root}", f"--system={H100}")
    assert "offline_expected_gps" in error.what and "offline_expected_qps" in error.why
    assert error.where == f"{path}:{line_of(path, 'offline_expected_gps')}"
    assert drop_in.one(f"--config_dir={root}", f"--system={H100}", "--config_ver=high_accuracy")["precision"] == "int8"


def test_a_config_dir_without_configs_is_an_error(drop_in: DropIn, tmp_path: Path) -> None:
    for given in (tmp_path / "absent", tmp_path):
        with pytest.raises(UsageError, match="has no config files"):
            use_configs(parse([f"--config_dir={given}"], {}))


def test_an_unknown_system_names_the_nearest_folder(folder: Path, drop_in: DropIn) -> None:
    with pytest.raises(UsageError) as caught:
        drop_in.plan(f"--config_dir={folder}", "--system=Somebody_ML30_RTX_L40S_PCIE_48GBx3")
    assert LONG in caught.value.why


def test_a_machine_that_nobody_listed_uses_its_own_folder(folder: Path, drop_in: DropIn, monkeypatch: pytest.MonkeyPatch) -> None:
    from code.plan import selection

    def no_match(detected: object) -> None:
        raise MissingError("it matches no known system")

    monkeypatch.setattr(selection, "match", no_match)
    monkeypatch.setattr(selection, "unregistered_name", lambda detected: "UNREGISTERED_x86_64_NVIDIA_L4x3")
    workload = drop_in.one(f"--config_dir={folder}")
    assert workload.system_id == "UNREGISTERED_x86_64_NVIDIA_L4x3" and workload["gpu_batch_size"] == {"bert": 64}
    monkeypatch.setattr(selection, "unregistered_name", lambda detected: "UNREGISTERED_x86_64_Otherx1")
    assert drop_in.one(f"--config_dir={folder}")["offline_expected_qps"] == 100, "minimal"
    with pytest.raises(HarnessError, match="no known system"):
        drop_in.plan()


def test_endpoint_files_give_the_fields_of_their_arguments(drop_in: DropIn, tmp_path: Path) -> None:
    root = tmp_path / "others"
    place = f"bert/{H100}/VLLM/Server/endpoint.yaml"
    path = write(
        root,
        place,
        "settings:\n  runtime:\n    min_duration_ms: 600000\n  load_pattern:\n    type: poisson\n    target_qps: 2340\n"
        "server:\n  command: >\n    serve model --tensor-parallel-size 4 --max-num-seqs=64\n  args: [--gpu-memory-utilization, '0.9']\n"
        "model_params:\n  name: ${MODEL}\n",
    )
    use_folder(root)
    (file,) = load_folders(Benchmark.BERT, Scenario.Server, lambda name: name == H100)
    (config,) = file.entries
    fields = {name: getattr(config.cls, name) for name in vars(config.cls)["__places__"]}
    assert fields == {
        "min_duration": 600000,
        "server_target_qps": 2340,
        "tensor_parallelism": 4,
        "gpu_batch_size": 64,
        "kvcache_free_gpu_mem_frac": 0.9,
    }
    assert vars(config.cls)["__places__"]["server_target_qps"] == f"{path}:6"
    assert "type" in file.remarks[0] and "not started" in file.remarks[0]
    path.write_text("a: [\n", encoding="utf-8")
    use_folder(None)
    use_folder(root)
    (file,) = load_folders(Benchmark.BERT, Scenario.Server, lambda name: name == H100)
    assert file.entries == () and "YAML" in file.problems[0].reason


def test_configs_path_is_as_it_was(folder: Path, drop_in: DropIn) -> None:
    before = list(configs.__path__)
    drop_in.one(f"--config_dir={folder}", f"--system={H100}")
    drop_in.one("--system=L4x1")
    assert list(configs.__path__) == before
