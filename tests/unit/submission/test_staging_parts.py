"""Staging by its parts: rounds of results, reasons to leave one out, trees of one layout, and what a run came to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import UsageError
from code.rules.rounds import Round, round_named
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.stage import lay_out, outcome, staging
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.layout import LAYOUTS, Place
from code.submission.stage.runs import ACCURACY, read_run
from tests.unit.submission import light

V41, V51, V61 = round_named("v4.1"), round_named("v5.1"), round_named("v6.1")


def who(round_: Round | None = V61) -> Identity:
    return Identity("Example", "open", "edge", "available", round_)


def candidate(folder: Path, benchmark: str = "bert-99", scenario: str = "Offline", **metadata: Any) -> Candidate:
    given = {"benchmark_full": benchmark, "benchmark_short": benchmark.partition("-")[0], "scenario": scenario, **metadata}
    one = light.run(folder / "p" / scenario, **given)
    other = light.run(folder / "a" / scenario, ACCURACY, **given)
    return Candidate(*one.key, one.folder, other.folder, one, other)


def claim(one: Candidate, division: str = "open", category: str = "edge", round_: Round = V61) -> Claim:
    return Claim(one.benchmark, one.scenario, division, category, round_, one.tiny)


# ── Rounds and reasons ────────────────────────────────────────────────────────────────────────────────────


def test_each_benchmark_goes_to_the_round_that_was_asked_for_or_its_newest(tmp_path: Path) -> None:
    several = [candidate(tmp_path / "b", "bert-99.9"), candidate(tmp_path / "u", "3d-unet-99")]
    assert staging.rounds_for(several, who(V51)) == {"bert-99.9": V51, "bert-99": V51, "3d-unet-99": V51}
    newest = staging.rounds_for(several, who(None))
    assert newest["bert-99.9"] is newest["bert-99"] is V61, "a result at 99.9 may stand for 99"
    assert "3d-unet-99.9" not in newest and newest["3d-unet-99"].name in one_round_of("3d-unet")
    assert staging.rounds_for([candidate(tmp_path / "c", "bert-99")], who(None)) == {"bert-99": V61}


def one_round_of(name: str) -> set[str]:
    from code.rules.benchmarks import facts_of

    return set(facts_of(name).rounds)


def test_a_round_without_the_benchmark_is_a_reason_with_its_remedy(tmp_path: Path) -> None:
    one = candidate(tmp_path, "gptj-99")
    (found,) = staging.check(one, claim(one))
    assert found.error and found.check == "round" and found.what == "v6.1 has no gptj-99"
    assert "ROUND=…" in found.next_step and "leave gptj-99 out with --benchmarks" in found.next_step


def test_what_is_for_open_only_is_refused_in_closed_alone(tmp_path: Path) -> None:
    one = candidate(tmp_path, division_note="open division only: shortened")
    (found,) = staging.check(one, claim(one, "closed"))
    assert found.error and found.check == "open_only" and found.next_step == "stage it with DIVISION=open"
    assert found.what == "not allowed in closed: open division only: shortened"
    assert "open_only" not in {other.check for other in staging.check(one, claim(one))}


def test_a_category_without_the_benchmark_is_refused_in_closed_alone(tmp_path: Path) -> None:
    one = candidate(tmp_path)
    (found,) = staging.check(one, claim(one, "closed", "datacenter"))
    assert found.error and found.check == "category" and found.what == "v6.1 has no bert-99 in closed datacenter"
    for division, category in (("open", "datacenter"), ("closed", "edge")):
        assert "category" not in {other.check for other in staging.check(one, claim(one, division, category))}
    both = candidate(tmp_path / "both", division_note="open division only: x")
    assert [other.check for other in staging.check(both, claim(both, "closed", "datacenter"))] == ["open_only", "category"]


def test_every_check_of_the_logs_the_seal_and_the_pair_is_made(tmp_path: Path) -> None:
    """The runs here are no LoadGen runs, so that each of these finds something."""
    one = candidate(tmp_path)
    other = candidate(tmp_path / "other", engine="/engines/another")
    pair = replace(one, accuracy=other.accuracy, accuracy_run=other.accuracy_run)
    found = staging.check(pair, claim(pair))
    assert {str(finding.path.parent) for finding in found} >= {str(pair.performance), str(pair.accuracy)}
    assert {"readable", "accuracy", "sealed", "engine"} <= {finding.check for finding in found} and all(
        f.next_step for f in found if f.error
    )


# ── What stops a tree ─────────────────────────────────────────────────────────────────────────────────────


def test_trees_of_two_layouts_are_refused_by_name(tmp_path: Path) -> None:
    old, new = candidate(tmp_path / "o", "gptj-99"), candidate(tmp_path / "n")
    staging._require_one_layout([(old, claim(old, round_=V51)), (old, claim(old, round_=V41))])
    staging._require_one_layout([])
    with pytest.raises(UsageError) as caught:
        staging._require_one_layout([(new, claim(new)), (old, claim(old, round_=V51)), (old, claim(old, round_=V51))])
    assert caught.value.why == "bert-99 for v6.1, gptj-99 for v5.1" and "ROUND=…" in caught.value.next_step


def test_nothing_staged_names_the_first_reason_and_up_to_three_more() -> None:
    notes = [Finding(Path("/n"), "a note", "", error=False)]
    reasons = [Finding(Path(f"/r{number}"), f"reason {number}", f"step {number}") for number in range(6)]
    error = staging._nothing_staged([*notes, *reasons])
    assert error.what == "nothing could be staged" and error.next_step == "step 0"
    assert error.why == "/r0: reason 0 (and 5 more: reason 1; reason 2; reason 3)"
    assert staging._nothing_staged(reasons[:1]).why == "/r0: reason 0"
    assert staging._nothing_staged(reasons[:2]).why == "/r0: reason 0 (and 1 more: reason 1)"
    assert staging._nothing_staged(notes).why == "/n: a note" and "make run" in staging._nothing_staged(notes).next_step
    assert staging._nothing_staged([]).why == "no pair of complete runs"


def test_a_result_that_gives_way_is_a_note(tmp_path: Path) -> None:
    found = staging._given_way(candidate(tmp_path), V61)
    assert not found.error and found.check == "checker" and "--infer=false" in found.next_step
    assert V61.checkers[0].commit[:12] in found.what and V61.checkers[0].commit[:13] not in found.what
    assert found.what.startswith("left out: ") and "bert-99 Offline" in found.what


# ── Files of a result ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "implementation"),
    [
        ("DGX_TensorRT_Offline.json", "TensorRT"),
        ("DGX_my_own_Offline.json", "my_own"),
        ("DGX_Offline.json", "custom"),
        ("DGX.json", "custom"),
        ("measurements.json", "measurements"),
    ],
)
def test_the_implementation_is_between_the_system_and_the_scenario(name: str, implementation: str) -> None:
    assert lay_out._implementation_in(name, Place("open", "Example", "DGX", "bert-99", "Offline")) == implementation


def test_measurements_of_a_tree_are_taken_over_with_what_lies_beside_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    content = {"retraining": "No", "mine": [1]}
    (source / "DGX_TensorRT_Offline.json").write_text(json.dumps(content))
    for name in (*lay_out.MEASUREMENT_FILES, "notes.txt"):
        (source / name).write_text(name)
    one = replace(
        candidate(tmp_path),
        performance_run=None,
        accuracy_run=None,
        tree_files={"measurements": source / "DGX_TensorRT_Offline.json"},
    )
    place = Place("open", "Example", "DGX", "bert-99", "Offline")
    lay_out._measurements(tmp_path / "tree", LAYOUTS["beside"], place, one, claim(one, round_=V41), who())
    folder = LAYOUTS["beside"].measurements_dir(tmp_path / "tree", place)
    assert json.loads((folder / "DGX_TensorRT_Offline.json").read_text()) == content
    assert {path.name for path in folder.iterdir()} == {"DGX_TensorRT_Offline.json", *lay_out.MEASUREMENT_FILES}
    bare = replace(one, tree_files={})
    lay_out._measurements(tmp_path / "bare", LAYOUTS["beside"], place, bare, claim(bare, round_=V41), who())
    assert list(LAYOUTS["beside"].measurements_dir(tmp_path / "bare", place).iterdir()) == []


def test_folders_that_are_left_empty_go_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/d").mkdir()
    (tmp_path / "a/d/file").write_text("x")
    lay_out._drop_empty(tmp_path / "a")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["a", "a/d", "a/d/file"]


def test_only_what_is_there_is_copied(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from/a").write_text("a")
    (tmp_path / "from/folder").mkdir()
    lay_out._copy(tmp_path / "from", tmp_path / "to/deep", ("a", "b", "folder"))
    assert [path.name for path in (tmp_path / "to/deep").iterdir()] == ["a"]


# ── What a run came to ────────────────────────────────────────────────────────────────────────────────────

SCORES = [
    {"name": "F1", "value": 90.1239, "threshold": 89.0, "pass": True},
    {"name": "EM", "value": 80, "threshold": 1, "pass": True},
]
OUTCOMES: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "a rate": ("Offline", {"result_samples_per_second": 1234.56}, "1,234.6 samples/s", {"value": 1234.56, "unit": "samples/s"}),
    "queries": (
        "Server",
        {"result_completed_samples_per_sec": 99},
        "99 queries/s",
        {"value": 99.0, "unit": "queries/s"},
    ),
    "a latency": (
        "SingleStream",
        {"result_90.00_percentile_latency_ns": 2_500_000},
        "2.5 ms (90 %)",
        {"value": 2.5, "unit": "ms", "percentile": 90.0},
    ),
    "a latency of queries": (
        "MultiStream",
        {"result_99.00_percentile_per_query_latency_ns": 4e6},
        "4 ms (99 %)",
        {"value": 4.0, "unit": "ms", "percentile": 99.0},
    ),
    "no result": ("Offline", {}, "-", {"value": None, "unit": None}),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_result_as_text_and_as_numbers(tmp_path: Path, name: str) -> None:
    scenario, metadata, text, numbers = OUTCOMES[name]
    run = light.run(tmp_path / scenario, scenario=scenario, **metadata)
    assert outcome.result(run) == text and outcome.value(run) == pytest.approx(numbers)


def test_scores_as_text_and_as_numbers(tmp_path: Path) -> None:
    run = light.run(tmp_path / "Offline", ACCURACY, accuracy=SCORES)
    assert outcome.result(run) == "F1 90.124, EM 80.000"
    assert outcome.value(run) == {"accuracy": [{"name": "F1", "value": 90.1239}, {"name": "EM", "value": 80}]}
    bare = light.run(tmp_path / "bare" / "Offline", ACCURACY)
    assert outcome.result(bare) == "" and outcome.value(bare) == {"accuracy": []}


@pytest.mark.parametrize(
    ("mode", "metadata", "word"),
    [
        ("PerformanceOnly", {"result_validity": "VALID"}, "VALID"),
        ("PerformanceOnly", {"result_validity": "INVALID"}, "INVALID"),
        ("PerformanceOnly", {}, "?"),
        ("PerformanceOnly", {"result_validity": "VALID", "simulated": True}, "VALID, SIMULATED"),
        ("PerformanceOnly", {"result_validity": "VALID", "power": {"dry_run": True}}, "VALID, power DRY RUN"),
        ("PerformanceOnly", {"result_validity": "VALID", "division_note": "open division only: x"}, "VALID, open only"),
        (ACCURACY, {"accuracy_pass": True}, "PASSED"),
        (ACCURACY, {"accuracy_pass": False}, "FAILED"),
    ],
)
def test_the_verdict_in_one_word(tmp_path: Path, mode: str, metadata: dict[str, Any], word: str) -> None:
    assert outcome.verdict(light.run(tmp_path / "Offline", mode, **metadata)) == word


def test_an_incomplete_run_says_what_it_lacks(tmp_path: Path) -> None:
    folder = light.write_run(tmp_path / "Offline", result_validity="VALID")
    (folder / "mlperf_log_summary.txt").unlink()
    run = read_run(folder)
    assert run is not None and outcome.verdict(run).startswith("incomplete: ") and "summary" in outcome.verdict(run)


# ── A whole tree ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def staged(whole_source: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> staging.Staged:
    """A tree of one result whose logs are not judged, of a small project."""
    root = tmp_path / "project"
    for name in (
        "code/main.py",
        "code/__pycache__/main.pyc",
        "code/only/.hidden",
        "Makefile",
        "documentation/submission_guide.md",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setattr(lay_out, "project_root", lambda: root)
    monkeypatch.setattr(staging, "check", lambda _one, _claim: [])
    monkeypatch.setattr(lay_out, "stored_tests", lambda _one, _round: {})
    monkeypatch.setattr(lay_out.system_file, "write", lambda path, _one, _who: (path.parent.mkdir(), path.write_text("{}")))
    one = candidate(tmp_path / "runs", model_variant="tiny")
    (one.performance / "user.conf").write_text("bert.Offline.target_qps = 1\n")
    (one.performance / "power").mkdir()
    (one.performance / "power/client.json").write_text("{}")
    return staging.stage([one], [], who(), tmp_path / "tree")


def test_the_files_of_a_staged_tree(staged: staging.Staged) -> None:
    found = {path.relative_to(staged.root).as_posix() for path in staged.root.rglob("*") if path.is_file()}
    result = "open/Example/results/DGX_openvino/bert-99/Offline"
    assert found == {
        f"{result}/performance/run_1/mlperf_log_summary.txt",
        f"{result}/performance/run_1/mlperf_log_detail.txt",
        f"{result}/performance/power/client.json",
        *(f"{result}/accuracy/{name}" for name in lay_out.layout.ACCURACY_FILES),
        *(f"{result}/{name}" for name in ("measurements.json", "README.md", "user.conf")),
        "open/Example/systems/DGX_openvino.json",
        "open/Example/documentation/calibration.md",
        "open/Example/documentation/submission_guide.md",
        "open/Example/src/harness/code/main.py",
        "open/Example/src/harness/Makefile",
        "open/Example/src/bert-99/README.md",
    }
    assert not [path for path in staged.root.rglob("*") if path.is_dir() and not any(path.iterdir())]
    assert json.loads((staged.root / result / "measurements.json").read_text())["round"] == "v6.1"
    assert "not quantised" in (staged.root / "open/Example/documentation/calibration.md").read_text()


def test_what_is_noted_and_recorded_of_a_staged_tree(staged: staging.Staged, tmp_path: Path) -> None:
    ((place, round_, one),) = staged.results
    assert place == Place("open", "Example", "DGX_openvino", "bert-99", "Offline") and round_ is V61
    assert [(note.check, note.error) for note in staged.findings] == [("audit", False)]
    kept = staging.read_record(staged.root)
    assert {name: kept[name] for name in ("submitter", "division", "category")} == {
        "submitter": "Example",
        "division": "open",
        "category": "edge",
    }
    (entry,) = kept["results"]
    assert (entry["round"], entry["tiny"], entry["inferred"]) == ("v6.1", True, "")
    assert (entry["performance_run"], entry["accuracy_run"]) == (str(one.performance), str(one.accuracy))
    assert entry["benchmark"] == "bert-99" and len(kept["files"]) == 9 and tmp_path in staged.root.parents


def test_audits_are_copied_and_those_that_are_missing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, place = candidate(tmp_path), Place("closed", "Example", "DGX", "bert-99", "Offline")
    stored = tmp_path / "stored"
    stored.mkdir()
    for name in ("verify_performance.txt", "audit.json"):
        (stored / name).write_text("x")
    for found, missing in (({}, "TEST01, TEST05"), ({"TEST01": stored}, "TEST05"), ({"TEST01": stored, "TEST05": stored}, "")):
        monkeypatch.setattr(lay_out, "stored_tests", lambda _one, _round, found=found: found)
        root = tmp_path / f"tree{len(found)}"
        told = lay_out._tests(root, LAYOUTS["beside"], place, one, claim(one, "closed", round_=V41))
        assert [note.what for note in told] == ([f"{missing} missing"] if missing else [])
        target = LAYOUTS["beside"].compliance_dir(root, place)
        assert {path.name: [inner.name for inner in path.iterdir()] for path in target.glob("*")} == {
            name: ["verify_performance.txt"] for name in found
        }
