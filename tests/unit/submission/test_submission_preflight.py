"""Sabotage: whatever is done to a good tree, the preflight names the file, the reason and a command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.rules.rounds import ROUNDS, round_named
from code.submission.check import summary_log, tree_checks
from code.submission.check.finding import Finding, errors
from code.submission.stage import candidates, staging
from code.submission.stage.layout import FILE_LIMIT_BYTES, LAYOUTS
from tests.unit.submission import made
from tests.unit.submission.made import edit, edit_key, result

SEEDS = ROUNDS["v6.1"].seeds


def in_log(key: str, new: object, part: str = "performance/run_1", scenario: str = "Offline") -> Callable[[Path], Path]:
    """Sabotage of a detail log; returns the file that the preflight must name."""

    def sabotage(tree: Path) -> Path:
        path = result(tree, scenario) / part / "mlperf_log_detail.txt"
        edit_key(path, key, new)
        return path

    return sabotage


def edited_summary(tree: Path) -> Path:
    path = result(tree) / "performance/run_1/mlperf_log_summary.txt"
    line = next(line for line in path.read_text().splitlines() if line.startswith("Samples per second"))
    edit(path, line, "Samples per second: 999999")
    return path


def summary_that_says_valid(tree: Path) -> Path:
    path = result(tree) / "performance/run_1/mlperf_log_summary.txt"
    edit(path, "Result is : INVALID", "Result is : VALID")
    return path


def missing_accuracy_log(tree: Path) -> Path:
    path = result(tree) / "accuracy/mlperf_log_accuracy.json"
    path.unlink()
    return path


def low_accuracy(tree: Path) -> Path:
    path = result(tree) / "accuracy/accuracy.txt"
    edit(path, '"f1": 95.5', '"f1": 80.0')
    return path


def another_engine(tree: Path) -> Path:
    path = result(tree) / "measurements.json"
    edit(path, f'"accuracy_run_engine": "{made.ENGINE}"', '"accuracy_run_engine": "another"')
    return path


def empty_system_field(tree: Path) -> Path:
    path = tree / "open/Example/systems" / f"{made.SYSTEM}.json"
    edit(path, '"cooling": "filled in by the test"', '"cooling": ""')
    return path


def zero_accelerators(tree: Path) -> Path:
    path = tree / "open/Example/systems" / f"{made.SYSTEM}.json"
    edit(path, '"accelerators_per_node": "0"', '"accelerators_per_node": 0')
    return path


def large_file(tree: Path) -> Path:
    path = tree / "open/Example/src/large.bin"
    with path.open("wb") as out:
        out.truncate(FILE_LIMIT_BYTES + 1)
    return path


def added(name: str, content: str = "x") -> Callable[[Path], Path]:
    """Sabotage by a file that does not belong there."""

    def sabotage(tree: Path) -> Path:
        path = result(tree) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return sabotage


def removed(name: str) -> Callable[[Path], Path]:
    """Sabotage by removing a file of the result."""

    def sabotage(tree: Path) -> Path:
        path = result(tree) / name
        path.unlink()
        return path

    return sabotage


def not_truncated(tree: Path) -> Path:
    path = result(tree) / "accuracy/mlperf_log_accuracy.json"
    path.write_text("[\n" + "x" * 20000 + "\n]\n")
    return path


def other_submitter(tree: Path) -> Path:
    path = tree / "open/Example/systems" / f"{made.SYSTEM}.json"
    edit(path, '"submitter": "Example"', '"submitter": "Somebody"')
    return path


def empty_folder(tree: Path) -> Path:
    path = tree / "open/Example/src/empty"
    path.mkdir()
    return path


def loose_file(tree: Path) -> Path:
    path = tree / "notes.txt"
    path.write_text("x")
    return path


def a_link(tree: Path) -> Path:
    path = tree / "open/Example/src/link"
    path.symlink_to("/etc/hostname")
    return path


SABOTAGE: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "an edited summary": (edited_summary, "summary", "contradicts the detail log"),
    "a summary that says VALID": (summary_that_says_valid, "summary", "'Result is' is VALID"),
    "a missing accuracy log": (missing_accuracy_log, "files", "missing"),
    "nine minutes": (in_log("effective_min_duration_ms", 540000), "duration", "9 minutes"),
    "another seed": (in_log("effective_qsl_rng_seed", 1), "seeds", f"v6.1 requires {SEEDS['qsl_rng_seed']}"),
    "another seed in the accuracy run": (in_log("effective_schedule_rng_seed", 1, "accuracy"), "seeds", "schedule_rng_seed is 1"),
    "too few samples to draw from": (in_log("effective_performance_sample_count", 100), "samples", "drew from 100 samples"),
    "a part of the data set": (in_log("effective_accuracy_sample_count", 100, "accuracy"), "samples", "covers 100 samples"),
    "early stopping not met": (in_log("early_stopping_met", False, scenario="Server"), "early_stopping", "early stopping"),
    "another scenario": (in_log("effective_scenario", "Server"), "scenario", "cannot be used for Offline"),
    "accuracy below its target": (low_accuracy, "accuracy", "F1 is 80; the target is 94"),
    "another engine": (another_engine, "engine", "the accuracy run's engine is another"),
    "an empty system field": (empty_system_field, "system", "the field cooling is empty"),
    "a zero that counts as empty": (zero_accelerators, "system", 'write "0"'),
    "another submitter": (other_submitter, "system", "its folder is 'Example'"),
    "a file over the limit": (large_file, "size", "the limit is 50 MiB"),
    "a trace": (added("performance/run_1/mlperf_log_trace.json"), "forbidden", "trace"),
    "a leftover audit.config": (added("performance/run_1/audit.config"), "forbidden", "audit"),
    "a stray file beside the logs": (added("accuracy/notes.txt"), "forbidden", "allowed in this folder"),
    "an accuracy log that is not truncated": (not_truncated, "truncated", "the limit is 10,240"),
    "no README": (removed("README.md"), "files", "missing or empty"),
    "no user.conf": (removed("user.conf"), "files", "missing or empty"),
    "no measurements": (removed("measurements.json"), "files", "is missing"),
    "no detail log": (removed("performance/run_1/mlperf_log_detail.txt"), "files", "missing"),
    "an empty folder": (empty_folder, "structure", "empty folder"),
    "a file beside the divisions": (loose_file, "structure", "a tree contains only"),
    "a link": (a_link, "structure", "symbolic links"),
}


def preflight(tree: Path, round_: str = "v6.1", submitter: str = "Example") -> list[Finding]:
    """The errors of a tree."""
    return errors(tree_checks.preflight(tree, round_named(round_), submitter))


def test_a_good_tree_has_no_error(tree: Path) -> None:
    assert preflight(tree) == []


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_is_found(tree: Path, name: str) -> None:
    sabotage, check, words = SABOTAGE[name]
    path = sabotage(tree)
    found = [one for one in preflight(tree) if one.check == check]
    assert found, f"{name} was not found"
    assert any(one.path == path and words in one.what and one.next_step for one in found), [(str(o.path), o.what) for o in found]


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
