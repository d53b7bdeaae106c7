"""scripts/gpu_check.sh: each step costs itself alone, results are there at any time, and what is missing is named."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu import check
from tests.gpu.bench import Bench
from tests.gpu.older import for_tensorrt_8
from tests.gpu.steps import STEPS


def checked(project: Path, out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the script; its result and the file that it wrote."""
    command = [str(project / "scripts/gpu_check.sh"), "--out", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    return done, json.loads(out.read_text()) if out.is_file() else {}


def test_a_machine_without_anything_gets_what_each_step_needs(project: Path, tmp_path: Path) -> None:
    steps = "patterns,generators,spin"
    done, found = checked(project, tmp_path / "out.json", "--steps", steps, "--harness", str(tmp_path / "absent"))
    assert done.returncode == 0, done.stdout + done.stderr
    by_name = {row["step"]: row for row in found["steps"]}
    assert {name: row["status"] for name, row in by_name.items()} == dict.fromkeys(steps.split(","), "needs")
    assert "tensorrt" in by_name["patterns"]["needs"] and "PyTorch" in by_name["generators"]["needs"]
    assert found["format"] == "gpu-check/1" and "host" in found["machine"]


def test_a_step_that_is_not_there_is_named(project: Path, tmp_path: Path) -> None:
    done, found = checked(project, tmp_path / "out.json", "--steps", "patern")
    assert done.returncode == 2 and "patern" in done.stderr and "patterns" in done.stderr and not found


def test_the_steps_fit_the_ten_minutes() -> None:
    assert sum(step.seconds for step in STEPS.values()) <= 600
    assert list(STEPS)[:2] == ["load", "patterns"], "the most valuable first"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A bench without a harness, written where a step's process reads it."""
    made = Bench(tmp_path, tmp_path / "harness", None, True)
    made.save()
    return made


PLANTED = """
import os, subprocess, sys, time
from tests.gpu import check, steps

def slow(bench, report):
    report(first=1)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    time.sleep(60)

def dies(bench, report):
    report(first=1)
    os.abort()

def wrong(bench, report):
    report(first=1)
    raise ValueError("this is wrong")

steps.STEPS.update(slow=steps.Step("", 1, slow), dies=steps.Step("", 9, dies), wrong=steps.Step("", 9, wrong))
sys.exit(check.main(sys.argv[1:]))
"""


def alive(group: int) -> list[str]:
    """The commands of a process group's processes that still run; a zombie that nobody has waited for does not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rsplit(")", 1)
        except (OSError, ValueError):
            continue
        state, _, its_group = rest.split()[:3]
        if int(its_group) == group and state != "Z":
            found.append(name)
    return found


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [("slow", "timeout", ""), ("dies", "failed", "status -6"), ("wrong", "failed", "ValueError: this is wrong")],
)
def test_a_step_that_fails_keeps_what_it_reported_and_leaves_nothing_behind(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: str, error: str
) -> None:
    program = tmp_path / "planted.py"
    program.write_text(PLANTED)
    real = subprocess.Popen
    groups: list[int] = []

    def planted(command: list[str], **how: Any) -> subprocess.Popen[Any]:
        if "tests.gpu.check" not in command:  # the guard beside the step
            return real(command, **how)
        words = [command[0], str(program), *command[3:]]
        process = real(words, **{**how, "env": {**os.environ, "PYTHONPATH": str(check.ROOT)}})
        groups.append(process.pid)
        return process

    monkeypatch.setattr(check.subprocess, "Popen", planted)
    begin = time.monotonic()
    news = list(check.step_process(name, bench, 5.0 if status == "timeout" else 60.0))
    assert news[-1]["status"] == status and news[-1]["result"] == {"first": 1}
    assert error in news[-1].get("error", "")
    assert time.monotonic() - begin < 60
    assert not alive(groups[0])


def test_graphs_for_older_parsers_compute_the_same() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from scripts.make_bert_large_shape import make

    model = make(2, 32, 2, 64, 100, 40)
    older = for_tensorrt_8(model)
    operators = {node.op_type for node in older.graph.node}
    assert "LayerNormalization" in {node.op_type for node in model.graph.node} and "LayerNormalization" not in operators
    assert [entry.version for entry in older.opset_import] == [17]
    random = np.random.default_rng(0)
    ids = random.integers(0, 100, (2, 16))
    inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    found = [onnxruntime.InferenceSession(m.SerializeToString()).run(None, inputs) for m in (model, older)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.full
@pytest.mark.cpp
def test_the_steps_run_the_real_engine_on_the_stand_in(project: Path, tmp_path: Path) -> None:
    harness = check.harness_of(None, True)
    if not harness.is_file():
        pytest.skip(f"{harness} is not built; `make test_cpp` builds it where GoogleTest is installed")
    done, found = checked(
        project, tmp_path / "out.json", "--stand_in", "--steps", "graphs,devices,spin,unet", "--work", str(tmp_path / "work")
    )
    rows = {row["step"]: row for row in found["steps"]}
    assert done.returncode == 0 and rows["graphs"]["status"] == "done", done.stdout
    assert rows["graphs"]["result"]["answers_equal"] is True
    assert [row["samples"] > 0 for row in rows["devices"]["result"]["devices"]] == [True, True], done.stdout
    assert rows["spin"]["status"] == "done", done.stdout
    assert rows["unet"]["status"] == "done" and rows["unet"]["result"]["answers_equal"] is True, done.stdout
