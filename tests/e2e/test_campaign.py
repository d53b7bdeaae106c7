"""A campaign that is killed again and again: every run is made, and none twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.owned import owned

pytestmark = [pytest.mark.e2e, pytest.mark.full, pytest.mark.timeout(1500)]
RUNS, KILLS = 12, 5
FILE = """
name = "NAME"
args = "--model_variant=tiny --min_duration=100 --test_query_count=8"
repeats = 6
[[workload]]
benchmarks = ["bert"]
scenarios = ["offline", "singlestream"]
"""


def start(project: Path, file: Path, state: Path, logs: Path) -> subprocess.Popen[str]:
    command = ["make", "campaign", f"FILE={file}", f"RUN_ARGS=--campaign_dir={state}"]
    environment = {**os.environ, "LOG_DIR": str(logs)}
    return owned(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def campaign_of(make: subprocess.Popen[str]) -> psutil.Process | None:
    """The Python process of the campaign below its make."""
    try:
        below = psutil.Process(make.pid).children(recursive=True)
        return next((one for one in below if "--action=campaign" in one.cmdline()), None)
    except psutil.NoSuchProcess:
        return None


def results(state: Path) -> list[Path]:
    return sorted(state.glob("*/runs/*/result.json"))


def test_twelve_runs_killed_at_five_random_moments_are_made_once_each(project: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("CAMPAIGN_SEED") or time.time())
    chance = random.Random(seed)
    print(f"CAMPAIGN_SEED={seed}", file=sys.stderr)
    file, state, logs = tmp_path / "campaign.toml", tmp_path / "state", tmp_path / "logs"
    file.write_text(FILE.replace("NAME", f"killed-{os.getpid()}"))
    for number in range(KILLS):
        before = len(results(state))
        make = start(project, file, state, logs)
        # A moment in the run that follows one or two results of this invocation, so that each kill meets another stage.
        wanted = min(RUNS - 1, before + chance.choice((0, 1, 2)))
        end = time.monotonic() + 240
        while len(results(state)) < wanted and make.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(chance.uniform(0.5, 6.0))
        victim = campaign_of(make)
        if victim is None:
            assert make.poll() is not None and len(results(state)) == RUNS, make.communicate()[0]
            break
        if number % 2:
            victim.kill()
        else:
            os.killpg(make.pid, signal.SIGKILL)  # make and the campaign, as a machine that goes down takes both
        make.communicate(timeout=120)
    make = start(project, file, state, logs)
    output, _ = make.communicate(timeout=900)
    assert make.returncode == 0, output
    assert len(results(state)) == RUNS
    complete = [path for path in logs.rglob("metadata.json") if not path.with_name("INCOMPLETE").exists()]
    assert len(complete) == RUNS, "a run was made twice"
    recorded = {entry["folder"] for path in results(state) for entry in json.loads(path.read_text())["results"]}
    assert recorded == {str(path.parent) for path in complete}
    left = [
        one.cmdline() for one in psutil.process_iter(["cmdline"]) if any(str(logs) in word for word in one.info["cmdline"] or ())
    ]
    assert not left
    again = start(project, file, state, logs)
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0 and f"0 runs made, {RUNS} were done before" in output


def test_stop_ends_the_run_that_goes_on_and_a_second_writer_is_refused(project: Path, tmp_path: Path) -> None:
    file, state, logs = tmp_path / "campaign.toml", tmp_path / "state", tmp_path / "logs"
    text = FILE.replace("NAME", f"stopped-{os.getpid()}").replace(
        "--min_duration=100 --test_query_count=8", "--min_duration=600000"
    )
    file.write_text(text)
    first = start(project, file, state, logs)
    end = time.monotonic() + 240
    while not list(logs.rglob("mlperf_log_detail.txt")) and time.monotonic() < end:
        time.sleep(0.1)
    second = start(project, file, state, logs)
    assert "is running already" in second.communicate(timeout=60)[0] and second.returncode == 2
    stop = ["make", "campaign_stop", f"FILE={file}", f"RUN_ARGS=--campaign_dir={state}"]
    done = subprocess.run(stop, cwd=project, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0 and "was stopped" in done.stdout, done.stdout + done.stderr
    output = first.communicate(timeout=60)[0]
    assert "was stopped" in output and first.returncode == 2
    assert not results(state) and not list(logs.rglob("metadata.json"))
    status = ["make", "--no-print-directory", "campaign_status", f"FILE={file}", f"RUN_ARGS=--campaign_dir={state} --json"]
    (found,) = json.loads(subprocess.run(status, cwd=project, capture_output=True, text=True, timeout=60).stdout)
    assert found["interrupted"] == 1 and found["waiting"] == 11 and not found["active"]
