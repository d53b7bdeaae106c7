"""precision=auto: the fastest precision that is proved and measured, fp32 without either, and why."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.common.errors import UsageError
from code.machine.measurements import RECENT_S
from code.plan import precision_choice
from code.plan.request import parse
from code.plan.workload import Workload, build
from code.results.accuracy import AccuracyResult
from code.results.machine import MachineState
from code.run import afterwards, loadgen_run
from code.run.identity import run_identity
from code.run.job import Job
from code.run.judgement import _precision
from code.tuning.precisions import in_fastest

WORDS = ("--action=run", "--benchmarks=bert", "--system=CPU_x86_64", "--model_variant=tiny")


def plan(*more: str, scenario: str = "offline") -> Workload:
    (workload,), failed = build(parse([*WORDS, f"--scenarios={scenario}", *more], {}))
    assert not failed
    return workload


def keep(precision: str, share: float | None = None, **found: float) -> None:
    workload = plan(f"--precision={precision}")
    if share is not None:
        precision_choice.remember_proof(workload.plain(), "bert", workload.detected, share)
    precision_choice.remember_rate(workload.plain(), "bert", workload.detected, found, "run")


def why(workload: Workload) -> str:
    return precision_choice.reason(workload.values)


def test_without_a_proof_it_is_fp32() -> None:
    workload = plan()
    assert workload["precision"] == "fp32" and "no other precision is proved" in why(workload)
    keep("bf16", samples_per_second=900.0)
    assert plan()["precision"] == "fp32", "a rate alone proves nothing"


def test_what_is_named_is_taken_as_it_is() -> None:
    keep("bf16", 1.0, samples_per_second=900.0)
    keep("fp32", samples_per_second=400.0)
    workload = plan("--precision=fp32")
    assert workload["precision"] == "fp32" and not precision_choice.asked(workload.values) and why(workload) == ""
    assert plan("--precision=auto")["precision"] == plan()["precision"] == "bf16"


def test_the_fastest_of_the_proved_ones_is_taken_with_its_reasons() -> None:
    keep("fp32", samples_per_second=400.0)
    keep("bf16", 0.9998, samples_per_second=787.0)
    keep("int8", 0.985, samples_per_second=2000.0)
    workload = plan()
    assert workload["precision"] == "bf16", "int8 misses 99 %"
    assert why(workload) == (
        "bf16: 787 samples/s against fp32 400, measured on this machine; it reached 99.98% of the reference's score"
    )
    keep("int8", 0.9912)
    assert plan()["precision"] == "int8", "the newest proof counts"
    assert plan("--config_ver=high_accuracy", "--precision=auto")["precision"] == "bf16", "99.9 % needs more"
    assert not precision_choice.asked(plan("--config_ver=high_accuracy").values), "whose configs name fp32"


def test_fp32_stays_where_it_is_faster_or_a_rate_is_missing() -> None:
    keep("bf16", 1.0, samples_per_second=300.0)
    assert plan()["precision"] == "fp32" and "fp32 not measured" in why(plan())
    keep("fp32", samples_per_second=600.0)
    assert plan()["precision"] == "fp32" and why(plan()).startswith("fp32: 600 samples/s against bf16 300")


def test_single_stream_compares_latencies() -> None:
    keep("fp32", latency_ns=9e6)
    keep("bf16", 1.0, latency_ns=5e6)
    found = plan(scenario="singlestream")
    assert found["precision"] == "bf16" and "5 ms against fp32 9" in why(found)
    assert plan()["precision"] == "fp32", "no rates"


def test_proofs_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("fp32", samples_per_second=400.0)
    keep("bf16", 1.0, samples_per_second=900.0)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + RECENT_S + 1)
    assert plan()["precision"] == "fp32"


@pytest.mark.parametrize(
    "options", [("--benchmarks=gptj", "--system=CPU_x86_64"), ("--benchmarks=bert", "--system=H100_SXM_80GBx1")]
)
def test_what_nothing_measures_is_refused(options: tuple[str, ...]) -> None:
    _, (failed,) = build(parse(["--action=run", *options, "--scenarios=offline", "--precision=auto"], {}))
    assert isinstance(failed.error, UsageError) and "--precision=fp16" in failed.error.next_step


def test_a_config_that_leaves_it_to_measurement_runs_with_any_backend_that_is_named() -> None:
    workload = plan("--backend=tensorrt")
    assert (
        workload["precision"] == "fp32" and why(workload) == "fp32: nothing measures the tensorrt backend in several precisions"
    )


def test_an_accuracy_run_that_is_valid_proves_its_precision() -> None:
    job: Any = SimpleNamespace(workload=plan("--precision=bf16"), backend=SimpleNamespace(computes=True))
    job.values = job.workload.plain()
    for valid, score in ((False, 95.0), (True, 90.0), (True, 95.0)):
        afterwards.prove(job, [AccuracyResult("F1", score, 0.99 * 95.0)], valid)
    keep("fp32", samples_per_second=1.0)
    keep("bf16", samples_per_second=2.0)
    assert plan()["precision"] == "bf16" and "100.00%" in why(plan())


def test_the_verdict_and_metadata_have_the_reasons() -> None:
    runtime: Any = Job(plan(), SimpleNamespace(say=lambda _: None)).backend  # type: ignore[arg-type]
    assert "no other precision" in run_identity(plan(), "PerformanceOnly", runtime, 1).extras["precision_reason"]
    assert "precision_reason" not in run_identity(plan("--precision=bf16"), "PerformanceOnly", runtime, 1).extras
    quiet: Any = SimpleNamespace(workload=plan(), values=plan().plain())
    assert _precision(quiet) == [], "a first run says nothing of it"
    keep("fp32", samples_per_second=400.0)
    keep("bf16", 1.0, samples_per_second=900.0)
    (note,) = _precision(SimpleNamespace(workload=plan(), values=plan().plain()))  # type: ignore[arg-type]
    assert "chosen by measurement: bf16: 900 samples/s" in note.what


def test_tune_probes_every_proved_precision_and_takes_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("bf16", 1.0)
    keep("int8", 0.5)
    rates = {"fp32": 100.0, "bf16": 300.0}
    state = MachineState(2, 0.0)
    probed: list[str] = []

    def probe(job: Job, _: str) -> tuple[Mapping[str, float], MachineState]:
        probed.append(job.workload["precision"])
        return {"samples_per_second": rates[probed[-1]]}, state

    monkeypatch.setattr(loadgen_run, "probe", probe)
    monkeypatch.setattr(Job, "build", lambda _: None)
    notices: Any = SimpleNamespace(say=lambda _: None)
    assert in_fastest(Job(plan(), notices)).workload["precision"] == "bf16" and probed == ["fp32", "bf16"]
    named = Job(plan("--precision=fp32"), notices)
    assert in_fastest(named) is named


def test_rates_beside_other_work_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    keep("bf16", 1.0)
    monkeypatch.setattr(loadgen_run, "probe", lambda *_: ({"samples_per_second": 9.0}, MachineState(2, 1.9)))
    monkeypatch.setattr(Job, "build", lambda _: None)
    found = in_fastest(Job(plan(), SimpleNamespace(say=lambda _: None)))  # type: ignore[arg-type]
    assert found.workload["precision"] == "fp32" and "not measured" in why(found.workload)


def test_a_damaged_record_counts_as_none() -> None:
    from code.common import paths

    keep("fp32", samples_per_second=400.0)
    keep("bf16", 1.0, samples_per_second=900.0)
    for file in Path(paths.engine_dir() / ".probes").iterdir():
        file.write_text("{")
    assert plan()["precision"] == "fp32"
