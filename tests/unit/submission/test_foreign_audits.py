"""Audits in trees that other tools made, and who is asked about such a tree."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from code.actions import Context, check_submission
from code.common.errors import MissingError
from code.plan.request import parse
from code.rules.rounds import CURRENT
from code.submission.check import audit_checks, official, report_columns
from code.submission.check.log_checks import Claim
from code.submission.check.official import Checked
from code.submission.stage import staging
from code.submission.stage.layout import LAYOUTS
from tests.unit.submission import made
from tests.unit.submission.made import edit_key, result
from tests.unit.submission.test_foreign_trees import V41, V61, with_key, write

# ── audits ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def audited(good: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a TEST01 that is as it should be, and the folder of its result's log."""
    source = result(good) / "performance/run_1"
    folder = tmp_path / "audits" / "TEST01"
    run = folder / "performance/run_1"
    shutil.copytree(source, run)
    log = run / "mlperf_log_detail.txt"
    lines = log.read_text().splitlines()
    event = json.loads(lines[-1][len(":::MLLOG") :])
    event.update(key="generic_message", value="Found Audit Config file (audit.config).")
    event["metadata"] = {**event["metadata"], "is_warning": True, "is_error": False}
    log.write_text("\n".join([lines[0], ":::MLLOG " + json.dumps(event), *lines[1:]]) + "\n")
    edit_key(log, "test_datetime", "2026-01-01T00:00:00Z")
    for name in ("verify_accuracy.txt", "verify_performance.txt"):
        write(folder / name, "TEST PASS \n")
    write(folder / "accuracy/mlperf_log_accuracy.json", "[]")
    return folder.parent, source


def audit_findings(audited: tuple[Path, Path], division: str = "open") -> list[tuple[str, str]]:
    folder, source = audited
    claim = Claim("bert-99", "Offline", division, "edge", V61)
    return [(one.check, one.what) for one in audit_checks.check(folder, claim, source) if one.error]


def test_a_good_audit(audited: tuple[Path, Path]) -> None:
    assert audit_findings(audited) == []


@pytest.mark.parametrize(
    ("key", "value", "check"),
    [
        ("effective_qsl_rng_seed", 1, "seeds"),
        ("effective_min_duration_ms", 60000, "duration"),
        ("effective_performance_sample_count", 64, "samples"),
        ("effective_scenario", "Server", "scenario"),
        ("effective_min_duration_ms", None, "readable"),
    ],
)
def test_the_audits_own_log_meets_the_rules(audited: tuple[Path, Path], key: str, value: object, check: str) -> None:
    edit_key(audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt", key, value)
    found = audit_findings(audited)
    assert check in {one for one, _ in found} and all(what.startswith("TEST01: ") for _, what in found)


def test_a_short_query_in_a_closed_audit(audited: tuple[Path, Path]) -> None:
    edit_key(audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt", "effective_samples_per_query", 100)
    assert "samples" in {one for one, _ in audit_findings(audited, "closed")}


def test_an_audit_that_was_none(audited: tuple[Path, Path]) -> None:
    log = audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt"
    log.write_text("\n".join(line for line in log.read_text().splitlines() if "audit.config" not in line) + "\n")
    assert [what for _, what in audit_findings(audited)] == [
        "TEST01: LoadGen ran without an audit.config, so this is not an audit run"
    ]


@pytest.mark.parametrize("edited", [False, True])
def test_the_results_own_log_again(audited: tuple[Path, Path], edited: bool) -> None:
    log = audited[0] / "TEST01/performance/run_1/mlperf_log_detail.txt"
    shutil.copyfile(audited[1] / "mlperf_log_detail.txt", log)
    if edited:
        edit_key(log, "effective_print_timestamps", True)
    assert any("the log of the result itself" in what for _, what in audit_findings(audited))


def test_a_stray_file_beside_an_audits_logs(audited: tuple[Path, Path]) -> None:
    write(audited[0] / "TEST01/performance/run_1/audit.config")
    write(audited[0] / "TEST01/performance/run_1/mlperf_log_trace.json")
    assert audit_findings(audited) == [("audit", "not one of the files allowed in this folder")]


def test_scores_decide_where_responses_vary(audited: tuple[Path, Path]) -> None:
    folder = audited[0] / "TEST01"
    write(folder / "verify_accuracy.txt", "TEST FAIL\n")
    assert any("there is no baseline_accuracy.txt" in what for _, what in audit_findings(audited))
    write(folder / "accuracy/baseline_accuracy.txt", '{"exact_match": 80.0, "f1": 90.0}\n')
    write(folder / "accuracy/compliance_accuracy.txt", '{"exact_match": 80.0, "f1": 90.5}\n')
    assert audit_findings(audited) == []
    write(folder / "accuracy/compliance_accuracy.txt", '{"exact_match": 80.0, "f1": 91.5}\n')
    assert any("the scores differ too much" in what for _, what in audit_findings(audited))


# ── who is asked ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A stand-in of the official checker, which finds nothing wrong; the submitters that it was asked about."""
    calls: list[str] = []

    def check(root: Path, round_: object, submitter: str, *more: object) -> Checked:
        calls.append(submitter)
        return Checked(True, (), (), ("SUMMARY: submission looks OK",), "", "")

    monkeypatch.setattr(official, "checkout", lambda known: (tmp_path, CURRENT))
    monkeypatch.setattr(official, "check", check)
    return calls


def check_action(root: Path, *words: str) -> int:
    return check_submission.run(
        Context(parse(["--action=check_submission", f"--submission_dir={root}", "--round=v6.1", *words], {}))
    )


def test_the_official_checker_is_asked_whatever_the_preflight_found(
    foreign: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with_key("effective_qsl_rng_seed", 1)(foreign)
    assert check_action(foreign) == 4 and asked == ["Example"]
    assert "Preflight for v6.1: 1 errors" in capsys.readouterr().out
    assert check_action(foreign, "--preflight=only") == 4 and asked == ["Example"]
    assert check_action(foreign, "--preflight=off") == 0 and asked == ["Example", "Example"]


def test_several_submitters_are_all_checked(foreign: Path, asked: list[str]) -> None:
    shutil.copytree(foreign / "open/Example", foreign / "open/Other")
    for path in (foreign / "open/Other/systems").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "submitter": "Other"}))
    assert check_action(foreign) == 0 and asked == [""]


def test_without_a_preflight_the_checker_has_to_be_there(foreign: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLPERF_INFERENCE_DIR", str(tmp_path))
    assert check_action(foreign) == 0
    with pytest.raises(MissingError):
        check_action(foreign, "--preflight=off")


def test_the_closed_logs_of_v4_1_have_no_error(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real audits: seeds of TEST05, durations and query counts of each."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    shutil.copytree(shared / "data/mlperf_logs/closed", tmp_path / "tree/closed")
    place = next(p for p in LAYOUTS["beside"].places(tmp_path / "tree") if (p.benchmark, p.scenario) == ("bert-99", "Offline"))
    claim = Claim("bert-99", "Offline", "closed", "datacenter", V41)
    shape = LAYOUTS["beside"]
    folder, run = shape.compliance_dir(tmp_path / "tree", place), shape.performance_dir(tmp_path / "tree", place)
    assert [one.what for one in audit_checks.check(folder, claim, run)] == []
    log = folder / "TEST05/performance/run_1/mlperf_log_detail.txt"
    log.parent.chmod(0o755)
    log.chmod(0o644)
    edit_key(log, "effective_qsl_rng_seed", V41.seeds["qsl_rng_seed"])
    assert [one.check for one in audit_checks.check(folder, claim, run)] == ["seeds"]


def test_rows_of_a_tree_without_power_are_one_each(foreign: Path, tmp_path: Path) -> None:
    report_columns.write(tmp_path, report_columns.rows(foreign, V61))
    with (tmp_path / "summary.csv").open() as source:
        assert [row["Scenario"] for row in csv.DictReader(source)] == sorted(made.SETTINGS)
    assert not staging.read_record(foreign)
