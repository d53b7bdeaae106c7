"""A system that is not here, driven by the real LoadGen and the real scheduler: `make run … --backend=simulated`."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.cpp, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def built(project: Path) -> None:
    if not (Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")


def run(project: Path, logs: Path, *words: str, target: str = "run", **variables: str) -> subprocess.CompletedProcess[str]:
    # What is simulated has nothing to warm up.
    arguments = [
        "--benchmarks=bert",
        "--backend=simulated",
        "--min_duration=3000",
        "--warmup_duration=0",
        f"--log_dir={logs}",
        *words,
    ]
    return subprocess.run(
        ["make", target, f"RUN_ARGS={' '.join(arguments)}"],
        cwd=project,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )


def results(logs: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """metadata.json and run.json of each run, by scenario."""
    found = sorted(logs.rglob("metadata.json"))
    return [(json.loads(file.read_text()), json.loads(file.with_name("run.json").read_text())) for file in found]


@pytest.mark.alone
@pytest.mark.parametrize("system", ["A100_SXM4_40GBx8", pytest.param("ND_H100_v5", marks=pytest.mark.full)])
def test_eight_devices_share_the_work_evenly_in_offline_and_server(system: str, project: Path, tmp_path: Path) -> None:
    # In 3 s a device computes a dozen of the config's own batches, so that one more would be a tenth.
    done = run(project, tmp_path, "--scenarios=offline,server", f"--system={system}", "--gpu_batch_size=bert:128")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("bert-99")]
    assert lines and all("SIMULATED" in line for line in lines)
    runs = results(tmp_path)
    assert [metadata["scenario"] for metadata, _ in runs] == ["Offline", "Server"]
    for metadata, spec in runs:
        assert metadata["result_validity"] == "VALID" and metadata["simulated"] is True
        assert "SIMULATED" in metadata["system_name"] and "SIMULATED" in metadata["summary_string"]
        assert len(spec["devices"]) == 8
        answered = [device["samples"] for device in metadata["devices"]]
        assert len(answered) == 8 and max(answered) - min(answered) <= 0.1 * sum(answered) / 8  # 3 s are short
        assert all(0 < device["busy_share"] <= 1 for device in metadata["devices"])


@pytest.mark.alone
def test_eight_devices_are_eight_times_one(project: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"batches": [1, 256], "lengths": [1, 384], "microseconds": [[1, 200], [64, 51_200]]}))

    def rate(name: str, devices: int) -> float:
        logs = tmp_path / name.replace(",", "-")
        words = (f"--devices={name}", f"--offline_expected_qps={109_600 * devices / 8}", f"--simulated_table={table}")
        system = ("--scenarios=offline", "--system=A100_SXM4_40GBx8")
        done = run(project, logs, *system, *words, HARNESS_LOCK_DIR=str(tmp_path / f"locks{devices}"))
        assert done.returncode == 0, done.stderr
        ((metadata, spec),) = results(logs)
        assert len(spec["devices"]) == devices
        return float(metadata["result_samples_per_second"])

    cases = {"0": 1, "0,3": 2, "all": 8}
    with ThreadPoolExecutor(len(cases)) as beside:  # simulated devices sleep, so that they do not disturb each other
        rates = dict(zip(cases, beside.map(rate, cases, cases.values()), strict=True))
    assert rates["all"] / rates["0"] > 0.95 * 8 and rates["0,3"] / rates["0"] > 0.95 * 2


def test_a_device_that_is_not_there_is_a_usage_error_with_the_list(project: Path, tmp_path: Path) -> None:
    done = run(project, tmp_path, "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--devices=9")
    assert "Error 2" in done.stderr and "0, 1, 2, 3, 4, 5, 6, 7" in done.stderr and not list(tmp_path.rglob("metadata.json"))


@pytest.mark.alone
def test_a_slow_device_is_named(project: Path, tmp_path: Path) -> None:
    table = {"batches": [1, 64], "lengths": [1, 384], "microseconds": [[1, 800], [64, 51_200]], "slowdown": [1, 1, 4]}
    (tmp_path / "table.json").write_text(json.dumps(table))
    words = (
        "--devices=0-3",
        "--offline_expected_qps=9000",
        f"--simulated_table={tmp_path / 'table.json'}",
        "--gpu_batch_size=64",
    )
    done = run(project, tmp_path / "logs", "--scenarios=offline", "--system=A100_SXM4_40GBx8", *words)
    assert done.returncode == 0, done.stderr
    assert "GPU 2 completed" in done.stderr and "GPU 1 completed" not in done.stderr


def test_nothing_simulated_has_an_accuracy_an_audit_or_a_place_in_a_submission(project: Path, tmp_path: Path) -> None:
    base = ("--scenarios=offline", "--system=L4x1", "--offline_expected_qps=20000")
    assert "computes nothing" in run(project, tmp_path, *base, "--test_mode=AccuracyOnly").stderr
    assert run(project, tmp_path / "logs", *base).returncode == 0
    assert "cannot be audited" in run(project, tmp_path / "logs", *base, target="run_audit_harness").stderr
    words = f"--log_dir={tmp_path / 'logs'} --submission_dir={tmp_path / 'tree'}"
    who = ("SUBMITTER=Somebody", "DIVISION=open", "CATEGORY=edge", "STATUS=available")
    command = ["make", "stage_results", *who, f"RUN_ARGS={words}"]
    staged = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert "simulated" in staged.stdout + staged.stderr and not list((tmp_path / "tree").rglob("mlperf_log_detail.txt"))
