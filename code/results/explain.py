"""Explain an INVALID run: one function per condition that LoadGen checks, giving the miss and a value to try."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason, number, round_down, round_up

SLACK = 1.1
"""Factor over the measured rate in suggestions: LoadGen itself adds 10 % of samples, and short runs measure low."""
ERRORS_SHOWN = 3
STREAM_FIELDS = {
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
}
RAN_OUT = "Ran out of generated queries"
ENDED_EARLY = {
    "Max query count reached": ("max_query_count", "0 (LoadGen logs an error whenever this limit ends a run)"),
    "Max test duration reached": ("max_duration", "0 (LoadGen logs an error whenever this limit ends a run)"),
    "Too many outstanding queries": ("server_target_qps", "lower it: queries arrived faster than they were answered"),
}
"""LoadGen's messages for a run that ended early → config field and suggestion."""
ERROR_ADVICE = {
    **ENDED_EARLY,
    "Multiple conf files are used": ("", "read one user.conf, once per process"),
    "expected 'key=value'": ("", "write user.conf as 'model.scenario.key = value' with spaces around the ="),
    "PerfClock and system_clock differ": (
        "",
        "the system clock was adjusted during the run: let it synchronise, then run again",
    ),
    "registered": ("", "start exactly server_num_issue_query_threads issue threads"),
    "complete a sample": ("", "the harness completed a sample twice or after the end: a bug, please report it"),
}
LATENCY_CHECKS = (
    ("latency", "effective_target_latency_ns", "result_{p}_percentile_latency_ns"),
    ("time to first token", "requested_server_ttft_latency", "result_first_token_{p}_percentile_latency_ns"),
    ("time per output token", "requested_server_tpot_latency", "result_time_per_output_token_{p}_percentile_ns"),
)
"""Latencies that Server bounds: of the query, or for token benchmarks the other two; in ns."""


def latency_reasons(log: LoadGenLog) -> Iterator[Reason]:
    """Server's latency bound: how far it was missed, and a rate to try."""
    if log.get("result_perf_constraints_met", True):
        return
    tokens = bool(log.get("requested_use_token_latencies", False))
    percentile = 100 * float(log.get("effective_target_latency_percentile", 0.99))
    for name, bound_key, result_key in LATENCY_CHECKS[1:] if tokens else LATENCY_CHECKS[:1]:
        bound, got = log.get(bound_key), log.get(result_key.format(p=f"{percentile:.2f}"))
        if not bound or got is None or got <= bound:
            continue
        over = got / bound - 1
        by = f"{over:.0%} over" if over < 1 else f"{got / bound:.3g} times the bound"
        what = f"the {percentile:g} % {name} was {ms(got)}, the bound is {ms(bound)}: missed by {ms(got - bound)}, {by}"
        late, issued = log.get("result_overlatency_query_count"), log.query_count
        if not tokens and late is not None and issued:
            what += f"; {late:,} of {issued:,} queries were late"
        yield Reason(what, *_rate_to_try(log, float(bound), over, tokens))


def _rate_to_try(log: LoadGenLog, bound_ns: float, over: float, tokens: bool) -> tuple[str, str]:
    """The field and the value that should bring the latency below the bound."""
    fastest = log.get("result_min_latency_ns", 0)
    if not tokens and fastest > bound_ns:
        return (
            "",
            f"even the fastest query took {ms(fastest)}, so no rate meets the bound: use a smaller gpu_batch_size or "
            "cpu_batch_size, or a faster engine",
        )
    asked = float(log.get("effective_target_qps", 0))
    done = log.get("result_completed_samples_per_sec")
    if done is not None and math.isfinite(done) and done < 0.97 * asked:
        rate = 0.9 * done
        why = f"{asked:g}/s were sent and {done:g}/s answered, so the queue grew; this is 90 % of what was answered"
    else:
        rate = asked * (0.95 if over < 0.2 else 0.9)
        why = f"{rate / asked:.0%} of the {asked:g} now" if asked else "less"
    return "server_target_qps", f"{number(round_down(rate, 3))} ({why})"


def min_duration_reasons(log: LoadGenLog) -> Iterator[Reason]:
    """The minimum duration was not reached: LoadGen had generated too few queries."""
    if log.get("result_min_duration_met", True) or _ended_early(log):
        return
    needed = int(log.get("effective_min_duration_ms", 0)) / 1e3
    if log.scenario == "Offline":
        yield _offline_too_short(log, needed)
    elif log.scenario in STREAM_FIELDS:
        yield _stream_too_short(log, needed)
    else:
        yield Reason(
            f"the last query was scheduled before the minimum duration of {seconds(needed)}",
            "server_target_qps",
            "more, so that LoadGen generates more queries",
        )


def _offline_too_short(log: LoadGenLog, needed: float) -> Reason:
    rate = float(log.number("result_samples_per_second") or log.value or 0)  # the result itself may be in tokens/s
    expected = float(log.get("effective_target_qps") or 0)
    samples = log.sample_count or 0
    took = float(log.get("result_max_latency_ns", 0)) / 1e9
    return Reason(
        f"the single query of {samples:,} samples completed in {seconds(took)}, but the run must last {seconds(needed)}: "
        f"offline_expected_qps of {expected:g} is lower than the {rate:g} samples/s achieved",
        "offline_expected_qps",
        f"{number(round_up(rate * SLACK))} or more (the achieved rate and 10 %)",
    )


def _stream_too_short(log: LoadGenLog, needed: float) -> Reason:
    mean_key = "result_mean_query_latency_ns" if log.scenario == "MultiStream" else "result_mean_latency_ns"
    mean = float(log.get(mean_key, 0))
    expected = 1e9 / float(log.get("effective_target_qps", 1))
    field = STREAM_FIELDS[log.scenario]
    return Reason(
        f"all {log.get('generated_query_count'):,} queries that LoadGen generated completed before the minimum duration of "
        f"{seconds(needed)}: a query took {ms(mean)} on average, {ms(expected)} were expected",
        field,
        f"{number(max(1.0, round_down(mean)))} or less",
    )


def query_count_reasons(log: LoadGenLog) -> Iterator[Reason]:
    """Fewer queries or samples than the minimum were issued."""
    if log.get("result_min_queries_met", True) or _ended_early(log):
        return
    issued, needed = log.query_count or 0, int(log.get("effective_min_query_count", 0))
    unit = "queries"
    if issued >= needed:
        issued, needed, unit = log.sample_count or 0, int(log.get("effective_min_sample_count", 0)), "samples"
    what = f"{issued:,} {unit} were issued, the minimum is {needed:,}"
    yield Reason(what, "min_query_count", f"{issued} or less, or find out why the run ended early")


def early_stopping_reasons(log: LoadGenLog) -> Iterator[Reason]:
    """Too few queries to estimate the percentile with 99 % confidence (MLPerf rules, early stopping)."""
    if log.get("early_stopping_met", True):
        return
    texts = [log.get(key) for key in ("early_stopping_result", "early_stopping_ttft_result", "early_stopping_tpot_result")]
    message = " ".join(text for text in texts if text)
    issued = log.query_count or 0
    if log.scenario in STREAM_FIELDS:
        least = _number_in(r"at least (\d+) queries for early stopping", message)
        need = f"{least:,} are needed" if least else "more are needed"
        yield Reason(
            f"early stopping: {issued:,} queries are too few, {need}",
            "min_query_count",
            f"{least or 'more'} (or a longer min_duration)",
        )
        return
    more = _number_in(r"at least (\d+) more queries", message)
    if more is None:
        yield Reason(f"early stopping was not met: {message.strip(' *') or 'LoadGen gives no reason'}", "min_query_count", "more")
        return
    late = int(log.get("result_overlatency_query_count", 0))
    # With bounds of token latencies LoadGen counts as late what is over the other bound, which is 0.
    counted = "" if log.get("requested_use_token_latencies") else f", {late:,} of them late"
    what = f"early stopping: after {issued:,} queries{counted}, {more:,} more are needed, all of them in time"
    if log.get("result_perf_constraints_met", True):
        suggestion = f"{issued + more} or more (or a longer min_duration; if queries are late, a lower server_target_qps)"
        yield Reason(what, "min_query_count", suggestion)
    else:
        yield Reason(what, "", "follows from the latency bound; meet that first")


def error_reasons(log: LoadGenLog) -> Iterator[Reason]:
    """Errors in the log, the first few quoted, without those that another reason explains."""
    explained = not log.get("result_min_duration_met", True) and not _ended_early(log)
    shown = [entry for entry in log.errors if not (explained and RAN_OUT in str(entry.value))]
    for entry in shown[:ERRORS_SHOWN]:
        advice = next((known for words, known in ERROR_ADVICE.items() if words in str(entry.value)), None)
        if advice is None and RAN_OUT in str(entry.value) and log.scenario in STREAM_FIELDS:
            advice = (STREAM_FIELDS[log.scenario], "less, so that LoadGen generates more queries")
        yield Reason(
            f"LoadGen logged an error in line {entry.row} ({entry.key}, {entry.source}): {str(entry.value).strip()}",
            *(advice or ("", "the submission checker rejects a log with errors")),
        )
    if len(shown) > ERRORS_SHOWN:
        yield Reason(f"and {len(shown) - ERRORS_SHOWN:,} more errors", "", f"all of them are in {log.path}")


def _ended_early(log: LoadGenLog) -> bool:
    """Whether a limit ended the run; LoadGen logs that as an error, which then explains all missed conditions."""
    return any(words in str(entry.value) for entry in log.errors for words in ENDED_EARLY)


def _number_in(pattern: str, text: str) -> int | None:
    hit = re.search(pattern, text)
    return int(hit.group(1)) if hit else None


def ms(nanoseconds: float) -> str:
    """Nanoseconds formatted in ms: '130 ms', '0.104 ms'."""
    return f"{nanoseconds / 1e6:,.4g} ms" if nanoseconds < 1e9 else f"{nanoseconds / 1e6:,.0f} ms"


def seconds(value: float) -> str:
    """Seconds as text: '600 s', '0.0114 s'."""
    return f"{value:,.3g} s" if value < 100 else f"{value:,.0f} s"
