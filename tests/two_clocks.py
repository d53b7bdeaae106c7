"""The same Server run of the C++ harness in virtual time and under the real LoadGen.

Which queries share a batch depends on microseconds, and what follows on which queries shared one: with several devices two runs of the
same setting differ by as much as two runs with other seeds would, in a run of twelve seconds by 2 %. So the simulation of a setting is
repeated with service times that differ by a few microseconds, and the real run too, and medians are compared.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

NUDGES = [1 + 1e-4 * step for step in range(-4, 5)]
"""Factors on service times with which a simulation is repeated."""


def harness(project: Path) -> Path:
    found = Path(os.environ.get("BUILD_DIR", project / "build")) / "bin" / "harness"
    if not found.is_file():
        pytest.skip("the C++ harness is not built; run `make build`")
    return found


def setting(number: int, folder: Path) -> dict[str, Any]:
    """A Server run of some seconds on simulated devices: their number, times, batches and rate are drawn by `number`."""
    draw = random.Random(number)
    devices, batch = draw.randint(1, 4), draw.choice([1, 4, 8, 16])
    # µs; long beside the 50 to 100 that a thread takes to wake up.
    fixed, each = draw.uniform(20_000, 40_000), draw.uniform(3_000, 8_000)
    capacity = devices * batch * 1e6 / (fixed + batch * each)
    rate = draw.uniform(0.4, 0.75) * capacity
    conf = {"target_qps": rate, "min_duration": 12_000, "min_query_count": 100, "target_latency": draw.choice([500, 1000, 3000])}
    (folder / "user.conf").write_text("".join(f"bert.Server.{key} = {value}\n" for key, value in conf.items()))
    table = {
        "batches": [1, 16],
        "lengths": [64, 128],
        "microseconds": [[fixed + n * each * length for length in (0.75, 1.25)] for n in (1, 16)],
        "slowdown": [],
        "fault": "",
        "fault_after": 0,
        "load_s": 0.0,
        "at_once": 1,
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
        "batch": {"max_samples": batch, "timeout_us": draw.choice([0, 20_000, 80_000]), "padding": draw.choice([0.1, 0.6])},
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


def simulated(binary: Path, run: dict[str, Any], nudges: Sequence[float] = NUDGES) -> list[dict[str, Any]]:
    """What simulations say, with service times multiplied by each of `nudges`."""
    (engine,) = run["engines"]
    times = engine["options"]["microseconds"]
    found = []
    for nudge in nudges:
        table = {**engine["options"], "microseconds": [[nudge * time for time in row] for row in times]}
        start(binary, {**run, "engines": [{**engine, "options": table}]}, "--simulate")
        found.append(json.loads((Path(run["output_dir"]) / "simulation.json").read_text()))
    return found


def in_real_time(binary: Path, run: dict[str, Any], turns: int) -> list[tuple[dict[str, int], bool]]:
    """Latencies by share, and whether the run is VALID, of that many runs under the real LoadGen at the same time."""
    folders = [Path(run["output_dir"]) / str(turn) for turn in range(turns)]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    with ThreadPoolExecutor(turns) as pool:
        list(pool.map(lambda folder: start(binary, {**run, "output_dir": str(folder)}), folders))
    return [verdict(folder) for folder in folders]


def verdict(folder: Path) -> tuple[dict[str, int], bool]:
    detail = (folder / "mlperf_log_detail.txt").read_text()
    found = re.findall(r'"result_([\d.]+)_percentile_latency_ns", "value": (\d+)', detail)
    return {f"{float(percent) / 100:g}": int(value) for percent, value in found}, '"result_validity", "value": "VALID"' in detail


def real_time_priority() -> list[str]:
    """The command before another that other work does not delay; [] where this process may not ask for it."""
    command = ["chrt", "--fifo", "5"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True, timeout=10).returncode == 0
    except OSError:
        return []
    return command if allowed else []


def start(binary: Path, run: dict[str, Any], *words: str) -> None:
    file = Path(run["output_dir"]) / "run.json"
    file.write_text(json.dumps(run))
    before = [] if words else real_time_priority()
    subprocess.run([*before, str(binary), *words, str(file)], check=True, capture_output=True, timeout=600)


def set_conf(folder: Path, **values: float) -> None:
    """Change keys of a setting's user.conf."""
    lines = (folder / "user.conf").read_text().splitlines()
    kept = [line for line in lines if line.split(" ")[0].rpartition(".")[2] not in values]
    (folder / "user.conf").write_text(
        "".join(f"{line}\n" for line in [*kept, *(f"bert.Server.{k} = {v}" for k, v in values.items())])
    )
