"""Simulations in virtual time against the same runs under the real LoadGen: latencies within 1 %, and no VALID that is INVALID."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.full, pytest.mark.long, pytest.mark.cpp, pytest.mark.timeout(900)]

SHARES = ("0.5", "0.9", "0.99")
NEAR = 0.01
WAKING_NS = 150_000
"""What threads of a real run may lose when they wake up and answer, which virtual time does not have."""


def harness(project: Path) -> Path:
    found = Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness"
    if not found.is_file():
        pytest.skip("the C++ harness is not built; run `make build`")
    return found


def setting(number: int, folder: Path) -> dict[str, Any]:
    """A Server run of some seconds on simulated devices: their number, times, batches and rate are drawn by `number`."""
    draw = random.Random(number)
    devices, batch = draw.randint(1, 4), draw.choice([1, 4, 8, 16])
    fixed, each = draw.uniform(4_000, 10_000), draw.uniform(500, 2_000)  # µs
    capacity = devices * batch * 1e6 / (fixed + batch * each)
    rate = draw.uniform(0.4, 0.75) * capacity
    conf = {"target_qps": rate, "min_duration": 12_000, "min_query_count": 100, "target_latency": draw.choice([150, 400, 1000])}
    (folder / "user.conf").write_text("".join(f"bert.Server.{key} = {value}\n" for key, value in conf.items()))
    table = {
        "batches": [1, 16],
        "lengths": [64, 128],
        "microseconds": [[fixed + n * each * length for length in (0.75, 1.25)] for n in (1, 16)],
        "slowdown": [],
        "fault": "",
        "fault_after": 0,
        "load_s": 0.0,
    }
    return {
        "schema": 4,
        "benchmark": "bert",
        "scenario": "Server",
        "test_mode": "PerformanceOnly",
        "output_dir": str(folder),
        "user_conf": str(folder / "user.conf"),
        "audit_conf": "",
        "engines": [{"backend": "simulated", "folder": "", "precision": "fp32", "options": table}],
        "devices": [
            {"index": i, "name": f"device {i}", "pci": "", "engine": 0, "cores": [], "streams": draw.randint(1, 2), "threads": 0}
            for i in range(devices)
        ],
        "batch": {"max_samples": batch, "timeout_us": draw.choice([0, 5_000, 20_000]), "padding": draw.choice([0.1, 0.6])},
        "dataset": {"kind": "synthetic", "count": 1000, "lengths": [64, 90, 128], "outputs": ["answer"]},
        "seeds": {"qsl_rng_seed": number, "sample_index_rng_seed": number + 1, "schedule_rng_seed": number + 2},
        "log": {
            "enable_trace": False,
            "copy_summary_to_stdout": False,
            "copy_detail_to_stdout": False,
            "mode": "AsyncPoll",
            "async_poll_interval_ms": 1000,
        },
        "server": {"issue_threads": 0, "soft_drop": 1.0},
        "warmup_s": 0.0,
        "watchdog_s": 60.0,
        "expects": {"min_duration_ms": 0, "samples_per_query": 8},
        "record": {},
    }


def both(binary: Path, run: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, int], bool]:
    """What a simulation says, and of a real run its latencies by share and whether it is VALID."""
    (folder / "run.json").write_text(json.dumps(run))
    for words in (["--simulate"], []):
        subprocess.run([str(binary), *words, str(folder / "run.json")], check=True, capture_output=True, timeout=300)
    detail = (folder / "mlperf_log_detail.txt").read_text()
    found = re.findall(r'"result_([\d.]+)_percentile_latency_ns", "value": (\d+)', detail)
    latencies = {f"{float(percent) / 100:g}": int(value) for percent, value in found}
    valid = '"result_validity", "value": "VALID"' in detail
    return json.loads((folder / "simulation.json").read_text()), latencies, valid


@pytest.mark.parametrize("number", range(20))
def test_virtual_time_has_the_latencies_of_real_time(number: int, project: Path, tmp_path: Path) -> None:
    """Three tries: a busy machine delays a real run, never a simulation."""
    problems: list[str] = []
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        simulated, real, valid = both(harness(project), setting(number, folder), folder)
        problems = [
            f"{share}: {simulated['latencies_ns'][share]:,} ns simulated, {real[share]:,} ns real"
            for share in SHARES
            if abs(real[share] - simulated["latencies_ns"][share]) > NEAR * real[share] + WAKING_NS
        ]
        clearly = simulated["percentile_ns"] < 0.98 * simulated["bound_ns"]
        if simulated["valid"] and clearly and not valid:
            problems.append("simulated VALID, and INVALID in real time")
        if not problems:
            return
    pytest.fail("; ".join(problems))
