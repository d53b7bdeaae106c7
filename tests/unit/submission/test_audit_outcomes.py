"""What becomes of an audit run: its spec, its record, the logs that it must have, and scores that are too far apart."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import RunError
from code.common.files import write_json
from code.harness.schema.run_spec import RunSpec
from code.run import audit_config
from code.submission.audit import audit_run, compliance
from code.submission.audit.audit_run import Audit
from code.submission.stage import runs
from tests import run_documents as documents
from tests.unit.submission import light
from tests.unit.submission.test_audit_parts import answers


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """TEST01 of two runs of BERT, of which the performance run has a whole run.json."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.setattr(audit_run.compliance, "require_engines", lambda folders: None)
    accuracy = light.run(tmp_path / "logs/accuracy", runs.ACCURACY)
    folder = light.write_run(tmp_path / "logs/performance", result_validity="VALID")
    content = documents.document(documents.SEQUENCE, documents.engine("null", {}))
    conf = folder / "user.conf"
    conf.write_text("bert.Offline.target_qps = 9\n")
    changed = {"output_dir": str(folder), "user_conf": str(conf), "record": {"harness_lang": "cpp"}, "test_mode": "AccuracyOnly"}
    write_json(folder / "run.json", {**content, **changed})
    detail(folder, result_samples_per_second=100.0)
    performance = runs.read_run(folder)
    assert performance is not None
    return Audit("TEST01", "bert", performance, accuracy)


def detail(folder: Path, audited: bool = False, **values: Any) -> None:
    """A valid Offline run's detail log, of an audit where LoadGen took the audit.config; and a summary."""
    keys = {"effective_scenario": "Offline", "effective_test_mode": "PerformanceOnly", "result_validity": "VALID", **values}
    lines = [(key, value, False) for key, value in keys.items()]
    if audited:
        lines.append(("generic_message", "Found audit.config (audit.config)", True))
    text = ""
    for key, value, warns in lines:
        meta = {"is_error": False, "is_warning": warns, "file": "loadgen.cc", "line_no": 1}
        text += ":::MLLOG " + json.dumps({"key": key, "value": value, "time_ms": 1.0, "metadata": meta}) + "\n"
    (folder / "mlperf_log_detail.txt").write_text(text)
    (folder / "mlperf_log_summary.txt").write_text("Result is : VALID\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """That of the audit run, while it is incomplete."""
    made = tmp_path / "audit"
    made.mkdir()
    (made / "INCOMPLETE").write_text("")
    return made


@pytest.mark.parametrize("sampling", [None, 64])
def test_an_audit_repeats_the_run_with_its_own_folder_and_config(
    sampling: int | None, audit: Audit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = audit_config.settings("TEST01", "bert", sampling)
    seen: list[tuple[RunSpec, str, str, str]] = []

    def launched(spec: RunSpec, label: str, language: str) -> None:
        seen.append((spec, label, language, Path(spec.audit_conf).read_text()))
        assert (folder / "INCOMPLETE").exists()
        key = "requested_accuracy_log_sampling_target"
        detail(folder, True, **{key: wanted["*.accuracy_log_sampling_target"]})

    monkeypatch.setattr(audit_run.launch, "run", launched)
    log = audit_run.run(audit, folder, "the label", sampling)
    [(spec, label, language, config)] = seen
    assert (label, language, config) == ("the label", "cpp", audit_config.text("TEST01", wanted))
    assert (spec.test_mode, spec.output_dir, spec.audit_conf) == ("PerformanceOnly", str(folder), str(folder / "audit.config"))
    assert spec.user_conf == str(folder / "user.conf") and (folder / "user.conf").read_text() == "bert.Offline.target_qps = 9\n"
    assert spec.dataset.count == documents.SEQUENCE["count"] and [engine.backend for engine in spec.engines] == ["null"]
    assert log.path == folder / "mlperf_log_detail.txt" and log.audited
    assert not (folder / "INCOMPLETE").exists() and not (folder / "audit.config").exists()
    record = {"test": "TEST01", "settings": wanted, "performance_run": str(audit.performance.folder)}
    assert json.loads((folder / "audit.json").read_text()) == record


def test_an_audit_that_loadgen_ran_without_its_config_stays_incomplete(
    audit: Audit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_run.launch, "run", lambda spec, label, language: detail(folder))
    with pytest.raises(RunError, match="did not apply the audit"):
        audit_run.run(audit, folder, "audit")
    assert (folder / "INCOMPLETE").exists() and not (folder / "audit.json").exists()


class Scored:
    """In place of a benchmark: scores of the accuracy run's part first, then of the audit run."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def partial_scores(self, folder: Path, values: dict[str, Any]) -> tuple[dict[str, float], str]:
        score = self.scores.pop(0)
        return {"F1": score}, f"{folder.name} {score}\n"


def verified(audit: Audit, folder: Path, *scores: float) -> audit_run.Outcome:
    """An audit at the same speed whose second answer differs."""
    detail(folder, True, result_samples_per_second=100.0)
    answers(audit.accuracy.folder / "mlperf_log_accuracy.json", (0, [1.0]), (1, [2.0]), (2, [3.0]))
    answers(folder / "mlperf_log_accuracy.json", (0, [1.0]), (1, [9.0]))
    return audit_run.verify(audit, folder, Scored(*scores), {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "passed", "line"),
    [
        ((90.0, 90.5), True, "F1 90 and 90.5, 0.552 % apart, 1 % allowed"),
        ((90.0, 92.0), False, "F1 90 and 92, 2.17 % apart, 1 % allowed"),
        ((90.0, 0.0), False, "F1 90 and 0, inf % apart, 1 % allowed"),
    ],
)
def test_scores_of_answers_that_differ_decide(
    scores: tuple[float, float], passed: bool, line: str, audit: Audit, folder: Path
) -> None:
    outcome = verified(audit, folder, *scores)
    assert outcome.passed is passed and not outcome.performance_failed
    assert outcome.lines[0] == "performance: TEST PASS (reference score = 100; test score = 100)"
    figures = "num_acc_log_data_mismatch = 0; num_perf_log_qsl_idx_match = 2; num_perf_log_data_mismatch = 1"
    assert outcome.lines[1] == f"accuracy, response by response: TEST FAIL ({figures})"
    assert outcome.lines[-1] == f"accuracy, by score on the same samples: {line}"
    assert (outcome.folder / "verify_accuracy.txt").read_text().rstrip().endswith("\nTEST FAIL")
    assert (outcome.folder / "accuracy/baseline_accuracy.txt").read_text() == f"baseline {scores[0]}\n"
    assert (outcome.folder / "accuracy/compliance_accuracy.txt").read_text() == f"audit {scores[1]}\n"
    kept = json.loads((folder / "baseline/mlperf_log_accuracy.json").read_text())
    assert [entry["qsl_idx"] for entry in kept] == [0, 1], "of the accuracy run, what the audit run answered"


def test_test06_of_prompts_counts_the_end_tokens_of_the_model_that_ran(audit: Audit, folder: Path) -> None:
    """Whose end token is not the benchmark's own."""
    record = audit.performance.folder / "run.json"
    generation = {**documents.PROMPTS["generation"], "eos": 7}
    write_json(record, {**json.loads(record.read_text()), "dataset": {**documents.PROMPTS, "generation": generation}})
    for tokens, passed in (([5, 6, 7], True), ([5, 7, 7], False), ([5, 50256, 50256], True)):
        detail(folder, True)
        entry = {"seq_id": 0, "qsl_idx": 0, "data": struct.pack(f"<{len(tokens)}i", *tokens).hex(), "token_count": len(tokens)}
        (folder / "mlperf_log_accuracy.json").write_text(json.dumps([entry]))
        outcome = audit_run.verify(Audit("TEST06", "gptj", audit.performance, audit.accuracy), folder, Scored(), {})  # type: ignore[arg-type]
        assert outcome.passed is passed and outcome.lines[1] == f"EOS check pass: {passed}"


def test_the_record_names_the_runs_the_engine_and_the_seeds(audit: Audit, folder: Path) -> None:
    outcome = verified(audit, folder, 1.0, 1.0)
    seeds = {"qsl_rng_seed": None, "sample_index_rng_seed": None, "schedule_rng_seed": None}
    assert compliance.read_record(outcome.folder) == {
        "test": "TEST01",
        "passed": True,
        "engine": audit.performance.engine,
        "seeds": seeds,
        "performance_run": str(audit.performance.folder),
        "accuracy_run": str(audit.accuracy.folder),
        "audit_run": str(folder),
    }


@pytest.mark.parametrize("name", ["mlperf_log_summary.txt", "mlperf_log_accuracy.json"])
def test_an_audit_whose_log_is_missing_stores_nothing(name: str, audit: Audit, folder: Path) -> None:
    verified(audit, folder, 1.0, 1.0)
    shutil.rmtree(compliance.test_dir(audit.performance, "TEST01"))
    (folder / name).unlink()
    with pytest.raises(RunError) as caught:
        audit_run.verify(audit, folder, Scored(1.0, 1.0), {})  # type: ignore[arg-type]
    if name.endswith("summary.txt"):
        assert caught.value.what == f"{folder} has no {name}" and "make run_audit_harness" in caught.value.next_step
    assert not compliance.test_dir(audit.performance, "TEST01").exists()


def test_of_two_audits_that_began_at_once_the_last_by_name_counts(audit: Audit, tmp_path: Path) -> None:
    light.write_run(tmp_path / "logs/another")
    for name, repeated in (("1", "performance"), ("2", "another")):
        made = tmp_path / "audits" / name
        made.mkdir(parents=True)
        shutil.copyfile(tmp_path / "logs/another/mlperf_log_detail.txt", made / "mlperf_log_detail.txt")
        write_json(made / "audit.json", {"test": "TEST01", "performance_run": str(tmp_path / "logs" / repeated)})
    seeds = json.loads((tmp_path / "logs/another/run.json").read_text())["seeds"]
    content = json.loads((tmp_path / "logs/performance/run.json").read_text())
    write_json(tmp_path / "logs/performance/run.json", {**content, "seeds": seeds})
    same = runs.read_run(tmp_path / "logs/performance")
    assert same is not None
    found = audit_run.newest_audit(tmp_path / "audits", Audit("TEST01", "bert", same, audit.accuracy))
    assert found is not None and (found[0].name, found[1].performance.folder.name) == ("2", "another")
    made = tmp_path / "audits" / "3"
    shutil.copytree(tmp_path / "audits" / "2", made)
    write_json(made / "audit.json", {"test": "TEST04", "performance_run": str(tmp_path / "logs/another")})
    for test, name in (("TEST01", "2"), ("TEST04", "3")):
        found = audit_run.newest_audit(tmp_path / "audits", Audit(test, "bert", same, audit.accuracy))
        assert found is not None and found[0].name == name, "those of other tests are passed over"
