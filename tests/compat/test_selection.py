"""Which config a request gets: names in any spelling, the next system that fits, variants, and what is no config."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.common.errors import UsageError
from code.machine.detect import detect
from code.plan import selection
from code.plan.request import parse
from code.systems import replaced
from code.systems.folders import described_system, known_system, same_system
from code.systems.matching import fitting, match
from code.systems.system_list import KnownSystem
from configs.loading import CUSTOM_ENVIRONMENT
from tests.compat.class_examples import REGISTER as MANY
from tests.compat.conftest import HEAD, DropIn
from tests.compat.custom_json import CUSTOM_JSON
from tests.compat.test_faults import GOOD, START, config

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("H100_SXM_80GBx8", "H100_SXM_80GBx8"),
        ("h100_sxm_80gbx8", "H100_SXM_80GBx8"),
        ("H100-SXM-80GBx8", "H100_SXM_80GBx8"),
        ("DGX-A100_A100-SXM4-40GBx8", "A100_SXM4_40GBx8"),
        ("dgx-h100_h100-sxm-80gbx8", "H100_SXM_80GBx8"),
        ("l4x1", "L4x1"),
    ],
)
def test_systems_are_named_in_any_case_and_by_their_id(drop_in: DropIn, name: str, known: str) -> None:
    found = known_system(name)
    assert found is not None and found.name == known
    assert drop_in.one(f"--system={name}").system_name == known


def test_what_names_no_system_is_none() -> None:
    assert known_system("H100_SXM_80GBx7") is None and known_system("") is None
    assert same_system("B200-SXM-180GBx8_TRT", "b200_sxm_180gbx8") and not same_system("L4x1", "L4x11")


@pytest.mark.parametrize(
    ("folder", "gpu", "count"),
    [
        ("ESC8000_L40Sx8", "L40S", 8),
        ("Vendor_XD670_H200_SXM_141GBx8", "H200_SXM_141GB", 8),
        ("R7715-H100-NVL-94GBx3", "H100_NVL", 3),
        ("Vendor_DL384_GH200_144GBx2_TRT", "GH200_GraceHopper_144GB", 2),
        ("R570-L4-PCIE-24GBx4", "L4", 4),
        ("vXE9680_H200-SXM-141GBx8", "H200_SXM_141GB", 8),
        ("DL380_H100_PCIe_80GBx2", "H100_PCIe_80GB", 2),
        ("R760xa_H100NVL_PCIe_94GBx4", "H100_NVL", 4),
        ("ESC4000A_E12_4XH100", "H100_SXM_80GB", 4),
        ("NF5468M6_A40x8", "A40", 8),
    ],
)
def test_a_folders_name_tells_its_accelerators(folder: str, gpu: str, count: int) -> None:
    found = described_system(folder)
    assert found is not None and (found.accelerator, found.accelerators, found.system_id) == (gpu, count, folder)


@pytest.mark.parametrize("folder", ["nebius_n1", "Rack_with_H100", "L40Sx0", "Somethingx8", "XL4x8"])
def test_a_folder_that_does_not_is_left_open(folder: str) -> None:
    assert described_system(folder) is None


def test_a_detected_system_without_configs_falls_back(drop_in: DropIn) -> None:
    capture = CAPTURES / "nd_h100_v5.json"
    detected = detect(str(capture))
    assert match(detected).system.name == "ND_H100_v5"
    assert [system.name for system in fitting(detected)][:2] == ["ND_H100_v5", "H100_SXM_80GBx8"]
    own = drop_in.write(
        "bert/Offline/__init__.py",
        HEAD + config("H100", "system = KnownSystem.H100_SXM_80GBx8", "offline_expected_qps = 50000") + GOOD,
    )
    workload = drop_in.one(f"--capture={capture}")
    assert workload.system_name == "ND_H100_v5" and workload.system_id == "ND_H100_v5"
    assert workload["offline_expected_qps"] == 50000 and workload.config.file == str(own)
    assert any(note.startswith("ND_H100_v5 has no config for bert Offline; that of H100_SXM_80GBx8") for note in workload.notes)
    named = drop_in.refusal("--system=ND_H100_v5")
    assert "ND_H100_v5 has no config" in named.what, "a system that the user names is meant"


@pytest.mark.parametrize("system", [None, 5, "lambda: KnownSystem.L4x1", "''", "[KnownSystem.L4x1]"])
def test_a_class_without_a_system_is_a_problem(drop_in: DropIn, system: object) -> None:
    lines = [f"system = {system}"] if system is not None else ["system = None"]
    path = drop_in.bert_offline(
        config("Nowhere", *lines, "offline_expected_qps = 1") + config("Nothing", "gpu_copy_streams = 1") + GOOD
    )
    (file,) = drop_in.load()
    first, second = file.problems
    assert [entry.cls.__name__ for entry in file.entries] == ["L4x1"]
    assert first.where == f"{path}:{START + 2}" and "Nowhere has " in first.reason
    assert second.where == f"{path}:{START + 6}" and "Nothing sets no system" in second.reason
    assert any("Nowhere" in note for note in drop_in.one("--system=L4x1").notes)


def test_variants_of_a_config(drop_in: DropIn) -> None:
    def variant(name: str, suffix: str, rate: int) -> str:
        register = MANY.format("Custom", "k_99", "MaxP", f', "{suffix}"' if suffix else "")
        body = f"    system = KnownSystem.L4x1\n    offline_expected_qps = {rate}\n\n\n"
        return f"{register}class {name}(OfflineGPUBaseConfig):\n{body}"

    path = drop_in.bert_offline(variant("A", "TP1", 1) + variant("B", "TP2", 2))
    error = drop_in.refusal("--system=L4x1")
    assert "several variants" in error.what and "TP1, TP2" in error.why and error.where == f"{path}:{START}"
    assert drop_in.one("--system=L4x1", "--config_suffix=tp2")["offline_expected_qps"] == 2
    assert "no config variant 'TP3'" in drop_in.refusal("--system=L4x1", "--config_suffix=TP3").what


def test_the_variant_without_a_suffix_is_the_default(drop_in: DropIn) -> None:
    suffixed = MANY.format("Custom", "k_99", "MaxP", ', "TP2"') + "class B(L4x1):\n    offline_expected_qps = 2\n"
    drop_in.bert_offline(GOOD + suffixed)
    assert drop_in.one("--system=L4x1")["offline_expected_qps"] == 900


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class KnownSystem:\n    pass\n", "it defines KnownSystem itself"),
        ("from nvmitten.system import System\n", "it does not hand on"),
        ("class\n", "it cannot be parsed"),
    ],
)
def test_a_foreign_system_list_is_a_clear_error(
    drop_in: DropIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    own = replaced.project_root() / "code/common/systems"
    folder = tmp_path / "project/code/common/systems"
    folder.mkdir(parents=True)
    for name in replaced.OWN_MODULES:
        (folder / f"{name}.py").write_bytes((own / f"{name}.py").read_bytes())
    monkeypatch.setattr(replaced, "project_root", lambda: tmp_path / "project")
    replaced.require_own_modules()
    (folder / "system_list.py").write_text(text, encoding="utf-8")
    error = drop_in.refusal("--system=L4x1")
    assert isinstance(error, UsageError) and "is not this project's file" in error.what and why in error.why
    assert "git checkout" in error.next_step and "custom_list.py" in error.next_step
    (folder / "system_list.py").unlink()
    assert "it is missing" in drop_in.refusal("--system=L4x1").why


def test_systems_of_a_json_list_are_known(drop_in: DropIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "definitions" / "custom_systems"
    folder.mkdir(parents=True)
    path = folder / "custom_list.json"
    path.write_text(CUSTOM_JSON.replace("{\n", '{\n  "Broken": {"data": 3},\n', 1), encoding="utf-8")
    monkeypatch.setenv(CUSTOM_ENVIRONMENT, str(tmp_path / "definitions"))
    KnownSystem.forget()
    system = KnownSystem.Rack_H100x4
    assert system.accelerators == 4 and system.accelerator == "H100_SXM_80GB" and system.system_id == "Rack-H100x4"
    assert known_system("rack-h100x4") is system
    (problem,) = KnownSystem.problems
    assert problem.path == path and problem.line == 2 and "'Broken' cannot be read" in problem.message
    drop_in.bert_offline(config("Rack", "system = KnownSystem.Rack_H100x4", "offline_expected_qps = 9000"))
    assert drop_in.one("--system=Rack-H100x4")["offline_expected_qps"] == 9000


def test_batches_and_flags_on_the_command_line() -> None:
    request = parse(["--gpu_batch_size=bert:64,encoder:2", "--trtllm_runtime_flags=a:1,b:true,c:[1,2],d:x"], {})
    assert request["gpu_batch_size"] == {"bert": 64, "encoder": 2}
    assert request["trtllm_runtime_flags"] == {"a": 1, "b": True, "c": [1, 2], "d": "x"}
    assert parse(["--precision=float16"], {})["precision"] == "fp16"
    assert parse(["--precision=bert:int8,unet:fp8"], {})["precision"] == {"bert": "int8", "unet": "fp8"}
    for wrong in ("bert", "bert:", ":64", "bert:64,bert:65", "bert:0", "bert:x", "bert:64,,y"):
        with pytest.raises(UsageError, match="gpu_batch_size cannot be"):
            parse([f"--gpu_batch_size={wrong}"], {})
    for wrong in ("a", "a:", "3", "{}x", "[1]"):
        with pytest.raises(UsageError, match="trtllm_build_flags cannot be"):
            parse([f"--trtllm_build_flags={wrong}"], {})
    with pytest.raises(UsageError, match="precision cannot be 'int3'"):
        parse(["--precision=bert:int3"], {})


def test_the_walk_asks_for_configs_of_the_named_folder_only(drop_in: DropIn, monkeypatch: pytest.MonkeyPatch) -> None:
    drop_in.write("L4x1/Offline/bert.py", "raise SystemExit('executed')\n")
    request = parse(["--action=explain", "--benchmarks=bert", "--system=L40x1", "--scenarios=offline"], {})
    assert selection.resolve_system(request).name == "L40x1"
    assert not drop_in.one("--system=L40x1").notes, "a folder of another system is not executed"
