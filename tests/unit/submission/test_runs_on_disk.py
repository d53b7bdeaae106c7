"""Runs as they lie on disk and in trees: which are found, what each says of itself, and which results stand for others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError
from code.rules.rounds import round_named
from code.submission.check.finding import Finding, errors, softened
from code.submission.stage import candidates, inference, runs
from code.submission.stage.candidates import Candidate
from code.submission.stage.layout import LAYOUTS, Place
from code.submission.stage.runs import ACCURACY, PERFORMANCE
from tests.unit.submission import light
from tests.unit.submission.test_choice_of_runs import V50, V61

# ── trees ──────────────────────────────────────────────────────────────


def test_results_of_a_tree_are_taken_with_their_files(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no results in"):
        candidates.from_tree(tmp_path)
    place = Place("closed", "Example", "DGX", "bert-99", "Offline")
    shape = LAYOUTS["beside"]
    for folder in (shape.performance_dir(tmp_path, place), shape.accuracy_dir(tmp_path, place)):
        folder.mkdir(parents=True)
    none, [finding] = candidates.from_tree(tmp_path)
    assert none == [] and finding.error and finding.path == shape.performance_dir(tmp_path, place) / "mlperf_log_detail.txt"
    (finding.path).write_text("x")
    [finding] = candidates.from_tree(tmp_path)[1]
    assert finding.path == shape.accuracy_dir(tmp_path, place) / "mlperf_log_detail.txt"
    finding.path.write_text("x")
    [one], findings = candidates.from_tree(tmp_path)
    assert findings == [] and one.key == ("DGX", "bert-99", "Offline") and one.tree_files == {}
    files = {
        "measurements": shape.measurements_json(tmp_path, place, "TensorRT"),
        "system": shape.system_json(tmp_path, place),
        "compliance": shape.compliance_dir(tmp_path, place),
    }
    for kind in ("measurements", "system"):
        files[kind].parent.mkdir(parents=True, exist_ok=True)
        files[kind].write_text("{}")
    files["compliance"].mkdir(parents=True)
    assert "compliance" not in candidates.from_tree(tmp_path)[0][0].tree_files
    (files["compliance"] / "TEST01").mkdir()
    assert candidates.from_tree(tmp_path)[0][0].tree_files == files


# ── inferred results ───────────────────────────────────────────────────


def of(benchmark: str, scenario: str, system: str = "s", **given: Any) -> Candidate:
    return Candidate(system, benchmark, scenario, Path("/p"), Path("/a"), **given)


def test_a_result_stands_for_the_lower_target_and_for_offline_on_edge() -> None:
    rounds = {"bert-99": V61, "bert-99.9": V61}
    edge = inference.inferred([of("bert-99", "SingleStream")], rounds, lambda _: "edge")
    assert [(one.scenario, one.measured) for one in edge] == [("Offline", "SingleStream"), ("SingleStream", "")]
    assert inference.note(edge[0]) == "the SingleStream run is used for Offline" and inference.note(edge[1]) == ""
    both = [of("bert-99", "SingleStream"), of("bert-99", "Offline")]
    assert [one.measured for one in inference.inferred(both, rounds, lambda _: "edge")] == ["", ""]
    server = [of("bert-99", "Server")]
    assert inference.inferred(server, rounds, lambda _: "datacenter") == server
    single = [of("bert-99", "SingleStream")]
    assert inference.inferred(single, rounds, lambda _: "datacenter") == single
    high = inference.inferred([of("bert-99.9", "Server")], rounds, lambda _: "datacenter")
    assert [(one.benchmark, one.stands_for) for one in high] == [("bert-99", "bert-99.9"), ("bert-99.9", "")]
    assert "the bert-99.9 result is also used for bert-99, whose accuracy target is lower" in inference.note(high[0])
    one_each = [of("bert-99.9", "Server"), of("bert-99", "Offline")]
    assert len(inference.inferred(one_each, rounds, lambda _: "datacenter")) == 2, "what was measured is not inferred"
    assert len(inference.inferred([of("bert-99.9", "Server"), of("bert-99", "Offline", "t")], rounds, lambda _: "x")) == 3


def test_a_result_that_the_official_checker_trips_on_gives_way_to_single_stream(tmp_path: Path) -> None:
    """The checker of v5.0 fails on GPT-J's Offline results because of a bug of its own."""
    ran = light.run(tmp_path / "a", benchmark_full="gptj-99")
    offline, single = of("gptj-99", "Offline", performance_run=ran), of("gptj-99", "SingleStream", performance_run=ran)

    def gives_way(one: Candidate, *others: Candidate, round_: Any = V50, category: str = "edge") -> bool:
        return inference.replaced(one, [one, *others], {"gptj-99": round_, "bert-99": round_}, lambda _: category)

    assert gives_way(offline, single) and gives_way(offline, of("gptj-99", "Server"), single, category="datacenter,edge")
    assert not gives_way(offline) and not gives_way(offline, single, category="datacenter")
    assert not gives_way(of("gptj-99", "Offline"), single), "a result of another tree stays"
    assert not gives_way(single, single) and not gives_way(
        of("bert-99", "Offline", performance_run=ran), of("bert-99", "SingleStream")
    )
    assert not gives_way(offline, single, round_=round_named("v4.1"))
    assert not gives_way(offline, of("gptj-99", "SingleStream", "another system"))
    found_ = inference.inferred([offline, single], {"gptj-99": V50}, lambda _: "edge")
    assert [(one.scenario, one.measured) for one in found_] == [("Offline", "SingleStream"), ("SingleStream", "")]


# ── runs on disk ───────────────────────────────────────────────────────


def test_runs_are_found_newest_first_and_damaged_ones_are_named(tmp_path: Path) -> None:
    light.write_run(tmp_path / "a", started="2026-01-01T00:00:00Z")
    light.write_run(tmp_path / "b" / "c", started="2026-02-01T00:00:00Z")
    audit = light.write_run(tmp_path / "audit")
    (audit / "audit.json").write_text("{}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metadata.json").write_text('{"name": "something else"}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metadata.json").write_text("{")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "metadata.json").write_text('{"scenario": "Offline"}')
    found_, damaged = runs.scan(tmp_path)
    assert [run.folder.name for run in found_] == ["c", "a"] and runs.find_runs(tmp_path) == found_
    assert [folder.name for folder, _ in damaged] == ["broken", "half"] and all(reason for _, reason in damaged)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "metadata.json")
    [(_, reason)] = [one for one in runs.scan(tmp_path)[1] if one[0].name == "pipe"]
    assert reason, "a file that cannot be read has its reason, too"
    assert runs.read_run(audit) is None and runs.read_run(tmp_path / "broken") is None


def test_what_a_run_says_of_itself(tmp_path: Path) -> None:
    one = light.run(tmp_path / "DGX" / "bert-99" / "Offline", precision="fp32")
    assert (one.system, one.system_id, one.benchmark, one.scenario, one.mode) == (
        "DGX_openvino",
        "DGX",
        "bert-99",
        "Offline",
        PERFORMANCE,
    )
    assert one.started == "2026-01-01T00:00:00Z" and one.complete and one.engine == "bert-model-openvino-fp32-0123"
    assert one.engine_entry["backend"] == "openvino" and not one.simulated
    assert one.unreal == "" and light.run(tmp_path / "s", simulated=True).unreal == "simulated runs"
    assert light.run(tmp_path / "d", power={"dry_run": True}).unreal == "dry runs, whose power is made up,"
    assert light.run(tmp_path / "r", power={"watts": 5}).unreal == ""
    assert one.config == {
        "engine": {"backend": "openvino", "precision": "fp32", "name": "bert-model-openvino-fp32-0123"},
        "devices": {"0": {"index": 0, "cores": [0], "streams": 1}},
        "batch": {"size": 1},
        "dataset": {"kind": "sequence", "count": 10833, "folder": "/data"},
    }
    (one.folder / "run.json").unlink()
    again = runs.read_run(one.folder)
    assert again is not None and again.engine == "" and again.engine_entry == {} and again.provenance == {}
    content = json.loads((one.folder / "metadata.json").read_text())
    del content["system_id"]
    (one.folder / "metadata.json").write_text(json.dumps(content))
    again = runs.read_run(one.folder)
    assert again is not None and again.system_id == "DGX", "the folder of the logs names it"


def test_what_is_missing_of_a_run(tmp_path: Path) -> None:
    one = light.run(tmp_path / "a", ACCURACY)
    assert one.missing() == [] and one.wanted[-1] == "accuracy.txt"
    (one.folder / "accuracy.txt").unlink()
    (one.folder / "INCOMPLETE").write_text("")
    assert one.missing() == ["INCOMPLETE marker: the run has not finished, or failed", "no accuracy.txt"]
    (one.folder / "metadata.json").unlink()
    assert one.missing() == ["INCOMPLETE marker: the run has not finished, or failed"]
    odd = light.run(tmp_path / "b", result_validity="MAYBE")
    assert not odd.complete and "metadata.json is damaged: " in odd.missing()[0] and "result_validity" in odd.missing()[0]


def test_runs_that_go_on_are_listed_with_what_is_known(tmp_path: Path) -> None:
    folder = light.write_run(tmp_path / "DGX" / "bert-99" / "Server.3")
    (folder / "metadata.json").unlink()
    assert runs.unfinished(tmp_path) == []
    (folder / "INCOMPLETE").write_text("")
    (folder / "provenance.json").write_text('{"mode": "AccuracyOnly"}')
    [one] = runs.unfinished(tmp_path)
    assert (one.system, one.benchmark, one.scenario, one.mode) == ("DGX", "bert-99", "Server", ACCURACY)
    assert one.started == "2026-01-01T00:00:00Z"
    (folder / "provenance.json").write_text('{"mode": "x"}')
    (folder / "mlperf_log_detail.txt").unlink()
    [one] = runs.unfinished(tmp_path)
    assert one.mode == "-" and one.started.endswith("Z") and len(one.started) == 20
    (folder / "metadata.json").write_text("{}")
    assert runs.unfinished(tmp_path) == []


def test_the_newest_complete_run_of_a_workload(tmp_path: Path) -> None:
    old = light.run(tmp_path / "a", started="2026-01-01T00:00:00Z")
    new = light.run(tmp_path / "b", started="2026-02-01T00:00:00Z")
    light.run(tmp_path / "c", ACCURACY, started="2026-03-01T00:00:00Z")
    every = runs.find_runs(tmp_path)
    assert runs.newest(every, old.key, PERFORMANCE) == new
    (new.folder / "mlperf_log_summary.txt").unlink()
    assert runs.newest(every, old.key, PERFORMANCE) == old
    assert runs.newest(every, ("x", *old.key[1:]), PERFORMANCE) is None


def test_the_log_folder_is_given_set_or_the_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.delenv("LOG_DIR", raising=False)
    assert runs.log_folder(None) == tmp_path / "logs"
    monkeypatch.setenv("LOG_DIR", "/set")
    assert runs.log_folder(None) == Path("/set") and runs.log_folder("/given") == Path("/given")


# ── findings ───────────────────────────────────────────────────────────


def test_a_finding_is_a_line_and_its_next_step() -> None:
    one = Finding(Path("/tree/a/b"), "is wrong", "fix it")
    assert one.lines(Path("/tree")) == ["error: a/b: is wrong", "  next: fix it"]
    assert one.lines(Path("/other")) == one.lines() == ["error: /tree/a/b: is wrong", "  next: fix it"]
    assert Finding(Path("/x"), "so it is", error=False).lines() == ["note: /x: so it is"]
    own = Finding(Path("/x"), "ours", own=True)
    assert errors([one, own]) == [one, own] and errors(softened([one, own])) == [one]
    assert [finding.error for finding in softened([Finding(Path("/x"), "a note", error=False, own=True)])] == [False]
