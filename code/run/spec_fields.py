"""Parts of run.json taken directly from fields: batching, logs, warm-up, results folder."""

from __future__ import annotations

from typing import Any

from code.fields.consumer import Consumer, Readable

WARMUP_S = 0.7
PROCESSOR_WARMUP_S = 0.4
"""Enough for the lengths that most samples have; there is no graph to capture."""
SERVER_WARMUP_S = 3.0
"""Server meets batches of every size, and near its highest rate a queue that forms in the first seconds stays for the whole run."""

BATCHING = Consumer("batching", ("batch_padding", "deque_timeout_usec", "pad_to_multiple_of", "use_deque_limit"))
BOUND = Consumer(
    "batching in Server",
    ("soft_drop",),
    languages=("cpp",),
    notes={"soft_drop": "answers queries in order of arrival, however late"},
)
LOG = Consumer(
    "LoadGen's logs",
    (
        "disable_log_copy_summary_to_stdout",
        "log_copy_detail_to_stdout",
        "log_enable_trace",
        "log_mode",
        "log_mode_async_poll_interval_ms",
    ),
)
TEXT = Consumer("text generation", ("enable_sort", "num_sort_segments", "use_token_latencies"))
QUERIES = Consumer("probe", ("multi_stream_samples_per_query",))
SAMPLES_PER_QUERY = 8
"""MultiStream's default samples per query (mlperf.conf)."""
ISSUING = Consumer("LoadGen's threads", ("server_num_issue_query_threads",))
WARM_UP = Consumer("warm-up", ("warmup_duration",))
RESULTS = Consumer("results", ("log_dir",))


def timeout_us(values: Readable) -> float:
    """Maximum time a batch waits to fill; 0, also for use_deque_limit=False: no waiting."""
    read = BATCHING.of(values)
    return 0.0 if read["use_deque_limit"] is False else float(read["deque_timeout_usec"] or 0)


def padding(values: Readable) -> float:
    """Maximum padding of a sample in a batch, as a fraction of the batch's longest sample."""
    return float(BATCHING.of(values)["batch_padding"])


def length_multiple(values: Readable) -> int:
    """Batch lengths are rounded up to a multiple of this; 1 for no rounding."""
    return int(BATCHING.of(values)["pad_to_multiple_of"] or 1)


def log_settings(values: Readable) -> dict[str, Any]:
    """LoadGen's LogSettings and LogOutputSettings.

    `mode` and `async_poll_interval_ms` are None if unset, which keeps LoadGen's defaults.
    """
    read = LOG.of(values)
    return {
        "enable_trace": bool(read["log_enable_trace"]),
        "copy_summary_to_stdout": not read["disable_log_copy_summary_to_stdout"],
        "copy_detail_to_stdout": bool(read["log_copy_detail_to_stdout"]),
        "mode": read["log_mode"],
        "async_poll_interval_ms": read["log_mode_async_poll_interval_ms"],
    }


def issue_threads(values: Readable) -> int:
    """Threads that issue Server queries; 0 for LoadGen's own thread."""
    return int(ISSUING.of(values)["server_num_issue_query_threads"] or 0)


def warmup_s(values: Readable, scenario: str, on_gpus: bool) -> float:
    """Warm-up in seconds of inference before LoadGen starts, at most; `scenario` is LoadGen's name."""
    given = WARM_UP.of(values)["warmup_duration"]
    short = WARMUP_S if on_gpus else PROCESSOR_WARMUP_S
    usual = SERVER_WARMUP_S if scenario == "Server" else short
    return float(usual if given is None else given)


def log_dir(values: Readable) -> str:
    """The requested results folder; '' if none."""
    return str(RESULTS.of(values)["log_dir"] or "")


def soft_drop(values: Readable) -> float:
    """Fraction of Server queries that must meet the bound; 1 if late queries are not postponed."""
    given = BOUND.of(values)["soft_drop"]
    return 1.0 if given is None else float(given)


def samples_per_query(values: Readable) -> int:
    """Samples per MultiStream query."""
    return int(QUERIES.of(values)["multi_stream_samples_per_query"] or SAMPLES_PER_QUERY)


def text_requests(values: Readable) -> dict[str, Any]:
    """Text generation: whether requests are sorted by length in segments, and, where a field says it, whether first tokens are reported."""
    read = TEXT.of(values)
    said = read["use_token_latencies"]
    return {
        **({} if said is None else {"use_token_latencies": bool(said)}),
        "enable_sort": read["enable_sort"] is not False,
        "num_sort_segments": int(read["num_sort_segments"] or 1),
    }
