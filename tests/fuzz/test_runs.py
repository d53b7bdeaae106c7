"""Runs whose files hold anything: they are listed, reported, compared and staged, or left out in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
from hypothesis import given
from hypothesis import strategies as st

from code.actions import list_results
from code.common.errors import HarnessError
from code.results import accuracy_log, metadata
from code.results.departures import departures
from code.results.loadgen_log import read_detail
from code.results.verdict import judge
from code.rules.rounds import round_named
from code.submission.audit import comparison
from code.submission.check import accuracy_text, summary_log
from code.submission.stage import candidates, measurements, runs
from tests.faults.made import IDENTITY
from tests.fuzz.examples import THROUGH_MAIN, each, fuzzed, said
from tests.fuzz.kept import DETAIL, Kept, harmed

V61 = round_named("v6.1")
WHO = ("--submitter=Example", "--division=open", "--category=edge", "--status=available", "--round=v6.1")
ACCURACY_LOG = accuracy_log.LOG_NAME


@pytest.fixture(scope="module")
def kept(home: Path) -> Kept:
    return Kept(home / "build" / "logs")


def read(folder: Path) -> None:
    """All that a run is read for, in the functions that commands call."""
    run = runs.read_run(folder)
    if run is not None:
        comparison.of_run(run)
        list_results.listing([run])
        list_results.as_json(run)
        one = candidates.Candidate("X", "bert-99", "Offline", folder, folder, run, run)
        for found in (candidates.pair_findings(one), candidates.sealed_findings(one), candidates.power_findings(one)):
            assert all(finding.what for finding in found)
        measurements.content(one, V61)
        measurements.readme(one, None, V61)  # type: ignore[arg-type]
        measurements.calibration_page([one])
    if (folder / "accuracy.txt").exists():
        accuracy_text.scores(folder / "accuracy.txt", ("F1",))
        assert accuracy_text.resolution(folder / "accuracy.txt", "F1") >= 0
    for reads in (
        judged,
        lambda one: list(accuracy_log.entries(one / ACCURACY_LOG)),
        lambda one: list(accuracy_log.records(one / ACCURACY_LOG)),
    ):
        try:
            reads(folder)
        except HarnessError as error:
            assert error.what and error.next_step


def judged(folder: Path) -> Any:
    log = read_detail(folder)
    verdict = judge(log, departures(log, "bert-99", V61))
    assert verdict.word in ("VALID", "INVALID")
    assert all(str(found) for found in summary_log.disagreements(folder / "mlperf_log_summary.txt", log))
    return json.dumps(metadata.performance_metadata(IDENTITY, log, verdict))


@pytest.mark.full
@fuzzed
@given(data=st.data(), whole=each(THROUGH_MAIN), resealed=st.booleans())
def test_runs(data: st.DataObject, whole: bool, resealed: bool, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = sorted({path.parent for path in kept.root.rglob("metadata.json")})
    folder = data.draw(st.sampled_from(folders))
    name = data.draw(st.sampled_from(["metadata.json", DETAIL, *sorted(p.name for p in folder.iterdir() if p.is_file())]))
    path = folder / name
    path.write_bytes(data.draw(harmed(name, kept.good(path))))
    if resealed and name != "metadata.json":
        metadata.write_metadata(folder, json.loads(kept.good(folder / "metadata.json")))
    try:
        read(folder)
        if whole:
            commands(kept.root, folders)
    finally:
        kept.restore()
        shutil.rmtree(kept.root.parent / "submission", ignore_errors=True)


def commands(logs: Path, folders: list[Path]) -> None:
    """What a user calls."""
    one, two = folders
    said(["--action=list_results", f"--log_dir={logs}"])
    said(["--action=list_results", "--json", f"--log_dir={logs}"])
    said(["--action=compare", f"--a={one}", f"--b={two}"])
    said(["--action=compare", f"--a={one}", f"--b={one}", "--json"])
    said(["--action=report", f"--log_dir={logs}", f"--report_dir={logs.parent / 'report'}"])
    said(["--action=stage_results", f"--log_dir={logs}", *WHO])
