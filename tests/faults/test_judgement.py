"""From a bent rule to the division: the verdict of a job names it, and its identity keeps it out of closed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.plan.request import parse
from code.plan.workload import Workload, build
from code.results import machine, telemetry
from code.results.loadgen_log import read_detail
from code.results.machine import MachineState
from code.run.identity import run_identity
from code.run.judgement import judged
from code.run.observed import observed
from code.run.settings import round_of
from tests.faults import made


@pytest.fixture
def workload() -> Workload:
    (found,), _ = build(parse(["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64"], {}))
    return found


def job(workload: Workload, computes: bool = True) -> Any:
    names = {"label": "OpenVINO", "runtime_key": "openvino_version"}
    runtime = SimpleNamespace(computes=computes, version=lambda: "1", recorded=lambda _values: {}, **names)
    return SimpleNamespace(workload=workload, backend=runtime)


def test_a_departure_reaches_the_division_note(workload: Workload, tmp_path: Path) -> None:
    made.detail(tmp_path, effective_performance_sample_count=10)
    one = job(workload)
    verdict = judged(one, read_detail(tmp_path), ())
    assert "LoadGen drew from 10 samples" in verdict.departure_note
    identity = run_identity(workload, "PerformanceOnly", one.backend, 10833, verdict.departure_note)
    assert (
        identity.extras["division_note"].startswith("open division only: ") and "drew from 10" in identity.extras["division_note"]
    )


def test_other_work_reaches_the_notes_of_a_run_that_computes(workload: Workload, tmp_path: Path) -> None:
    made.detail(tmp_path)
    (tmp_path / machine.MACHINE_FILE).write_text(json.dumps(MachineState(2, 1.5).as_json()))
    log = read_detail(tmp_path)
    seen = observed(tmp_path, log, "bert-99 Offline")
    assert seen.state == MachineState(2, 1.5) and seen.content["machine"]["foreign_cpus"] == 1.5
    verdict = judged(job(workload), log, seen.notes)
    assert any("kept 1.5 of 2 processors busy" in note.what for note in verdict.notes)
    verdict = judged(job(workload, computes=False), log, seen.notes)
    assert not any("processors" in note.what for note in verdict.notes), "a simulated run measures nothing"


def test_other_work_is_named_once_and_with_its_time_where_telemetry_has_it(tmp_path: Path) -> None:
    made.detail(
        tmp_path, test_datetime="2027-01-15T08:00:00Z", power_begin="01-15-2027 08:00:00.000", power_end="01-15-2027 08:00:20.000"
    )
    (tmp_path / machine.MACHINE_FILE).write_text(json.dumps(MachineState(1, 0.6, beside=("bert-99 Server",)).as_json()))
    log, t = read_detail(tmp_path), np.arange(0.0, 21.0)
    begin, _ = telemetry.window(log) or (0.0, 0.0)
    columns = {"processors/cpu0_busy_s_total": t, "processors/cpu0_stolen_s_total": 0 * t, "own/cpu_s_total": 0.4 * t}
    columns |= {"own/cpu0_s_total": 0.4 * t, "processors/t": begin + t, "own/t": begin + t}
    np.savez(tmp_path / "telemetry.npz", **columns)  # type: ignore[arg-type]
    beside, work = observed(tmp_path, log, "bert-99 Offline").notes
    assert "it ran beside bert-99 Server" in beside.what
    assert work.what.startswith("other work took 60 % of core 0 from ") and work.what.endswith("for 20 s")


def test_the_round_of_a_run() -> None:
    assert round_of({}, "bert").name == "v6.1" and round_of({"round": "v4.1"}, "bert").name == "v4.1"
