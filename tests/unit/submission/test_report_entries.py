"""Lines of the report's index: runs, unfinished ones and audits, with what marks them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from code.submission import exporter, pages
from code.submission.audit import compliance
from code.submission.stage.runs import ACCURACY, AUDIT_FILE, read_run
from tests.unit.submission import light

RATE = {"result_samples_per_second": 1234.5, "result_validity": "VALID"}
QUIET = {"cpus": 2, "foreign_cpus": 0.0, "stolen_cpus": 0.0, "load_before": 0.0, "load_after": 0.0, "waited_s": 0.0, "beside": []}


def entry(folder: Path, mode: str = "PerformanceOnly", **metadata: Any) -> pages.Entry:
    return pages.entry_of(light.run(folder / "Offline", mode, **metadata), "page.html")


def test_the_line_of_a_performance_run(tmp_path: Path) -> None:
    one = entry(tmp_path, **RATE, openvino_version="2026.1", loadgen_version="5", driver_version="550", precision="int8")
    assert (one.name, one.mode, one.value, one.number, one.word) == (
        "bert-99 Offline",
        "PerformanceOnly",
        "1,234.5 samples/s",
        1234.5,
        "VALID",
    )
    assert (one.system, one.precision, one.started, one.link, one.why) == (
        "DGX_openvino",
        "int8",
        "2026-01-01T00:00:00Z",
        "page.html",
        "",
    )
    assert one.runtime == "driver 550 openvino 2026.1" and one.key == "result_samples_per_second" and one.marks == ()
    assert entry(tmp_path / "b", **RATE).precision == "fp32", "of the engine where metadata has none"


def test_the_line_of_an_accuracy_run_has_its_first_score(tmp_path: Path) -> None:
    scores = [{"name": name, "value": value, "threshold": 1.0, "pass": True} for name, value in (("F1", 90.5), ("EM", 80.0))]
    one = entry(tmp_path, ACCURACY, accuracy=scores, result_samples_per_second=7.0)
    assert (one.number, one.word, one.value) == (90.5, "PASSED", "F1 90.500, EM 80.000")
    assert entry(tmp_path / "b", ACCURACY, accuracy_pass=False).word == "FAILED"
    assert entry(tmp_path / "c", ACCURACY).number is None


def test_an_incomplete_run_says_what_it_lacks(tmp_path: Path) -> None:
    folder = light.write_run(tmp_path / "Offline", **RATE)
    (folder / "mlperf_log_summary.txt").unlink()
    run = read_run(folder)
    assert run is not None
    one = pages.entry_of(run)
    assert one.word == "incomplete" and "mlperf_log_summary.txt" in one.why and one.link == ""


@pytest.mark.parametrize(
    ("metadata", "marks"),
    [
        ({}, ()),
        ({"model_variant": "tiny"}, ("tiny",)),
        ({"simulated": True}, ("simulated",)),
        ({"power": {"watts": 1.0}}, ("power",)),
        ({"power": {"watts": 1.0, "dry_run": True}}, ("dry run",)),
        ({"effective_min_duration_ms": 599_999}, ("short",)),
        ({"effective_min_duration_ms": 600_000}, ()),
        ({"machine": QUIET}, ()),
        ({"machine": {**QUIET, "foreign_cpus": 1.5}}, ("busy",)),
        ({"machine": "damaged"}, ()),
        ({"model_variant": "tiny", "effective_min_duration_ms": 1, "simulated": True}, ("simulated", "tiny", "short")),
    ],
)
def test_marks_of_a_run(tmp_path: Path, metadata: dict[str, Any], marks: tuple[str, ...]) -> None:
    assert entry(tmp_path, **RATE, **metadata).marks == marks


def test_a_run_without_metadata_runs_or_was_interrupted(tmp_path: Path) -> None:
    run = light.run(tmp_path / "Offline")
    on, off = (pages.unfinished_entry(run, going_on) for going_on in (frozenset([run.folder]), frozenset()))
    assert (on.word, on.why, off.word) == ("running", "", "incomplete") and off.why.startswith("it is being prepared")
    assert on.name == "bert-99 Offline" and on.number is None and on.system == "DGX_openvino"


@pytest.mark.parametrize(("passed", "word"), [(True, "PASSED"), (False, "FAILED"), (None, "incomplete"), ("yes", "incomplete")])
def test_the_line_of_an_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: Any, word: str) -> None:
    monkeypatch.setattr(compliance, "compliance_dir", lambda: tmp_path)
    path = tmp_path / "DGX/bert-99/Offline/TEST01" / AUDIT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({} if passed is None else {"passed": passed}))
    os.utime(path, (0, 0))
    (one,) = pages.audits()
    assert (one.name, one.mode, one.word, one.system, one.started) == (
        "bert-99 Offline",
        "TEST01",
        word,
        "DGX",
        "1970-01-01T00:00:00Z",
    )


def test_the_newest_comes_first_and_is_exported(tmp_path: Path) -> None:
    old = entry(tmp_path / "a", **RATE)
    new = entry(tmp_path / "b", **{**RATE, "result_samples_per_second": 9.0}, started="2026-02-01T00:00:00Z")
    failed = entry(tmp_path / "c", started="2026-03-01T00:00:00Z")
    score = entry(tmp_path / "d", ACCURACY, accuracy=[], started="2026-03-01T00:00:00Z")
    other = entry(tmp_path / "e", **RATE, system_name="Other_openvino")
    assert pages.ordered([old, new]) == [new, old] == pages.ordered([new, old])
    assert exporter.newest([old, score, failed, new, other]) == [new, other]
