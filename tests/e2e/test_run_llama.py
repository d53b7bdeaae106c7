"""`make run` of Llama 3.1 8B as a user runs it: the tiny model in its scenarios, and its edge form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.test_run_bert import COLD, make, results

pytestmark = pytest.mark.e2e


def test_every_scenario_ends_with_tokens_per_second(project: Path, tmp_path: Path) -> None:
    """Interactive runs as LoadGen's Server of the model with tighter bounds."""
    given = f"--offline_expected_qps=5 --server_target_qps=5 {COLD}"
    arguments = f"--benchmarks=llama3.1-8b --scenarios=offline,interactive --test_query_count=10 {given}"
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = {result["scenario"]: result for result in results(tmp_path)}
    assert set(found) == {"Offline", "Interactive"}
    assert found["Offline"]["scenario_key"] == "result_tokens_per_second" and found["Offline"]["result_tokens_per_second"] > 0
    assert found["Interactive"]["scenario_key"] == "result_completed_tokens_per_second"
    for result in found.values():
        assert result["model_variant"] == "tiny" and "a shortened run" in result["division_note"]
    log = (tmp_path / found["Interactive"]["system_id"] / "llama3.1-8b/Interactive/mlperf_log_detail.txt").read_text()
    assert '"requested_server_ttft_latency", "value": 500000000' in log
    assert '"effective_scenario", "value": "Server"' in log


def test_one_command_starts_a_server_measures_it_and_ends_it(project: Path, tmp_path: Path) -> None:
    arguments = (
        f"--benchmarks=llama3.1-8b --scenarios=offline --test_query_count=10 --offline_expected_qps=5 --with_server {COLD}"
    )
    done = make(project, "run", arguments, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (found,) = results(tmp_path)
    assert found["llm_server"]["model"] == "llama3.1-8b" and found["llm_server"]["runtime"].startswith("openvino_genai ")
    assert found["system_name"].endswith("_OpenAI_tiny") and found["result_tokens_per_second"] > 0
    log = next(tmp_path.rglob("llm_server.txt")).read_text()
    assert "serving llama3.1-8b at http://127.0.0.1:" in log and "ended after " in log


@pytest.mark.full
@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("benchmark", "scenarios"),
    [("llama3.1-8b", ("Offline", "Server", "Interactive")), ("llama3.1-8b-edge", ("Offline", "SingleStream"))],
)
def test_a_submission_run_passes_its_accuracy(benchmark: str, scenarios: tuple[str, ...], project: Path, tmp_path: Path) -> None:
    words = f"--benchmarks={benchmark} --scenarios={','.join(scenarios)} --test_mode=SubmissionRun --fast"
    done = make(project, "run", words, LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = {(result["scenario"], result["test_mode"]): result for result in results(tmp_path)}
    assert set(found) == {(scenario, mode) for scenario in scenarios for mode in ("AccuracyOnly", "PerformanceOnly")}
    for scenario in scenarios:
        result = found[scenario, "AccuracyOnly"]
        assert result["accuracy_pass"] is True, json.dumps(result["accuracy"])
        assert [one["name"] for one in result["accuracy"]] == ["ROUGE1", "ROUGE2", "ROUGEL", "ROUGELSUM", "GEN_LEN", "GEN_LEN"]
        assert found[scenario, "PerformanceOnly"]["result_validity"] in ("VALID", "INVALID")
