"""The rows of the sabotage table that a pair of LoadGen logs fails by: code/submission/check/log_checks.py."""

from __future__ import annotations

from tests.unit.submission.sabotage import (
    Row,
    cut,
    event,
    gone,
    in_summary,
    key,
    no_result_in_summary,
    score,
    system,
    text,
    without_settings,
)

PERFORMANCE, ACCURACY = "--test_mode=PerformanceOnly", "--test_mode=AccuracyOnly"
RUN, PERF_LOG = "performance/run_1", "performance/run_1/mlperf_log_detail.txt"
SINGLE = "SingleStream"

LOGS: dict[str, Row] = {
    "no detail log": Row(gone(PERF_LOG), "files", "missing", PERFORMANCE),
    "an empty summary": Row(text(f"{RUN}/mlperf_log_summary.txt", ""), "files", "empty", PERFORMANCE, also=("summary",)),
    "no detail log of the accuracy run": Row(gone("accuracy/mlperf_log_detail.txt"), "files", "missing", ACCURACY),
    "no accuracy log": Row(gone("accuracy/mlperf_log_accuracy.json"), "files", "missing", ACCURACY),
    "a detail log that is something else": Row(text(PERF_LOG, "hello\n"), "readable", "not a line of LoadGen's detail log"),
    "another in the accuracy run": Row(text("accuracy/mlperf_log_detail.txt", "hello\n"), "readable", "not a line of LoadGen's"),
    "a value of another type": Row(key("effective_min_duration_ms", "ten"), "readable", "effective_min_duration_ms is 'ten'"),
    "a log that ends before its settings": Row(
        without_settings, "complete", "ended before LoadGen logged its settings", PERFORMANCE
    ),
    "no minimum duration": Row(key("effective_min_duration_ms", None), "settings", "no effective_min_duration_ms", PERFORMANCE),
    "no sample count": Row(key("effective_performance_sample_count", None), "settings", "no effective_performance_sample_count"),
    "no size of a query": Row(key("effective_samples_per_query", None), "settings", "no effective_samples_per_query"),
    "a log without its result": Row(
        key("result_99.90_percentile_latency_ns", None), "complete", "the log is incomplete", PERFORMANCE
    ),
    "an accuracy run as performance": Row(
        key("effective_test_mode", "AccuracyOnly"),
        "mode",
        "this is a run in AccuracyOnly",
        PERFORMANCE,
        also=("complete", "summary"),
    ),
    "errors of LoadGen": Row(
        event("Ran out of luck", is_error=True), "errors", "line 2: LoadGen logged an error: Ran out of luck", PERFORMANCE
    ),
    "errors of LoadGen in the network division": Row(event("No luck", is_error=True), "errors", "No luck", base="network"),
    "an INVALID run": Row(
        key("result_validity", "INVALID"), "valid", "reports the run as INVALID", PERFORMANCE, also=("summary",)
    ),
    "an INVALID run in open": Row(
        key("result_validity", "INVALID"), "valid", "INVALID", "state it wherever", "open", error=False, also=("summary",)
    ),
    "a simulated engine": Row(
        key("sut_name", "simulated engine"), "simulated", "nothing was computed", PERFORMANCE, also=("summary",)
    ),
    "an audit as a result": Row(
        event("Found Audit Config file (audit.config).", is_warning=True), "audited", "an audit run, not a result"
    ),
    "an audit as an accuracy run": Row(
        event("Found Audit Config file (audit.config).", "accuracy", is_warning=True), "audited", "an audit run, not a result"
    ),
    "a network without its name": Row(
        key("sut_name", "SUT"), "network", "without 'Network SUT'", PERFORMANCE, "network", also=("summary",)
    ),
    "another seed": Row(
        key("effective_qsl_rng_seed", 1), "seeds", "qsl_rng_seed is 1, v6.1 requires", PERFORMANCE, also=("summary",)
    ),
    "another seed of the schedule": Row(
        key("effective_schedule_rng_seed", 1), "seeds", "schedule_rng_seed is 1", also=("summary",)
    ),
    "another seed in the accuracy run": Row(
        key("effective_sample_index_rng_seed", 1, "accuracy"), "seeds", "sample_index_rng_seed is 1", ACCURACY, own=True
    ),
    "nine minutes": Row(
        key("effective_min_duration_ms", 599_999), "duration", "requires 600000 ms", "min_duration at 600000", also=("summary",)
    ),
    "nine minutes in open": Row(
        key("effective_min_duration_ms", 540_000), "duration", "9 minutes", "", "open", also=("summary",)
    ),
    "a duration that was not met": Row(
        key("result_min_duration_met", False), "duration", "ended before", PERFORMANCE, also=("summary",)
    ),
    "too few samples to draw from": Row(
        key("effective_performance_sample_count", 10_832),
        "samples",
        "drew from 10,832 samples; bert-99 has 10,833",
        also=("summary",),
    ),
    "a short Offline query": Row(
        key("effective_samples_per_query", 10_832), "samples", "10,832 samples; closed requires 10,833", also=("summary",)
    ),
    "a short Offline query before v6.0": Row(
        key("effective_samples_per_query", 10_832), "samples", "v4.1 in every division", base="v4.1", also=("summary",)
    ),
    "a run of another scenario": Row(
        key("effective_scenario", "Offline", scenario=SINGLE), "scenario", "it cannot be used for SingleStream", also=("*",)
    ),
    "a SingleStream run for Offline, on no edge system": Row(
        lambda tree: (key("effective_scenario", SINGLE)(tree), system(system_type="datacenter")(tree))[0],
        "scenario",
        "only on edge systems; this one is datacenter",
        also=("*",),
    ),
    "early stopping": Row(
        key("early_stopping_met", False, scenario=SINGLE), "early_stopping", "was not met", PERFORMANCE, also=("summary",)
    ),
    "another percentile": Row(
        key("effective_target_latency_percentile", 0.5, scenario=SINGLE),
        "rules",
        "50, not the rule's 90",
        "leave single_stream_",
        own=True,
    ),
    "another percentile in open": Row(
        key("effective_target_latency_percentile", 0.5, scenario=SINGLE), "rules", "50", base="open", error=False, own=True
    ),
    "an edited summary": Row(
        in_summary("Samples per second: ", "Samples per second: 9"), "summary", "contradicts", "restore it", own=True
    ),
    "a summary without its result": Row(no_result_in_summary, "summary", "no result in it", PERFORMANCE, own=True),
    "an accuracy run that ends early": Row(cut("accuracy"), "complete", "the log is incomplete", ACCURACY),
    "a performance run as accuracy": Row(
        key("effective_test_mode", "PerformanceOnly", "accuracy"), "mode", "not an accuracy run", ACCURACY, also=("complete",)
    ),
    "errors of LoadGen in the accuracy run": Row(
        event("No luck", "accuracy", is_error=True), "errors", "line 2: LoadGen logged", ACCURACY
    ),
    "a part of the data set": Row(
        lambda tree: (key("effective_accuracy_sample_count", 10_832, "accuracy"))(tree),
        "samples",
        "covers 10,832 samples",
        ACCURACY,
    ),
    "no count of the accuracy run": Row(
        lambda tree: (
            key("effective_accuracy_sample_count", None, "accuracy")(tree),
            key("qsl_reported_total_count", None, "accuracy")(tree),
        )[1],
        "samples",
        "no sample count",
        ACCURACY,
        also=("complete",),
    ),
    "an accuracy run of another scenario": Row(
        key("effective_scenario", "Offline", "accuracy", SINGLE),
        "scenario",
        "the run is Offline; it cannot be used for SingleStream",
        ACCURACY,
        own=True,
    ),
    "a SingleStream accuracy run for Offline, on no edge system": Row(
        lambda tree: (key("effective_scenario", SINGLE, "accuracy")(tree), system(system_type="datacenter")(tree))[0],
        "scenario",
        "a SingleStream run can be used for Offline only on edge systems",
        ACCURACY,
        own=True,
        also=("*",),
    ),
    "no score": Row(text("accuracy/accuracy.txt", f"hash={'0' * 64}\n"), "accuracy", "no F1 in the format", ACCURACY),
    "accuracy below the target": Row(
        score(89.965), "accuracy", "F1 is 89.965; the target of bert-99 is 89.9653", "higher precision"
    ),
    "accuracy below the target in open": Row(score(80.0), "accuracy", "F1 is 80", "allowed in open", "open", error=False),
}
