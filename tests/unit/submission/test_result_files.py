"""Files that say how a result was made, and its truncated accuracy log, each rule by itself."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from code.rules.rounds import round_named
from code.submission.check import result_files
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.stage import layout, measurements

MADE = dict.fromkeys(measurements.REQUIRED, "x")


def claim(division: str = "closed") -> Claim:
    return Claim("bert-99", "Offline", division, "edge", round_named("v6.1"))


def measured(folder: Path, content: dict[str, Any], division: str = "closed") -> list[Finding]:
    """The findings on a result whose pages are there; accuracy.txt has F1 95.5."""
    folder.mkdir(exist_ok=True)
    for name in ("user.conf", "README.md"):
        (folder / name).write_text("x")
    (folder / "accuracy.txt").write_text('{"exact_match": 80.0, "f1": 95.5}\n')
    found = list(result_files.measured(folder, folder / "measurements.json", content, claim(division), folder))
    assert all(one.error and one.next_step for one in found)
    return found


def test_a_result_that_says_how_it_was_made(tmp_path: Path) -> None:
    assert measured(tmp_path, MADE) == [] == measured(tmp_path, {**MADE, "engine": "a", "accuracy_run_engine": "a"})
    assert measured(tmp_path, {**MADE, "engine": "a"}) == [] == measured(tmp_path, {**MADE, "accuracy_run_engine": "a"})
    assert measured(tmp_path, {}) == [], "that it is missing is a finding of its own"


@pytest.mark.parametrize("name", ["user.conf", "README.md"])
@pytest.mark.parametrize("empty", [True, False])
def test_pages_that_are_missing_or_empty(tmp_path: Path, name: str, empty: bool) -> None:
    measured(tmp_path, MADE)
    (tmp_path / name).write_text("") if empty else (tmp_path / name).unlink()
    for content in (MADE, {}):
        (one,) = result_files.measured(tmp_path, tmp_path / "measurements.json", content, claim(), tmp_path)
        assert (one.path, one.what, one.check) == (tmp_path / name, "missing or empty", "files")
        assert one.next_step == "make populate_readme or make stage_results"


@pytest.mark.parametrize("name", measurements.REQUIRED)
def test_each_required_field_is_missed(tmp_path: Path, name: str) -> None:
    for content in ({**MADE, name: ""}, {key: value for key, value in MADE.items() if key != name}):
        (one,) = measured(tmp_path, content, "open")
        assert (one.what, one.check) == (f"the field {name} is missing or empty", "measurements")


def test_engines_of_both_runs_are_the_same(tmp_path: Path) -> None:
    (one,) = measured(tmp_path, {**MADE, "engine": "a", "accuracy_run_engine": "b"}, "open")
    assert one.what == "the accuracy run's engine is b, the performance run's is a" and one.check == "engine"
    assert "--test_mode=SubmissionRun" in one.next_step


def test_a_note_on_the_division_is_refused_in_closed_alone(tmp_path: Path) -> None:
    (one,) = measured(tmp_path, {**MADE, "division_note": "shortened"})
    assert one.what == "not allowed in the closed division: shortened" and one.next_step == "stage it with DIVISION=open"
    assert (
        measured(tmp_path, {**MADE, "division_note": "shortened"}, "open")
        == []
        == measured(tmp_path, {**MADE, "division_note": ""})
    )


def test_recorded_scores_are_compared_where_there_are_both(tmp_path: Path) -> None:
    entry = {"name": "F1", "value": 91.0, "threshold": 90.0, "pass": True}
    (one,) = measured(tmp_path, {**MADE, "accuracy": [entry]})
    assert one.what == "F1 is 95.5, but measurements.json recorded 91.0" and one.path.name == "accuracy.txt"
    (damaged,) = measured(tmp_path, {**MADE, "accuracy": "x"})
    assert damaged.check == "measurements"
    (tmp_path / "accuracy.txt").unlink()
    assert list(result_files.measured(tmp_path, tmp_path / "m.json", {**MADE, "accuracy": [entry]}, claim(), tmp_path)) == []


# ── The accuracy log ──────────────────────────────────────────────────────────────────────────────────────


def logged(root: Path, size: int, text: str) -> Path:
    folder = root / "open/Example/results/DGX/bert-99/Offline/accuracy"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / layout.ACCURACY_LOG).write_text("x" * size)
    (folder / "accuracy.txt").write_text(text)
    return folder


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of whole logs."""
    monkeypatch.setattr(result_files.truncation, "full_results_dir", lambda: tmp_path / "whole")
    return tmp_path / "whole"


HASH = f"hash={hashlib.sha256(b'whole').hexdigest()}\n"


def test_a_log_is_truncated_and_has_its_hash(tmp_path: Path, kept: Path) -> None:
    assert list(result_files.truncated(logged(tmp_path, 100, HASH))) == []
    (bare,) = result_files.truncated(logged(tmp_path, 100, "score\n"))
    assert bare.what == "not truncated: no hash" and bare.next_step == "make truncate_results"
    (long,) = result_files.truncated(logged(tmp_path, layout.ACCURACY_LOG_LIMIT, HASH))
    assert long.what == "not truncated: 10,240 bytes, the limit is 10,240" and long.check == "truncated"
    assert list(result_files.truncated(logged(tmp_path, layout.ACCURACY_LOG_LIMIT - 1, HASH))) == []


def test_the_hash_is_that_of_the_whole_log_where_it_is_kept(tmp_path: Path, kept: Path) -> None:
    folder = logged(tmp_path, 100, HASH)
    whole = kept / (folder / layout.ACCURACY_LOG).relative_to(tmp_path)
    whole.parent.mkdir(parents=True)
    whole.write_text("whole")
    assert list(result_files.truncated(folder)) == []
    whole.write_text("another")
    (one,) = result_files.truncated(folder)
    assert one.check == "hash" and one.path.name == "accuracy.txt" and str(whole) in one.what
    aside = result_files.truncation.set_aside(whole, hashlib.sha256(b"whole").hexdigest())
    aside.parent.mkdir(parents=True, exist_ok=True)
    aside.write_text("whole")
    assert list(result_files.truncated(folder)) == [], "another tree has the whole log of that name"
