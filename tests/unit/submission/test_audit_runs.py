"""Audit runs of real LoadGen runs: what is started, verified and stored."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from code.backends import digests, store
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import write_json
from code.harness.schema.run_spec import RunSpec
from code.results.loadgen_log import read_detail
from code.rules.rounds import round_named
from code.run import audit_config
from code.submission.audit import audit_run, audits, compliance
from code.submission.audit.audit_run import Audit
from code.submission.stage import runs
from code.submission.stage.candidates import Candidate
from tests import run_documents as documents
from tests.surroundings import once
from tests.unit.submission import made
from tests.unit.submission.test_audit_tests import tokens

CONF: dict[str, Any] = {"target_qps": 20000, "min_duration": 1, "min_query_count": 20000}


class BenchmarkDefinition:
    """Scores that depend on nothing but the log, in place of a benchmark's."""

    def partial_scores(self, folder: Path, values: dict[str, Any]) -> tuple[dict[str, float], str]:
        count = len(json.loads((folder / "mlperf_log_accuracy.json").read_text()))
        return {"F1": float(count > 0)}, '{"exact_match": 1.0, "f1": 1.0}\n'


def audit_logs(folder: Path, round_: str) -> Path:
    """What LoadGen leaves of TEST01 in a round."""
    folder.mkdir()
    with audit_config.written(folder, "TEST01", audit_config.settings("TEST01", "bert")) as path:
        made.loadgen(folder, "Offline", "PerformanceOnly", CONF, round_, str(path))
    return folder


def write_audited(root: Path) -> None:
    """A valid pair of runs, and TEST01 of it."""
    for name, mode in (("Offline", "PerformanceOnly"), ("Offline.2", "AccuracyOnly")):
        made.write_run(root / "logs" / made.SYSTEM_ID / "bert-99" / name, "Offline", mode, conf=CONF)
    audit_logs(root / "audit", "v6.1")


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Audit, Path]:
    """TEST01 over copies of real, valid LoadGen runs: (the audit, the folder of the audit run)."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    shutil.copytree(once("audited-runs", write_audited), tmp_path, dirs_exist_ok=True)
    pair = []
    for name in ("Offline", "Offline.2"):
        folder = tmp_path / "logs" / made.SYSTEM_ID / "bert-99" / name
        content = json.loads((folder / "run.json").read_text())
        write_json(folder / "run.json", {**content, "output_dir": str(folder), "user_conf": str(folder / "user.conf")})
        pair.append(runs.read_run(made.sealed(folder)))
    assert pair[0] is not None and pair[1] is not None
    return Audit("TEST01", "bert", pair[0], pair[1]), tmp_path / "audit"


def test_loadgen_takes_the_audit_config(audited: tuple[Audit, Path]) -> None:
    _, folder = audited
    log = read_detail(folder)
    assert log.audited and log.get("effective_accuracy_log_sampling_target") == 4096
    audit_run._require_taken(log, audit_config.settings("TEST01", "bert"))
    assert not (folder / "audit.config").exists()
    assert sum(1 for _ in audits.responses(folder / "mlperf_log_accuracy.json")) > 1000


def same_speed(folder: Path, reference: Path) -> None:
    """Give the audit run the reference's speed: the null system's own is all noise."""
    key = "result_samples_per_second"
    value = read_detail(reference).get(key)
    path = folder / "mlperf_log_detail.txt"
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        event = json.loads(line[len(":::MLLOG") :])
        if event["key"] == key:
            event["value"] = value
            lines[number] = ":::MLLOG " + json.dumps(event)
    path.write_text("\n".join(lines) + "\n")


def test_each_round_keeps_its_own_audits(audited: tuple[Audit, Path], tmp_path: Path) -> None:
    newest, folder = audited
    parent = newest.performance.folder.parent
    run = runs.read_run(made.write_run(parent / "Offline.3", "Offline", "PerformanceOnly", "v5.0", CONF))
    assert run is not None
    older, other = Audit("TEST01", "bert", run, newest.accuracy), audit_logs(tmp_path / "older audit", "v5.0")
    for audit, logs, round_ in ((newest, folder, "v6.1"), (older, other, "v5.0")):
        same_speed(logs, audit.performance.folder)
        (logs / "audit.json").write_text(json.dumps({"test": "TEST01", "performance_run": str(audit.performance.folder)}))
        assert audit_run.verify(audit, logs, BenchmarkDefinition(), {}).passed  # type: ignore[arg-type]
        assert audit_run.newest_audit(tmp_path, audit) == (logs, audit)
        one = Candidate(*audit.performance.key, audit.performance.folder, audit.accuracy.folder, audit.performance)
        [(test, stored)] = compliance.stored_tests(one, round_named(round_)).items()
        found = read_detail(stored / "performance/run_1").get("effective_qsl_rng_seed")
        assert (test, found) == ("TEST01", round_named(round_).seeds["qsl_rng_seed"])


def test_a_passed_audit_is_stored_as_a_submission_carries_it(audited: tuple[Audit, Path]) -> None:
    audit, folder = audited
    same_speed(folder, audit.performance.folder)
    outcome = audit_run.verify(audit, folder, BenchmarkDefinition(), {})  # type: ignore[arg-type]
    assert outcome.passed, outcome.lines
    names = {str(path.relative_to(outcome.folder)) for path in outcome.folder.rglob("*") if path.is_file()}
    assert names == {
        "audit.json",
        "verify_accuracy.txt",
        "verify_performance.txt",
        "accuracy/mlperf_log_accuracy.json",
        "performance/run_1/mlperf_log_detail.txt",
        "performance/run_1/mlperf_log_summary.txt",
    }
    record = compliance.read_record(outcome.folder)
    assert record["passed"] and record["engine"] == made.ENGINE and record["seeds"] == dict(round_named("v6.1").seeds)


@pytest.mark.parametrize(("test", "tokens"), [("TEST06", True), ("TEST01", False)])
def test_only_test06_has_tokens_reported(
    audited: tuple[Audit, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, tokens: bool
) -> None:
    audit, _ = audited
    record = audit.performance.folder / "run.json"
    content = json.loads(record.read_text())
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "engine.blob").write_text("engine")
    write_json(engine / store.SIDECAR, {"files": digests.of_folder(engine)})
    content["engines"][0]["folder"], content["record"]["harness_lang"] = str(engine), "python"
    if tokens:
        content["dataset"] = documents.PROMPTS
    record.write_text(json.dumps(content))
    seen = []

    def run(spec: RunSpec, label: str, language: str) -> None:
        seen.append(
            (
                getattr(spec.dataset, "use_token_latencies", False),
                Path(spec.user_conf).read_text(),
                Path(spec.audit_conf).read_text(),
            )
        )
        raise RunError("far enough")

    monkeypatch.setattr("code.submission.audit.audit_run.launch.run", run)
    folder = tmp_path / "run"
    folder.mkdir()
    before = Path(content["user_conf"]).read_text()
    with pytest.raises(RunError, match="far enough"):
        audit_run.run(Audit(test, "gptj" if tokens else "bert", audit.performance, audit.accuracy), folder, "audit")
    ((reported, conf, audit_conf),) = seen
    assert conf == before + ("bert.Offline.use_token_latencies = 1\n" if tokens else "")
    assert bool(reported) == tokens and "token" not in audit_conf, "the audit.config stays MLCommons'"
    assert not (folder / "audit.config").exists()


def test_an_audit_of_an_invalid_run_is_not_started(audited: tuple[Audit, Path]) -> None:
    audit, _ = audited
    audit_run.require_valid(audit)
    path = audit.performance.folder / "metadata.json"
    path.write_text(path.read_text().replace('"result_validity": "VALID"', '"result_validity": "INVALID"'))
    invalid = runs.read_run(audit.performance.folder)
    assert invalid is not None
    with pytest.raises(UsageError, match="is INVALID"):
        audit_run.require_valid(Audit("TEST01", "bert", invalid, audit.accuracy))


def test_answers_that_vary_are_judged_by_their_score(audited: tuple[Audit, Path]) -> None:
    audit, folder = audited
    same_speed(folder, audit.performance.folder)
    log = folder / "mlperf_log_accuracy.json"
    content = json.loads(log.read_text())
    content[0]["data"] = "00000000" * 2 if not content[0]["data"].startswith("0000") else "0000803F" * 2
    log.write_text(json.dumps(content))
    outcome = audit_run.verify(audit, folder, BenchmarkDefinition(), {})  # type: ignore[arg-type]
    speed, answers, score = outcome.lines
    assert outcome.passed and not outcome.performance_failed
    assert speed.startswith("performance: TEST PASS (reference score = ")
    assert answers.startswith("accuracy, response by response: TEST FAIL (") and "num_perf_log_data_mismatch = 1" in answers
    assert score == "accuracy, by score on the same samples: F1 1 and 1, 0 % apart, 1 % allowed"
    assert {path.name for path in (outcome.folder / "accuracy").iterdir()} == {
        "mlperf_log_accuracy.json",
        "baseline_accuracy.txt",
        "compliance_accuracy.txt",
    }
    assert "TEST FAIL" in (outcome.folder / "verify_accuracy.txt").read_text()
    kept = json.loads((folder / "baseline/mlperf_log_accuracy.json").read_text())
    assert {entry["qsl_idx"] for entry in kept} == {entry["qsl_idx"] for entry in content}


def set_key(folder: Path, key: str, value: object) -> None:
    made.edit_key(folder / "mlperf_log_detail.txt", key, value)


@pytest.mark.parametrize("test", ["TEST01", "TEST04"])
def test_an_audit_run_that_is_invalid_did_not_pass(audited: tuple[Audit, Path], test: str) -> None:
    audit, folder = audited
    same_speed(folder, audit.performance.folder)
    set_key(folder, "result_validity", "INVALID")
    set_key(folder, "result_min_duration_met", False)
    one = dataclasses.replace(audit, test=test)
    outcome = audit_run.verify(one, folder, BenchmarkDefinition(), {})  # type: ignore[arg-type]
    assert not outcome.passed and outcome.performance_failed
    assert outcome.lines[0] == "performance: TEST FAIL: the test results in " + f"{folder / 'mlperf_log_detail.txt'} are invalid"
    reasons = [line for line in outcome.lines if line.startswith("the audit run is INVALID: ")]
    assert reasons and reasons == list(outcome.lines[1 : 1 + len(reasons)])
    assert not compliance.read_record(outcome.folder)["passed"]
    assert (outcome.folder / "performance/run_1/mlperf_log_detail.txt").is_file()
    assert (outcome.folder / "verify_accuracy.txt").is_file() is (test == "TEST01")


@pytest.mark.parametrize(("count", "passed"), [(3, True), (4, False)])
def test_test06_is_stored_with_its_answers_and_without_a_speed(audited: tuple[Audit, Path], count: int, passed: bool) -> None:
    audit, folder = audited
    tokens(folder / "mlperf_log_accuracy.json", [{"data": [5, 6, 50256], "count": count}])
    one = dataclasses.replace(audit, test="TEST06", short="gptj")
    outcome = audit_run.verify(one, folder, BenchmarkDefinition(), {})  # type: ignore[arg-type]
    assert outcome.passed is passed and not outcome.performance_failed
    assert outcome.lines[:3] == (
        "First token check pass: Skipped",
        "EOS check pass: True",
        f"Sample length check pass: {passed}",
    )
    assert {str(path.relative_to(outcome.folder)) for path in outcome.folder.rglob("*") if path.is_file()} == {
        "audit.json",
        "verify_accuracy.txt",
        "accuracy/mlperf_log_accuracy.json",
        "performance/run_1/mlperf_log_detail.txt",
        "performance/run_1/mlperf_log_summary.txt",
    }
    record = compliance.read_record(outcome.folder)
    assert (record["test"], record["passed"], record["audit_run"]) == ("TEST06", passed, str(folder))


def test_an_audit_of_an_engine_that_is_gone_is_not_started(audited: tuple[Audit, Path], tmp_path: Path) -> None:
    audit, _ = audited
    with pytest.raises(MissingError, match="no longer exists") as caught:
        audit_run.run(audit, tmp_path / "run", "audit")
    assert "make generate_engines" in caught.value.next_step


def official(name: str) -> Path:
    """A script of an mlcommons/inference checkout; skips without one."""
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    path = Path(root) / "compliance" / name
    if not root or not path.is_file():
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout with its compliance folder")
    return path


@pytest.mark.official
def test_test01_says_what_the_official_scripts_say(audited: tuple[Audit, Path]) -> None:
    audit, folder = audited
    ours = audits.accuracy_test01(
        audit.accuracy.folder / "mlperf_log_accuracy.json", folder / "mlperf_log_accuracy.json", "float32"
    )
    command = [sys.executable, str(official("TEST01/verify_accuracy.py")), "--dtype", "float32"]
    command += ["-r", str(audit.accuracy.folder / "mlperf_log_accuracy.json"), "-t", str(folder / "mlperf_log_accuracy.json")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line for line in said.splitlines() if line] == [line for line in ours.text.splitlines() if line]
    command = [sys.executable, str(official("TEST01/verify_performance.py"))]
    command += ["-r", str(audit.performance.folder / "mlperf_log_detail.txt"), "-t", str(folder / "mlperf_log_detail.txt")]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    speed = audits.performance("TEST01", read_detail(audit.performance.folder), read_detail(folder))
    assert ("TEST PASS" in said) == speed.passed
    command = [sys.executable, str(official("TEST04/verify_performance.py"))]
    command += ["-r", str(audit.performance.folder / "mlperf_log_summary.txt"), "-t", str(folder / "mlperf_log_summary.txt")]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    speed = audits.performance("TEST04", read_detail(audit.performance.folder), read_detail(folder))
    assert ("TEST PASS" in said) == speed.passed


@pytest.mark.official
def test_test06_says_what_the_official_script_says(tmp_path: Path) -> None:
    script = official("TEST06/run_verification.py")
    cases = [[{"data": [5, 6, 2]}], [{"data": [5, 2, 2]}], [{"data": [5, 6], "count": 3}], [{"data": [5, 6], "first": [4]}]]
    for number, entries in enumerate(cases):
        for scenario in ("Offline", "Server"):
            folder = tmp_path / f"{number}{scenario}"
            folder.mkdir()
            log = tokens(folder / "mlperf_log_accuracy.json", entries)
            command = [sys.executable, str(script), "-c", str(folder), "-o", str(folder), "-s", scenario]
            subprocess.run(command, capture_output=True, check=True)
            theirs = (folder / "TEST06" / "verify_accuracy.txt").read_text()
            assert audits.accuracy_test06(log, scenario, 2, "int32").text == theirs
