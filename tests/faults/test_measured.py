"""Measured values: renewed, dated, never kept from a busy machine, made anew where their file is damaged."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.machine import measurements
from code.machine.measurements import Measurement, Memory
from code.plan.request import Value, parse
from code.plan.workload import Workload, build
from code.results.machine import MachineState
from code.run import measured
from configs.configuration import Probed

IDLE, BUSY = MachineState(2, 0.0), MachineState(2, 1.5)


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    return Memory({"engine": "x"})


@pytest.fixture
def workload() -> Workload:
    words = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64"]
    (found,), _ = build(parse(words, {}))
    return found.with_values({"offline_expected_qps": Value(Probed("samples_per_second", 1.1), "config x")})


class Probe:
    """Measures what it is given, and counts."""

    def __init__(self, value: float, state: MachineState = IDLE) -> None:
        self.value, self.state, self.calls = value, state, 0

    def __call__(self) -> tuple[dict[str, float], MachineState]:
        self.calls += 1
        return {
            "samples_per_second": self.value,
            "latency_ns": 1e9 / self.value,
            "query_latency_ns": 8e9 / self.value,
        }, self.state


def test_a_measurement_is_made_once_and_shown_with_its_date(workload: Workload, memory: Memory) -> None:
    probe = Probe(100.0)
    for _ in range(2):
        found = measured.with_measured(workload, memory, probe)
        assert found["offline_expected_qps"] == 110.0
        assert "by a probe on 20" in found.origin("offline_expected_qps") and " ago" in found.origin("offline_expected_qps")
    assert probe.calls == 1


def test_a_completed_run_renews_it_and_the_best_counts(workload: Workload, memory: Memory) -> None:
    measured.with_measured(workload, memory, Probe(267.5))
    memory.add(Measurement({"samples_per_second": 397.8}, time.time(), "run"))
    memory.add(Measurement({"samples_per_second": 300.0}, time.time(), "run"))
    found = measured.with_remembered(workload, memory)
    assert found["offline_expected_qps"] == pytest.approx(437.6) and "by a run" in found.origin("offline_expected_qps")
    for _ in range(measurements.KEPT):
        memory.add(Measurement({"samples_per_second": 10.0}, time.time(), "run"))
    assert measured.with_remembered(workload, memory)["offline_expected_qps"] == 11.0, "a best one of long ago is forgotten"
    assert len(memory.read()) == measurements.KEPT


def test_what_was_measured_on_a_busy_machine_is_not_kept(
    workload: Workload, memory: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured.with_measured(workload, memory, Probe(50.0, BUSY))
    assert found["offline_expected_qps"] == pytest.approx(55.0 * measured.MOST_ROOM)
    assert "room for 2.5 times the speed" in found.origin("offline_expected_qps")
    assert "not remembered" in capsys.readouterr().err and not memory.read() and not memory.path.exists()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Probed("samples_per_second", 1.1), 110.0 * 2),
        (Probed("samples_per_second", 0.6), 60.0),
        (Probed("latency_ns", 0.7), 7e6 / 2),
    ],
    ids=["Offline", "Server", "SingleStream"],
)
def test_a_disturbed_measurement_leaves_room_where_a_faster_engine_would_end_the_run_too_early(
    workload: Workload, memory: Memory, value: Probed, expected: float
) -> None:
    asked = workload.with_values({"offline_expected_qps": Value(value, "config")})
    half = MachineState(cpus=2, foreign_cpus=1.0)
    assert measured.with_measured(asked, memory, Probe(100.0, half))["offline_expected_qps"] == pytest.approx(expected)
    assert measured.MOST_ROOM == 2.5
    for state in (MachineState(cpus=2, foreign_cpus=2.0), MachineState(cpus=2, beside=("another run",))):
        full = measured.with_measured(workload, memory, Probe(100.0, state))["offline_expected_qps"]
        assert full == pytest.approx(110.0 * 2.5)


def test_it_is_measured_again_where_that_is_asked_for(workload: Workload, memory: Memory) -> None:
    measured.with_measured(workload, memory, Probe(500.0))
    assert measured.with_measured(workload, memory, Probe(100.0), again=True)["offline_expected_qps"] == 110.0
    assert [one.values["samples_per_second"] for one in memory.read()] == [100.0]


NOW = time.time()
GOOD = {"values": {"samples_per_second": 5.0}, "when": NOW, "source": "probe", "load": 0.0}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "{}",
        "[]",
        "[" * 100_000,
        '{"samples_per_second": 5, "when": 1e300}',
        json.dumps({"measurements": 5}),
        json.dumps({"measurements": [5, None, {}, []]}),
        *(
            json.dumps({"measurements": [{**GOOD, **changed}]})
            for changed in (
                {"when": 1e300},
                {"when": float("nan")},
                {"when": NOW + 1e6},
                {"when": NOW - 1e8},
                {"when": "x"},
                {"when": True},
                {"values": {}},
                {"values": 5},
                {"values": {"samples_per_second": 0}},
                {"values": {"samples_per_second": -1}},
                {"values": {"samples_per_second": float("nan")}},
                {"values": {"samples_per_second": float("inf")}},
                {"values": {"samples_per_second": 1e300}},
                {"values": {"samples_per_second": "5"}},
                {"values": {"samples": 5}},
            )
        ),
    ],
    ids=itertools.count(),  # the contents hold the time, and workers of pytest-xdist must name tests alike
)
def test_a_damaged_memory_is_made_anew(content: str, workload: Workload, memory: Memory) -> None:
    memory.path.parent.mkdir(parents=True)
    memory.path.write_text(content)
    probe = Probe(100.0)
    assert measured.with_measured(workload, memory, probe)["offline_expected_qps"] == 110.0 and probe.calls == 1
    assert [one.values["samples_per_second"] for one in memory.read() if "samples_per_second" in one.values] == [100.0]


def test_ages() -> None:
    assert [measurements.age(s) for s in (-5, 3, 119, 121, 7300, 200_000)] == ["0 s", "3 s", "119 s", "2 min", "2 h", "2 days"]


def job(workload: Workload, **changed: Any) -> Any:
    placement = SimpleNamespace(devices=(), batch=1)
    engines = SimpleNamespace(first=SimpleNamespace(folder=Path("engine")))
    values: dict[str, Any] = {
        "workload": workload,
        "backend": SimpleNamespace(computes=True, name="openvino", harness_languages=("cpp", "python")),
        "placement": placement,
        "engines": engines,
        "dataset": {"kind": "sequence", "folder": "x", "count": 1},
        "language": SimpleNamespace(language="python"),
        "company": None,
        "values": workload.plain(),
    }
    return SimpleNamespace(**{**values, **changed})


def test_a_run_is_remembered_under_what_it_depends_on(
    workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from code.results.loadgen_log import read_detail
    from code.run import afterwards
    from tests.faults import made

    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    made.detail(tmp_path)
    log = read_detail(tmp_path)
    memories = tmp_path / "engines" / ".probes"
    afterwards.remember(job(workload), log, BUSY)
    afterwards.remember(job(workload), log, None)
    afterwards.remember(job(workload, backend=SimpleNamespace(computes=False)), log, IDLE)
    afterwards.remember(job(workload, company="another workload"), log, IDLE)
    assert not memories.exists()
    afterwards.remember(job(workload), log, IDLE)
    files = list(memories.iterdir())
    assert len(files) == 2, "of this engine and placement, and of its precision"
    for file in files:
        assert json.loads(file.read_text())["measurements"][0]["values"] == {"samples_per_second": 40.25}
