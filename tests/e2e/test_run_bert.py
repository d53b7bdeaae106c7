"""`make run` as a user runs it, on the tiny BERT: every scenario in both modes, with the real LoadGen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.empty import some
from tests.unit.tiny_sets import bert_dev

pytestmark = pytest.mark.e2e
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")
RATE = "--offline_expected_qps=100"
"""For runs that are to begin without measuring this machine first."""
COLD = "--warmup_duration=0.1"
"""For runs whose rate does not matter: a warm-up of Server is of 3 s by default."""


def make(project: Path, target: str, run_args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(project), target, f"RUN_ARGS={run_args}", *(f"{k}={v}" for k, v in variables.items())]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPINF_", "MAKE", "MFLAGS"))}
    return subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)


def results(logs: Path) -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in sorted(logs.rglob("metadata.json"))]


@pytest.fixture(scope="module")
def performance(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    logs = tmp_path_factory.mktemp("logs")
    # test_a_second_run_prepares_nothing_again and test_run_gptj.py have a value measured first.
    latencies = "--single_stream_expected_latency_ns=10000000 --multi_stream_expected_latency_ns=80000000"
    given = f"{RATE} --server_target_qps=100 {latencies}"
    short = f"--min_duration=300 --min_query_count=70 {COLD}"
    arguments = f"--benchmarks=bert --scenarios=offline,server,singlestream,multistream {short} {given}"
    return logs, make(project, "run", arguments, LOG_DIR=str(logs))


def test_every_scenario_ends_with_a_result_and_a_table(performance: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    logs, done = performance
    assert done.returncode == 0, done.stderr
    assert {r["scenario"] for r in results(logs)} == set(SCENARIOS)
    table = done.stdout[done.stdout.index("Results") :]
    assert all(name in table for name in SCENARIOS)


def test_metadata_is_what_automation_parses(performance: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for result in some(results(performance[0])):
        assert result["test_mode"] == "PerformanceOnly"
        assert result["scenario_key"] in result
        assert float(result["summary_string"].split()[1].rstrip(",")) == result[result["scenario_key"]]
        assert f"Result is {result['result_validity']}" in result["summary_string"]
        assert result["config_name"].endswith(f"-custom_k_99_MaxP-{result['scenario']}")
        assert result["detected_system"].startswith("SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={CPU(name=")
        assert result["model_variant"] == "tiny" and "tiny" in result["system_name"]


def test_a_folder_holds_everything_and_no_marker(performance: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    for path in some(performance[0].rglob("metadata.json")):
        names = {p.name for p in path.parent.iterdir()}
        assert {"mlperf_log_detail.txt", "mlperf_log_summary.txt", "user.conf", "run.json", "devices.json", "stdout.txt"} <= names
        assert "INCOMPLETE" not in names
        assert path.parent.parent.name == "bert-99" and path.parent.parent.parent.parent == performance[0]


@pytest.mark.full
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_accuracy_passes_in_every_scenario_and_at_both_targets(scenario: str, project: Path, tmp_path: Path) -> None:
    versions = "default,high_accuracy" if scenario == "Offline" else "default"
    arguments = f"--benchmarks=bert --scenarios={scenario} --config_ver={versions} --test_mode=AccuracyOnly"
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = results(tmp_path)
    assert len(found) == len(versions.split(","))
    assert {r["benchmark_full"] for r in found} <= {"bert-99", "bert-99.9"}
    for result in found:
        assert result["accuracy_pass"] is True
        assert result["summary_string"].startswith("[PASSED] F1: ")


def part(folder: Path, questions: int) -> str:
    """Options for the first so many questions of the tiny set."""
    content, left = json.loads(bert_dev().read_text()), questions
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            paragraph["qas"] = paragraph["qas"][:left]
            left -= len(paragraph["qas"])
        article["paragraphs"] = [paragraph for paragraph in article["paragraphs"] if paragraph["qas"]]
    content["data"] = [article for article in content["data"] if article["paragraphs"]]
    (folder / "part.json").write_text(json.dumps(content))
    return f"--data_path={folder / 'part.json'} --accuracy_reference=50"


@pytest.mark.parametrize("questions", [300, pytest.param(0, marks=pytest.mark.full)], ids=["300 questions", "all"])
def test_submission_run_does_both_and_overwrites_neither(questions: int, project: Path, tmp_path: Path) -> None:
    data = part(tmp_path, questions) if questions else ""
    for mode in ("SubmissionRun", "PerformanceOnly"):
        arguments = f"--benchmarks=bert --scenarios=offline --test_mode={mode} --test_query_count=100 {RATE} {COLD} {data}"
        done = make(project, "run", arguments, LOG_DIR=str(tmp_path / "logs"))
        assert done.returncode == 0, done.stderr
    found = {result["test_mode"]: result for result in results(tmp_path / "logs")}
    assert sorted(r["test_mode"] for r in results(tmp_path / "logs")) == ["AccuracyOnly", "PerformanceOnly", "PerformanceOnly"]
    assert found["AccuracyOnly"]["accuracy_pass"] is True
    assert found["AccuracyOnly"]["summary_string"].startswith("[PASSED] F1: ")


def test_a_short_run_is_short_and_says_it_is_for_the_open_division(project: Path, tmp_path: Path) -> None:
    given = f"--server_target_qps=100 --single_stream_expected_latency_ns=10000000 {COLD}"
    arguments = f"--benchmarks=bert --scenarios=singlestream,server --test_query_count=20 {given}"
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for result in results(tmp_path):
        assert result["effective_min_query_count"] == 20 and "open division" in result["division_note"]


def test_strict_turns_an_invalid_result_into_status_5(project: Path, tmp_path: Path) -> None:
    short = "--min_duration=20000 --offline_expected_qps=1 --min_query_count=50"
    arguments = f"--benchmarks=bert --scenarios=offline --strict {short} {COLD}"
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert "Error 5" in done.stderr and "INVALID" in done.stdout and "offline_expected_qps" in done.stdout


@pytest.mark.full
def test_onnx_runtime_scores_the_same(project: Path, tmp_path: Path) -> None:
    arguments = "--benchmarks=bert --scenarios=offline --test_mode=AccuracyOnly --backend=onnxruntime"
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (result,) = results(tmp_path)
    record = json.loads((project / "code/benchmarks/bert/tiny/model/record.json").read_text())
    assert abs(result["accuracy"][0]["value"] - record["F1"]) < 0.01


@pytest.mark.alone  # what is measured while other work runs is not remembered
def test_a_second_run_prepares_nothing_again(project: Path, tmp_path: Path) -> None:
    """The first is what other tests have done, or runs of this build folder before them; where it prepares anything, one more run."""
    for _ in range(2):
        done = make(project, "run", "--benchmarks=bert --scenarios=offline --test_query_count=50", LOG_DIR=str(tmp_path))
        said = done.stdout + done.stderr
        prepared = [word for word in ("Installing", "tokenising", "measuring", "building with") if word in said]
        if not prepared:
            break
    assert "already built" in done.stdout and not prepared, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_ends_with_130_and_marks_the_logs(number: int, project: Path, tmp_path: Path) -> None:
    import sys

    command = [sys.executable, "-m", "code.main", "--action=run", "--benchmarks=bert", "--scenarios=offline"]
    with subprocess.Popen(
        [*command, RATE, f"--log_dir={tmp_path}"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("mlperf_log_detail.txt")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert list(tmp_path.rglob("INCOMPLETE")) and not list(tmp_path.rglob("metadata.json"))
