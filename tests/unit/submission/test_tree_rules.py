"""Rules for the files of a tree, each by itself: since v6.0 and before, of a result with power and of one without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.rules.rounds import round_named
from code.submission.check import audit_checks, result_files, tree_structure
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.check.tree_structure import Tree
from code.submission.stage import layout

V41, V61 = round_named("v4.1"), round_named("v6.1")
ROUNDS = pytest.mark.parametrize("name", ["v4.1", "v6.1"])


def kinds(findings: list[Finding]) -> list[tuple[str, bool]]:
    assert all(one.next_step for one in findings)
    return [(one.check, one.own) for one in findings]


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# ── Structure ─────────────────────────────────────────────────────────────────────────────────────────────


@ROUNDS
def test_what_lies_beside_the_divisions(tmp_path: Path, name: str) -> None:
    """The script before v6.0 refuses all but a few pages and folders of the repository."""
    tree, modern = Tree(tmp_path, round_named(name)), name == "v6.1"
    put(tmp_path / "closed/Example/systems/x.json")
    expected = {}
    for entry, overlooked in (("notes.txt", False), ("README.md", True), ("plan.pdf", True), ("open", False)):
        expected[put(tmp_path / entry)] = overlooked
    for folder, overlooked in ((".github", True), ("assets", True), ("old", False), ("page.md", False)):
        (tmp_path / folder).mkdir()
        expected[tmp_path / folder] = overlooked
    found = list(tree_structure._divisions(tree))
    assert {one.path: one.own for one in found} == {path: modern or overlooked for path, overlooked in expected.items()}
    assert all(one.check == "structure" and one.error for one in found)


@ROUNDS
def test_what_lies_beside_the_submitters(tmp_path: Path, name: str) -> None:
    put(tmp_path / "open/notes.txt")
    for submitter in ("Example", "Other"):
        (tmp_path / "open" / submitter).mkdir()
    every = list(tree_structure._beside_submitters(tmp_path / "open", Tree(tmp_path, round_named(name))))
    assert [(one.path.name, one.own) for one in every] == [("notes.txt", name == "v6.1")]
    one_submitter = Tree(tmp_path, round_named(name), "Example")
    both = list(tree_structure._beside_submitters(tmp_path / "open", one_submitter))
    assert [(one.path.name, one.own) for one in both] == [("Other", True), ("notes.txt", name == "v6.1")]
    assert [path.name for path in one_submitter.submitters()] == ["Example"]
    assert [path.name for path in Tree(tmp_path, V61).submitters()] == ["Example", "Other"]


@ROUNDS
def test_what_a_submitter_must_have(tmp_path: Path, name: str) -> None:
    shape = Tree(tmp_path, round_named(name)).shape
    source = tmp_path / Path(shape.source).name
    (tmp_path / "documentation").mkdir()
    assert sorted(one.what.partition(",")[0] for one in tree_structure._submitter(tmp_path, shape)) == [
        "the page on calibration is missing",
        "the source code is missing",
    ]
    source.mkdir()
    put(tmp_path / "documentation/calibration.md", "")
    listed = list(tree_structure._submitter(tmp_path, shape))
    assert kinds(listed) == [("structure", False), ("structure", True)], "an empty folder and an empty page are none"
    put(source / "bert-99/README.md")
    for page in ("documentation/calibration.md", "calibration.md", "documentation/calibration.adoc", "calibration/a/README.md"):
        path = put(tmp_path / page)
        allowed = [one for one in tree_structure._submitter(tmp_path, shape) if "calibration/" not in str(one.path)]
        assert [one.path.name for one in allowed if one.path.name != "calibration"] == [], page
        path.unlink()
    put(tmp_path / "Makefile")
    assert "Makefile" in [one.path.name for one in tree_structure._submitter(tmp_path, shape) if one.own]


@ROUNDS
def test_names_links_and_empty_folders(tmp_path: Path, name: str) -> None:
    round_, modern = round_named(name), name == "v6.1"
    for bad in (".hidden", "a b", ".a b"):
        assert kinds(list(tree_structure._entry(put(tmp_path / bad), round_))) == [("structure", False)]
    for good in ("a.b", "a_b", "a-b"):
        assert list(tree_structure._entry(put(tmp_path / good), round_)) == []
    put(tmp_path / "__pycache__/a.pyc")
    assert kinds(list(tree_structure._entry(tmp_path / "__pycache__", round_))) == [("structure", modern)]
    (tmp_path / "empty").mkdir()
    (one,) = tree_structure._entry(tmp_path / "empty", round_)
    assert one.own is modern and ("official checker rejects" in one.what) is not modern
    put(tmp_path / "full/a")
    assert list(tree_structure._entry(tmp_path / "full", round_)) == []
    (tmp_path / "link").symlink_to(tmp_path / "full")
    (tmp_path / "broken").symlink_to(tmp_path / "none")
    for linked in ("link", "broken"):
        (one,) = tree_structure._entry(tmp_path / linked, round_)
        assert "symbolic links" in one.what and not one.own


@ROUNDS
@pytest.mark.parametrize("power", [False, True])
def test_files_that_are_allowed_beside_the_logs(tmp_path: Path, name: str, power: bool) -> None:
    """Since v6.0 a checker compares the files with a list only where power was measured."""
    result, round_ = tmp_path / "Offline", round_named(name)
    (result / "performance").mkdir(parents=True)
    if power:
        (result / "performance/power").mkdir()
    seen = power or name == "v4.1"
    run = result / "performance/run_1"
    for good in (*layout.PERFORMANCE_FILES, "mlperf_log_accuracy.json", "results.json", ".gitkeep"):
        listed = [one for one in tree_structure._file(put(run / good), round_) if good in tree_structure.TOLERATED or one]
        assert all(one.own for one in listed), good
    (spl,) = tree_structure._file(put(run / "spl.txt"), round_) if not power else (None,)
    assert spl is None or (spl.check, spl.own) == ("forbidden", not seen)
    assert not power or list(tree_structure._file(put(run / "spl.txt"), round_)) == []
    assert kinds(list(tree_structure._file(put(run / "notes.txt"), round_))) == [("forbidden", not seen)]
    for bad in ("INCOMPLETE", "audit.config"):
        (one,) = tree_structure._file(put(run / bad), round_)
        assert (one.check, one.own) == ("forbidden", not seen) and one.next_step == f"remove it: rm {run / bad}"
    (trace,) = tree_structure._file(put(run / "mlperf_log_trace.json"), round_)
    assert trace.own, "every checker overlooks it"
    (elsewhere,) = tree_structure._file(put(tmp_path / "documentation/INCOMPLETE"), round_)
    assert elsewhere.own
    assert list(tree_structure._file(put(tmp_path / "documentation/notes.txt"), round_)) == []
    assert list(tree_structure._file(put(tmp_path / "TEST01/performance/run_1/notes.txt"), round_)) == [], "audits have their own"
    for good in layout.ACCURACY_FILES:
        assert list(tree_structure._file(put(result / "accuracy" / good), round_)) == []
    assert kinds(list(tree_structure._file(put(result / "accuracy/notes.txt"), round_))) == [("forbidden", name == "v6.1")]


def test_a_file_at_the_limit_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FILE_LIMIT_BYTES", 2 * 2**20)
    path = put(tmp_path / "a.bin", "x" * (2 * 2**20))
    assert list(tree_structure._file(path, V61)) == []
    path.write_text("x" * (2 * 2**20 + 1))
    (one,) = tree_structure._file(path, V61)
    assert one.check == "size" and one.what == "2.0 MiB; the limit is 2 MiB" and "leave it out" in one.next_step
    (log,) = tree_structure._file(path.rename(tmp_path / layout.ACCURACY_LOG), V61)
    assert log.next_step == "make truncate_results"


# ── A result's own files ──────────────────────────────────────────────────────────────────────────────────


def judged(tmp_path: Path, text: str, entries: list[dict[str, Any]]) -> list[str]:
    path = put(tmp_path / "accuracy.txt", text)
    claim = Claim("bert-99", "Offline", "open", "edge", V61, tiny=True)
    content = {"accuracy": [{"pass": True, **entry} for entry in entries]}
    return [one.what for one in result_files._own_targets(tmp_path / "measurements.json", content, path, claim)]


@pytest.mark.parametrize(
    ("score", "value", "threshold", "words"),
    [
        ("95.5", 95.5, 95.5, []),
        ("95.5", 95.5, 95.6, ["F1 is 95.5; the target is 95.6"]),
        ("95.5", 95.54, 90.0, []),
        ("95.5", 95.56, 90.0, ["F1 is 95.5, but measurements.json recorded 95.56"]),
        ("95.50000001", 95.50000002, 90.0, []),
        ("95.50000", 95.50009, 90.0, []),
        ("95.50000", 95.5002, 90.0, ["F1 is 95.5, but measurements.json recorded 95.5002"]),
        ("95.50000000", 95.5002, 90.0, ["F1 is 95.5, but measurements.json recorded 95.5002"]),
    ],
)
def test_the_tiny_models_score_meets_its_target_and_is_the_recorded_one(
    tmp_path: Path, score: str, value: float, threshold: float, words: list[str]
) -> None:
    """As far as it is printed: half a unit of its last digit, or a millionth."""
    text = f'{{"exact_match": 80.0, "f1": {score}}}\n'
    assert judged(tmp_path, text, [{"name": "F1", "value": value, "threshold": threshold}]) == words


def test_scores_that_are_not_recorded_or_not_printed_are_not_compared(tmp_path: Path) -> None:
    text = '{"exact_match": 80.0, "f1": 95.5}\n'
    assert judged(tmp_path, text, []) == []
    assert judged(tmp_path, "nothing\n", [{"name": "F1", "value": 1.0, "threshold": 90.0}]) == []
    assert judged(tmp_path, text, [{"name": "mine", "value": 1.0, "threshold": 90.0}]) == []


@pytest.mark.parametrize(
    ("entries", "bounds"),
    [
        ([{"threshold": 1}], [(True, 1.0)]),
        ([{"threshold": 5}, {"threshold": 9}], [(True, 5.0), (False, 9.0)]),
        ([{"threshold": 9}, {"threshold": 5}], [(False, 9.0), (True, 5.0)]),
        ([{"threshold": 5, "most": True}], [(False, 5.0)]),
        ([{"threshold": 5, "most": False}, {"threshold": 9, "most": False}], [(True, 5.0), (True, 9.0)]),
    ],
)
def test_bounds_are_least_or_most(entries: list[dict[str, Any]], bounds: list[tuple[bool, float]]) -> None:
    assert list(result_files._bounds(entries)) == bounds


# ── Audits ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_line_of_a_verdict_is_needed(tmp_path: Path) -> None:
    groups = audit_checks.VERDICTS["TEST06"]["verify_accuracy.txt"]
    right = ["First token check pass: Skipped", "EOS check pass: True", "Sample length check pass: True"]
    path = tmp_path / "verify_accuracy.txt"
    assert audit_checks._says(put(path, "\n".join(right)), groups)
    assert audit_checks._says(put(path, "\n".join([right[0].replace("Skipped", "True"), *right[1:], "more"])), groups)
    for number in range(3):
        assert not audit_checks._says(put(path, "\n".join(right[:number] + right[number + 1 :])), groups)
    assert not audit_checks._says(put(path, "\n".join(line.replace("True", "False") for line in right)), groups)
    assert audit_checks._says(put(path, "\ufeff  TEST PASS  \n"), (("TEST PASS",),))
    assert not audit_checks._says(put(path, "no TEST PASS\n"), (("TEST PASS",),))


def scores(folder: Path, base: str, other: str) -> list[Finding]:
    for name, score in ((audit_checks.BASELINE, base), (audit_checks.COMPLIANCE, other)):
        put(folder / "accuracy" / name, f'{{"exact_match": 80.0, "f1": {score}}}\n')
    claim = Claim("bert-99.9", "Offline", "closed", "edge", V61)
    return list(audit_checks._by_score(folder, claim, "again"))


def test_scores_of_an_audit_may_be_a_little_apart(tmp_path: Path) -> None:
    assert scores(tmp_path, "90.0", "90.0") == [] == scores(tmp_path, "90.0", "90.08")
    (one,) = scores(tmp_path, "90.0", "90.2")
    assert one.what == "the scores differ too much: F1 90 and 90.2; 0.1 % is allowed" and one.path.name == audit_checks.COMPLIANCE
    (none,) = scores(tmp_path, "90.0", '"x"')
    assert "F1 90 and 0;" in none.what
    (tmp_path / "accuracy" / audit_checks.COMPLIANCE).unlink()
    (absent,) = audit_checks._by_score(tmp_path, Claim("bert-99", "Offline", "closed", "edge", V61), "again")
    assert absent.what == f"TEST01 did not pass, and there is no {audit_checks.COMPLIANCE}" and absent.next_step == "again"


@ROUNDS
@pytest.mark.parametrize("passed", [True, False])
def test_files_beside_responses_are_looked_at_before_v6(tmp_path: Path, name: str, passed: bool) -> None:
    folder, claim = tmp_path / "TEST01", Claim("bert-99", "Offline", "closed", "edge", round_named(name))
    put(folder / "verify_accuracy.txt", "TEST PASS\n" if passed else "TEST FAIL\n")
    for file in (layout.ACCURACY_LOG, "accuracy.txt", audit_checks.BASELINE, "notes.txt", "results.json"):
        put(folder / "accuracy" / file)
    stray = {one.path.name for one in audit_checks._strays(folder, claim)}
    if name == "v6.1":
        assert stray == set()
    else:
        assert stray == {"notes.txt", *([audit_checks.BASELINE] if passed else [])}
        (folder / "accuracy/accuracy.txt").unlink()
        assert "accuracy.txt" in {one.path.name for one in audit_checks._strays(folder, claim) if one.what == "missing"}
    put(folder / audit_checks.RUN / "notes.txt")
    put(folder / audit_checks.RUN / layout.PERFORMANCE_FILES[0])
    assert "notes.txt" in {one.path.name for one in audit_checks._strays(folder, claim)}
    assert list(audit_checks._strays(tmp_path / "TEST04", claim)) == []


def test_the_same_run_is_told_by_its_file_or_its_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.logs import log_of

    result = tmp_path / "result"
    own = put(result / "mlperf_log_detail.txt", "a")
    other = put(tmp_path / "audit/mlperf_log_detail.txt", "b")

    def same(ours: dict[str, Any], theirs: dict[str, Any], path: Path = other) -> bool:
        monkeypatch.setattr(audit_checks.loadgen_log, "read_detail", lambda _: log_of(**theirs))
        log = log_of(**ours)
        return audit_checks._same_run(type(log)(path, log.entries), result)

    moments = {"test_datetime": "2026-01-01T00:00:00Z", "power_begin": "01-01-2026 00:00:01.234"}
    assert same({}, {}, own), "the very file"
    assert same(moments, moments)
    for key in moments:
        assert not same(moments, {**moments, key: "later"})
        assert not same({**moments, key: "later"}, moments)
        assert not same({k: v for k, v in moments.items() if k != key}, {k: v for k, v in moments.items() if k != key})


def test_json_that_is_read_at_the_door_is_not_needed_here() -> None:
    """The table of verdicts covers every audit that has files."""
    assert set(audit_checks.VERDICTS) == set(audit_checks.FILES) >= set(audit_checks.LOGGED)
    assert json.dumps(audit_checks.MOMENTS)


def audited(folder: Path, **verdicts: str) -> list[tuple[str, str]]:
    """The findings on the audits of a closed result of v4.1, which asks for TEST01 and TEST05; their logs are not read here."""
    claim = Claim("bert-99", "Offline", "closed", "edge", V41)
    for test, files in audit_checks.FILES.items():
        for name in files if test in ("TEST01", "TEST05") else ():
            put(folder / test / name, "TEST PASS\n")
    put(folder / "TEST01/accuracy/accuracy.txt")
    for name, text in verdicts.items():
        test, _, file = name.partition("_")
        put(folder / test / f"{file}.txt", text)
    found = list(audit_checks.check(folder, claim, folder / "result"))
    assert all(one.error and one.check == "audit" and one.next_step for one in found)
    return [(str(one.path.relative_to(folder)), one.what) for one in found]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """Which logs of audits were looked at."""
    seen: list[tuple[Path, str]] = []

    def own_log(folder: Path, claim: Claim, test: str, step: str, result: Path) -> list[Finding]:
        assert claim.benchmark == "bert-99" and "--scenarios=Offline" in step and "ROUND=v4.1" in step and result.name == "result"
        seen.append((folder, test))
        return []

    monkeypatch.setattr(audit_checks, "_own_log", own_log)
    return seen


def test_audits_that_passed_and_whose_log_is_read(tmp_path: Path, unread: list[tuple[Path, str]]) -> None:
    assert audited(tmp_path) == []
    assert unread == [(tmp_path / test / audit_checks.RUN, test) for test in ("TEST01", "TEST05")]


@pytest.mark.parametrize("test", ["TEST01", "TEST05"])
def test_each_file_of_an_audit_is_missed(tmp_path: Path, test: str, unread: list[tuple[Path, str]]) -> None:
    audited(tmp_path)
    claim = Claim("bert-99", "Offline", "closed", "edge", V41)
    for name in audit_checks.FILES[test]:
        path = tmp_path / test / name
        path.rename(tmp_path / "kept")
        found = list(audit_checks.check(tmp_path, claim, tmp_path / "result"))
        assert [(one.path, one.what) for one in found] == [(path, f"{test} is missing or incomplete")]
        assert found[0].next_step.startswith('make run_audit_harness RUN_ARGS="--benchmarks=bert --scenarios=Offline" ROUND=v4.1')
        (tmp_path / "kept").rename(path)
    (tmp_path / test / audit_checks.RUN / "mlperf_log_detail.txt").unlink()
    unread.clear()
    list(audit_checks.check(tmp_path, claim, tmp_path / "result"))
    assert test not in {name for _, name in unread} and len(unread) == 1


def test_verdicts_that_are_no_pass(tmp_path: Path, unread: list[tuple[Path, str]]) -> None:
    assert audited(tmp_path, TEST05_verify_performance="TEST FAIL\n") == [
        ("TEST05/verify_performance.txt", "TEST05 did not pass")
    ]
    speed = audited(tmp_path, TEST01_verify_performance="TEST FAIL\n")
    assert speed == [("TEST01/verify_performance.txt", "TEST01 did not pass")], "the scores say nothing of speed"
    answers = audited(tmp_path, TEST01_verify_accuracy="TEST FAIL\n")
    assert answers == [("TEST01/verify_accuracy.txt", f"TEST01 did not pass, and there is no {audit_checks.BASELINE}")]


def test_what_an_audits_own_log_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from code.common.errors import RunError
    from tests.unit.logs import log_of

    claim = Claim("bert-99", "Offline", "closed", "edge", V41)
    seeds: list[Any] = []

    def audit(_folder: Path, _claim: Claim, given: Any) -> list[Finding]:
        seeds.append(given)
        return [Finding(tmp_path, "too short", "first step", check="duration")]

    plain = log_of()
    warned = type(plain.entries[0])("warning", "Found Audit Config file (audit.config).", 0.0, False, True, "x.cc", 1, 5)
    monkeypatch.setattr(audit_checks.log_checks, "audit", audit)
    monkeypatch.setattr(audit_checks.loadgen_log, "read_detail", lambda _: plain)
    found = list(audit_checks._own_log(tmp_path, claim, "TEST01", "again", tmp_path / "result"))
    assert [(one.what, one.next_step, one.check) for one in found] == [
        ("TEST01: too short", "again", "duration"),
        ("TEST01: LoadGen ran without an audit.config, so this is not an audit run", "again", "audit"),
    ]
    monkeypatch.setattr(audit_checks.loadgen_log, "read_detail", lambda _: type(plain)(plain.path, (warned, *plain.entries)))
    assert [one.check for one in audit_checks._own_log(tmp_path, claim, "TEST05", "again", tmp_path / "result")] == ["duration"]
    assert seeds == [V41.seeds, V41.test05_seeds]
    put(tmp_path / "result/mlperf_log_detail.txt")
    monkeypatch.setattr(audit_checks, "_same_run", lambda _log, _result: True)
    same = list(audit_checks._own_log(tmp_path, claim, "TEST01", "again", tmp_path / "result"))
    assert same[-1].what == "TEST01: this is the log of the result itself, not of an audit run" and len(same) == 2

    def unreadable(_: Path) -> None:
        raise RunError("no", "", "")

    monkeypatch.setattr(audit_checks.loadgen_log, "read_detail", unreadable)
    assert [one.check for one in audit_checks._own_log(tmp_path, claim, "TEST01", "again", tmp_path)] == ["duration"]
