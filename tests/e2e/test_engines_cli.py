"""Engines for GPUs that are not here, and precisions proved on the processor, as a user asks for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
A100 = ("--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--backend=tensorrt_rtx", "--model_variant=tiny")
ACCURACY = ("--benchmarks=bert", "--scenarios=offline", "--test_mode=AccuracyOnly", "--precision=int8")
QUICK = ("--calib_max_batches=32", "--calib_score_samples=512")
LONG_S = 1200


def harness(project: Path, action: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLPINF_")}
    command = [sys.executable, "-m", "code.main", f"--action={action}", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=LONG_S, env={**environment, **variables})
    assert "Traceback" not in done.stderr
    return done


def engines(project: Path, build: Path) -> list[dict[str, Any]]:
    listed = json.loads(harness(project, "list_engines", "--json", BUILD_DIR=str(build)).stdout)
    return list(listed)


def test_engines_are_built_once_and_one_change_builds_one(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed; run `make tensorrt_rtx`")
    fp16 = (*A100, "--precision=fp16", "--gpu_batch_size=4")
    first = harness(project, "generate_engines", *fp16, BUILD_DIR=str(tmp_path))
    assert first.returncode == 0, first.stderr
    assert "built in" in first.stdout and len(engines(project, tmp_path)) == 1
    again = harness(project, "generate_engines", *fp16, BUILD_DIR=str(tmp_path))
    assert again.returncode == 0 and "already built" in again.stdout and "built in" not in again.stdout
    other = harness(project, "generate_engines", *fp16, "--bert_opt_seqlen=256", BUILD_DIR=str(tmp_path))
    assert other.returncode == 0, other.stderr
    found = engines(project, tmp_path)
    assert len(found) == 2
    assert {e["details"]["profiles"][0]["input_ids"]["opt"][1] for e in found} == {256, 384}
    kept = harness(project, "clean_engines", "--backend=openvino", BUILD_DIR=str(tmp_path))
    assert kept.stdout.startswith("0 engines removed") and len(engines(project, tmp_path)) == 2
    gone = harness(project, "clean_engines", BUILD_DIR=str(tmp_path))
    assert gone.stdout.startswith("2 engines removed") and engines(project, tmp_path) == []


def test_a_gpu_that_cannot_be_targeted_is_a_usage_error(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed; run `make tensorrt_rtx`")
    arguments = [a.replace("A100_SXM4_40GBx8", "H100_SXM_80GBx8") for a in A100]
    done = harness(project, "generate_engines", *arguments, "--precision=fp16", BUILD_DIR=str(tmp_path))
    assert done.returncode == 2 and "compute capability 9.0" in done.stderr and "A100_SXM4_40GB" in done.stderr


def test_the_static_check_reports_memory_and_fails_on_too_much(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed; run `make tensorrt_rtx`")
    good = harness(project, "check_engines", *A100, "--precision=fp16", BUILD_DIR=str(tmp_path))
    assert good.returncode == 0 and "A100_SXM4_40GB has 40.00 GiB" in good.stdout, good.stderr
    bad = harness(project, "check_engines", *A100, "--precision=fp16", "--gpu_batch_size=100000", BUILD_DIR=str(tmp_path))
    assert bad.returncode == 4 and "lower gpu_batch_size" in bad.stderr


def test_a_missing_package_is_named_only_where_it_is_needed(project: Path, tmp_path: Path) -> None:
    hide = "import sys; sys.modules['tensorrt_rtx'] = None; sys.argv = ['main']; from code.main import main; sys.exit(main({}))"
    arguments = [*A100, "--precision=fp16", "--action=generate_engines"]
    command = [sys.executable, "-c", hide.format(arguments)]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=60, env={**os.environ, "BUILD_DIR": str(tmp_path)}
    )
    assert done.returncode == 3 and "make tensorrt_rtx" in done.stderr and "Traceback" not in done.stderr


def scores(logs: Path) -> dict[str, Any]:
    found = [json.loads(p.read_text()) for p in logs.rglob("metadata.json")]
    assert len(found) == 1
    result: dict[str, Any] = found[0]
    return result


@pytest.mark.full
def test_int8_keeps_its_accuracy_on_tiny(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    done = harness(project, "run", *ACCURACY, *QUICK, "--model_variant=tiny", f"--log_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path)["accuracy_pass"] is True, done.stdout


@pytest.mark.full
@pytest.mark.timeout(LONG_S)
def test_int8_keeps_its_accuracy_on_a_real_bert(project: Path, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    model = shared / "models" / "minilm-squad"
    reference = json.loads((model / "record.json").read_text())["reference"]
    own = (
        f"--model_path={model / 'model.onnx'}",
        f"--data_path={model / 'heldout-v1.1.json'}",
        f"--vocab_path={shared / 'data' / 'bert_vocab' / 'vocab.txt'}",
        f"--accuracy_reference={reference}",
    )
    done = harness(project, "run", *ACCURACY, *own, f"--log_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path)["accuracy_pass"] is True, done.stdout
