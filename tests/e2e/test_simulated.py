"""A system that is not here, driven by the real LoadGen and the real scheduler: `make run … --backend=simulated`."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

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


class Measured:
    """The runs whose speed is measured, all at once: simulated devices sleep, so that they do not disturb each other."""

    DEVICES: ClassVar = {"0": 1, "0,3": 2, "all": 8}

    def __init__(self, project: Path, folder: Path) -> None:
        self.folder = folder
        offline = ("--scenarios=offline", "--system=A100_SXM4_40GBx8")
        # In 3 s a device computes a dozen of the config's own batches, so that one more would be a tenth.
        asked = {"even": ("--scenarios=offline,server", offline[1], "--gpu_batch_size=bert:128")}
        table = self.table("equal", {"batches": [1, 256], "microseconds": [[1, 200], [64, 51_200]]})
        for devices, count in self.DEVICES.items():
            asked[devices] = (*offline, table, f"--devices={devices}", f"--offline_expected_qps={109_600 * count / 8}")
        table = self.table("slow", {"batches": [1, 64], "microseconds": [[1, 800], [64, 51_200]], "slowdown": [1, 1, 4]})
        asked["slow"] = (*offline, table, "--devices=0-3", "--offline_expected_qps=9000", "--gpu_batch_size=64")

        def one(name: str) -> subprocess.CompletedProcess[str]:
            return run(project, self.logs(name), *asked[name], HARNESS_LOCK_DIR=str(folder / f"locks-{name}"))

        with ThreadPoolExecutor(len(asked)) as beside:
            self.done = dict(zip(asked, beside.map(one, asked), strict=True))

    def table(self, name: str, content: dict[str, Any]) -> str:
        """The option for a table of service times."""
        (self.folder / f"{name}.json").write_text(json.dumps({"lengths": [1, 384], **content}))
        return f"--simulated_table={self.folder / name}.json"

    def logs(self, name: str) -> Path:
        return self.folder / name.replace(",", "-")

    def results(self, name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        assert self.done[name].returncode == 0, self.done[name].stderr
        return results(self.logs(name))


@pytest.fixture(scope="module")
def measured(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return Measured(project, tmp_path_factory.mktemp("measured"))


def expect_shared_evenly(done: subprocess.CompletedProcess[str], logs: Path) -> None:
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("bert-99")]
    assert lines and all("SIMULATED" in line for line in lines)
    runs = results(logs)
    assert [metadata["scenario"] for metadata, _ in runs] == ["Offline", "Server"]
    for metadata, spec in runs:
        assert metadata["result_validity"] == "VALID" and metadata["simulated"] is True
        assert "SIMULATED" in metadata["system_name"] and "SIMULATED" in metadata["summary_string"]
        assert len(spec["devices"]) == 8
        answered = [device["samples"] for device in metadata["devices"]]
        assert len(answered) == 8 and max(answered) - min(answered) <= 0.1 * sum(answered) / 8  # 3 s are short
        assert all(0 < device["busy_share"] <= 1 for device in metadata["devices"])


@pytest.mark.alone
def test_eight_devices_share_the_work_evenly_in_offline_and_server(measured: Measured) -> None:
    expect_shared_evenly(measured.done["even"], measured.logs("even"))


@pytest.mark.alone
@pytest.mark.full
def test_another_system_shares_the_work_evenly(project: Path, tmp_path: Path) -> None:
    done = run(project, tmp_path, "--scenarios=offline,server", "--system=ND_H100_v5", "--gpu_batch_size=bert:128")
    expect_shared_evenly(done, tmp_path)


@pytest.mark.alone
def test_eight_devices_are_eight_times_one(measured: Measured) -> None:
    rates = {}
    for name, devices in measured.DEVICES.items():
        ((metadata, spec),) = measured.results(name)
        assert len(spec["devices"]) == devices
        rates[name] = float(metadata["result_samples_per_second"])
    assert rates["all"] / rates["0"] > 0.95 * 8 and rates["0,3"] / rates["0"] > 0.95 * 2


@pytest.mark.alone
def test_a_slow_device_is_named(measured: Measured) -> None:
    assert len(measured.results("slow")) == 1
    named = measured.done["slow"].stderr
    assert "GPU 2 completed" in named and "GPU 1 completed" not in named


def test_a_device_that_is_not_there_is_a_usage_error_with_the_list(project: Path, tmp_path: Path) -> None:
    done = run(project, tmp_path, "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--devices=9")
    assert "Error 2" in done.stderr and "0, 1, 2, 3, 4, 5, 6, 7" in done.stderr and not list(tmp_path.rglob("metadata.json"))


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
