"""LoadGen's summary agrees with its detail log whatever the figures are, and an edited figure does not."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from code.results.loadgen_log import read_detail
from code.submission.check import summary_log

DOUBLES: dict[str, Callable[[float], str]] = {
    "operator<<": lambda value: f"{value:g}",
    "DoubleToString": lambda value: f"{value:.2f}",
    "to_string": lambda value: f"{value:f}",
}
"""How LoadGen's C++ writes a double: logging.h, utils.cc, and logging.cc's overload for doubles."""
RATE, KEY = "Completed samples per second", "result_completed_samples_per_sec"


def rates() -> Iterator[float]:
    """Doubles of every size that a rate may have, whole ones and those that round to a whole number among them."""
    drawn = random.Random(20261129)
    for _ in range(3000):
        value = 10 ** drawn.uniform(-3, 9)
        yield value
        yield float(round(value))
        yield round(value) + drawn.uniform(-0.06, 0.06) + 1
    yield from (16002.97, 999999.5, 1e6, 1234567.8, 99999.95, 0.0, 100000.0)


def detail(folder: Path, **values: object) -> Path:
    """A detail log with these keys."""
    lines = []
    for key, value in values.items():
        shown = value if isinstance(value, str) and key.startswith("result_completed") else json.dumps(value)
        meta = '{"is_error": false, "is_warning": false, "file": "results.cc", "line_no": 1}'
        lines.append(f':::MLLOG {{"key": "{key}", "value": {shown}, "time_ms": 1.0, "metadata": {meta}}}')
    path = folder / "mlperf_log_detail.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("summary", ["operator<<", "DoubleToString"])
@pytest.mark.parametrize("log", ["operator<<", "to_string"])
def test_a_rate_agrees_with_itself_however_the_two_files_write_it(summary: str, log: str) -> None:
    for value in rates():
        shown, found = DOUBLES[summary](value), json.loads(DOUBLES[log](value))
        assert summary_log.rates_agree(shown, found), f"{value!r}: {shown} in the summary, {found!r} in the detail log"


@pytest.mark.parametrize("summary", ["operator<<", "DoubleToString"])
@pytest.mark.parametrize("log", ["operator<<", "to_string"])
def test_another_rate_is_found_from_the_sixth_digit_on(summary: str, log: str) -> None:
    for value in rates():
        unit = max(10.0 ** (math.floor(math.log10(value * 1.0001)) - 5), 1e-6) if value else 1e-3
        other = value + 3 * max(unit, 0.01)  # two decimals may be all that there are, or what is left of six digits
        assert not summary_log.rates_agree(DOUBLES[summary](other), json.loads(DOUBLES[log](value))), (value, other)


@pytest.mark.parametrize("logged", ["16003", "16003.0", "1.6003e+04", "16002.97", "16002.970000"])
def test_the_json_type_of_a_rate_says_nothing(tmp_path: Path, logged: str) -> None:
    log = read_detail(detail(tmp_path, **{KEY: logged}))
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text(f"{RATE}    : 16002.97\n")
    assert list(summary_log.disagreements(summary, log)) == []
    summary.write_text(f"{RATE}    : 16012.97\n")
    [found] = summary_log.disagreements(summary, log)
    assert (found.line, found.label, found.key) == (1, RATE, KEY)


@pytest.mark.parametrize(
    ("shown", "logged", "same"), [("nan", "nan", True), ("-nan", "-nan", True), ("inf", "inf", True), ("inf", "1", False)]
)
def test_rates_of_a_single_query(tmp_path: Path, shown: str, logged: str, same: bool) -> None:
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text(f"{RATE} : {shown}\n")
    assert (list(summary_log.disagreements(summary, read_detail(detail(tmp_path, **{KEY: logged})))) == []) is same


def test_counts_and_latencies_are_compared_in_full(tmp_path: Path) -> None:
    log = read_detail(detail(tmp_path, result_max_latency_ns=146954146383, effective_min_query_count=16003))
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text("Max latency (ns)  : 146954146383\nmin_query_count : 16003\n")
    assert list(summary_log.disagreements(summary, log)) == []
    summary.write_text("Max latency (ns)  : 146954146384\nmin_query_count : 16002.97\n")
    assert [found.label for found in summary_log.disagreements(summary, log)] == ["Max latency (ns)", "min_query_count"]


TOKENS = {
    "early_stopping_ttft_result": " * Processed at least 64 queries (1024).  * Early stopping 90.0th percentile estimate: 500",
    "early_stopping_tpot_result": " * Processed at least 64 queries (1024).  * Early stopping 90.0th percentile estimate: 70",
    "early_stopping_latency_ss": 500,
    "result_first_token_99.00_percentile_latency_ns": 452744202,
    "result_time_per_output_token_99.00_percentile_ns": 146040006,
    "result_time_to_output_token_min": 39156781,
    "early_stopping_met": True,
}
TOKEN_SUMMARY = """  Early stopping satisfied: Yes
TTFT Early Stopping Result:
 * Processed at least 64 queries (1024).
 * Early stopping 90.0th percentile estimate: 500
TPOT Early Stopping Result:
 * Processed at least 64 queries (1024).
 * Early stopping 90.0th percentile estimate: 70
99.00 percentile first token latency (ns)   : 452744202
99.00 percentile time to output token (ns)   : 146040006
Min Time to Output Token (ns)                : 39156781
"""


def test_estimates_of_token_latencies_are_told_apart(tmp_path: Path) -> None:
    """LoadGen keeps one of the two in early_stopping_latency_ss; the other is right all the same."""
    log = read_detail(detail(tmp_path, **TOKENS))
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text(TOKEN_SUMMARY)
    assert list(summary_log.disagreements(summary, log)) == []
    for old, new, key in (
        ("estimate: 500", "estimate: 501", "early_stopping_ttft_result"),
        ("estimate: 70", "estimate: 71", "early_stopping_tpot_result"),
        ("452744202", "452744201", "result_first_token_99.00_percentile_latency_ns"),
        ("39156781", "39156780", "result_time_to_output_token_min"),
        ("satisfied: Yes", "satisfied: NO", "early_stopping_met"),
    ):
        summary.write_text(TOKEN_SUMMARY.replace(old, new))
        assert [found.key for found in summary_log.disagreements(summary, log)] == [key]


@pytest.mark.parametrize(("percentile", "key"), [(90, "early_stopping_latency_ss"), (99, "early_stopping_latency_ms")])
def test_an_estimate_of_a_latency_is_compared_with_its_key(tmp_path: Path, percentile: int, key: str) -> None:
    log = read_detail(detail(tmp_path, early_stopping_latency_ss=500 - percentile, early_stopping_latency_ms=500 - percentile))
    summary = tmp_path / "mlperf_log_summary.txt"
    text = f"Early Stopping Result:\n * Early stopping {percentile}th percentile estimate: "
    summary.write_text(f"{text}{500 - percentile}\n")
    assert list(summary_log.disagreements(summary, log)) == []
    summary.write_text(f"{text}501\n")
    [found] = summary_log.disagreements(summary, log)
    assert (found.key, found.line, found.summary, found.detail) == (key, 2, "501", str(500 - percentile))


@pytest.mark.parametrize(
    ("shown", "found", "same"),
    [
        *(("1", True, True), ("NO", False, True), ("1", False, False), ("Yes", False, False), ("0", True, False)),
        *(("7", 7, True), ("7.0", 7, False), ("x", 7, False)),
        *(("7", 7.0, True), ("7.00", 7.0, True), ("7.1", 7.0, False)),
        *(("Server", "Server", True), ("server", "Server", False)),
    ],
)
def test_words_and_whole_numbers(shown: str, found: object, same: bool) -> None:
    assert summary_log._same(shown, found) is same


@pytest.mark.parametrize(("shown", "found"), [("1", True), ("1", "1"), ("1", None), ("one", 1), ("", 0.0)])
def test_what_is_no_number_agrees_with_no_rate(shown: str, found: object) -> None:
    assert not summary_log.rates_agree(shown, found)


@pytest.mark.parametrize(
    ("shown", "most", "too_far"),
    [
        # Six digits of each file: half a unit of the sixth digit twice.
        ("16003", 16003.1, 16003.11),
        ("0.5", 0.500001, 0.5000011),
        ("1e+06", 1000010, 1000011),
        ("1e+06", 999994.5, 999994.4),
        ("1.23457e+06", 1234580, 1234581),
        # Two decimals, or as many as there are, with six digits of the detail log.
        ("16002.97", 16003.025, 16003.03),
        ("1234567.89", 1234572.895, 1234572.9),
        ("1.2345678e+06", 1234572.85, 1234572.9),
        ("250.00", 250.0055, 250.006),
        # The detail log's own six decimals.
        ("0.00", 0.005, 0.0051),
        ("1e-07", 6e-7, 6.1e-7),
        ("1.50", 1.505, 1.506),
    ],
)
def test_a_rate_may_differ_by_what_writing_it_twice_rounds(shown: str, most: float, too_far: float) -> None:
    assert summary_log.rates_agree(shown, most) and not summary_log.rates_agree(shown, too_far)


WORDS = {
    "Scenario": ("Offline", "Server"),
    "Mode": ("PerformanceOnly", "AccuracyOnly"),
    "SUT name": ("PySUT", "another"),
    "Result is": ("VALID", "INVALID"),
}
PERCENTILES = {
    "50.00 percentile latency (ns)": ("result_50.00_percentile_latency_ns", "result_50.00_percentile_per_query_latency_ns"),
    "99.9th percentile latency (ns)": ("result_99.90_percentile_latency_ns",),
    "90 percentile first token latency (ns)": ("result_first_token_90.00_percentile_latency_ns",),
    "99th first token percentile latency (ns)": ("result_first_token_99.00_percentile_latency_ns",),
    "95.00 percentile time to output token (ns)": ("result_time_per_output_token_95.00_percentile_ns",),
}


@pytest.mark.parametrize(("label", "keys"), [*summary_log.LABELS.items(), *PERCENTILES.items()])
def test_an_edited_line_is_found_under_each_key_that_may_hold_it(tmp_path: Path, label: str, keys: tuple[str, ...]) -> None:
    summary = tmp_path / "mlperf_log_summary.txt"
    shown, other = ("Yes", "NO") if label.endswith("satisfied") else WORDS.get(label, ("7", "8"))
    logged = True if shown == "Yes" else shown if label in WORDS else int(shown)
    for key in keys:
        log = read_detail(detail(tmp_path, **{key: str(logged) if key.startswith("result_completed") else logged}))
        summary.write_text(f"{label} : {shown}\n")
        assert list(summary_log.disagreements(summary, log)) == []
        summary.write_text(f"{label} : {other}\n")
        [found] = summary_log.disagreements(summary, log)
        assert (found.label, found.key, found.summary, found.detail) == (label, key, other, str(logged))
    summary.write_text(f"{label} :\n{label}\nanother label : 8\n")
    assert list(summary_log.disagreements(summary, log)) == [], "no value is none"


@pytest.mark.parametrize(
    ("label", "key"),
    [("Samples per second", "result_samples_per_second"), ("accuracy_log_probability", "effective_accuracy_log_probability")],
)
def test_a_rate_is_compared_as_loadgen_rounds_it(tmp_path: Path, label: str, key: str) -> None:
    log = read_detail(detail(tmp_path, **{key: 0.123456789}))
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text(f"{label} : 0.123457\n")
    assert not list(summary_log.disagreements(summary, log))
    summary.write_text(f"{label} : 0.123459\n")
    assert [found.key for found in summary_log.disagreements(summary, log)] == [key]


def test_one_of_two_keys_is_enough(tmp_path: Path) -> None:
    """Offline's and Server's logs name a latency differently; where both are there, LoadGen's own version wrote either."""
    first, second = summary_log.LABELS["Max latency (ns)"]
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text("Max latency (ns) : 7\n")
    assert not list(summary_log.disagreements(summary, read_detail(detail(tmp_path, **{first: 5, second: 7}))))
    [found] = summary_log.disagreements(summary, read_detail(detail(tmp_path, **{first: 5, second: 6})))
    assert str(found) == f"line 1: 'Max latency (ns)' is 7, but {first} in mlperf_log_detail.txt is 5"


@pytest.mark.parametrize(
    ("text", "has"),
    [("MLPerf\nResult is : VALID\n", True), ("No Result is here\n", False), ("", False), ("\ufeffResult is : x", True)],
)
def test_a_summary_of_a_performance_run_has_a_result(tmp_path: Path, text: str, has: bool) -> None:
    summary = tmp_path / "mlperf_log_summary.txt"
    summary.write_text(text, encoding="utf-8")
    assert summary_log.has_result(summary) is has


def test_an_estimate_belongs_to_the_heading_above_it(tmp_path: Path) -> None:
    """A heading without a word is of the run's own latency again, and an estimate of another percentile is of nothing known."""
    texts = {"early_stopping_ttft_result": "* Early stopping 90.0th percentile estimate: 5", "early_stopping_latency_ss": 9}
    log = read_detail(detail(tmp_path, **texts))
    summary = tmp_path / "mlperf_log_summary.txt"
    lines = ["TTFT Early Stopping Result:", " * Early stopping 90th percentile estimate: 5"]
    lines += [
        "Early Stopping Result:",
        " * Early stopping 90th percentile estimate: 9",
        " * Early stopping 95th percentile estimate: 1",
    ]
    summary.write_text("\n".join(lines))
    assert list(summary_log.disagreements(summary, log)) == []
    summary.write_text("\n".join(lines).replace(": 5", ": 9"))
    [found] = summary_log.disagreements(summary, log)
    assert (found.line, found.key, found.detail) == (2, "early_stopping_ttft_result", "5")


def test_real_logs_agree(shared: Path) -> None:
    folders = sorted(path.parent for path in (shared / "data/mlperf_logs").rglob("mlperf_log_summary.txt"))
    assert folders
    for folder in folders:
        found = list(summary_log.disagreements(folder / "mlperf_log_summary.txt", read_detail(folder)))
        assert found == [], f"{folder}: {found[0]}"
