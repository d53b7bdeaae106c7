"""Actions from the data to the engines and the audits, called in this process: their words, their exit status, and what they write."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.actions import Context, check_engines, generate_engines, run, run_audit_harness, run_harness
from code.backends import store
from code.common.errors import RunError, UsageError
from code.common.paths import build_dir, engine_dir
from code.plan.request import parse
from code.results.report import Outcome, ReportRow
from code.rules.metrics import METRICS
from code.rules.rounds import NEWEST, round_named
from code.submission.audit import audit_run
from tests.unit.acting import Act

BERT = ("--benchmarks=bert", "--scenarios=Offline", "--system=CPU_x86_64")
GPU = ("--benchmarks=bert", "--scenarios=Offline", "--system=A100_SXM4_40GBx8")


# ── data and models ────────────────────────────────────────────────────


def test_tiny_data_is_generated_preprocessed_once_and_an_engine_is_missing_then(act: Act) -> None:
    status, said = act("download_data", "--benchmarks=bert", "--model_variant=tiny")
    data = list((build_dir() / "data").rglob("*.json"))
    assert status == 0 and data, said
    before = data[0].stat().st_mtime_ns
    assert act("download_data", "--benchmarks=bert", "--model_variant=tiny")[0] == 0 and data[0].stat().st_mtime_ns == before
    assert act("download_model", "--benchmarks=bert", "--model_variant=tiny")[0] == 0
    status, said = act("preprocess_data", "--benchmarks=bert", "--model_variant=tiny")
    arrays = {path.name: path.stat().st_mtime_ns for path in (build_dir() / "preprocessed_data").rglob("*.npy")}
    assert status == 0 and arrays, said
    assert act("preprocess_data", "--benchmarks=bert", "--model_variant=tiny")[0] == 0
    assert {path.name: path.stat().st_mtime_ns for path in (build_dir() / "preprocessed_data").rglob("*.npy")} == arrays
    for action in ("run_harness", "inspect_engine"):
        status, said = act(action, *BERT)
        assert status == 3 and "is not built" in said and "make generate_engines" in said, said
    assert store.built() == []


def test_each_benchmark_has_its_own_error_and_the_first_is_the_status(act: Act, tmp_path: Path) -> None:
    status, said = act("preprocess_data", "--benchmarks=bert,3d-unet", "--model_variant=reference")
    assert status == 3 and said.count("error:") == 2 and said.count("next:") >= 2, said
    status, said = act("download_data", "--benchmarks=bert", "--model_variant=big")
    assert status == 2 and "reference" in said and "tiny" in said


def test_reference_files_that_are_missing_are_counted_and_named(act: Act) -> None:
    status, said = act("verify_data", "--benchmarks=bert")
    assert status == 3 and "bert: 0 right, 0 wrong, " in said and "missing" in said and "make download" in said, said
    assert "error: " in said and "files or arrays are missing" in said


def test_a_mirror_needs_a_folder_and_files(act: Act, tmp_path: Path) -> None:
    status, said = act("export_mirror", "--benchmarks=bert")
    assert status == 2 and "export_mirror needs a folder" in said and "TO=" in said
    status, said = act("export_mirror", "--benchmarks=bert", f"--to={tmp_path}/mirror")
    assert status == 3 and "there are no reference files to export" in said and not (tmp_path / "mirror").exists()


def test_files_that_are_there_are_exported_with_their_digests(act: Act, tmp_path: Path) -> None:
    from code.benchmarks import files
    from code.benchmarks.benchmark import definition_of

    first, *others = definition_of(next(iter(parse(["--benchmarks=bert"], {}).benchmarks()))).downloads("reference")
    place = files.place(first)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"content")
    status, said = act("export_mirror", "--benchmarks=bert", f"--to={tmp_path}/mirror")
    assert status == 0 and "1 files, " in said and f"MLPERF_MIRROR={tmp_path}/mirror" in said, said
    assert [path.read_bytes() for path in (tmp_path / "mirror").rglob(place.name)] == [b"content"]
    assert "SHA256SUMS" in {path.name for path in (tmp_path / "mirror").iterdir()}
    labelled = [one for one in others if one.label]
    assert not labelled or "files are not in it because they are not here" in said


# ── engines ────────────────────────────────────────────────────────────


def engine(name: str, **sidecar: Any) -> Path:
    """A built engine in the store."""
    folder = engine_dir() / name
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"x" * 1_500_000)
    content = {"backend": "openvino", "benchmark": "bert", "runtime_version": "2026.4", "device": "CPU model", **sidecar}
    (folder / "engine.json").write_text(json.dumps({"settings": {"precision": "fp32"}, "build_seconds": 1.25, **content}))
    return folder


def test_engines_are_listed_and_cleaned_by_benchmark_and_backend(act: Act) -> None:
    status, said = act("list_engines")
    assert status == 0 and "no engines built; run `make generate_engines" in said
    kept = engine("gptj-a", benchmark="gptj")
    other = engine("bert-b", backend="onnxruntime")
    gone = engine("bert-a", details={"gpu": "H100", "compute_capability": "9.0"})
    status, said = act("list_engines")
    assert status == 0 and "openvino 2026.4" in said and "H100 (9.0)" in said and "1.5" in said and "1.2 s" in said, said
    status, said = act("list_engines", "--json")
    listed = json.loads(said)
    assert [one["name"] for one in listed] == ["bert-a", "bert-b", "gptj-a"] and listed[0]["bytes"] > 1_500_000
    status, said = act("clean_engines", "--benchmarks=bert", "--backend=openvino")
    assert status == 0 and said.startswith("1 engines removed, 1.5 MB freed") and not gone.exists() and other.exists()
    status, said = act("clean_engines", "--backend=openvino")
    assert status == 0 and "1 engines removed" in said and not kept.exists() and other.exists()
    leftover = engine_dir() / ".bert-c.x1.tmp"
    leftover.mkdir()
    os.utime(leftover, (1, 1))
    assert act("clean_engines", "--backend=openvino")[0] == 0 and leftover.exists(), "leftovers go with all engines only"
    status, said = act("clean_engines")
    assert status == 0 and "1 engines removed" in said and store.built() == [] and not leftover.exists()


def test_check_engines_is_for_tensorrt(act: Act) -> None:
    status, said = act("check_engines", *BERT)
    assert status == 2 and "check_engines does not support the openvino backend" in said and "--backend=tensorrt_rtx" in said, (
        said
    )
    assert [check_engines.BY_NAME[name].name for name in check_engines.BY_NAME] == ["tensorrt", "tensorrt_rtx"]
    assert check_engines._short(Path("/a/b/c.onnx")) == "b/c.onnx"


# ── verbs of a job ─────────────────────────────────────────────────────


@dataclass
class Recorded:
    """A job that notes what an action asks of it."""

    test_mode: str = "PerformanceOnly"
    computes: bool = True
    asked: list[str] = field(default_factory=list)
    value: float = 100.0

    label = "bert-99 Offline"

    @property
    def workload(self) -> Any:
        return _Workload(test_mode=self.test_mode, log_dir=None, round="", scenario="Offline")

    @property
    def backend(self) -> Any:
        return SimpleNamespace(computes=self.computes)

    def require_gpus(self) -> None:
        self.asked.append("gpus")

    def build(self, force: bool) -> None:
        self.asked.append(f"build force={force}")

    def prepare(self) -> None:
        self.asked.append("prepare")

    def run(self, mode: str, measured: object = None) -> ReportRow:
        self.asked.append(mode)
        self.value += 1
        if mode != "PerformanceOnly":
            return ReportRow("bert-99", "Offline", mode, Outcome.VALID)
        return ReportRow("bert-99", "Offline", mode, Outcome.VALID, value=self.value, metric=METRICS["Offline"])


class _Workload(dict[str, Any]):
    scenario = "Offline"

    def __init__(self, **values: Any) -> None:
        super().__init__(values)


def context(*words: str) -> Context:
    return Context(parse(["--action=run", *words], {}))


@pytest.fixture
def logs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run_harness, run_audit_harness):
        monkeypatch.setattr(module, "log_root", lambda workload: tmp_path / "logs")


@pytest.mark.usefixtures("logs_here")
def test_run_builds_then_runs_each_mode_as_often_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    job = Recorded()
    rows = run.run(job, context())  # type: ignore[arg-type]
    assert job.asked == ["gpus", "build force=False", "prepare", "PerformanceOnly"] and len(rows) == 1
    assert "median" not in capsys.readouterr().out
    job = Recorded("SubmissionRun")
    rows = run.run(job, context("--repeat=3", "--force_build"))  # type: ignore[arg-type]
    assert job.asked == ["gpus", "build force=True", "prepare", *["PerformanceOnly", "AccuracyOnly"] * 3]
    assert [row.mode for row in rows] == ["PerformanceOnly", "AccuracyOnly"] * 3
    assert "bert-99 Offline: median 103 samples/s of 3 runs" in capsys.readouterr().out
    job = Recorded("AccuracyOnly")
    assert len(run_harness.run(job, context("--repeat=2"))) == 2 and job.asked == ["prepare", "AccuracyOnly", "AccuracyOnly"]  # type: ignore[arg-type]
    assert "median" not in capsys.readouterr().out, "scores have no spread of rates"


def test_generate_engines_builds_again_only_where_asked() -> None:
    for words, force in (((), "False"), (("--force_build",), "True")):
        job = Recorded()
        assert generate_engines.run(job, context(*words)) is None  # type: ignore[arg-type,func-returns-value]
        assert job.asked == [f"build force={force}"]


# ── audits ─────────────────────────────────────────────────────────────


def test_a_simulated_engine_cannot_be_audited() -> None:
    run_audit_harness.require_computing(Recorded())  # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        run_audit_harness.require_computing(Recorded(computes=False))  # type: ignore[arg-type]
    assert caught.value.what == "bert-99 Offline cannot be audited" and "--backend=" in caught.value.next_step


def test_an_audit_needs_runs_to_compare_with(act: Act) -> None:
    for action in ("run_audit_harness", "run_audit_verification"):
        status, said = act(action, *BERT, "--audit_test=TEST01")
        assert status == 3 and f"{NEWEST} closed requires TEST01 for bert; running TEST01" in said, said
        assert "error:" in said and "--test_mode=" in said, said
    status, said = act("run_audit_harness", *BERT, "--audit_test=TEST09")
    assert status == 2 and "TEST09" in said and "TEST01" in said


def test_the_round_of_an_audit_is_the_asked_one_or_the_newest() -> None:
    assert run_audit_harness.chosen_round({"round": "v5.0"}, "bert") == round_named("v5.0")  # type: ignore[arg-type]
    assert run_audit_harness.chosen_round({"round": ""}, "bert") == round_named(NEWEST)  # type: ignore[arg-type]


def test_what_a_failed_audit_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passed = audit_run.Outcome(tmp_path / "TEST01", True, ("all is well",), False)
    failed = audit_run.Outcome(tmp_path / "TEST04", False, ("too slow", "by 10 %"), True)
    run_audit_harness.print_outcome("bert", passed)
    run_audit_harness.print_outcome("bert", failed)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bert: all is well" and lines[1].startswith("bert: PASSED, stored in ")
    assert lines[2:4] == ["bert: too slow", "bert: by 10 %"] and lines[4].startswith("bert: FAILED, stored in ")
    workload = SimpleNamespace(label="bert-99 Offline")
    run_audit_harness.require_passed(workload, [])  # type: ignore[arg-type]
    with pytest.raises(RunError) as caught:
        run_audit_harness.require_passed(workload, [failed, failed])  # type: ignore[arg-type]
    assert (caught.value.what, caught.value.why) == ("bert-99 Offline failed TEST04, TEST04", "too slow | by 10 %")


def attempts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outcomes: list[audit_run.Outcome], most: int
) -> tuple[Any, list[Any]]:
    """Attempts at TEST01 that end so; the last outcome and the sampling of each."""
    ran: list[Any] = []
    job = SimpleNamespace(workload=SimpleNamespace(label="bert-99 Offline"), definition=SimpleNamespace(name="bert"), values={})
    monkeypatch.setattr(run_audit_harness, "pair_of", lambda *_: None)
    monkeypatch.setattr(run_audit_harness, "log_root", lambda _: tmp_path)
    monkeypatch.setattr(run_audit_harness, "new_log_folder", lambda root, _: root / str(len(ran)))
    monkeypatch.setattr(audit_run, "require_valid", lambda _: None)
    monkeypatch.setattr(audit_run, "run", lambda audit, folder, label, sampling: ran.append(sampling))
    monkeypatch.setattr(audit_run, "verify", lambda *_: outcomes[len(ran) - 1])
    return run_audit_harness._attempts(job, context(f"--audit_attempts={most}"), "TEST01", round_named(NEWEST)), ran  # type: ignore[arg-type]


def test_an_audit_is_repeated_with_half_the_samples_while_only_performance_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = audit_run.Outcome(tmp_path, False, (), True)
    wrong = audit_run.Outcome(tmp_path, False, (), False)
    good = audit_run.Outcome(tmp_path, True, (), False)
    last, ran = attempts(monkeypatch, tmp_path, [slow, slow, good], 5)
    assert last is good and len(ran) == 3 and ran[1] == ran[0] // 2 and ran[2] == ran[0] // 4
    last, ran = attempts(monkeypatch, tmp_path, [slow, slow, slow], 2)
    assert last is slow and len(ran) == 2
    last, ran = attempts(monkeypatch, tmp_path, [wrong, good], 5)
    assert last is wrong and len(ran) == 1, "answers that are wrong stay wrong"
