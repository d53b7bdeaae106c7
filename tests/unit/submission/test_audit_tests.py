"""The audit tests: their arithmetic is MLCommons', their audit.config never stays, and LoadGen takes it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from code.backends import digests, store
from code.common.errors import RunError, UsageError
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
from tests.unit.submission import made

CONF: dict[str, Any] = {"target_qps": 20000, "min_duration": 1, "min_query_count": 20000}


def responses(path: Path, entries: list[tuple[int, list[float]]], **more: Any) -> Path:
    """An accuracy log of (sample, values)."""
    listed = [
        {"seq_id": n, "qsl_idx": i, "data": struct.pack(f"<{len(v)}f", *v).hex().upper()} for n, (i, v) in enumerate(entries)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps({**entry, **more}) for entry in listed) + "\n]\n")
    return path


def tokens(path: Path, entries: list[dict[str, Any]]) -> Path:
    """An accuracy log of an LLM: token lists as int32."""

    def packed(values: list[int]) -> str:
        return struct.pack(f"<{len(values)}i", *values).hex()

    listed = []
    for number, entry in enumerate(entries):
        one: dict[str, Any] = {"seq_id": number, "qsl_idx": number, "data": packed(entry["data"])}
        one["token_data"] = packed(entry.get("first", entry["data"][:1]))
        one["token_count"] = entry.get("count", len(entry["data"]))
        listed.append(one)
    path.write_text(json.dumps(listed))
    return path


@pytest.mark.parametrize(
    ("scenario", "reference", "test", "passes01", "passes04"),
    [
        ("Offline", 100.0, 109.9, True, True),
        ("Offline", 100.0, 110.1, False, False),
        ("Offline", 100.0, 89.9, False, True),
        ("Server", 50.0, 45.0, True, True),
        ("SingleStream", 1e6, 1.11e6, False, True),
        ("SingleStream", 1e6, 0.85e6, False, True),
        ("SingleStream", 1e6, 0.83e6, False, False),
        ("SingleStream", 200000, 161000, True, False),
        ("MultiStream", 1600000, 1910000, True, True),
    ],
)
def test_thresholds(scenario: str, reference: float, test: float, passes01: bool, passes04: bool) -> None:
    assert audits.within_test01(scenario, reference, test) == passes01
    assert audits.within_test04(scenario, reference, test) == passes04


def test_test01_compares_the_first_element_of_every_response(tmp_path: Path) -> None:
    reference = responses(tmp_path / "a.json", [(0, [1, 2]), (1, [3, 4]), (2, [])])
    assert audits.accuracy_test01(
        reference, responses(tmp_path / "b.json", [(1, [3, 9]), (0, [1, 2]), (2, [])]), "float32"
    ).passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "c.json", [(1, [4, 4])]), "float32").passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "d.json", [(2, [1])]), "float32").passed
    assert not audits.accuracy_test01(reference, responses(tmp_path / "e.json", []), "float32").passed, (
        "nothing compared is no pass"
    )
    unknown = audits.accuracy_test01(reference, responses(tmp_path / "f.json", [(7, [1]), (0, [1, 2])]), "float32")
    assert unknown.passed and "num_missing_qsl_idxs = 1" in unknown.text


def test_test01_by_score(tmp_path: Path) -> None:
    reference = responses(tmp_path / "a.json", [(i, [float(i)]) for i in range(5)])
    subset = audits.baseline(reference, responses(tmp_path / "b.json", [(3, [0.0]), (1, [0.0]), (3, [0.0])]))
    assert [entry["qsl_idx"] for entry in subset] == [1, 3]
    assert audits.scores_agree("bert-99", {"F1": 90.0}, {"F1": 90.8})
    assert not audits.scores_agree("bert-99.9", {"F1": 90.0}, {"F1": 90.8})
    assert not audits.scores_agree("bert-99", {"F1": 90.0}, {"F1": 0.0})
    assert not audits.scores_agree("bert-99", {}, {})


@pytest.mark.parametrize(
    ("entry", "scenario", "passed", "says"),
    [
        ({"data": [5, 6, 2]}, "Server", True, "First token check pass: True"),
        ({"data": [5, 6, 2]}, "Offline", True, "First token check pass: Skipped"),
        ({"data": [5, 6, 2], "first": [4]}, "Server", False, "First token check pass: False"),
        ({"data": [5, 6, 2], "first": [4]}, "Offline", True, "First token check pass: Skipped"),
        ({"data": [5, 2, 2]}, "Server", False, "EOS check pass: False"),
        ({"data": [2, 2]}, "Server", True, "EOS check pass: True"),
        ({"data": [5, 6], "count": 3}, "Server", False, "Sample length check pass: False"),
    ],
)
def test_test06(tmp_path: Path, entry: dict[str, Any], scenario: str, passed: bool, says: str) -> None:
    verdict = audits.accuracy_test06(tokens(tmp_path / "log.json", [entry]), scenario, 2, "int32")
    assert verdict.passed == passed
    assert says in verdict.text.splitlines()


def test_the_audit_config_is_mlcommons_and_does_not_stay(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        audit_config.written(tmp_path, "TEST01", audit_config.settings("TEST01", "bert")) as path,
    ):
        lines = path.read_text().splitlines()
        assert {
            "*.*.mode = 2",
            "*.*.accuracy_log_rng_seed = 720381539243781796",
            "*.*.accuracy_log_sampling_target = 4096",
        } < set(lines)
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    assert audit_config.settings("TEST01", "3d-unet")["*.accuracy_log_sampling_target"] == 64
    assert audit_config.settings("TEST06", "gptj")["*.min_query_count"] == 100
    assert audit_config.settings("TEST04", "bert")["Offline.performance_issue_same_index"] == 3


def test_a_leftover_audit_config_is_refused(tmp_path: Path) -> None:
    audit_config.refuse_leftover(tmp_path)
    (tmp_path / "audit.config").write_text("*.*.mode = 2\n")
    with pytest.raises(UsageError, match="leftover") as caught:
        audit_config.refuse_leftover(tmp_path)
    assert "rm " in caught.value.next_step


def test_which_tests_a_benchmark_needs_is_the_rounds_business() -> None:
    assert audit_run.tests_for("bert", [], round_named("v6.1")) == ["TEST01"]
    assert audit_run.tests_for("gptj", [], round_named("v5.0")) == ["TEST06"]
    assert audit_run.tests_for("bert", ["TEST04"], round_named("v6.1")) == ["TEST04"]
    with pytest.raises(UsageError, match="TEST06 does not apply to bert"):
        audit_run.tests_for("bert", ["TEST06"], round_named("v6.1"))
    with pytest.raises(UsageError, match="unknown audit test 'TEST1'"):
        audit_run.tests_for("bert", ["TEST1"], round_named("v6.1"))


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


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Audit, Path]:
    """TEST01 over real, valid LoadGen runs: (the audit, the folder of the audit run)."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    parent = tmp_path / "logs" / made.SYSTEM_ID / "bert-99"
    for name, mode in (("Offline", "PerformanceOnly"), ("Offline.2", "AccuracyOnly")):
        made.write_run(parent / name, "Offline", mode, conf=CONF)
    pair = [runs.read_run(parent / name) for name in ("Offline", "Offline.2")]
    assert pair[0] is not None and pair[1] is not None
    return Audit("TEST01", "bert", pair[0], pair[1]), audit_logs(tmp_path / "audit", "v6.1")


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
    assert outcome.passed and any("by score" in line for line in outcome.lines)
    assert (outcome.folder / "accuracy" / "baseline_accuracy.txt").is_file()
    assert "TEST FAIL" in (outcome.folder / "verify_accuracy.txt").read_text()


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
