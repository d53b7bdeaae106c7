"""Audits at their limits: each comparison of a verdict, the text of verify_*.txt, and which run an audit repeats."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.common.errors import MissingError, RunError, UsageError
from code.results.loadgen_log import LoadGenLog, LogEntry
from code.rules.rounds import NEWEST, round_named
from code.submission.audit import audit_run, audits, compliance
from code.submission.audit.audit_run import Audit
from code.submission.audit.audits import SCORES, Verdict
from code.submission.stage.runs import ACCURACY, PERFORMANCE
from tests.unit.logs import log_of
from tests.unit.submission import light

# ── speed ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scenario", SCORES)
def test_test01_allows_ten_percent_either_way(scenario: str) -> None:
    for other, within in ((90.0, True), (89.99, False), (110.0, True), (110.1, False), (100.0, True)):
        assert audits.within_test01(scenario, 1e8, other * 1e6) is within


@pytest.mark.parametrize(("scenario", "quick"), [("SingleStream", 200_000), ("MultiStream", 1_600_000)])
def test_test01_allows_twenty_percent_of_short_latencies(scenario: str, quick: int) -> None:
    for reference, share, within in ((quick, 1.2, True), (quick, 1.21, False), (quick, 0.8, True), (quick, 0.79, False)):
        assert audits.within_test01(scenario, reference, reference * share) is within
    assert not audits.within_test01(scenario, quick + 1, (quick + 1) * 1.15)
    assert audits.within_test01("Offline", 100.0, 115.0) is False, "rates are never short latencies"


def test_test04_may_not_be_faster() -> None:
    assert audits.within_test04("Offline", 100.0, 109.9) and not audits.within_test04("Offline", 100.0, 110.01)
    assert audits.within_test04("Server", 100.0, 1.0), "slower is no cheating"
    assert audits.within_test04("SingleStream", 1e6, 1e6 / 1.19) and not audits.within_test04("SingleStream", 1e6, 1e6 / 1.21)
    rate = 1e9 / 300_000  # of a latency of 3.3 us, which as a rate is no short one
    assert not audits.within_test04("SingleStream", 1e9 / 300_000, rate / 1.15)


def logged(scenario: str = "Offline", score: float = 100.0, **more: Any) -> LoadGenLog:
    return log_of(scenario, **{"result_validity": "VALID", SCORES[scenario]: score, **more})


def test_the_verdict_on_speed() -> None:
    good = audits.performance("TEST01", logged(), logged(score=105.5))
    assert good == Verdict(True, "Verifying performance.\nreference score = 100\ntest score = 105.5\nTEST PASS\n")
    slow = audits.performance("TEST01", logged(), logged(score=50.0))
    assert slow == Verdict(
        False, "Verifying performance.\nreference score = 100\ntest score = 50\nTEST FAIL: Test score invalid\n"
    )
    assert audits.performance("TEST04", logged(), logged(score=50.0)).passed
    for pair, name in (((logged(result_validity="INVALID"), logged()), "reference"), ((logged(), log_of("Offline")), "test")):
        verdict = audits.performance("TEST01", *pair)
        assert not verdict.passed and verdict.text.splitlines()[1].startswith(f"TEST FAIL: the {name} results in ")
    other = audits.performance("TEST01", logged(), logged("Server"))
    assert not other.passed and other.text.splitlines()[-1] == "TEST FAIL: Test and reference scenarios do not match!"
    bounds = [logged("Server", effective_target_latency_ns=bound) for bound in (130_000_000, 100_000_000)]
    assert audits.performance("TEST01", bounds[0], bounds[0]).passed
    assert audits.performance("TEST01", *bounds).text.splitlines()[-1] == "TEST FAIL: Server target latency mismatch"
    offline = [logged(effective_target_latency_ns=bound) for bound in (1, 2)]
    assert audits.performance("TEST01", *offline).passed, "Offline has no bound"


# ── answers ────────────────────────────────────────────────────────────


def answers(path: Path, *entries: tuple[int, list[float]]) -> Path:
    listed = [{"seq_id": n, "qsl_idx": i, "data": struct.pack(f"<{len(v)}f", *v).hex()} for n, (i, v) in enumerate(entries)]
    path.write_text(json.dumps(listed))
    return path


def counted(verdict: Verdict) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split(" = ") for line in verdict.text.splitlines() if " = " in line)}


def test_every_count_of_test01(tmp_path: Path) -> None:
    reference = answers(tmp_path / "a.json", (0, [1, 2]), (1, [3, 4]), (0, [1, 2]), (1, [3, 5]), (1, [3, 4]))
    audited = answers(tmp_path / "b.json", (0, [1, 9]), (1, [8, 4]), (5, [1]), (5, [2]), (0, [1]))
    verdict = audits.accuracy_test01(reference, audited, "float32")
    assert not verdict.passed and counted(verdict) == {
        "num_acc_log_entries": 5,
        "num_acc_log_duplicate_keys": 3,
        "num_acc_log_data_mismatch": 1,
        "num_perf_log_entries": 5,
        "num_perf_log_qsl_idx_match": 4,
        "num_perf_log_data_mismatch": 2,
        "num_missing_qsl_idxs": 1,
    }
    lines = verdict.text.splitlines()
    assert lines[0].startswith("Verifying accuracy.") and lines[10:] == ["TEST FAIL", ""]
    good = audits.accuracy_test01(reference, answers(tmp_path / "c.json", (0, [1, 7])), "float32")
    assert good.passed and "TEST PASS" in good.text.splitlines()


def test_answers_of_no_element(tmp_path: Path) -> None:
    def passed(one: list[float], other: list[float]) -> bool:
        return audits.accuracy_test01(answers(tmp_path / "a", (0, one)), answers(tmp_path / "b", (0, other)), "float32").passed

    assert passed([], []) and not passed([], [1]) and not passed([1], []) and passed([1], [1, 2]), (
        "a longer one has the same first"
    )


def test_a_log_that_was_truncated_cannot_be_compared(tmp_path: Path) -> None:
    path = answers(tmp_path / "a.json", (0, [1.0]), (1, [2.0]))
    path.write_text(path.read_text()[:40])
    with pytest.raises(RunError) as caught:
        list(audits.responses(path))
    assert (
        caught.value.what == f"{path} is not an accuracy log"
        and "build/full_results" in caught.value.next_step
        and caught.value.why
    )


def test_scores_may_be_a_hundredth_or_a_thousandth_apart() -> None:
    assert audits.delta_percent(99.0, 100.0) == pytest.approx(1.0) == audits.delta_percent(101.0, 100.0)
    assert [audits.allowed_delta_percent(name) for name in ("bert-99", "bert-99.9", "gptj-99")] == [1.0, 0.1, 1.0]
    for name, other, agree in (
        ("bert-99", 99.05, True),
        ("bert-99", 98.9, False),
        ("bert-99.9", 99.95, True),
        ("bert-99.9", 99.8, False),
    ):
        assert audits.scores_agree(name, {"F1": other}, {"F1": 100.0}) is agree
    assert not audits.scores_agree("bert-99", {"A": 100.0, "B": 50.0}, {"A": 100.0, "B": 100.0}), "each of them"
    assert not audits.scores_agree("bert-99", {"A": 0.0}, {"A": 100.0}) and not audits.scores_agree(
        "bert-99", {"A": 1.0}, {"A": 0.0}
    )


def tokens(path: Path, *entries: dict[str, Any]) -> Path:
    listed = []
    for number, one in enumerate(entries):
        packed = {key: struct.pack(f"<{len(v)}i", *v).hex() if isinstance(v, list) else v for key, v in one.items()}
        listed.append({"seq_id": number, "qsl_idx": number, **packed})
    path.write_text(json.dumps(listed))
    return path


def of_tokens(path: Path, *entries: dict[str, Any], scenario: str = "Server") -> list[str]:
    verdict = audits.accuracy_test06(tokens(path, *entries), scenario, 2, "int32")
    lines = verdict.text.splitlines()
    assert verdict.passed == (lines[3] == "TEST06 verification complete") and lines[3] in (
        "TEST06 verification complete",
        "TEST06 verification failed",
    )
    return [line.rpartition(" ")[2] for line in lines[:4]]


def test_each_check_of_test06_over_all_entries(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    good = {"data": [5, 6, 2], "token_data": [5], "token_count": 3}
    assert of_tokens(path, good, good) == ["True", "True", "True", "complete"]
    assert of_tokens(path, good, {**good, "token_data": [6]}) == ["False", "True", "True", "failed"]
    assert of_tokens(path, good, {key: value for key, value in good.items() if key != "token_data"})[0] == "False"
    assert of_tokens(path, good, {**good, "data": [5, 2, 2]}) == ["True", "False", "True", "failed"]
    assert of_tokens(path, good, {**good, "token_count": 2}) == ["True", "True", "False", "failed"]
    assert of_tokens(path, good, {key: value for key, value in good.items() if key != "token_count"})[2] == "False"
    assert of_tokens(path, good, {"data": [5, 6, 2], "token_count": 3}, scenario="Offline") == [
        "Skipped",
        "True",
        "True",
        "complete",
    ]
    assert of_tokens(path) == ["True", "True", "True", "failed"], "nothing compared is no pass"
    assert of_tokens(path, {**good, "token_data": [5, 6, 2, 9]})[0] == "True", "as many as both have"
    assert of_tokens(path, {**good, "data": [5, 2, 6, 2]})[1] == "True", "end tokens in the middle are none at the end"


# ── which tests, which runs ────────────────────────────────────────────


def test_tests_that_are_not_offered() -> None:
    with pytest.raises(UsageError) as caught:
        audit_run.tests_for("bert", ["TEST05"], round_named(NEWEST))
    assert caught.value.what == "TEST05 is not supported" and caught.value.next_step == "choose from TEST01, TEST04, TEST06"
    with pytest.raises(UsageError) as caught:
        audit_run.tests_for("bert", ["TEST01", "TEST06"], round_named(NEWEST))
    assert "gptj" in caught.value.why and "bert" not in caught.value.why
    assert audit_run.tests_for("bert", ["TEST04", "TEST01"], round_named(NEWEST)) == ["TEST04", "TEST01"]
    assert audit_run.tests_for("bert", [], round_named("v4.1")) == ["TEST01"], "TEST05 is left to others"
    with pytest.raises(UsageError, match="unknown audit test 'TEST1'"):
        audit_run.tests_for("bert", ["TEST1"], round_named(NEWEST))


KEY = ("DGX_openvino", "bert-99", "Offline")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two performance runs of v6.1, an older and a newer, one of v5.0 that is newest, and an accuracy run."""
    for name, day, round_ in (("a", 1, "v6.1"), ("b", 2, "v6.1"), ("c", 3, "v5.0")):
        light.write_run(tmp_path / "logs" / name, started=f"2026-01-0{day}T00:00:00Z", round_=round_)
    light.write_run(tmp_path / "logs/acc", ACCURACY)
    return tmp_path / "logs"


def test_the_newest_runs_with_the_seeds_of_the_round(logs: Path) -> None:
    for round_, name in ((round_named("v6.1"), "b"), (round_named("v5.0"), "c"), (None, "b"), (round_named("v5.1"), "c")):
        performance, accuracy = audit_run.find_pair(logs, KEY, "bert", round_)
        assert (performance.folder.name, accuracy.folder.name) == (name, "acc")
        assert (performance.mode, accuracy.mode) == (PERFORMANCE, ACCURACY)


def test_a_missing_run_is_named_with_the_command_that_makes_it(logs: Path) -> None:
    (logs / "acc/accuracy.txt").unlink()
    with pytest.raises(MissingError) as caught:
        audit_run.find_pair(logs, KEY, "bert")
    assert caught.value.what == "an audit needs a AccuracyOnly run of bert-99 Offline on DGX_openvino to compare with"
    assert "--benchmarks=bert --scenarios=Offline" in caught.value.next_step
    with pytest.raises(MissingError, match="PerformanceOnly and AccuracyOnly"):
        audit_run.find_pair(logs / "acc", KEY, "bert")


def audit(logs: Path, test: str = "TEST01", short: str = "bert", **metadata: Any) -> Audit:
    performance, accuracy = audit_run.find_pair(logs, KEY, "bert")
    return Audit(test, short, replace(performance, metadata={**performance.metadata, **metadata}), accuracy)


@pytest.mark.parametrize(
    ("test", "validity", "refused"),
    [
        ("TEST01", "VALID", False),
        ("TEST01", "INVALID", True),
        ("TEST04", "INVALID", True),
        ("TEST04", None, True),
        ("TEST06", "INVALID", False),
    ],
)
def test_scores_are_compared_with_valid_runs_only(logs: Path, test: str, validity: str | None, refused: bool) -> None:
    one = audit(logs, test, result_validity=validity)
    if not refused:
        audit_run.require_valid(one)
        return
    with pytest.raises(UsageError) as caught:
        audit_run.require_valid(one)
    assert caught.value.what.endswith(f" is {validity}") and caught.value.why.startswith(test)
    assert "--scenarios=Offline" in caught.value.next_step


def test_the_audit_of_the_same_workload_and_seeds_that_ran_last(logs: Path) -> None:
    one = audit(logs)
    assert audit_run.newest_audit(logs, one) is None

    def ran(name: str, day: int, performed: str, test: str = "TEST01") -> Path:
        folder = logs / name
        folder.mkdir()
        (folder / "mlperf_log_detail.txt").write_text(
            f':::MLLOG {{"key": "test_datetime", "value": "2026-02-0{day}T00:00:00Z"}}\n'
        )
        (folder / "audit.json").write_text(json.dumps({"test": test, "performance_run": str(logs / performed)}))
        return folder

    ran("x", 1, "a")
    wanted = ran("y", 5, "a")
    ran("z", 3, "b")
    ran("other-test", 9, "b", "TEST04")
    ran("other-seeds", 9, "c")
    ran("gone", 9, "nothing")
    found = audit_run.newest_audit(logs, one)
    assert (
        found is not None
        and found[0] == wanted
        and found[1].performance.folder == logs / "a"
        and found[1].accuracy == one.accuracy
    )


# ── what LoadGen took ──────────────────────────────────────────────────


def taken(wanted: dict[str, int], audited: bool = True, **values: Any) -> None:
    log = log_of("Offline", **values)
    warning = LogEntry("generic", "Found audit.config", 0.0, False, True, "x.cc", 1, 9)
    audit_run._require_taken(replace(log, entries=(*log.entries, *[warning] * audited)), wanted)


def test_every_key_of_the_audit_config_must_have_been_taken() -> None:
    wanted = {"*.mode": 2, "*.min_duration": 0, "*.accuracy_log_sampling_target": 64, "Server.performance_issue_same": 1}
    values = {"requested_min_duration_ms": 0, "requested_accuracy_log_sampling_target": 64, "requested_mode": 5}
    taken(wanted, **values)
    taken({**wanted, "*.unlogged": 3}, **values)
    taken({"*.mode": 2}, audited=False)
    with pytest.raises(RunError) as caught:
        taken(wanted, **{**values, "requested_accuracy_log_sampling_target": 63})
    assert "accuracy_log_sampling_target is 63 in" in caught.value.why and caught.value.why.endswith("not 64")
    with pytest.raises(RunError, match="did not apply"):
        taken(wanted, audited=False, **values)
    with pytest.raises(RunError):
        taken({"Offline.performance_issue_same": 1}, requested_performance_issue_same=0)


def test_the_end_token_is_that_of_the_model_that_ran(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_run.contract, "read", lambda path: SimpleNamespace(dataset=None))
    ends = {short: audit_run._end_token(audit(logs, "TEST06", short)) for short in ("gptj", "bert")}
    assert ends == {"gptj": 50256, "bert": -1}


def test_the_line_of_a_verdict() -> None:
    text = "Verifying\nreference score = 1\ntest score = 2\nnum_acc_log_entries = 5\nnum_perf_log_data_mismatch = 0\nTEST PASS\n"
    assert audit_run._verdict_line(Verdict(True, text)) == (
        "TEST PASS (reference score = 1; test score = 2; num_perf_log_data_mismatch = 0)"
    )
    assert audit_run._verdict_line(Verdict(False, "a\nTEST FAIL: x\n")) == "TEST FAIL: x"


def test_a_file_that_the_audit_run_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    audit_run._copy(tmp_path, tmp_path / "deep/out", ("a",))
    assert (tmp_path / "deep/out/a").read_text() == "x"
    with pytest.raises(RunError) as caught:
        audit_run._copy(tmp_path, tmp_path / "out", ("a", "b"))
    assert caught.value.what == f"{tmp_path} has no b"


# ── what is stored ─────────────────────────────────────────────────────


def test_stored_audits_of_the_same_engine_and_round(logs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    run = audit(logs).performance
    assert compliance.test_dir(run, "TEST01") == tmp_path.joinpath("build/compliance_logs", *KEY, "TEST01")
    older = light.run(tmp_path / "older", round_="v5.0")
    assert compliance.test_dir(older, "TEST01").name == "TEST01.v5.0"
    root = compliance.test_dir(run, "x").parent
    good = {"passed": True, "engine": run.engine, "seeds": dict(round_named("v6.1").seeds)}
    for name, record in {
        "TEST01": {**good, "test": "TEST01"},
        "TEST04": {**good, "test": "TEST04", "passed": False},
        "TEST05": {**good, "test": "TEST05", "engine": "another"},
        "TEST06": {**good, "test": "TEST06", "seeds": {}},
        "OTHER": {**good, "test": "OTHER"},
        "TEST09": None,
    }.items():
        (root / name).mkdir(parents=True)
        if record is not None:
            (root / name / "audit.json").write_text(json.dumps(record))
    one = SimpleNamespace(
        system=KEY[0], benchmark=KEY[1], scenario=KEY[2], stands_for="", measured="", performance_run=run, tree_files={}
    )

    def stored(round_: str = "v6.1", **changed: Any) -> dict[str, Path]:
        return compliance.stored_tests(cast(Any, SimpleNamespace(**{**vars(one), **changed})), round_named(round_))

    assert stored() == {"TEST01": root / "TEST01"} and stored("v6.0") == {} == stored(performance_run=None)
    assert stored(benchmark="x", scenario="y", stands_for=KEY[1], measured=KEY[2]) == {"TEST01": root / "TEST01"}
    tree = tmp_path / "tree"
    (tree / "TEST01").mkdir(parents=True)
    (tree / "TEST02").write_text("a file")
    assert stored(tree_files={"compliance": tree}) == {"TEST01": tree / "TEST01"}
