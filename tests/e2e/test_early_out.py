"""`accuracy_early_out`: through make, for every benchmark, a run that cannot pass ends with the bound that shows it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.mark.full
@pytest.mark.parametrize(
    ("benchmark", "words", "bound"),
    [
        ("bert", ("--accuracy_reference=100",), "F1 is at most"),
        ("3d-unet", ("--accuracy_reference=1",), "DICE is at most"),
        ("gptj", ("--accuracy_reference=100", "--vocab_path={project}/code/benchmarks/gptj/tiny/model"), "ROUGE1 is at most"),
        (
            "llama3.1-8b",
            ("--accuracy_reference=100", "--vocab_path={project}/code/benchmarks/llama3_1_8b/tiny/model"),
            "ROUGE1 is at most",
        ),
    ],
)
def test_an_accuracy_run_that_cannot_pass_ends_early_with_its_bound(
    benchmark: str, words: tuple[str, ...], bound: str, project: Path, tmp_path: Path
) -> None:
    data = ["make", "-C", str(project), "download_data", f"BENCHMARKS={benchmark}", "RUN_ARGS=--model_variant=tiny"]
    made = subprocess.run(data, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    command = ["make", "-C", str(project), "run", f"LOG_DIR={tmp_path}"]
    own = " ".join(word.format(project=project) for word in words)
    asked = f"--benchmarks={benchmark} --scenarios=offline --test_mode=AccuracyOnly --accuracy_early_out {own}"
    done = subprocess.run([*command, f"RUN_ARGS={asked}"], capture_output=True, text=True)
    assert done.returncode != 0 and "can no longer pass" in done.stderr, done.stderr
    assert bound in done.stderr and ("99.000 is required" in done.stderr or "0.990 is required" in done.stderr), done.stderr
    (marker,) = tmp_path.rglob("INCOMPLETE")
    assert not (marker.parent / "metadata.json").exists()
