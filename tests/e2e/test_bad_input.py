"""A user's mistakes: each is one clear message and the right exit status, and nothing half-written stays."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.in_process import called
from tests.e2e.test_run_bert import part as part_of_tiny
from tests.unit.tiny_sets import bert_dev

pytestmark = pytest.mark.e2e
BERT = ("--action=run", "--benchmarks=bert", "--scenarios=offline")
SHORT = ("--test_query_count=20", "--offline_expected_qps=100")


def fails(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """It ended with `status`, said each of `words` in an error of at most three lines, and showed no traceback."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    start = done.stderr.index("error: ")
    assert len(done.stderr[start:].strip().splitlines()) <= 3, done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--action=run", "--benchmarks=brt"), 2, ("benchmark 'brt'", "bert")),
        (("--action=run", "--benchmarks=bert", "--scenarios=ofline"), 2, ("scenario 'ofline'", "Offline")),
        ((*BERT, "--tset_mode=AccuracyOnly"), 2, ("flag 'tset_mode'", "test_mode")),
        ((*BERT, "--system=A100_SXM_40GBx8"), 2, ("system 'A100_SXM_40GBx8'", "A100_SXM4_40GBx8")),
        ((*BERT, "--config_ver=high_acuracy"), 2, ("config version", "high_accuracy")),
        ((*BERT, "--backend=openvinno"), 2, ("backend 'openvinno'", "openvino")),
        ((*BERT, "--precision=fp4"), 2, ("precision", "fp8")),
        ((*BERT, "--model_path=/nowhere/model.onnx"), 3, ("model does not exist", "--model_path")),
        ((*BERT, "--data_path=/nowhere/dev.json"), 3, ("data set does not exist", "--data_path")),
        (
            (*BERT, "--model_variant=reference", "--test_query_count=1"),
            3,
            ("does not exist", "make download_model", "--model_variant=reference"),
        ),
    ],
    ids=lambda v: " ".join(v[-1:]) if isinstance(v, tuple) else str(v),
)
def test_a_mistake_in_the_request(
    arguments: tuple[str, ...], status: int, words: tuple[str, ...], project: Path, tmp_path: Path
) -> None:
    fails(called(*arguments, f"--log_dir={tmp_path}"), status, *words)
    assert not list(tmp_path.iterdir())


def test_a_truncated_onnx_file(project: Path, tmp_path: Path) -> None:
    whole = (project / "code/benchmarks/bert/tiny/model/model.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    for backend in ("openvino", "onnxruntime"):
        done = called(*BERT, f"--backend={backend}", f"--model_path={tmp_path}/cut.onnx", "--accuracy_reference=1")
        fails(done, 4, "cut.onnx", "complete ONNX model")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a part of the tiny data."""
    return part_of_tiny(tmp_path_factory.mktemp("part"), 300).split()


@pytest.fixture(scope="module")
def build(project: Path, part: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder of its own with that part preprocessed."""
    build = tmp_path_factory.mktemp("build")
    scratch = build / "scratch"
    scratch.mkdir(parents=True)
    subprocess.run([str(project / "scripts/link_dirs.sh"), str(build), str(scratch), "given"], check=True)
    asked = ("--action=preprocess_data", "--benchmarks=bert", *part)
    done = called(*asked, BUILD_DIR=str(build), MLPERF_SCRATCH_PATH=str(scratch))
    assert done.returncode == 0, done.stderr
    return build


def test_a_corrupt_array_is_named_or_made_again(build: Path, part: list[str]) -> None:
    (array,) = (build / "preprocessed_data/bert").glob("*/input_ids.npy")
    array.write_bytes(array.read_bytes()[:1000])
    done = called(
        *BERT,
        *SHORT,
        *part,
        BUILD_DIR=str(build),
        MLPERF_SCRATCH_PATH=str(build / "scratch"),
    )
    if done.returncode == 0:
        assert array.stat().st_size > 1000
    else:
        fails(done, 3, "input_ids.npy", "make preprocess_data")


def test_a_log_folder_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fails(called(*BERT, *SHORT, f"--log_dir={tmp_path}/file"), 4, "cannot write", "LOG_DIR")
    fails(called(*BERT, *SHORT, "--log_dir=/proc/none"), 4, "cannot write", "LOG_DIR")


def test_a_scratch_path_that_does_not_exist(project: Path, tmp_path: Path) -> None:
    command = ["make", "-C", str(project), "link_dirs", f"BUILD_DIR={tmp_path}/build", f"MLPERF_SCRATCH_PATH={tmp_path}/none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "Error 3" in done.stderr
    assert "MLPERF_SCRATCH_PATH" in done.stderr and "mkdir -p" in done.stderr and not (tmp_path / "none").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_nothing_half_written(build: Path, small_disk: Path) -> None:
    arguments = ("--action=preprocess_data", "--benchmarks=bert", f"--data_path={bert_dev()}")
    done = called(*arguments, f"--preprocessed_data_dir={small_disk}/pre", BUILD_DIR=str(build))
    fails(done, 4, "no space left", "MLPERF_SCRATCH_PATH")
    assert not [p for p in small_disk.rglob("*") if p.is_file()]
