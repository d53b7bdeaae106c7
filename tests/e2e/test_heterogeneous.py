"""A heterogeneous run with real engines: tiny BERT on one core, tiny 3D-UNet on the other, under the real LoadGen."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.test_run_bert import make, results

CORES = sorted(os.sched_getaffinity(0))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.full,
    pytest.mark.skipif(len(CORES) < 2, reason="needs two processors"),
]
PLACES = f"--main=bert:Offline@{CORES[0]} --background=3d-unet:Offline@{CORES[-1]} --backend=openvino"
GIVEN = "--offline_expected_qps=50 --min_duration=3000 --share_devices"


def loads() -> list[psutil.Process]:
    """The processes that load devices beside a run."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        words = one.info["cmdline"] or []
        if "--background" in words and any(word.endswith("run.json") for word in words):
            found.append(one)
    return found


def test_a_result_says_what_ran_beside_it_and_what_that_cost(project: Path, tmp_path: Path) -> None:
    done = make(project, "run_heterogeneous", f"{PLACES} {GIVEN} --test_query_count=200", LOG_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    alone, beside = sorted(results(tmp_path), key=lambda one: "beside" in one)
    assert "beside" not in alone and "_HeteroMultiUse" in beside["system_name"]
    (neighbour,) = beside["beside"]["neighbours"]
    assert neighbour["label"] == "3d-unet-99 Offline" and neighbour["seconds"] > 0
    assert beside["beside"]["alone"] == alone["result_samples_per_second"]
    ratio = beside["result_samples_per_second"] / alone["result_samples_per_second"]
    assert beside["beside"]["price"] == pytest.approx(1 - ratio, abs=1e-3)
    assert "open division only" in beside["division_note"] and "beside 3d-unet-99 Offline" in beside["division_note"]
    assert "3d-unet-99 Offline is in steady state" in done.stdout and "its neighbours cost" in done.stdout


def test_a_neighbour_that_is_killed_fails_the_run_with_its_name(project: Path, tmp_path: Path) -> None:
    before = {one.pid for one in loads()}
    environment = {**os.environ, "LOG_DIR": str(tmp_path), "RUN_ARGS": f"{PLACES} {GIVEN} --test_query_count=3000 --alone=false"}
    command = ["make", "-C", str(project), "run_heterogeneous"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "PerformanceOnly: takes" in line:
                break
        (own,) = [one for one in loads() if one.pid not in before]
        time.sleep(1)
        own.send_signal(signal.SIGKILL)
        _, errors = run.communicate(timeout=120)
    assert run.returncode != 0
    words = " ".join(errors.split())
    assert "the neighbour 3d-unet-99 Offline ended during the main test" in words and "killed by signal 9" in words
    assert results(tmp_path) == [] and [one for one in loads() if one.pid not in before] == []
