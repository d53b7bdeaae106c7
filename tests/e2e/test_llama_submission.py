"""Llama 3.1 8B from its runs to the official checker, as a user makes them: every scenario of both categories, with TEST06.

Each scenario is a test, and so is the submission of each category, which makes what is not there yet. They share a build folder, which
LLAMA_SUBMISSIONS names for tests in several processes.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from code.rules.rounds import CURRENT
from tests.unit.submission import made

CHECKER, KEPT = "MLPERF_INFERENCE_DIR", "LLAMA_SUBMISSIONS"
WHO = {"SUBMITTER": "Example", "DIVISION": "open", "STATUS": "available", "ROUND": "v6.1"}
SHORT = "--offline_expected_qps=0.5 --server_target_qps=10 --max_query_count=700 --single_stream_expected_latency_ns=20000000"
"""What ends a run of ten minutes early (documentation/submission_guide.md), at a rate that a loaded machine keeps."""
AT_ONCE = "--offline_expected_qps=0.5 --server_target_qps=1000 --single_stream_expected_latency_ns=20000000"
"""For accuracy runs, whose latencies have no bound: every prompt waits for the engine, whose own speed ends the run. At a rate that is
measured on a loaded machine LoadGen would spread them over many minutes; at one of an idle machine a loaded one is late anyway."""
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


@dataclass(frozen=True)
class Category:
    """What a category has of the benchmark."""

    name: str
    benchmark: str
    scenarios: tuple[str, ...]
    audits: tuple[str, ...]


CATEGORIES = {
    one.name: one
    for one in (
        Category("datacenter", "llama3.1-8b", ("Offline", "Server", "Interactive"), ("TEST06",)),
        Category("edge", "llama3.1-8b-edge", ("Offline", "SingleStream"), ()),
    )
}
EACH = [(category.name, scenario) for category in CATEGORIES.values() for scenario in category.scenarios]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the build folder of each category is."""
    if not (Path(os.environ.get(CHECKER, "")) / CURRENT.script).is_file():
        pytest.skip(f"{CHECKER} names no mlcommons/inference checkout: {CHECKER}=… make test_full")
    return Path(os.environ[KEPT]) if os.environ.get(KEPT) else tmp_path_factory.mktemp("submissions")


def once(project: Path, build: Path, category: Category, scenario: str, mode: str, limits: str) -> dict[str, Any]:
    """metadata.json of a scenario's run in this mode, which is made where it is not there."""

    def found() -> list[dict[str, Any]]:
        texts = [json.loads(path.read_text()) for path in build.glob(f"logs/*/*/{category.benchmark}/{scenario}/metadata.json")]
        return [one for one in texts if one["test_mode"] == mode]

    if not found():
        workload = f"--benchmarks={category.benchmark} --scenarios={scenario.lower()}"
        make(project, build, "run", f"{workload} --test_mode={mode} {limits}")
    (one,) = found()
    return one


def audited(project: Path, build: Path, category: Category, scenario: str) -> None:
    """The audits of a scenario, which are made where none has passed."""
    for audit in category.audits:
        places = build.glob(f"compliance_logs/*/{category.benchmark}/{scenario}/{audit}/verify_accuracy.txt")
        if not any(f"{audit} verification complete" in path.read_text() for path in places):
            workload = f"--benchmarks={category.benchmark} --scenarios={scenario.lower()}"
            said = make(project, build, "run_audit_harness", workload, ROUND="v6.1")
            assert f"{category.benchmark} {scenario} {audit}: PASSED" in said, said


def complete(project: Path, builds: Path, category: Category, scenario: str) -> Path:
    """The build folder of a category, with a scenario's runs and audits."""
    build = builds / category.name
    found = once(project, build, category, scenario, "AccuracyOnly", AT_ONCE)
    assert found["accuracy_pass"] is True, found["accuracy"]
    found = once(project, build, category, scenario, "PerformanceOnly", SHORT)
    assert found["result_validity"] in ("VALID", "INVALID")
    audited(project, build, category, scenario)
    return build


@pytest.mark.parametrize(("category", "scenario"), EACH)
def test_a_scenario_passes_its_accuracy_and_its_audits(category: str, scenario: str, project: Path, builds: Path) -> None:
    complete(project, builds, CATEGORIES[category], scenario)


@pytest.mark.parametrize("category", list(CATEGORIES))
def test_the_official_checker_takes_every_scenario(category: str, project: Path, builds: Path, tmp_path: Path) -> None:
    of = CATEGORIES[category]
    (build,) = {complete(project, builds, of, scenario) for scenario in of.scenarios}
    described = tmp_path / "submission.toml"
    described.write_text("[system]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in made.SYSTEM_FIELDS.items()))
    make(project, build, "stage_results", f"--submission_file={described}", **WHO, CATEGORY=category)
    make(project, build, "truncate_results")
    said = make(project, build, "check_submission", **{CHECKER: os.environ[CHECKER]})
    assert "Preflight for v6.1: no errors" in said and "Official checker" in said, said
    (system,) = (build / "submission/open/Example/results").iterdir()
    for scenario in of.scenarios:
        place = system / of.benchmark / scenario
        assert f"/{of.benchmark}/{scenario}" in said, said
        assert {path.name for path in place.glob("TEST*")} == set(of.audits)
        text = (place / "accuracy/accuracy.txt").read_text()
        assert all(f"'{name}':" in text for name in SCORES) and "hash=" in text
