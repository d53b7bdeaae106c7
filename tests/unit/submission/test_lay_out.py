"""Files of one result in a tree: what is copied from two places, and what stays where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.benchmarks.llama3_1_8b.facts import NAME
from code.submission.check.log_checks import Claim
from code.submission.stage import candidates, lay_out
from code.submission.stage.layout import LAYOUTS, Place
from tests.unit.submission.endpoints import MEASURED, SYSTEM, write
from tests.unit.submission.test_staging_parts import V61, candidate, claim, who


def test_power_files_beside_the_run_and_above_it_are_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lay_out, "stored_tests", lambda _one, _round: {})
    monkeypatch.setattr(lay_out.system_file, "write", lambda *_: None)
    one = candidate(tmp_path / "runs")
    for folder, name in ((one.performance, "client.json"), (one.performance.parent, "server.json")):
        (folder / "power").mkdir()
        (folder / "power" / name).write_text(name)
    place = Place("open", "Example", one.system, one.benchmark, one.scenario)
    lay_out.result(tmp_path / "tree", place, one, claim(one), who())
    target = LAYOUTS[V61.layout].results_dir(tmp_path / "tree", place) / "performance/power"
    assert {path.name: path.read_text() for path in target.iterdir()} == {
        "client.json": "client.json",
        "server.json": "server.json",
    }
    assert (one.performance / "power/client.json").is_file(), "the run keeps its files"


def test_what_a_submitter_wrote_beside_an_endpoints_result_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lay_out.system_file, "write", lambda *_: None)
    folder = write(tmp_path / "a")
    (folder / "measurements.json").write_text(json.dumps({**MEASURED, "note": "of our own"}))
    (folder / "README.md").write_text("# Mine\n")
    one = candidates.of_endpoint(folder, SYSTEM, NAME, "Server", {"measurements": folder / "measurements.json"})
    place = Place("open", "Example", SYSTEM, NAME, "Server")
    claim_ = Claim(NAME, "Server", "open", "datacenter", V61)
    assert lay_out.result(tmp_path / "tree", place, one, claim_, who()) == []
    target = LAYOUTS[V61.layout].results_dir(tmp_path / "tree", place)
    assert (target / "README.md").read_text() == "# Mine\n"
    assert json.loads((target / "measurements.json").read_text()) == {**MEASURED, "note": "of our own"}
