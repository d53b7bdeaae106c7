"""Why a run is INVALID: how far it missed, which field to change, and to what; from logs that hold just the keys in question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.results import explain
from code.results.explain import ms, seconds
from code.results.loadgen_log import LoadGenLog, LogEntry
from code.results.reason import Reason, number, round_down, round_up
from tests.unit.logs import log_of

MS = 1_000_000
LATE = {
    "result_perf_constraints_met": False,
    "effective_target_latency_percentile": 0.99,
    "effective_target_latency_ns": 100 * MS,
    "more": {"result_99.00_percentile_latency_ns": 130 * MS},
    "effective_target_qps": 200.0,
    "result_overlatency_query_count": 70,
    "result_query_count": 1000,
    "result_completed_samples_per_sec": 199.0,
}
"""A Server run with a bound of 100 ms and 130 ms at the 99th percentile."""
TOKENS = {
    "result_perf_constraints_met": False,
    "requested_use_token_latencies": True,
    "effective_target_qps": 10.0,
    "effective_target_latency_ns": 1,
    "requested_server_ttft_latency": 2000 * MS,
    "requested_server_tpot_latency": 50 * MS,
    "result_overlatency_query_count": 5,
    "result_query_count": 100,
}


def errors(*texts: str, scenario: str = "Offline", **values: Any) -> LoadGenLog:
    """A log with errors of LoadGen, from line 101 on."""
    log = log_of(scenario, **values)
    found = [
        LogEntry("error_runtime", text, 1.0, True, False, "/build/loadgen.cc", 77, row) for row, text in enumerate(texts, 101)
    ]
    return LoadGenLog(Path("mlperf_log_detail.txt"), (*log.entries, *found))


def late(**changed: Any) -> list[Reason]:
    """Reasons for a Server run that missed its bound."""
    return list(explain.latency_reasons(log_of("Server", **{**LATE, **changed})))


def at_99(nanoseconds: float) -> dict[str, Any]:
    return {"more": {"result_99.00_percentile_latency_ns": nanoseconds}}


def test_a_missed_bound_is_named_with_its_miss_and_the_late_queries() -> None:
    [reason] = late()
    assert reason.what == (
        "the 99 % latency was 130 ms, the bound is 100 ms: missed by 30 ms, 30% over; 70 of 1,000 queries were late"
    )
    assert reason.field == "server_target_qps" and reason.suggestion == "180 (90% of the 200 now)"


@pytest.mark.parametrize(
    ("latency_ms", "words", "rate"),
    [
        (110, "missed by 10 ms, 10% over", "190 (95% of the 200 now)"),
        (119.9, "20% over", "190 (95% of the 200 now)"),
        (120.1, "20% over", "180 (90% of the 200 now)"),
        (199, "99% over", "180 (90% of the 200 now)"),
        (200, "missed by 100 ms, 2 times the bound", "180 (90% of the 200 now)"),
        (350, "missed by 250 ms, 3.5 times the bound", "180 (90% of the 200 now)"),
    ],
)
def test_the_further_a_bound_is_missed_the_lower_the_rate_to_try(latency_ms: float, words: str, rate: str) -> None:
    [reason] = late(**at_99(latency_ms * MS))
    assert words in reason.what and reason.suggestion == rate


def test_another_percentile_is_read_and_named() -> None:
    [reason] = late(effective_target_latency_percentile=0.97, more={"result_97.00_percentile_latency_ns": 105 * MS})
    assert reason.what.startswith("the 97 % latency was 105 ms")


@pytest.mark.parametrize(
    "changed",
    [{"result_perf_constraints_met": True}, at_99(100 * MS), {"more": {}}, {"effective_target_latency_ns": 0}],
    ids=["met", "exactly at the bound", "no such percentile", "no bound"],
)
def test_no_latency_reason_where_no_bound_was_missed(changed: dict[str, Any]) -> None:
    assert late(**changed) == []


def test_a_queue_that_grew_asks_for_less_than_what_was_answered() -> None:
    [reason] = late(result_completed_samples_per_sec=150.0)
    assert reason.suggestion.startswith("135 (200/s were sent and 150/s answered, so the queue grew; this is 90 % of")
    [reason] = late(result_completed_samples_per_sec=195.0)
    assert reason.suggestion.startswith("180 (90%"), "97.5 % answered: no queue"
    [reason] = late(result_completed_samples_per_sec=float("nan"))
    assert reason.suggestion.startswith("180 (90%")
    [reason] = late(result_completed_samples_per_sec=None, effective_target_qps=0.0)
    assert reason.suggestion == "0 (less)"


def test_a_bound_below_the_fastest_query_has_no_rate() -> None:
    [reason] = late(result_min_latency_ns=101 * MS)
    assert reason.field == "" and "even the fastest query took 101 ms, so no rate meets the bound" in reason.suggestion
    [reason] = late(result_min_latency_ns=100 * MS)
    assert reason.field == "server_target_qps"


def test_token_latencies_are_judged_instead_of_the_querys() -> None:
    first, each = "result_first_token_99.00_percentile_latency_ns", "result_time_per_output_token_99.00_percentile_ns"
    both = log_of("Server", **TOKENS, more={first: 3000 * MS, each: 60 * MS}, result_min_latency_ns=9000 * MS)
    one, two = explain.latency_reasons(both)
    assert one.what == "the 99 % time to first token was 3,000 ms, the bound is 2,000 ms: missed by 1,000 ms, 50% over"
    assert two.what.startswith("the 99 % time per output token was 60 ms, the bound is 50 ms")
    assert one.field == two.field == "server_target_qps"
    [only] = explain.latency_reasons(log_of("Server", **TOKENS, more={first: 1999 * MS, each: 60 * MS}))
    assert "per output token" in only.what


def short(scenario: str, **values: Any) -> list[Reason]:
    found = {"result_min_duration_met": False, "effective_min_duration_ms": 600_000, **values}
    return list(explain.min_duration_reasons(log_of(scenario, **found)))


@pytest.mark.parametrize("tokens", [{}, {"requested_use_token_latencies": True, "result_tokens_per_second": 90_000.0}])
def test_an_offline_run_that_ended_too_early_needs_a_higher_expected_rate(tokens: dict[str, Any]) -> None:
    """The expected rate is in samples/s, also where the result is in tokens/s."""
    [reason] = short(
        "Offline",
        **tokens,
        result_samples_per_second=2000.0,
        result_query_count=1,
        generated_samples_per_query=66_000,
        result_max_latency_ns=33_000_000_000,
        effective_target_qps=100.0,
    )
    assert reason.what == (
        "the single query of 66,000 samples completed in 33 s, but the run must last 600 s: "
        "offline_expected_qps of 100 is lower than the 2000 samples/s achieved"
    )
    assert reason.knob() == "offline_expected_qps: 2200 or more (the achieved rate and 10 %)"


@pytest.mark.parametrize(
    ("scenario", "mean", "field"),
    [
        ("SingleStream", "result_mean_latency_ns", "single_stream_expected_latency_ns"),
        ("MultiStream", "result_mean_query_latency_ns", "multi_stream_expected_latency_ns"),
    ],
)
def test_a_stream_that_ended_too_early_needs_a_lower_expected_latency(scenario: str, mean: str, field: str) -> None:
    other = {"result_mean_latency_ns": 9 * MS, "result_mean_query_latency_ns": 9 * MS}
    [reason] = short(scenario, **{**other, mean: 2_567_000}, effective_target_qps=100.0, generated_query_count=6000)
    assert reason.what == (
        "all 6,000 queries that LoadGen generated completed before the minimum duration of 600 s: "
        "a query took 2.567 ms on average, 10 ms were expected"
    )
    assert reason.knob() == f"{field}: 2500000 or less"
    [reason] = short(scenario, **{mean: 0.5}, effective_target_qps=100.0, generated_query_count=6000)
    assert reason.suggestion == "1 or less", "LoadGen takes no latency below 1 ns"


def test_a_server_run_that_ended_too_early_needs_a_higher_rate() -> None:
    [reason] = short("Server", effective_min_duration_ms=1500)
    assert reason.what == "the last query was scheduled before the minimum duration of 1.5 s"
    assert reason.knob() == "server_target_qps: more, so that LoadGen generates more queries"


def test_a_duration_that_was_met_is_no_reason() -> None:
    assert short("Server", result_min_duration_met=True) == []


def test_what_the_log_does_not_say_is_no_reason() -> None:
    nothing = log_of("Server")
    for reasons in (
        explain.latency_reasons,
        explain.min_duration_reasons,
        explain.query_count_reasons,
        explain.early_stopping_reasons,
        explain.error_reasons,
    ):
        assert list(reasons(nothing)) == []
    [reason] = explain.latency_reasons(log_of("Server", **{key: value for key, value in LATE.items() if "qps" not in key}))
    assert reason.suggestion == "0 (less)"
    [reason] = short("SingleStream", generated_query_count=5, result_mean_latency_ns=5.0)
    assert "1,000 ms were expected" in reason.what, "one query a second, where no rate is logged"
    assert "0 of them late" in early("Server", "at least 5 more queries")[0].what
    assert early("SingleStream", "", result_query_count=None)[0].what.startswith("early stopping: 0 queries are too few")


def test_too_few_queries_or_samples() -> None:
    few = {"result_min_queries_met": False, "effective_min_query_count": 1000, "result_query_count": 640}
    [reason] = explain.query_count_reasons(log_of("SingleStream", **few))
    assert reason == Reason(
        "640 queries were issued, the minimum is 1,000", "min_query_count", "640 or less, or find out why the run ended early"
    )
    enough = {**few, "result_query_count": 1000, "generated_samples_per_query": 8, "effective_min_sample_count": 9000}
    [reason] = explain.query_count_reasons(log_of("MultiStream", **enough))
    assert reason.what == "8,000 samples were issued, the minimum is 9,000"
    assert not list(explain.query_count_reasons(log_of("SingleStream", **{**few, "result_min_queries_met": True})))


def early(scenario: str, text: str, **values: Any) -> list[Reason]:
    found = {"early_stopping_met": False, "early_stopping_result": text, "result_query_count": 100, **values}
    return list(explain.early_stopping_reasons(log_of(scenario, **found)))


def test_early_stopping_of_streams_says_how_many_queries_it_needs() -> None:
    [reason] = early("SingleStream", "\n * Only processed 5 queries.\n * Need to process at least 64 queries for early stopping.")
    assert reason.what == "early stopping: 100 queries are too few, 64 are needed"
    assert reason.knob() == "min_query_count: 64 (or a longer min_duration)"
    [reason] = early("MultiStream", "nothing said")
    assert reason.what.endswith("too few, more are needed") and reason.suggestion.startswith("more (")


def test_early_stopping_of_server_counts_on_from_what_was_issued() -> None:
    text = " * Would need to run at least 1250 more queries, with the run being successful if every one is under-latency."
    [reason] = early("Server", text, result_overlatency_query_count=3)
    assert reason.what == ("early stopping: after 100 queries, 3 of them late, 1,250 more are needed, all of them in time")
    assert reason.knob().startswith("min_query_count: 1350 or more (or a longer min_duration")
    [reason] = early("Server", text, result_perf_constraints_met=False)
    assert reason.field == "" and reason.suggestion == "follows from the latency bound; meet that first"
    [reason] = early("Server", "* it ended *")
    assert reason.what == "early stopping was not met: it ended" and reason.knob() == "min_query_count: more"
    [reason] = early("Server", "")
    assert reason.what == "early stopping was not met: LoadGen gives no reason"


def test_early_stopping_of_tokens_is_read_from_their_own_texts() -> None:
    tokens = {"early_stopping_ttft_result": "need at least 12 more queries", "early_stopping_tpot_result": "x"}
    assert "12 more are needed" in early("Server", "", **tokens)[0].what
    tokens = {"early_stopping_ttft_result": "x", "early_stopping_tpot_result": "need at least 13 more queries"}
    assert "13 more are needed" in early("Server", "", **tokens)[0].what
    assert early("Server", "whatever", early_stopping_met=True) == []


@pytest.mark.parametrize(
    ("text", "field", "suggestion"),
    [
        ("Ending early: Max query count reached.", "max_query_count", "0 (LoadGen logs an error"),
        ("Ending early: Max test duration reached.", "max_duration", "0 (LoadGen logs an error"),
        ("Ending early: Too many outstanding queries.", "server_target_qps", "lower it"),
        ("Multiple conf files are used", "", "read one user.conf"),
        ("Parsing failed: expected 'key=value'", "", "with spaces around the ="),
        ("PerfClock and system_clock differ by 3 s", "", "the system clock was adjusted"),
        ("1 threads registered, 2 wanted", "", "start exactly server_num_issue_query_threads"),
        ("Attempted to complete a sample twice", "", "a bug, please report it"),
        ("something new", "", "the submission checker rejects a log with errors"),
    ],
)
def test_each_error_of_loadgen_has_its_advice(text: str, field: str, suggestion: str) -> None:
    [reason] = explain.error_reasons(errors(f"  {text} "))
    assert reason.what == f"LoadGen logged an error in line 101 (error_runtime, loadgen.cc:77): {text}"
    assert reason.field == field and suggestion in reason.suggestion


def test_a_limit_that_ended_a_run_is_the_one_reason_for_all_that_it_missed() -> None:
    for text in ("Max query count reached", "Max test duration reached", "Too many outstanding queries"):
        log = errors(text, scenario="Server", result_min_duration_met=False, result_min_queries_met=False)
        assert not list(explain.min_duration_reasons(log)) and not list(explain.query_count_reasons(log))
        assert len(list(explain.error_reasons(log))) == 1


def test_only_the_first_errors_are_quoted_and_the_others_are_counted() -> None:
    assert len(list(explain.error_reasons(errors("a", "b", "c")))) == 3
    *three, rest = explain.error_reasons(errors("a", "b", "c", "d", "e"))
    assert len(three) == 3
    assert (rest.what, rest.field, rest.suggestion) == ("and 2 more errors", "", "all of them are in mlperf_log_detail.txt")


def test_queries_that_ran_out_are_explained_once() -> None:
    text = "Ran out of generated queries to issue before the minimum query count and test duration were reached."
    assert not list(explain.error_reasons(errors(text, scenario="SingleStream", result_min_duration_met=False)))
    [reason] = explain.error_reasons(errors(text, scenario="SingleStream"))
    assert reason.knob() == "single_stream_expected_latency_ns: less, so that LoadGen generates more queries"
    [reason] = explain.error_reasons(errors(text, scenario="Server"))
    assert reason.field == ""
    both = errors(text, "Max test duration reached", scenario="SingleStream", result_min_duration_met=False)
    assert len(list(explain.error_reasons(both))) == 2, "the limit explains the duration, so nothing else explains the error"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (104_000, "0.104 ms"),
        (130 * MS, "130 ms"),
        (1_234_567, "1.235 ms"),
        (999_999_999, "1,000 ms"),
        (12_345_678_901, "12,346 ms"),
    ],
)
def test_nanoseconds_are_shown_in_ms(value: float, shown: str) -> None:
    assert ms(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.01142, "0.0114 s"), (99.94, "99.9 s"), (100.4, "100 s"), (3600.0, "3,600 s")])
def test_seconds_are_shown_in_three_digits_below_100(value: float, shown: str) -> None:
    assert seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [(1234.0, 1240.0, 1200.0), (0.012345, 0.0124, 0.012), (1000.0, 1000.0, 1000.0), (99.96, 100.0, 99.0), (0.0, 0.0, 0.0)],
)
def test_suggestions_are_rounded_to_the_safe_side(value: float, up: float, down: float) -> None:
    assert round_up(value) == pytest.approx(up, rel=1e-12) and round_down(value) == pytest.approx(down, rel=1e-12)
    assert round_up(-value) == -value and round_down(float("inf")) == float("inf")


@pytest.mark.parametrize(
    ("value", "text"), [(9650.0, "9650"), (0.25, "0.25"), (1e-7, "0.0000001"), (1e22, "1" + "0" * 22), (float("inf"), "inf")]
)
def test_numbers_are_written_as_config_files_take_them(value: float, text: str) -> None:
    assert number(value) == text


def test_a_knob_is_a_line_and_metadata_has_all_three_parts() -> None:
    assert Reason("what", "field", "10").knob() == "field: 10" and Reason("what", "", "do").knob() == "do"
    assert Reason("what", "field").knob() == ""
    assert Reason("what", "field", "10").as_json() == {"what": "what", "field": "field", "suggestion": "10"}
