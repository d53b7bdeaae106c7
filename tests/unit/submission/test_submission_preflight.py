"""The preflight of trees that were staged here, and of real closed logs. Each check has a row in test_sabotage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.rules.rounds import round_named
from code.submission.check import summary_log, tree_checks
from code.submission.check.finding import Finding, errors
from code.submission.stage import candidates, staging
from code.submission.stage.layout import LAYOUTS
from tests.unit.submission import made
from tests.unit.submission.made import edit, edit_key, result


def preflight(tree: Path, round_: str = "v6.1", submitter: str = "Example") -> list[Finding]:
    """The errors of a tree."""
    return errors(tree_checks.preflight(tree, round_named(round_), submitter))


def test_a_good_tree_has_no_error(tree: Path) -> None:
    assert preflight(tree) == []


def test_a_score_may_be_rounded_in_accuracy_txt_but_no_more_than_that(tree: Path) -> None:
    text, measured = result(tree) / "accuracy/accuracy.txt", result(tree) / "measurements.json"
    edit(text, '"f1": 95.5', '"f1": 95.50')
    staging.record_path(tree).unlink()  # a tree that was made by other means
    content = json.loads(measured.read_text())
    for recorded, wrong in ((95.5049, []), (95.4951, []), (95.5061, ["accuracy"])):
        content["accuracy"][0]["value"] = recorded
        measured.write_text(json.dumps(content))
        assert [one.check for one in preflight(tree)] == wrong, recorded


def test_a_log_that_was_changed_after_staging_is_found_by_its_digest(tree: Path) -> None:
    path = result(tree) / "performance/run_1/mlperf_log_detail.txt"
    path.write_text(path.read_text() + "\n")
    assert [(one.check, one.path) for one in preflight(tree)] == [("unchanged", path)]


@pytest.mark.parametrize("name", ["user.conf", "measurements.json", "accuracy/accuracy.txt", "accuracy/mlperf_log_accuracy.json"])
def test_settings_scores_and_answers_that_were_changed_after_staging_are_found(tree: Path, name: str) -> None:
    path = result(tree) / name
    path.write_text("x" + path.read_text())
    assert ("unchanged", path) in [(one.check, one.path) for one in preflight(tree)]
    path.unlink()
    assert "deleted after staging" in [one.what for one in preflight(tree)]


def test_the_wrong_round_is_found(tree: Path) -> None:
    assert "seeds" in {one.check for one in preflight(tree, "v6.0")}


def test_a_tree_without_a_result_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no result"):
        preflight(tmp_path)


def test_closed_asks_for_valid_runs_audits_and_all_scenarios(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    source = tmp_path / "source"
    shutil.copytree(shared / "data/mlperf_logs/closed", source / "closed")
    found, findings = candidates.from_tree(source)
    who = made.who("v4.1", "closed", "datacenter", "NVIDIA")
    chosen = [one for one in found if one.benchmark == "bert-99" and one.scenario == "Offline"]
    staging.stage(chosen, findings, who, tmp_path / "tree")
    wrong = preflight(tmp_path / "tree", "v4.1", "NVIDIA")
    assert [(one.check, one.what) for one in wrong] == [("scenarios", "closed datacenter also requires Server")]
    place = LAYOUTS["beside"].places(tmp_path / "tree")[0]
    test01 = LAYOUTS["beside"].compliance_dir(tmp_path / "tree", place) / "TEST01"
    edit(test01 / "verify_accuracy.txt", "TEST PASS", "TEST FAIL")
    shutil.rmtree(test01.parent / "TEST05")
    wrong = preflight(tmp_path / "tree", "v4.1", "NVIDIA")
    assert {(one.check, one.path.parent.name) for one in wrong if one.check == "audit"} >= {
        ("audit", "TEST01"),
        ("audit", "TEST05"),
    }


@pytest.mark.parametrize(
    ("key", "value", "check"),
    [
        ("effective_min_duration_ms", 540000, "duration"),
        ("result_validity", "INVALID", "valid"),
        ("effective_samples_per_query", 100, "samples"),
        ("result_min_duration_met", False, "duration"),
    ],
)
def test_a_closed_result_that_breaks_a_rule_is_not_staged(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object, check: str
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    shutil.copytree(shared / "data/mlperf_logs/closed", tmp_path / "source/closed")
    for path in tmp_path.rglob("*"):
        path.chmod(0o755)
    found, findings = candidates.from_tree(tmp_path / "source")
    one = next(c for c in found if c.benchmark == "bert-99" and c.scenario == "Offline")
    edit_key(one.performance / "mlperf_log_detail.txt", key, value)
    done = staging.stage(
        [c for c in found if c.benchmark == "bert-99"],
        findings,
        made.who("v4.1", "closed", "datacenter", "NVIDIA"),
        tmp_path / "tree",
    )
    assert ("bert-99", "Offline") not in {(p.benchmark, p.scenario) for p, *_ in done.results}
    assert check in {f.check for f in done.findings if f.error and f.path.parent == one.performance}


@pytest.mark.parametrize(
    ("shown", "logged", "same"),
    [
        ("87.46", 87.4638, True),
        ("87.47", 87.4638, False),
        ("73309.5", 73309.5, True),
        ("73309.6", 73309.5, True),
        ("73311", 73309.5, False),
        ("79972496", 79972496, True),
        ("79972497", 79972496, False),
        ("VALID", "VALID", True),
        ("VALID", "INVALID", False),
        ("many", 5, False),
    ],
)
def test_figures_are_compared_as_far_as_the_summary_shows_them(shown: str, logged: object, same: bool) -> None:
    assert summary_log._same(shown, logged) == same
