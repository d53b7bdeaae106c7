"""3D-UNet as a user runs it, on the tiny model: from phantoms that are drawn on the way to a DICE verdict, with the real LoadGen."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from code.benchmarks.unet3d import accuracy, tiny
from tests.e2e.test_run_bert import COLD, make, results

pytestmark = pytest.mark.e2e
PYTHON = "--harness_lang=python"
GIVEN = "--offline_expected_qps=1 --single_stream_expected_latency_ns=1000000000"


@pytest.fixture(scope="module")
def scored(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One accuracy run over all 43 cases."""
    logs = tmp_path_factory.mktemp("logs")
    arguments = f"--benchmarks=3d-unet --scenarios=offline --test_mode=AccuracyOnly --config_ver=high_accuracy {PYTHON}"
    return logs, make(project, "run", arguments, LOG_DIR=str(logs))


@pytest.mark.full
def test_an_accuracy_run_meets_the_higher_target(scored: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    logs, done = scored
    assert done.returncode == 0, done.stderr
    (result,) = results(logs)
    record = json.loads(tiny.RECORD.read_text())
    (score,) = result["accuracy"]
    assert (score["name"], score["pass"]) == ("DICE", True)
    assert score["value"] == pytest.approx(record["DICE"], abs=1e-3)
    assert score["threshold"] == pytest.approx(0.999 * record["DICE"])
    assert "3d-unet-99.9" in done.stdout


@pytest.mark.full
def test_its_log_is_scored_as_the_official_script_would(scored: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    (log,) = scored[0].rglob("mlperf_log_accuracy.json")
    run = json.loads((log.parent / "run.json").read_text())["dataset"]
    answers = {int(entry["qsl_idx"]): bytes.fromhex(entry["data"]) for entry in json.loads(log.read_text())}
    assert sorted(answers) == list(range(43))
    pairs = []
    for index, name in enumerate(run["cases"]):
        label = np.load(Path(run["folder"]) / f"{name}_label.npy")
        pairs.append(accuracy.dice(np.frombuffer(answers[index], np.uint8).reshape(label.shape), label))
    text = (log.parent / "accuracy.txt").read_text()
    assert text.startswith(f"Accuracy: mean = {np.mean(pairs):.5f}, kidney = ")
    assert answers[run["cases"].index("case_00400")] == answers[run["cases"].index("case_00185")]


@pytest.mark.full
def test_offline_takes_the_largest_cases_first(scored: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    (file,) = scored[0].rglob("batches.npy")
    batches = np.load(file)
    by_start = batches[np.argsort(batches[:, 0], kind="stable")]
    assert len(batches) == 43
    assert set(batches[:, 2]) == {1.0}
    assert (np.diff(by_start[:, 3]) <= 0).mean() > 0.9


def run(project: Path, logs: Path, arguments: str) -> subprocess.CompletedProcess[str]:
    """`make run` in bf16, where this machine computes it: a fifth of fp32's time."""
    done = make(project, "run", f"{arguments} --precision=bf16 {COLD} {PYTHON}", LOG_DIR=str(logs))
    if "no bf16 instructions" in done.stderr:
        done = make(project, "run", f"{arguments} --precision=fp32 {COLD} {PYTHON}", LOG_DIR=str(logs))
    assert done.returncode == 0, done.stderr
    return done


def test_both_scenarios_give_a_performance_result(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path, f"--benchmarks=3d-unet --scenarios=offline,singlestream --test_query_count=1 {GIVEN}")
    assert {r["scenario"] for r in results(tmp_path)} == {"Offline", "SingleStream"}
    assert all("open division only" in r["division_note"] for r in results(tmp_path))
    for result in results(tmp_path):
        assert result["scenario_key"] in result


def test_a_real_ct_goes_through_by_fields_alone(project: Path, shared: Path, tmp_path: Path) -> None:
    """What of it lies about the kidneys, 68 × 68 × 30 voxels at 3 mm, one window, with organ labels.

    A network of phantoms at half the size scores little on it, but scores.
    """
    import nibabel

    for name in ("example_ct_sm", "example_seg"):
        whole = nibabel.load(shared / "data" / "ct_kidney" / f"{name}.nii.gz")
        nibabel.save(whole.slicer[24:92, 8:76], tmp_path / f"{name}.nii.gz")
    arguments = (
        f"--benchmarks=3d-unet --scenarios=singlestream --test_mode=AccuracyOnly --data_path={tmp_path}/example_ct_sm.nii.gz "
        f"--unet3d_segmentation_path={tmp_path}/example_seg.nii.gz --unet3d_label_map=2:1,3:1 --accuracy_reference=0.5 "
        f"--preprocessed_data_dir={tmp_path}/arrays"
    )
    run(project, tmp_path / "logs", arguments)
    (result,) = results(tmp_path / "logs")
    assert 0 <= result["accuracy"][0]["value"] < 1
    content = json.loads(next((tmp_path / "logs").rglob("accuracy.json")).read_text())
    assert list(content["cases"]) == ["example_ct_sm"]


def test_a_bad_case_ends_the_run_with_its_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "case_00007").mkdir(parents=True)
    (tmp_path / "data" / "case_00007" / "imaging.nii.gz").write_bytes(b"nothing")
    arguments = f"--benchmarks=3d-unet --data_path={tmp_path}/data --preprocessed_data_dir={tmp_path}/arrays"
    done = make(project, "preprocess_data", arguments)
    assert done.returncode != 0
    assert "1 of 1 cases could not be preprocessed: case_00007" in done.stderr
    assert "Traceback" not in done.stderr


def test_fields_that_nothing_acts_on_are_listed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "custom_configs" / "3d-unet" / "Offline").mkdir(parents=True)
    (tmp_path / "custom_configs" / "3d-unet" / "Offline" / "custom.py").write_text(
        "from importlib import import_module\n"
        "from configs.configuration import *\n"
        'Base = import_module("configs.3d-unet.Offline").OfflineCPUBaseConfig\n\n\n'
        "@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxQ)\n"
        "class Mine(Base):\n"
        "    system = KnownSystem.CPU_x86_64\n"
        "    slice_overlap_patch_kernel_cg_impl = True\n"
        '    unet3d_sw_gaussian_patch_path = "/nowhere/gaussian_patches.npy"\n'
    )
    environment = {**os.environ, "MLPINF_CUSTOM_DEFINITION_PATH": str(tmp_path)}
    arguments = "RUN_ARGS=--benchmarks=3d-unet --scenarios=offline --config_ver=maxq"
    command = ["make", "-C", str(project), "generate_engines", arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert "slice_overlap_patch_kernel_cg_impl" in done.stderr + done.stdout
    assert "unet3d_sw_gaussian_patch_path" in done.stderr + done.stdout
