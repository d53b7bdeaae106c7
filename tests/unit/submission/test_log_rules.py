"""Each rule for a pair of logs by itself, at its limit, in both divisions and before and since v6.0."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.common.errors import UsageError
from code.results.loadgen_log import LoadGenLog
from code.rules.rounds import round_named
from code.submission.check import log_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Check, Claim
from tests.unit.logs import log_of

V41, V61 = round_named("v4.1"), round_named("v6.1")
NOWHERE = Path("/nowhere")
WHOLE = {"result_validity": "VALID", "result_samples_per_second": 1.0, "result_99.90_percentile_latency_ns": 1}
"""What ends the log of an Offline run."""
STREAM = {
    "result_validity": "VALID",
    "result_90.00_percentile_latency_ns": 1,
    "result_99.90_percentile_latency_ns": 1,
}
TEN_MINUTES = 600_000
SAMPLES = 10_833
SEEDS = {f"effective_{name}": value for name, value in V61.seeds.items()}


def claim(division: str = "closed", scenario: str = "Offline", category: str = "edge", **changed: Any) -> Claim:
    given = {"benchmark": "bert-99", "round": V61, **changed}
    return Claim(given.pop("benchmark"), scenario, division, category, given.pop("round"), **given)


def found(check: Check, log: LoadGenLog, of: Claim) -> list[Finding]:
    return list(check(NOWHERE, log, of))


def only(findings: Iterable[Finding]) -> Finding:
    (one,) = findings
    assert one.next_step
    return one


# ── The claim ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_closed_rules_hold_in_closed_and_in_the_network_division() -> None:
    assert [claim(division).closed for division in ("closed", "network", "open")] == [True, True, False]
    assert claim().rerun("AccuracyOnly") == (
        'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --test_mode=AccuracyOnly --round=v6.1"'
    )
    assert claim().result.facts.name == "bert"
    with pytest.raises(UsageError, match="unknown benchmark in result name what-99"):
        _ = claim(benchmark="what-99").result


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_that_are_missing_or_empty(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("x")
    (tmp_path / "empty").write_text("")
    (tmp_path / "folder").mkdir()
    names = ("full", "empty", "folder", "absent")
    listed = [(one.path.name, one.what, one.check) for one in log_checks.missing_files(tmp_path, names, claim(), "AccuracyOnly")]
    assert listed == [("empty", "empty", "files"), ("folder", "missing", "files"), ("absent", "missing", "files")]


def audited(monkeypatch: pytest.MonkeyPatch, **keys: Any) -> list[Finding]:
    """The findings on the log of an audit run that has only these keys."""
    log = log_of(more=keys)
    kept = LoadGenLog(log.path, tuple(entry for entry in log.entries if entry.key in keys))
    monkeypatch.setattr(log_checks.loadgen_log, "read_detail", lambda _path: kept)
    return list(log_checks.audit(NOWHERE, claim(), {}))


@pytest.mark.parametrize("absent", ["effective_scenario", "effective_test_mode"])
def test_a_log_without_either_of_its_first_settings_has_that_finding_alone(monkeypatch: pytest.MonkeyPatch, absent: str) -> None:
    keys = {"effective_scenario": "Offline", "effective_test_mode": "PerformanceOnly", "effective_min_duration_ms": TEN_MINUTES}
    del keys[absent]
    one = only(audited(monkeypatch, **keys))
    assert (one.check, one.what) == ("complete", "the run ended before LoadGen logged its settings")


@pytest.mark.parametrize("name", log_checks.SETTINGS)
def test_a_setting_that_is_missing_or_no_number_is_named_and_what_needs_it_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    keys: dict[str, Any] = {
        "effective_scenario": "Offline",
        "effective_test_mode": "PerformanceOnly",
        "effective_min_duration_ms": 1,
        "effective_performance_sample_count": 1,
        "effective_samples_per_query": 1,
    }
    every = {one.check for one in audited(monkeypatch, **keys)}
    assert {"duration", "samples"} <= every and "settings" not in every
    without = {key: value for key, value in keys.items() if key != name}
    listed = audited(monkeypatch, **without)
    one = only(one for one in listed if one.check == "settings")
    assert one.what == f"no {name}; the official checker needs it"
    judged = "duration" if name == "effective_min_duration_ms" else "samples"
    assert judged not in {one.check for one in listed} and {"duration", "samples"} - {judged} <= {one.check for one in listed}


def test_true_and_false_are_no_numbers() -> None:
    assert [log_checks._is_number(value) for value in (1, 1.5, 0, True, False, "1", None)] == [True, True, True] + [False] * 4


# ── Whether it is a result ────────────────────────────────────────────────────────────────────────────────


def test_a_complete_performance_run() -> None:
    assert found(log_checks._complete, log_of(**WHOLE), claim()) == []
    assert only(found(log_checks._complete, log_of(), claim())).check == "complete"
    accuracy = found(log_checks._complete, log_of(mode="AccuracyOnly"), claim())
    assert [one.check for one in accuracy] == ["complete", "mode"]
    assert accuracy[1].what == "this is a run in AccuracyOnly, not a performance run"


@pytest.mark.parametrize(
    ("division", "round_", "error"), [("closed", V61, True), ("open", V61, False), ("open", V41, True), ("network", V61, True)]
)
def test_an_invalid_run(division: str, round_: Any, error: bool) -> None:
    invalid = log_of(**{**WHOLE, "result_validity": "INVALID"}, effective_min_duration_ms=TEN_MINUTES)
    one = only(found(log_checks._valid, invalid, claim(division, round=round_)))
    assert (one.check, one.error) == ("valid", error) and one.what.startswith("LoadGen reports the run as INVALID: ")
    assert ("--test_mode=PerformanceOnly" in one.next_step) is error
    assert found(log_checks._valid, log_of(**WHOLE), claim(division, round=round_)) == []
    assert found(log_checks._valid, log_of(result_validity="INVALID"), claim(division)) == [], "an incomplete one has no verdict"


def test_an_invalid_run_without_reasons_says_so() -> None:
    assert log_checks._reasons(log_of(result_validity="INVALID")).startswith("no reason can be given: ")


def with_event(**flags: bool) -> LoadGenLog:
    log = log_of(**WHOLE)
    last = log.entries[-1]
    event = type(last)("error", "Ran out of luck", 0.0, flags.get("error", False), flags.get("warning", False), "x.cc", 1, 7)
    return LoadGenLog(log.path, (event, *log.entries))


def test_errors_of_loadgen_count_in_closed_and_warnings_nowhere() -> None:
    one = only(found(log_checks._valid, with_event(error=True), claim()))
    assert (one.check, one.error, one.what) == ("errors", True, "line 7: LoadGen logged an error: Ran out of luck")
    assert found(log_checks._valid, with_event(error=True), claim("open")) == []
    assert found(log_checks._valid, with_event(warning=True), claim()) == []


@pytest.mark.parametrize(
    ("name", "simulated"), [("OpenVINO", False), ("SIMULATED engine", True), ("simulated", True), ("", False)]
)
def test_a_simulated_engine_is_told_by_its_name(name: str, simulated: bool) -> None:
    listed = found(log_checks._not_simulated, log_of(sut_name=name), claim("open"))
    assert [one.check for one in listed] == ["simulated"] * simulated and all(one.error for one in listed)


@pytest.mark.parametrize(
    ("network", "name", "wrong"), [(True, "SUT", True), (True, "my Network SUT", False), (False, "SUT", False), (True, "", True)]
)
def test_a_system_over_a_network_says_so_in_its_name(network: bool, name: str, wrong: bool) -> None:
    listed = found(log_checks._network_sut, log_of(sut_name=name), claim(network=network))
    assert [one.check for one in listed] == ["network"] * wrong


# ── Rules of a run ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", V61.seeds)
@pytest.mark.parametrize("own", [True, False])
def test_each_seed_is_the_rounds(name: str, own: bool) -> None:
    right = log_of(more=SEEDS)
    assert list(log_checks._seeds(right, claim(), V61.seeds, own)) == []
    wrong = log_of(more={**SEEDS, f"effective_{name}": V61.seeds[name] + 1})
    one = only(log_checks._seeds(wrong, claim("open"), V61.seeds, own))
    assert (one.check, one.error, one.own) == ("seeds", True, own)
    assert one.what == f"{name} is {V61.seeds[name] + 1}, v6.1 requires {V61.seeds[name]}"
    missing = log_of(more={key: value for key, value in SEEDS.items() if key != f"effective_{name}"})
    assert only(log_checks._seeds(missing, claim(), V61.seeds)).what.startswith(f"{name} is None")


@pytest.mark.parametrize("division", ["closed", "open"])
def test_ten_minutes_are_asked_for_in_every_division(division: str) -> None:
    assert found(log_checks._duration, log_of(effective_min_duration_ms=TEN_MINUTES), claim(division)) == []
    one = only(found(log_checks._duration, log_of(effective_min_duration_ms=TEN_MINUTES - 60_000), claim(division)))
    assert one.error and one.what.startswith("the minimum duration is 9 minutes") and "min_duration at 600000" in one.next_step
    assert len(found(log_checks._duration, log_of(effective_min_duration_ms=TEN_MINUTES - 1), claim(division))) == 1


@pytest.mark.parametrize(
    ("division", "met", "ended", "wrong"),
    [("closed", False, True, True), ("open", False, True, False), ("closed", False, False, False), ("closed", True, True, False)],
)
def test_a_duration_that_was_not_met_counts_in_closed(division: str, met: bool, ended: bool, wrong: bool) -> None:
    keys = {"effective_min_duration_ms": TEN_MINUTES, "result_min_duration_met": met, **(WHOLE if ended else {})}
    assert [one.check for one in found(log_checks._duration, log_of(**keys), claim(division))] == ["duration"] * wrong


@pytest.mark.parametrize(
    ("scenario", "drawn", "query", "division", "round_", "wrong"),
    [
        ("Offline", SAMPLES, SAMPLES, "closed", V61, 0),
        ("Offline", SAMPLES - 1, SAMPLES, "open", V61, 1),
        ("Offline", SAMPLES, SAMPLES - 1, "closed", V61, 1),
        ("Offline", SAMPLES, SAMPLES - 1, "open", V61, 0),
        ("Offline", SAMPLES, SAMPLES - 1, "open", V41, 1),
        ("Offline", SAMPLES - 1, SAMPLES - 1, "closed", V61, 2),
        ("Server", SAMPLES, 1, "closed", V61, 0),
        ("Offline", SAMPLES + 1, SAMPLES + 1, "closed", V61, 0),
    ],
)
def test_samples_to_draw_from_and_of_the_offline_query(
    scenario: str, drawn: int, query: int, division: str, round_: Any, wrong: int
) -> None:
    log = log_of(scenario, effective_performance_sample_count=drawn, effective_samples_per_query=query)
    listed = found(log_checks._sample_counts, log, claim(division, scenario, round=round_))
    assert len(listed) == wrong and all(one.error and one.check == "samples" for one in listed)


@pytest.mark.parametrize(
    ("ran", "submitted", "category", "words"),
    [
        ("Offline", "Offline", "edge", ""),
        ("Server", "Interactive", "datacenter", ""),
        ("SingleStream", "Offline", "edge", ""),
        ("SingleStream", "MultiStream", "datacenter,edge", ""),
        ("MultiStream", "Offline", "edge", ""),
        ("SingleStream", "Offline", "datacenter", "only on edge systems; this one is datacenter"),
        ("MultiStream", "Offline", "datacenter", "only on edge systems"),
        ("Offline", "SingleStream", "edge", "the run is Offline; it cannot be used for SingleStream"),
        ("Server", "Offline", "edge", "it cannot be used for Offline"),
        ("MultiStream", "SingleStream", "edge", "it cannot be used for SingleStream"),
    ],
)
def test_a_run_of_another_scenario(ran: str, submitted: str, category: str, words: str) -> None:
    listed = found(log_checks._scenario, log_of(ran), claim("closed", submitted, category))
    assert [words in one.what for one in listed] == [True] * bool(words) and all(one.check == "scenario" for one in listed)


@pytest.mark.parametrize(
    ("scenario", "met", "ended", "wrong"),
    [
        ("SingleStream", False, True, True),
        ("SingleStream", True, True, False),
        ("SingleStream", False, False, False),
        ("Offline", False, True, False),
    ],
)
def test_early_stopping_must_be_met_but_in_offline(scenario: str, met: bool, ended: bool, wrong: bool) -> None:
    whole = WHOLE if scenario == "Offline" else STREAM
    more = {"early_stopping_met": met, "early_stopping_result": " * too few * ", **(whole if ended else {})}
    listed = found(log_checks._latency, log_of(scenario, more=more), claim("open", scenario))
    assert [one.what for one in listed] == ["early stopping was not met: * too few *"] * wrong


@pytest.mark.parametrize(("division", "error"), [("closed", True), ("open", False)])
def test_what_is_not_the_benchmarks_own_rule(division: str, error: bool) -> None:
    """Seeds and the number of samples have checks of their own."""
    keys = {"effective_target_latency_percentile": 0.5, "effective_performance_sample_count": 1, "effective_qsl_rng_seed": 1}
    one = only(found(log_checks._rules, log_of("SingleStream", **keys), claim(division, "SingleStream")))
    assert (one.error, one.own, one.check) == (error, True, "rules") and "50, not the rule's 90" in one.what
    assert one.next_step.startswith("leave single_stream_target_latency_percentile out, then make run")


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────


def scored(path: Path, value: object, of: Claim) -> list[Finding]:
    path.write_text(f'{{"exact_match": 80.0, "f1": {value}}}\n')
    return list(log_checks._scores(path, of))


def test_a_score_at_its_target_passes(tmp_path: Path) -> None:
    target = claim().result.target.least["F1"]
    for division in ("closed", "open"):
        assert scored(tmp_path / "a", target, claim(division)) == [] == scored(tmp_path / "a", 100.0, claim(division))
    below = only(scored(tmp_path / "a", target - 0.001, claim()))
    assert below.error and below.check == "accuracy" and "higher precision" in below.next_step
    opened = only(scored(tmp_path / "a", target - 0.001, claim("open")))
    assert not opened.error and "allowed in open" in opened.next_step
    assert scored(tmp_path / "a", 1.0, claim("open", tiny=True)) == [], "the tiny model has targets of its own"
    assert "no F1 in the format" in only(scored(tmp_path / "a", '"x"', claim(tiny=True))).what


def test_a_length_at_its_limit_passes(tmp_path: Path) -> None:
    of = claim(benchmark="llama3.1-8b", category="datacenter")
    most = of.result.target.most["GEN_LEN"]
    path = tmp_path / "accuracy.txt"
    assert list(log_checks._above_limits(path, of, {"GEN_LEN": most})) == []
    assert list(log_checks._above_limits(path, of, {"GEN_LEN": None})) == [] == list(log_checks._above_limits(path, of, {}))
    assert only(log_checks._above_limits(path, of, {"GEN_LEN": most + 1})).error
    tiny = cast(Claim, SimpleNamespace(**{**vars(of), "tiny": True, "result": of.result, "closed": True}))
    assert list(log_checks._above_limits(path, tiny, {"GEN_LEN": most + 1})) == []


# ── Whole folders ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_check_belongs_to_a_result_or_to_every_run() -> None:
    """A check that is in neither list is switched off."""
    named = [one.__name__ for one in (*log_checks.RESULT_CHECKS, *log_checks.RUN_CHECKS)]
    takers = {
        name
        for name, one in vars(log_checks).items()
        if name.startswith("_") and list(getattr(one, "__annotations__", {}))[:3] == ["folder", "log", "claim"]
    }
    assert sorted(named) == sorted(takers - {"_result_seeds", "_accuracy_log"}) and len(named) == 11


def test_the_folder_of_a_performance_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = claim()
    missing = [(one.path.name, one.what) for one in log_checks.performance(tmp_path, of)]
    assert missing == [("mlperf_log_summary.txt", "missing"), ("mlperf_log_detail.txt", "missing")]
    (tmp_path / "mlperf_log_summary.txt").write_text("x")
    (tmp_path / "mlperf_log_detail.txt").write_text("x")
    keys = {"effective_min_duration_ms": 1, "effective_performance_sample_count": 1, "effective_samples_per_query": 1}
    monkeypatch.setattr(log_checks.loadgen_log, "read_detail", lambda _: log_of(sut_name="simulated", **keys))
    checks = [one.check for one in log_checks.performance(tmp_path, of)]
    assert set(checks) == {"complete", "simulated", "seeds", "duration", "samples"} and checks.count("seeds") == len(V61.seeds)
    (tmp_path / "mlperf_log_detail.txt").write_text("hello\n")
    monkeypatch.undo()
    assert [one.check for one in log_checks.performance(tmp_path, of)] == ["readable"]


def accuracy_log(
    monkeypatch: pytest.MonkeyPatch, folder: Path, log: LoadGenLog, division: str = "open", scenario: str = "Offline"
) -> list[tuple[str, bool]]:
    for name in ("mlperf_log_summary.txt", "mlperf_log_detail.txt", "mlperf_log_accuracy.json"):
        (folder / name).write_text("x")
    (folder / "accuracy.txt").write_text('{"exact_match": 80.0, "f1": 99.0}\n')
    monkeypatch.setattr(log_checks.loadgen_log, "read_detail", lambda _: log)
    return [(one.check, one.own) for one in log_checks.accuracy(folder, claim(division, scenario))]


def whole_accuracy(**changed: Any) -> LoadGenLog:
    """A complete accuracy run over all samples, with the seeds of the round."""
    keys: dict[str, Any] = {
        "effective_accuracy_sample_count": SAMPLES,
        "loaded_qsl_set": list(range(SAMPLES)),
        "power_end": "11-29-2026 10:00:00.000",
        **SEEDS,
    }
    return log_of(mode=changed.pop("mode", "AccuracyOnly"), more={**keys, **changed})


def words(folder: Path) -> str:
    """What the check of the number of samples says."""
    return only(one for one in log_checks.accuracy(folder, claim("open")) if one.check == "samples").what


def test_the_folder_of_an_accuracy_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert accuracy_log(monkeypatch, tmp_path, whole_accuracy()) == []
    part = whole_accuracy(effective_accuracy_sample_count=SAMPLES - 1)
    assert accuracy_log(monkeypatch, tmp_path, part) == [("samples", False)]
    assert words(tmp_path) == "the accuracy run covers 10,832 samples; bert-99 has 10,833"
    assert ("samples", False) in accuracy_log(monkeypatch, tmp_path, whole_accuracy(effective_accuracy_sample_count=None))
    assert words(tmp_path) == "the log has no sample count"
    cut = whole_accuracy(loaded_qsl_set=[1])
    assert accuracy_log(monkeypatch, tmp_path, cut) == [("complete", False)]
    seed = whole_accuracy(effective_qsl_rng_seed=1)
    assert accuracy_log(monkeypatch, tmp_path, seed) == [("seeds", True)], "no official checker looks at these"
    assert ("mode", False) in accuracy_log(monkeypatch, tmp_path, whole_accuracy(mode="PerformanceOnly"))
    whole = whole_accuracy()
    event = type(whole.entries[0])("error", "No luck", 0.0, True, False, "x.cc", 1, 5)
    failed = LoadGenLog(whole.path, (*whole.entries, event))
    assert accuracy_log(monkeypatch, tmp_path, failed) == [("errors", False)], "in every division"
    other = whole_accuracy(effective_scenario="Server")
    assert accuracy_log(monkeypatch, tmp_path, other) == [("scenario", True)], "no official checker looks at it"
    assert accuracy_log(monkeypatch, tmp_path, other, scenario="Server") == []
    assert accuracy_log(monkeypatch, tmp_path, whole_accuracy(effective_scenario="SingleStream")) == [], "inferred on edge"
    unknown = LoadGenLog(whole.path, tuple(one for one in whole.entries if one.key != "effective_scenario"))
    assert accuracy_log(monkeypatch, tmp_path, unknown) == [("complete", False)], "its log does not say which"
    audit = type(event)("warning", "Found Audit Config file (audit.config).", 0.0, False, True, "x.cc", 1, 5)
    assert accuracy_log(monkeypatch, tmp_path, LoadGenLog(whole.path, (*whole.entries, audit))) == [("audited", False)]
    (tmp_path / "accuracy.txt").unlink()
    monkeypatch.undo()
    assert [one.check for one in log_checks.accuracy(tmp_path, claim())] == ["files", "readable"]
