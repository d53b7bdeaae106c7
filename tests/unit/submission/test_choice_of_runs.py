"""Which runs are paired, which pair is staged, and what is said of every other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, UsageError
from code.rules.rounds import round_named
from code.submission.check.finding import Finding, errors
from code.submission.stage import candidates, runs
from code.submission.stage.candidates import Candidate
from code.submission.stage.layout import POWER_FILES
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
