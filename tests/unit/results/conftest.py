"""Real LoadGen runs on a null system under test, made once per session when a test asks for them by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from code.results.loadgen_log import LoadGenLog, read_detail
from tests.surroundings import once


@dataclass
class Run:
    """One LoadGen run: the settings in user.conf and what the null system does with the queries."""

    scenario: str
    conf: dict[str, Any]
    mode: str = "PerformanceOnly"
    model: str = "bert"
    total: int = 100
    in_memory: int = 100
    sleep_s: float = 0.0
    sample_s: float = 0.0
    hold: bool = False
    tokens: bool = False
    conf_twice: bool = False
    kill_at: int = 0
    equals: str = " = "
    audit: str = ""
    folder: Path = field(default=Path())

    @property
    def log(self) -> LoadGenLog:
        return read_detail(self.folder)


SAMPLES = {"performance_sample_count_override": 100}
RUNS = {
    "offline_valid": Run("Offline", {"target_qps": 12345.678, "min_duration": 300, "min_query_count": 1000}, sleep_s=0.5),
    "offline_short": Run("Offline", {"target_qps": 1.0, "min_duration": 60000, "min_query_count": 100}),
    "offline_two_confs": Run("Offline", {"target_qps": 10, "min_duration": 0, "min_query_count": 100}, conf_twice=True),
    "offline_audit": Run(
        "Offline",
        {"target_qps": 10, "min_duration": 0, "min_query_count": 100},
        audit="*.*.accuracy_log_rng_seed = 720381539243781796\n*.*.accuracy_log_sampling_target = 10\n",
    ),
    "offline_low_rate": Run("Offline", {"target_qps": 1, "min_duration": 600, "min_query_count": 100}, sample_s=0.001),
    "server_overrun": Run(
        "Server", {"target_qps": 2000, "target_latency": 200, "min_duration": 0, "min_query_count": 500}, sleep_s=0.002
    ),
    "server_valid": Run(
        "Server", {"target_qps": 1000, "target_latency": 10000, "min_duration": 0, "min_query_count": 500, "coalesce_queries": 1}
    ),
    "server_slow": Run(
        "Server", {"target_qps": 2000, "target_latency": 1, "min_duration": 0, "min_query_count": 100}, sleep_s=0.003
    ),
    "server_saturated": Run(
        "Server", {"target_qps": 2000, "target_latency": 50, "min_duration": 0, "min_query_count": 300}, sleep_s=0.002
    ),
    "server_early_stop": Run("Server", {"target_qps": 1000, "target_latency": 10000, "min_duration": 0, "min_query_count": 100}),
    "server_outstanding": Run(
        "Server",
        {"target_qps": 1000, "target_latency": 10000, "min_duration": 0, "min_query_count": 500, "max_async_queries": 10},
        hold=True,
    ),
    "server_tokens": Run(
        "Server",
        {"target_qps": 1000, "min_duration": 0, "min_query_count": 100, "ttft_latency": 5000, "tpot_latency": 1},
        model="llama2-70b",
        tokens=True,
        sleep_s=0.01,
    ),
    "server_one": Run("Server", {"target_qps": 100, "min_duration": 0, "min_query_count": 1}),
    "single_valid": Run("SingleStream", {"target_latency": 0.05, "min_duration": 100, "min_query_count": 64}, sleep_s=0.001),
    "single_too_few": Run("SingleStream", {"target_latency": 10000, "min_duration": 10000, "min_query_count": 2}),
    "single_early_stop": Run("SingleStream", {"target_latency": 10, "min_duration": 0, "min_query_count": 5}),
    "single_one": Run("SingleStream", {"target_latency": 10, "min_duration": 0, "min_query_count": 1}),
    "single_max_count": Run(
        "SingleStream", {"target_latency": 1, "min_duration": 60000, "min_query_count": 640, "max_query_count": 100}
    ),
    "single_max_duration": Run(
        "SingleStream",
        {"target_latency": 1, "min_duration": 3000, "max_duration": 200, "min_query_count": 640},
        sleep_s=0.005,
    ),
    "single_equal_issue": Run(
        "SingleStream",
        {"target_latency": 1, "min_duration": 40, "min_query_count": 5, "sample_concatenate_permutation": 1},
        sleep_s=0.001,
    ),
    "multi_valid": Run("MultiStream", {"target_latency": 0.01, "min_duration": 100, "min_query_count": 662}),
    "multi_too_few": Run("MultiStream", {"target_latency": 10000, "min_duration": 10000, "min_query_count": 2}),
    "multi_early_stop": Run("MultiStream", {"target_latency": 10, "min_duration": 0, "min_query_count": 5}),
    "killed": Run(
        "SingleStream",
        {"target_latency": 0.1, "min_duration": 1000, "min_query_count": 64, "performance_sample_count_override": 10833},
        total=10833,
        in_memory=10833,
        kill_at=20,
    ),
    "no_spaces": Run("Offline", {"target_qps": 50, "min_duration": 0, "min_query_count": 100}, equals="="),
    "submission": Run(
        "SingleStream",
        {"target_latency": 0.05, "min_duration": 0, "min_query_count": 64, "performance_sample_count_override": 40},
        mode="SubmissionRun",
    ),
    **{
        f"accuracy_{scenario}": Run(
            scenario,
            {key: value, "min_duration": 100, "min_query_count": 10, "performance_sample_count_override": 40},
            mode="AccuracyOnly",
            in_memory=40,
        )
        for scenario, key, value in (
            ("Offline", "target_qps", 1000),
            ("Server", "target_qps", 1000),  # Server keeps its schedule in accuracy runs too
            ("SingleStream", "target_latency", 1.5),
            ("MultiStream", "target_latency", 12.5),
        )
    },
}


@pytest.fixture(scope="session")
def run_names() -> list[str]:
    """The names of all runs."""
    return list(RUNS)


def prepared(run: Run, folder: Path) -> Run:
    """The run as it is made in `folder`."""
    return replace(run, folder=folder, conf={**SAMPLES, **run.conf})


TWO_CONFS = "Multiple conf files are used"
"""LoadGen logs it before the test begins; on a busy machine its log thread may write it to standard output, before the log is open."""


def execute(run: Run, folder: Path, attempts: int = 9) -> Run:
    """Make the run in `folder`, in a process of its own; one whose log lacks TWO_CONFS again, as on a machine with much other work."""
    run = prepared(run, folder)
    lines = [f"*.{run.scenario}.{key}{run.equals}{value}\n" for key, value in run.conf.items()]
    (folder / "user.conf").write_text("".join(lines))
    if run.audit:
        (folder / "audit.config").write_text(run.audit)
    job = {key: value for key, value in vars(run).items() if key not in ("conf", "folder", "equals", "audit")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("null_sut.py")), json.dumps(job)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == (-9 if run.kill_at else 0), done.stderr
    if run.conf_twice and attempts and TWO_CONFS not in (folder / "mlperf_log_detail.txt").read_text():
        return execute(run, folder, attempts - 1)
    return run


@pytest.fixture(scope="session")
def loadgen_run() -> Callable[[str], Run]:
    """A function that makes (once) and returns the run of that name."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")

    def make(name: str) -> Run:
        folder = once(f"loadgen-{name}", lambda folder: execute(RUNS[name], folder))
        return prepared(RUNS[name], folder)

    return make


@pytest.fixture
def loadgen_again(loadgen_run: Callable[[str], Run], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A function that repeats a run with other settings in user.conf."""
    return lambda run, conf: execute(replace(run, conf={**run.conf, **conf}), tmp_path_factory.mktemp("again"))
