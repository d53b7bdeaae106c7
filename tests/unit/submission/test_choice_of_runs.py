"""Which runs are paired, which pair is staged, and what is said of every other one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, UsageError
from code.rules.rounds import round_named
from code.submission.check.finding import Finding, errors, softened
from code.submission.stage import candidates, inference, runs
from code.submission.stage.candidates import Candidate
from code.submission.stage.layout import LAYOUTS, POWER_FILES, Place
from code.submission.stage.runs import ACCURACY, PERFORMANCE
from tests.unit.submission import light

V61, V50 = round_named("v6.1"), round_named("v5.0")


def pair(root: Path, name: str = "a", **given: Any) -> tuple[Path, Path]:
    return light.write_run(root / name / "Offline", **given), light.write_run(root / name / "Offline.2", ACCURACY, **given)


def found(root: Path, *named: Path, **given: Any) -> tuple[list[Candidate], list[Finding]]:
    return candidates.from_logs(root, [str(path) for path in named], **given)


# ── pairs ──────────────────────────────────────────────────────────────


def test_a_pair_is_a_candidate_with_its_label(tmp_path: Path) -> None:
    performance, accuracy = pair(tmp_path)
    [one], findings = found(tmp_path)
    assert (one.performance, one.accuracy, findings) == (performance, accuracy, [])
    assert one.label == "bert-99 Offline on DGX_openvino" and one.key == ("DGX_openvino", "bert-99", "Offline")
    assert not one.tiny and one.open_only == "" and one.older == ()


def test_the_newest_pair_comes_first_and_the_older_ones_are_kept(tmp_path: Path) -> None:
    pair(tmp_path, "old", started="2026-01-01T00:00:00Z")
    new = pair(tmp_path, "new", started="2026-02-01T00:00:00Z")
    [one], _ = found(tmp_path)
    assert one.performance == new[0] and one.accuracy == new[1]
    assert {(older.performance.parent.name, older.accuracy.parent.name) for older in one.older} == {
        ("new", "old"),
        ("old", "new"),
        ("old", "old"),
    }


def test_an_accuracy_run_of_the_same_engine_and_settings_is_preferred(tmp_path: Path) -> None:
    performance, fitting = pair(tmp_path)
    light.write_run(tmp_path / "b" / "Offline.2", ACCURACY, engine="/engines/other", started="2026-03-01T00:00:00Z")
    light.write_run(tmp_path / "c" / "Offline.2", ACCURACY, batch=4, started="2026-03-01T00:00:00Z")
    [one], _ = found(tmp_path)
    assert (one.performance, one.accuracy, one.older) == (performance, fitting, ())
    (fitting / "accuracy.txt").unlink()
    [one], _ = found(tmp_path)
    assert one.accuracy.parent.name == "c", "the newest of all where none fits"


def test_an_incomplete_run_is_no_part_of_a_pair(tmp_path: Path) -> None:
    _, accuracy = pair(tmp_path)
    (accuracy / "INCOMPLETE").write_text("")
    none, [finding] = found(tmp_path)
    assert none == [] and finding.path == accuracy and finding.error and finding.check == "pair"
    assert finding.what == "INCOMPLETE marker: the run has not finished, or failed"
    assert finding.next_step == 'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --test_mode=AccuracyOnly"'


def test_each_missing_mode_is_named(tmp_path: Path) -> None:
    performance = light.write_run(tmp_path / "a" / "Offline")
    (performance / "mlperf_log_summary.txt").unlink()
    none, findings = found(tmp_path)
    assert none == []
    assert [finding.what for finding in findings] == [
        "no mlperf_log_summary.txt",
        "no AccuracyOnly run of bert-99 Offline on DGX_openvino",
    ]


def test_simulated_runs_are_left_out_with_a_note(tmp_path: Path) -> None:
    pair(tmp_path)
    light.write_run(tmp_path / "b" / "Offline", simulated=True, started="2026-09-01T00:00:00Z")
    [one], [finding] = found(tmp_path)
    assert (
        one.performance.parent.name == "a" and finding.what == "left out: simulated runs cannot be staged" and not finding.error
    )
    with pytest.raises(UsageError, match="simulated runs cannot be staged"):
        found(tmp_path, tmp_path / "b" / "Offline")


def test_no_runs_at_all_is_an_error_with_a_command(tmp_path: Path) -> None:
    with pytest.raises(MissingError) as caught:
        found(tmp_path)
    assert "no runs in" in caught.value.what and "--test_mode=SubmissionRun" in caught.value.next_step


# ── named runs ─────────────────────────────────────────────────────────


def test_a_named_run_goes_before_a_newer_one(tmp_path: Path) -> None:
    old, _ = pair(tmp_path, "old", started="2026-01-01T00:00:00Z")
    pair(tmp_path, "new", started="2026-02-01T00:00:00Z")
    [one], _ = found(tmp_path, old)
    assert one.performance == old and {older.performance for older in one.older} <= {old}
    [one], _ = candidates.from_logs(tmp_path / "empty", [str(path) for path in pair(tmp_path / "far")])
    assert one.performance.parent.parent.name == "far", "named runs need not lie below the log folder"


@pytest.mark.parametrize(
    ("harm", "words"),
    [("metadata.json", "is not a run folder"), ("mlperf_log_summary.txt", "is not complete")],
)
def test_a_named_folder_must_be_a_complete_run(tmp_path: Path, harm: str, words: str) -> None:
    performance, _ = pair(tmp_path)
    (performance / harm).unlink()
    with pytest.raises(UsageError, match=words):
        found(tmp_path, performance)


# ── rounds ─────────────────────────────────────────────────────────────


def test_runs_of_the_round_go_before_newer_ones_of_another(tmp_path: Path) -> None:
    pair(tmp_path, "ours", round_="v5.0", started="2026-01-01T00:00:00Z")
    pair(tmp_path, "theirs", round_="v6.1", started="2026-02-01T00:00:00Z")
    assert found(tmp_path, round_=V50)[0][0].performance.parent.name == "ours"
    assert found(tmp_path, round_=V61)[0][0].performance.parent.name == "theirs"


def test_workloads_of_another_round_are_left_out_unless_nothing_would_remain(tmp_path: Path) -> None:
    pair(tmp_path, "server", scenario="Server", round_="v5.0")
    pair(tmp_path, "offline")
    [one], [finding] = found(tmp_path, round_=V61)
    assert one.scenario == "Offline" and not finding.error and finding.check == "round"
    other = runs.other_round(runs.read_run(tmp_path / "server" / "Offline"), V61)  # type: ignore[arg-type]
    assert other and finding.what == f"left out: it was run for {other}, not for v6.1"
    named = [tmp_path / "server" / name for name in ("Offline", "Offline.2")]
    assert len(found(tmp_path, *named, round_=V61)[0]) == 2, "a named run is kept"
    assert len(found(tmp_path, *named[:1], round_=V61)[0]) == 1
    assert len(found(tmp_path)[0]) == 2 and found(tmp_path)[1] == []
    kept, findings = candidates.from_logs(tmp_path / "server", round_=V61)
    assert len(kept) == 1 and findings == []


def test_without_a_round_runs_of_the_benchmarks_newest_go_first(tmp_path: Path) -> None:
    older, newer = light.run(tmp_path / "a", round_="v5.0"), light.run(tmp_path / "b")
    assert runs.for_round([older, newer], None) == [newer, older]
    assert runs.for_round([newer, older], V50) == [older, newer]
    last = light.run(tmp_path / "c", round_="v5.0", benchmark_full="gptj-99")
    assert runs.for_round([newer, older, last], None) == [newer, last, older], "v5.0 is GPT-J's last round"
    other = light.run(tmp_path / "d", benchmark_full="other-99")
    assert runs.for_round([other, newer], None) == [newer, other]


def test_a_runs_round_is_told_by_its_seeds(tmp_path: Path) -> None:
    one = light.run(tmp_path / "a")
    assert runs.other_round(one, V61) == "" and runs.other_round(one, V50) == "v6.1"
    odd = light.run(tmp_path / "b")
    (odd.folder / "run.json").write_text('{"seeds": {"qsl_rng_seed": 1}}')
    assert runs.other_round(odd, V61) == ""


# ── the newest that can be staged ──────────────────────────────────────


def bad(*folders: str) -> Any:
    """A check that finds an error, and a note, in candidates of these folders."""

    def check(one: Candidate) -> list[Finding]:
        name = one.performance.parent.name
        return [
            Finding(one.performance, "a note", error=False),
            *([Finding(one.performance, f"{name} is bad")] if name in folders else []),
        ]

    return check


def test_an_older_pair_stands_in_with_a_note_on_the_newer(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two", "three"), 1):
        pair(tmp_path, name, engine=f"/engines/{name}", started=f"2026-0{number}-01T00:00:00Z")
    ones, _ = found(tmp_path)
    [kept], notes = candidates.newest_eligible(ones, bad("three", "two"))
    assert kept.performance.parent.name == "one"
    assert [note.what for note in notes] == [
        "passed over for an older run of bert-99 Offline on DGX_openvino: three is bad",
        "passed over for an older run of bert-99 Offline on DGX_openvino: two is bad",
    ]
    assert (
        not errors(notes) and notes[0].next_step.startswith("to stage it all the same: --runs=") and "three" in notes[0].next_step
    )
    assert candidates.newest_eligible(ones, bad()) == (ones, [])
    assert candidates.newest_eligible(ones, bad("one", "two", "three")) == (ones, []), "none fits: its errors are reported"


# ── what a pair must share ─────────────────────────────────────────────


def candidate(tmp_path: Path, performance: dict[str, Any] | None = None, accuracy: dict[str, Any] | None = None) -> Candidate:
    one = light.run(tmp_path / "p" / "Offline", PERFORMANCE, **(performance or {}))
    two = light.run(tmp_path / "a" / "Offline", ACCURACY, **(accuracy or {}))
    return Candidate(*one.key, one.folder, two.folder, one, two)


@pytest.mark.parametrize(
    ("accuracy", "check", "words"),
    [
        ({"engine": "/engines/other"}, "engine", "the accuracy run's engine is other, the performance run's is bert-model"),
        ({"batch": 4}, "config", "its settings differ from the performance run's: batch.size is 4, not 1"),
        ({"accuracy_pass": False, "summary_string": "F1 too low"}, "accuracy", "the accuracy run did not pass: F1 too low"),
        ({"accuracy_pass": None}, "accuracy", "the accuracy run did not pass"),
    ],
)
def test_a_pair_that_does_not_belong_together(tmp_path: Path, accuracy: dict[str, Any], check: str, words: str) -> None:
    [finding] = candidates.pair_findings(candidate(tmp_path, accuracy=accuracy))
    assert finding.error and finding.check == check and words in finding.what and finding.next_step


def test_a_pair_that_belongs_together_has_no_finding(tmp_path: Path) -> None:
    one = candidate(tmp_path)
    assert list(candidates.pair_findings(one)) == []
    assert list(candidates.pair_findings(Candidate("s", "bert-99", "Offline", tmp_path, tmp_path))) == [], "a tree has no runs"
    assert list(candidates.sealed_findings(Candidate("s", "bert-99", "Offline", tmp_path, tmp_path))) == []


def test_unsealed_runs_are_named_with_the_command_of_their_mode(tmp_path: Path) -> None:
    two = list(candidates.sealed_findings(candidate(tmp_path)))
    assert [finding.check for finding in two] == ["sealed"] * 2 and all("no digests" in finding.what for finding in two)
    assert ["PerformanceOnly" in two[0].next_step, "AccuracyOnly" in two[1].next_step] == [True, True]


def test_restrictions_of_either_run_hold_for_the_pair(tmp_path: Path) -> None:
    one = candidate(tmp_path, accuracy={"division_note": "open only: shortened"})
    assert one.open_only == "open only: shortened" and not one.tiny
    tiny = candidate(tmp_path / "t", {"model_variant": "tiny"})
    assert tiny.tiny and tiny.open_only == "open division only: the model is the tiny one"


def test_power_that_is_claimed_must_be_there(tmp_path: Path) -> None:
    claimed = candidate(tmp_path, {"config_name": "DGX-custom_k_99_MaxQ-Offline"})
    findings = list(candidates.power_findings(claimed))
    assert [finding.path.name for finding in findings] == [*POWER_FILES, "spl.txt"] and all(map(errors, [findings]))
    assert list(candidates.power_findings(candidate(tmp_path / "plain"))) == []
    (claimed.performance / "power").mkdir()
    for name in POWER_FILES:
        (claimed.performance / "power" / name).write_text("x")
    [finding] = candidates.power_findings(claimed)
    assert finding.path == claimed.performance / "spl.txt"
    (claimed.performance / "spl.txt").write_text("x")
    assert list(candidates.power_findings(claimed)) == []
    tree = tmp_path / "tree" / "performance"
    (tree / "power").mkdir(parents=True)
    of_a_tree = Candidate("s", "bert-99", "Offline", tree / "run_1", tree)
    assert len(list(candidates.power_findings(of_a_tree))) == len(POWER_FILES) + 1


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
