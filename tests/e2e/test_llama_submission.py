"""Llama 3.1 8B from its runs to the official checker, as a user makes them: every scenario of both categories, with TEST06."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from code.rules.rounds import CURRENT
from tests.e2e.test_run_bert import results
from tests.unit.submission import made

CHECKER = "MLPERF_INFERENCE_DIR"
WHO = {"SUBMITTER": "Example", "DIVISION": "open", "STATUS": "available", "ROUND": "v6.1"}
SHORT = "--offline_expected_qps=0.5 --server_target_qps=10 --max_query_count=700 --single_stream_expected_latency_ns=20000000"
"""What ends a run of ten minutes early (documentation/submission_guide.md), at a rate that a loaded machine keeps."""
SCORES = ("rouge1", "rouge2", "rougeL", "rougeLsum", "gen_len")

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.long, pytest.mark.official, pytest.mark.timeout(3600)]


def make(project: Path, build: Path, target: str, words: str = "", **variables: str) -> str:
    """One target; returns what it prints."""
    told = {**variables, "BUILD_DIR": str(build)}
    command = ["make", "-C", str(project), target, f"RUN_ARGS={words}", *(f"{name}={value}" for name, value in told.items())]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPINF_", "MAKE", "MFLAGS"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, env={**environment, "BUILD_DIR": str(build)})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize(
    ("benchmark", "category", "scenarios", "audits"),
    [
        ("llama3.1-8b", "datacenter", ("Offline", "Server", "Interactive"), ("TEST06",)),
        ("llama3.1-8b-edge", "edge", ("Offline", "SingleStream"), ()),
    ],
)
def test_the_official_checker_takes_every_scenario(
    benchmark: str, category: str, scenarios: tuple[str, ...], audits: tuple[str, ...], project: Path, tmp_path: Path
) -> None:
    if not (Path(os.environ.get(CHECKER, "")) / CURRENT.script).is_file():
        pytest.skip(f"{CHECKER} names no mlcommons/inference checkout: {CHECKER}=… make test_full")
    build = tmp_path / "build"
    workloads = f"--benchmarks={benchmark} --scenarios={','.join(scenarios).lower()}"
    make(project, build, "run", f"{workloads} --test_mode=AccuracyOnly")
    make(project, build, "run", f"{workloads} {SHORT}")
    found = results(build / "logs")
    assert {(one["scenario"], one["test_mode"]) for one in found} == {
        (scenario, mode) for scenario in scenarios for mode in ("AccuracyOnly", "PerformanceOnly")
    }
    assert all(one["accuracy_pass"] for one in found if one["test_mode"] == "AccuracyOnly")
    if audits:
        said = make(project, build, "run_audit_harness", workloads, ROUND="v6.1")
        assert all(f"{benchmark} {scenario} {test}: PASSED" in said for scenario in scenarios for test in audits), said
    described = tmp_path / "submission.toml"
    described.write_text("[system]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in made.SYSTEM_FIELDS.items()))
    who = {**WHO, "CATEGORY": category}
    make(project, build, "stage_results", f"--submission_file={described}", **who)
    make(project, build, "truncate_results")
    said = make(project, build, "check_submission", **{CHECKER: os.environ[CHECKER]})
    assert "Preflight for v6.1: no errors" in said and "Official checker" in said, said
    (system,) = (build / "submission/open/Example/results").iterdir()
    for scenario in scenarios:
        place = system / benchmark / scenario
        assert f"/{benchmark}/{scenario}" in said, said
        assert {path.name for path in place.glob("TEST*")} == set(audits)
        text = (place / "accuracy/accuracy.txt").read_text()
        assert all(f"'{name}':" in text for name in SCORES) and "hash=" in text
