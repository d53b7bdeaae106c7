"""Jobs under a real Slurm of two nodes: a run on each, a campaign as an array that is preempted, and a fleet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import slurm_cluster
from tests.e2e.slurm_cluster import ended, said

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.long, pytest.mark.timeout(900)]
LOADGEN = "--min_duration=500 --min_query_count=64 --offline_expected_qps=3000 --single_stream_expected_latency_ns=1000000"
"""More than this machine gives: each node would else measure it while the other works, and end too early once it has it alone."""
SHORT = f"--model_variant=tiny {LOADGEN}"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    why = slurm_cluster.missing()
    if why:
        pytest.skip(f"{why}; for these: {slurm_cluster.INSTALL}")
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables


def submit(project: Path, slurm: dict[str, str], *arguments: str, **variables: str) -> str:
    """`make slurm_submit` with the variables of the cluster; the job's ID."""
    environment = {**os.environ, **slurm, **variables}
    command = ["make", "slurm_submit", *arguments]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    found = re.search(r"Slurm job (\d+)", done.stdout)
    assert done.returncode == 0 and found, done.stdout + done.stderr
    return found[1]


def test_bert_runs_on_two_nodes_to_valid(project: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    results = tmp_path / "results"
    words = f"RUN_ARGS=--benchmarks=bert --scenarios=offline {SHORT}"
    job = submit(project, slurm, "NODES=2", words, MLPERF_RESULTS=str(results))
    state = ended(job, slurm, 400)
    logs = "\n".join(path.read_text() for path in (project / "build" / "slurm").glob("run-*/n[12].log"))
    assert "JobState=COMPLETED" in state, logs
    found = {path.relative_to(results).parts[0]: json.loads(path.read_text()) for path in results.rglob("metadata.json")}
    assert {node: one["result_validity"] for node, one in found.items()} == {"n1": "VALID", "n2": "VALID"}


def test_an_array_makes_each_run_once_also_when_it_is_preempted(project: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    file, state = tmp_path / "campaign.toml", tmp_path / "state"
    file.write_text(
        f'name = "array-{os.getpid()}"\nargs = "{SHORT}"\nrepeats = 2\n'
        '[[workload]]\nbenchmarks = "bert"\nscenarios = ["offline", "singlestream"]\n'
    )
    logs = tmp_path / "logs"
    job = submit(project, slurm, f"FILE={file}", f"RUN_ARGS=--campaign_dir={state}", LOG_DIR=str(logs))
    end = time.monotonic() + 120
    while not list(logs.rglob("INCOMPLETE")) and time.monotonic() < end:
        time.sleep(0.2)
    running = said("squeue", "-h", "-r", "-j", job, "-t", "RUNNING", "-o", "%i", variables=slurm).split()
    assert running, "nothing to preempt"
    said("scontrol", "requeue", running[0], variables=slurm)
    ended(job, slurm, 600)
    status = ["make", "--no-print-directory", "campaign_status", f"FILE={file}", f"RUN_ARGS=--campaign_dir={state} --json"]
    done = subprocess.run(
        status, cwd=project, capture_output=True, text=True, timeout=60, env={**os.environ, "LOG_DIR": str(logs)}
    )
    (found,) = json.loads(done.stdout)
    assert found["done"] == 4 and found["jobs"] == [job], done.stdout
    assert all(verdict.startswith("VALID") for entry in found["entries"] for verdict in entry["verdicts"])
    assert len(list(logs.rglob("metadata.json"))) == 4


def test_a_fleet_names_its_nodes_by_slurm(project: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    file, state, logs = tmp_path / "fleet.toml", tmp_path / "state", tmp_path / "logs"
    file.write_text(
        f'name = "fleet-{os.getpid()}"\nnodes = 2\nargs = "{SHORT}"\n[[workload]]\nbenchmarks = "bert"\nscenarios = "offline"\n'
    )
    job = submit(project, slurm, f"FILE={file}", f"RUN_ARGS=--campaign_dir={state}", LOG_DIR=str(logs))
    assert "JobState=COMPLETED" in ended(job, slurm, 400)
    words = f"RUN_ARGS=--campaign_dir={state} --report_dir={tmp_path / 'report'} --json"
    command = ["make", "--no-print-directory", "fleet", f"FILE={file}", words]
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=60, env={**os.environ, "LOG_DIR": str(logs)}
    )
    found = json.loads(done.stdout)
    assert [one["node"] for one in found["nodes"]] == ["n1", "n2"] and all(cell["value"] for cell in found["cells"])


def test_a_wrong_option_of_slurm_is_its_own_words(project: Path, slurm: dict[str, str]) -> None:
    words = ["SLURM_ARGS=--partition=none", f"RUN_ARGS=--benchmarks=bert --scenarios=offline {SHORT}"]
    done = subprocess.run(
        ["make", "slurm_submit", *words], cwd=project, env={**os.environ, **slurm}, capture_output=True, text=True, timeout=60
    )
    assert "Error 4" in done.stderr and "invalid partition" in done.stderr
