"""make roofline: what is measured, what is kept, and what a run tells of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.actions import roofline as action
from code.backends import products
from code.benchmarks.benchmark import definition_of
from code.common.errors import UsageError
from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import build
from code.results.machine import MachineState
from code.run import machine_rates, roofline
from code.run.job import Job
from code.run.language import binary
from tests.unit.acting import Act

WORDS = ("--benchmarks=bert", "--scenarios=offline", "--system=CPU_x86_64", "--model_variant=tiny")
IDLE, BUSY = MachineState(2, 0.0), MachineState(2, 1.5)


@pytest.fixture
def job() -> Job:
    (workload,), _ = build(parse(["--action=roofline", *WORDS], {}))
    return Job(workload, Notices())


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates without measuring them, on data without a text."""
    np.save(tmp_path / "lengths.npy", np.array([100, 200]))
    monkeypatch.setattr(definition_of("bert"), "prepare", lambda _: None)
    monkeypatch.setattr(Job, "dataset", property(lambda _: {"folder": str(tmp_path), "lengths": "lengths.npy"}))
    known = {"fp32": 100.0, "bf16": 1000.0, "fp16": 50.0, "int8": 800.0}
    monkeypatch.setattr(products, "rate", lambda _n, precision, *_: known[precision])
    monkeypatch.setattr(products, "profile", lambda *_: {"products": 0.6, "others": 0.4})
    monkeypatch.setattr(machine_rates, "bandwidth", lambda _: {"read_gb_per_s": 20.0, "copy_gb_per_s": 10.0})
    monkeypatch.setattr(machine_rates, "loadgen_ceiling", lambda _: {"loadgen_samples_per_second": 5e6})


def state(monkeypatch: pytest.MonkeyPatch, found: MachineState) -> None:
    class Watch:
        def __enter__(self) -> Any:
            return SimpleNamespace(state=found)

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(roofline, "watched", lambda *_: Watch())


@pytest.mark.usefixtures("quick")
def test_limits_are_printed_and_kept_on_an_idle_machine(act: Act, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, IDLE)
    status, said = act("roofline", *WORDS)
    assert status == 0 and "At most, samples/s" in said and "remembered for 30 days" in said and "Memory, read: 20 GB/s" in said
    found = roofline.of_workload(job, "fp32")
    assert found is not None and found.gflops == 100.0 and found.operators == {"products": 0.6, "others": 0.4}
    assert "by a probe on" in found.measured and found.flops_per_square > 0


@pytest.mark.usefixtures("quick")
def test_limits_of_a_busy_machine_are_shown_and_not_kept(act: Act, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, BUSY)
    status, said = act("roofline", *WORDS)
    assert status == 0 and "not remembered" in said and "run it again on an idle machine" in said
    assert roofline.of_workload(job, "fp32") is None and roofline.recorded(job, Path()) == {}


@pytest.mark.usefixtures("quick")
def test_json(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, IDLE)
    status, said = act("roofline", *WORDS, "--json")
    (entry,), _ = json.JSONDecoder().raw_decode(said, said.index("[\n"))
    assert status == 0 and entry["kept"] is True and entry["machine"]["gflops_fp32"] == 100.0
    assert entry["samples_per_second"]["fp32"] == pytest.approx(entry["samples_per_second"]["int8"] / 8)


@pytest.mark.usefixtures("quick")
def test_a_run_tells_its_share(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, IDLE)
    one = roofline.measure(job)
    assert roofline.remember(job, one)
    device = {"index": 0, "name": "node 0", "samples": 100, "batches": 10, "busy_s": 9.0, "elapsed_s": 10.0}
    (tmp_path / "devices.json").write_text(json.dumps([device]))
    np.save(tmp_path / "batches.npy", np.array([[i, i + 1.0, 10, 200, 0] for i in range(10)], float))
    found = roofline.recorded(job, tmp_path)["bound"]
    assert found["share"] == pytest.approx(10 / one.samples_per_second("fp32"), abs=1e-4)  # type: ignore[operator]
    assert found["share"] + sum(found["lost"].values()) == pytest.approx(1.0, abs=2e-3)
    job.workload = job.workload.with_values({"test_mode": job.workload.values["test_mode"].__class__("AccuracyOnly", "x")})
    assert roofline.recorded(job, tmp_path) == {}


@pytest.mark.usefixtures("quick")
def test_operators_are_of_the_newest_measurement_that_has_those_of_the_precision(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    state(monkeypatch, IDLE)
    one = roofline.measure(job)
    others = {name: value for name, value in one.own.items() if not name.endswith("_fp32")}
    for own in (
        {**others, "gflops_fp32": 100.0, "products_fp32": 0.5, "layout_fp32": 0.5},
        {**others, "gflops_fp32": 120.0, "products_fp32": 0.9, "others_fp32": 0.1},
        {**others, "gflops_fp32": 150.0, "products_bf16": 0.2},
    ):
        assert roofline.remember(job, replace(one, own=own))
    found = roofline.of_workload(job, "fp32")
    assert found is not None and found.gflops == 150.0 and found.operators == {"products": 0.9, "others": 0.1}


@pytest.mark.usefixtures("quick")
def test_a_volume_is_as_long_as_its_windows_are_many(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state(monkeypatch, IDLE)
    for name, depth in (("one", 4), ("three", 8)):
        np.save(tmp_path / f"{name}.npy", np.zeros((depth, 4, 4), np.float32))
    window = {"roi": [4, 4, 4], "overlap": 0.5, "sigma": 0.125, "windows_per_batch": 1, "input": "in", "output": "out"}
    volumes = {"kind": "volume", "folder": str(tmp_path), "count": 2, "usual_count": 2, "cases": ["one", "three"], **window}
    monkeypatch.setattr(Job, "dataset", property(lambda _: volumes))
    assert roofline.measure(job).lengths.tolist() == [1, 3]
    monkeypatch.setattr(Job, "dataset", property(lambda _: {"kind": "synthetic"}))
    assert roofline.measure(job).lengths.tolist() == [1]


@pytest.mark.parametrize("options", [("--backend=simulated",), ("--system=H100_SXM_80GBx1",)])
def test_what_does_not_compute_on_processors_is_refused(options: tuple[str, ...]) -> None:
    words = [word for word in WORDS if not word.startswith("--system") or options[0].startswith("--backend")]
    (workload,), _ = build(parse(["--action=roofline", *words, *options], {}))
    with pytest.raises(UsageError, match="cannot be measured here"):
        roofline.measure(Job(workload, Notices()))


def test_memory_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_rates, "BYTES", 1 << 16)
    monkeypatch.setattr(machine_rates, "BANDWIDTH_S", 0.3)
    found = machine_rates.bandwidth(1)
    assert 0.01 < found["read_gb_per_s"] < 1e5 and 0.01 < found["copy_gb_per_s"] < 1e5


@pytest.mark.cpp
def test_the_rate_of_loadgen_is_measured_and_leaves_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not binary().is_file():
        pytest.skip("the C++ harness is not built: make build")
    monkeypatch.setattr(machine_rates, "LOADGEN_MS", 100)
    harness = binary()
    monkeypatch.setattr(machine_rates, "binary", lambda: harness)
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    assert machine_rates.loadgen_ceiling("bert")["loadgen_samples_per_second"] > 1000
    assert list((tmp_path / "probes").iterdir()) == []


def test_loadgen_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(machine_rates, "binary", lambda: Path(shutil.which("false") or "/bin/false"))
    assert machine_rates.loadgen_ceiling("bert") == {}
    assert "not measured" in capsys.readouterr().err


def test_the_action_is_known() -> None:
    assert action.ACTION.as_json is action.as_json
