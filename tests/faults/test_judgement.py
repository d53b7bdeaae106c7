"""From a bent rule to the division: the verdict of a job names it, and its identity keeps it out of closed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.plan.request import parse
from code.plan.workload import Workload, build
from code.results import machine
from code.results.loadgen_log import read_detail
from code.results.machine import MachineState
from code.run.identity import run_identity
from code.run.judgement import judged
from code.run.settings import round_of
from tests.faults import made


@pytest.fixture
def workload() -> Workload:
    (found,), _ = build(parse(["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64"], {}))
    return found


def job(workload: Workload, computes: bool = True) -> Any:
    runtime = SimpleNamespace(computes=computes, label="OpenVINO", runtime_key="openvino_version", version=lambda: "1")
    return SimpleNamespace(workload=workload, backend=runtime)


def test_a_departure_reaches_the_division_note(workload: Workload, tmp_path: Path) -> None:
    made.detail(tmp_path, effective_performance_sample_count=10)
    one = job(workload)
    verdict, state = judged(one, read_detail(tmp_path), tmp_path)
    assert state is None and "LoadGen drew from 10 samples" in verdict.departure_note
    identity = run_identity(workload, "PerformanceOnly", one.backend, 10833, verdict.departure_note)
    assert (
        identity.extras["division_note"].startswith("open division only: ") and "drew from 10" in identity.extras["division_note"]
    )


def test_other_work_reaches_the_notes_of_a_run_that_computes(workload: Workload, tmp_path: Path) -> None:
    made.detail(tmp_path)
    (tmp_path / machine.MACHINE_FILE).write_text(json.dumps(MachineState(2, 1.5).as_json()))
    verdict, state = judged(job(workload), read_detail(tmp_path), tmp_path)
    assert state == MachineState(2, 1.5) and any("kept 1.5 of 2 processors busy" in note.what for note in verdict.notes)
    verdict, _ = judged(job(workload, computes=False), read_detail(tmp_path), tmp_path)
    assert not any("processors" in note.what for note in verdict.notes), "a simulated run measures nothing"


def test_the_round_of_a_run() -> None:
    assert round_of({}, "bert").name == "v6.1" and round_of({"round": "v4.1"}, "bert").name == "v4.1"
