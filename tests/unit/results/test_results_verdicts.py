"""From the log of a run to its verdict: VALID or not, what closed asks for, and every reason."""

from __future__ import annotations

from pathlib import Path

from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason
from code.results.verdict import judge
from tests.unit.logs import log_of
from tests.unit.results.test_results_reasons import LATE, errors

COMPLETE = {
    "effective_min_duration_ms": 600_000,
    "result_validity": "VALID",
    "result_min_duration_met": True,
    "result_samples_per_second": 5.0,
    "effective_target_qps": 5.0,
    "early_stopping_met": True,
    "more": {"result_99.90_percentile_latency_ns": 5},
}


def test_a_verdict_is_loadgens_but_for_errors_and_ends() -> None:
    good = judge(log_of("Offline", **COMPLETE))
    assert (good.valid, good.word, good.reasons, good.notes) == (True, "VALID", (), ())
    assert good.ten_minutes_met and good.early_stopping_met is True and good.departure_note == ""
    bad = judge(log_of("Offline", **{**COMPLETE, "result_validity": "INVALID", "result_invalid_reason": "so it is"}))
    assert (bad.valid, bad.word) == (False, "INVALID") and bad.reasons[0].what == "LoadGen reports INVALID: so it is"
    assert judge(errors("x", **COMPLETE)).word == "INVALID"
    cut = LoadGenLog(Path("x"), log_of("Offline", **COMPLETE).entries, truncated=True)
    [reason] = judge(cut).reasons
    assert "it ends with 'early_stopping_met' in line 9, and its last line is truncated" in reason.what
    assert not judge(log_of("Offline", **{**COMPLETE, "more": {}})).valid, "the last key of LoadGen is missing"


def test_ten_minutes_are_asked_for_and_met_in_a_performance_run_only() -> None:
    for changed in ({"effective_min_duration_ms": 599_999}, {"result_min_duration_met": False}):
        assert not judge(log_of("Offline", **{**COMPLETE, **changed})).ten_minutes_met
    assert not judge(log_of("Offline", "AccuracyOnly", **COMPLETE)).ten_minutes_met
    [note] = judge(log_of("Offline", **{**COMPLETE, "effective_min_duration_ms": 2000}), lengthen="leave out --fast").notes
    assert note.what == "the minimum duration was 2 s; a closed-division result needs 10 minutes"
    assert note.knob() == "min_duration: 600000 (leave out --fast)"
    assert not judge(log_of("Offline", "AccuracyOnly", **{**COMPLETE, "effective_min_duration_ms": 2000})).notes


def test_what_loadgen_did_not_log_was_not_met() -> None:
    """A log that was cut, or that another version wrote."""
    unlogged = {key: value for key, value in COMPLETE.items() if key not in ("result_min_duration_met", "early_stopping_met")}
    found = judge(log_of("Offline", **unlogged))
    assert found.ten_minutes_met is False and found.early_stopping_met is None
    assert judge(log_of("Offline", **{**COMPLETE, "early_stopping_met": False})).early_stopping_met is False
    [reason] = judge(log_of("Offline", **{**COMPLETE, "result_validity": "INVALID"})).reasons
    assert reason.what == "LoadGen reports INVALID: it gives no reason"


def test_departures_are_notes_and_a_line() -> None:
    two = (Reason("a is 1"), Reason("b is 2"))
    found = judge(log_of("Offline", **COMPLETE), two)
    assert found.valid and found.notes == found.departures == two and found.departure_note == "a is 1; b is 2"


def test_an_accuracy_run_is_judged_by_its_end_and_its_errors() -> None:
    entries = {"effective_min_duration_ms": 0, "qsl_reported_total_count": 3, "loaded_qsl_set": [0, 1, 2], "power_end": "x"}
    assert judge(log_of("Offline", "AccuracyOnly", **entries)).valid
    [reason] = judge(log_of("Offline", "AccuracyOnly", **{**entries, "loaded_qsl_set": [0, 1]})).reasons
    assert "after 2 of 3 samples were loaded: it ends with 'power_end'" in reason.what
    assert not judge(errors("x", **{**entries, "effective_test_mode": "AccuracyOnly"})).valid


def test_every_kind_of_miss_is_among_the_reasons_of_a_verdict() -> None:
    missed = {
        **LATE,
        "effective_min_duration_ms": 600_000,
        "result_min_duration_met": False,
        "result_min_queries_met": False,
        "effective_min_query_count": 2000,
        "early_stopping_met": False,
        "early_stopping_result": "",
        "result_validity": "INVALID",
    }
    words = [reason.what for reason in judge(errors("a fault", scenario="Server", **missed)).reasons]
    wanted = (
        "the log is not complete",
        "the 99 % latency",
        "the last query",
        "1,000 queries were",
        "early stopping",
        "LoadGen logged",
    )
    assert len(words) == len(wanted) and all(word.startswith(start) for word, start in zip(words, wanted, strict=True)), words
    accuracy = errors("a fault", effective_test_mode="AccuracyOnly", effective_min_duration_ms=0)
    assert [reason.what.partition(":")[0] for reason in judge(accuracy).reasons] == [
        "the log is not complete",
        "LoadGen logged an error in line 101 (error_runtime, loadgen.cc",
    ]
