"""metadata.json: a result in machine-readable form, with the keys that existing automation reads.

Performance: `summary_string` is "<scenario_key>: <value>, Result is VALID, 10-min runtime requirement met: True", so that
its second word is the value and a comma. Accuracy: "[PASSED] F1: 90.215 (Threshold=89.965)", several metrics joined with
" | ".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.errors import RunError
from code.common.files import write_json
from code.results import seal
from code.results.accuracy import AccuracyResult, accuracy_pass, accuracy_summary
from code.results.loadgen_log import LoadGenLog
from code.results.verdict import Verdict
from code.rules.metrics import MIN_QUERY_COUNT, OFFLINE_SAMPLES_CAP
from code.rules.rounds import loadgen_scenario

METADATA_NAME = "metadata.json"
SIMULATED_NOTE = ", SIMULATED: no engine computed anything"
TOKEN_RATES = (
    "result_tokens_per_second",
    "result_completed_tokens_per_second",
    "result_inferred_tokens_per_second",
    "result_inferred_completed_tokens_per_second",
)
"""LoadGen's text generation keys; for GPT-J it infers tokens from samples (mlperf.conf: token_latency_scaling_factor)."""


@dataclass(frozen=True)
class RunIdentity:
    """Identifies a run.

    Args:
        benchmark_full: with its accuracy target: 'bert-99', 'bert-99.9'.
        benchmark_short: 'bert'.
        config_name: '<system>_<runtime>-custom_k_99_MaxP-Offline'.
        system_name: '<system>_<runtime>', as a submission names it.
        detected_system: a description of the detected machine.
        scenario: 'Offline', 'Server', 'SingleStream', 'MultiStream' or 'Interactive'.
        test_mode: 'PerformanceOnly', 'AccuracyOnly' or 'SubmissionRun'.
        runtime_key: 'tensorrt_version', 'openvino_version', 'onnxruntime_version', …
        runtime_version: of that runtime.
        model_variant: 'reference' or 'tiny'.
        dataset_samples: samples of the benchmark's data set; None for the count that the QSL reported.
        extras: more keys for metadata.json (precision, division_note, …), distinct from the above.
        simulated: whether the engine was simulated; summary lines then say so.
    """

    benchmark_full: str
    benchmark_short: str
    config_name: str
    system_name: str
    detected_system: str
    scenario: str
    test_mode: str
    runtime_key: str
    runtime_version: str
    model_variant: str = "reference"
    dataset_samples: int | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False


def performance_metadata(identity: RunIdentity, log: LoadGenLog, verdict: Verdict) -> dict[str, Any]:
    """The metadata of a performance run.

    Raises:
        RunError: the log is not complete, LoadGen's value is not a number, or the log's scenario is not the identity's.
    """
    _agree(identity, log)
    metric = log.metric
    value = log.value
    if not log.complete or value is None or not math.isfinite(value):
        raise RunError(
            f"{log.path} has no result",
            f"{metric.key} is {value}" if log.complete else "the run was interrupted or failed before its end",
            "run the workload again; stdout.txt beside the log has the cause",
        )
    content = {
        **_head(identity, log),
        metric.key: value,
        "early_stopping_met": bool(verdict.early_stopping_met),
        "result_validity": verdict.word,
        "loadgen_result_validity": log.get("result_validity"),
        "summary_string": f"{metric.key}: {value}, Result is {verdict.word}, "
        f"10-min runtime requirement met: {verdict.ten_minutes_met}{SIMULATED_NOTE if identity.simulated else ''}",
        "submission_key": metric.submission_key,
        metric.submission_key: log.get(metric.submission_key),
        "reasons": [reason.as_json() for reason in verdict.reasons],
        "notes": [reason.as_json() for reason in verdict.notes],
        "departures": [reason.as_json() for reason in verdict.departures],
        **{key: log.get(key) for key in TOKEN_RATES if log.get(key) is not None and key != metric.key},
    }
    return _with_extras(content, identity)


def accuracy_metadata(
    identity: RunIdentity, log: LoadGenLog, results: Sequence[AccuracyResult], verdict: Verdict
) -> dict[str, Any]:
    """The metadata of an accuracy run. It passes when every metric does and the log is complete and free of errors.

    Raises:
        RunError: no metrics, a value is not a number, or the log's scenario is not the identity's.
    """
    _agree(identity, log)
    wrong = [one.name for one in results if not math.isfinite(one.value)]
    if not results or wrong:
        raise RunError(
            f"the accuracy of {log.path.parent} could not be measured",
            f"{', '.join(wrong)} is not a number" if wrong else "no metric was computed",
            "run the workload again with --test_mode=AccuracyOnly; stdout.txt beside the log has the cause",
        )
    summary = accuracy_summary(results)
    if not verdict.valid:
        summary += " | [FAILED] the run is not valid: " + "; ".join(reason.what for reason in verdict.reasons)
    content = {
        **_head(identity, log),
        "accuracy": [one.as_json() for one in results],
        "accuracy_pass": accuracy_pass(results) and verdict.valid,
        "summary_string": summary,
        "reasons": [reason.as_json() for reason in verdict.reasons],
        "departures": [reason.as_json() for reason in verdict.departures],
    }
    return _with_extras(content, identity)


def write_metadata(path: Path, content: Mapping[str, Any]) -> Path:
    """Write metadata.json to `path` (file or folder) atomically, with sorted keys, indented by 4, and digests of all other files."""
    path = Path(path)
    if path.is_dir():
        path = path / METADATA_NAME
    write_json(path, seal.sealed(path.parent, content))
    return path


def satisfies_query_constraint(log: LoadGenLog, dataset_samples: int | None = None) -> bool:
    """Whether the run requested as many queries (Offline: samples) as the rules require without early stopping.

    Args:
        log: the run's detail log.
        dataset_samples: samples of the benchmark's data set; None for the count that the QSL reported.
    """
    if log.scenario == "Offline":
        samples = dataset_samples or int(log.get("qsl_reported_total_count", OFFLINE_SAMPLES_CAP))
        return int(log.need("effective_samples_per_query")) >= min(samples, OFFLINE_SAMPLES_CAP)
    return int(log.need("effective_min_query_count")) >= MIN_QUERY_COUNT[log.scenario]


def _head(identity: RunIdentity, log: LoadGenLog) -> dict[str, Any]:
    """The keys common to performance and accuracy runs."""
    count_key = "effective_samples_per_query" if log.scenario == "Offline" else "effective_min_query_count"
    return {
        "benchmark_full": identity.benchmark_full,
        "benchmark_short": identity.benchmark_short,
        "config_name": identity.config_name,
        "detected_system": identity.detected_system,
        "system_name": identity.system_name,
        "scenario": identity.scenario,
        "scenario_key": log.metric.key,
        "test_mode": identity.test_mode,
        identity.runtime_key: identity.runtime_version,
        "model_variant": identity.model_variant,
        "effective_min_duration_ms": log.need("effective_min_duration_ms"),
        count_key: log.need(count_key),
        "satisfies_query_constraint": satisfies_query_constraint(log, identity.dataset_samples),
        "loadgen_version": log.version,
        **({"simulated": True} if identity.simulated else {}),
    }


def _agree(identity: RunIdentity, log: LoadGenLog) -> None:
    if log.scenario != loadgen_scenario(identity.scenario):
        raise RunError(
            f"{log.path} is for a different scenario",
            f"it is {log.scenario}, the run was {identity.scenario}",
            "run the workload again; each run needs a folder of its own",
        )


def _with_extras(content: dict[str, Any], identity: RunIdentity) -> dict[str, Any]:
    taken = sorted(set(content) & set(identity.extras))
    if taken:
        raise ValueError(f"extra metadata would hide {', '.join(taken)}")
    return {**content, **identity.extras}
