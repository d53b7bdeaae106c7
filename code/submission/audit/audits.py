"""Verdicts of the audit tests, computed as in MLCommons' verification scripts (mlcommons/inference, compliance/).

TEST01 compares a performance run's responses with the accuracy run's, and its score with the performance run's.
TEST04 compares the score of a run on one repeated sample. TEST06 checks the token sequences of an LLM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from code.common.errors import HarnessError, RunError
from code.results import accuracy_log
from code.results.loadgen_log import LoadGenLog

T = TypeVar("T")
SCORES = {
    "Offline": "result_samples_per_second",
    "Server": "result_completed_samples_per_sec",
    "SingleStream": "early_stopping_latency_ss",
    "MultiStream": "early_stopping_latency_ms",
}
"""Scenario → the log key that the scripts compare."""
THRESHOLD, QUICK_THRESHOLD = 0.10, 0.20
QUICK_NS = {"SingleStream": 200_000, "MultiStream": 1_600_000}
"""Scenario → latency in ns up to which the threshold is doubled, because short latencies vary more between runs."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of a verification, with the text of verify_*.txt."""

    passed: bool
    text: str


def performance(test: str, reference: LoadGenLog, audited: LoadGenLog) -> Verdict:
    """verify_performance.txt of TEST01 or TEST04."""
    lines = ["Verifying performance."]
    for log, name in ((reference, "reference"), (audited, "test")):
        if not log.is_valid:
            return _failed(lines, f"TEST FAIL: the {name} results in {log.path} are invalid")
    if reference.scenario != audited.scenario:
        return _failed(lines, "TEST FAIL: Test and reference scenarios do not match!")
    bound = "effective_target_latency_ns"
    if reference.scenario == "Server" and reference.get(bound) != audited.get(bound):
        return _failed(lines, "TEST FAIL: Server target latency mismatch")
    ours, theirs = (float(log.need(SCORES[log.scenario])) for log in (reference, audited))
    within = within_test01 if test == "TEST01" else within_test04
    lines += [f"reference score = {_shown(ours)}", f"test score = {_shown(theirs)}"]
    if within(reference.scenario, ours, theirs):
        return Verdict(True, "\n".join([*lines, "TEST PASS", ""]))
    return _failed(lines, "TEST FAIL: Test score invalid")


def within_test01(scenario: str, reference: float, test: float) -> bool:
    """TEST01: the audited score may differ by 10 %, very short latencies by 20 %."""
    threshold = QUICK_THRESHOLD if reference <= QUICK_NS.get(scenario, -1) else THRESHOLD
    return reference * (1 - threshold) <= test <= reference * (1 + threshold)


def within_test04(scenario: str, reference: float, test: float) -> bool:
    """TEST04: on one repeated sample the system may not be more than 10 % faster.

    The script converts latencies into rates before it tests whether they are short, so nearly every stream result is allowed 20 %.
    """
    if scenario in QUICK_NS:
        reference, test = 1e9 / reference, 1e9 / test
    threshold = QUICK_THRESHOLD if reference <= QUICK_NS.get(scenario, -1) else THRESHOLD
    return test < reference * (1 + threshold)


def _shown(value: float) -> str:
    return f"{value:.10g}"


def _failed(lines: Sequence[str], last: str) -> Verdict:
    return Verdict(False, "\n".join([*lines, last, ""]))


def responses(path: Path) -> Iterator[dict[str, Any]]:
    """Iterate over an accuracy log's entries (3D-UNet's are gigabytes in size). RunError if it is not an accuracy log."""
    return (entry for _, entry in _readable(path, accuracy_log.records(path)))


def _readable(path: Path, found: Iterator[T]) -> Iterator[T]:
    """Pass the items on; errors are raised again with advice for an audit."""
    try:
        yield from found
    except HarnessError as error:
        raise RunError(
            f"{path} is not an accuracy log",
            ": ".join(part for part in (error.where, error.what, error.why) if part),
            "run it again; a log truncated for submission cannot be compared, the full log is under build/full_results",
        ) from error


@dataclass(frozen=True)
class _Answer:
    """The parts of a response that TEST01 compares: digest, size in elements, first element."""

    digest: bytes
    size: int
    first: Any

    @classmethod
    def of(cls, data: bytes, kind: np.dtype[Any]) -> _Answer:
        size = len(data) // kind.itemsize
        return cls(hashlib.sha256(data).digest(), size, np.frombuffer(data, kind, 1)[0] if size else None)

    def same_first(self, other: _Answer) -> bool:
        return bool(self.size == other.size if not self.size or not other.size else self.first == other.first)


def _answers(path: Path, kind: np.dtype[Any]) -> Iterator[tuple[int, _Answer]]:
    return ((index, _Answer.of(data, kind)) for _, index, data in _readable(path, accuracy_log.entries(path)))


def accuracy_test01(reference: Path, audited: Path, dtype: str) -> Verdict:
    """verify_accuracy.txt of TEST01: the first element of every response must equal the accuracy run's.

    Args:
        reference: the accuracy run's log, not truncated.
        audited: the audit run's log.
        dtype: numpy dtype of a response's elements.
    """
    kind = np.dtype(dtype)
    answers: dict[int, _Answer] = {}
    known = entries = duplicates = accuracy_mismatches = matches = mismatches = unknown = 0
    for index, answer in _answers(reference, kind):
        known += 1
        if index in answers:
            duplicates += 1
            accuracy_mismatches += answers[index].digest != answer.digest
        else:
            answers[index] = answer
    for index, answer in _answers(audited, kind):
        entries += 1
        if index in answers:
            matches += 1
            mismatches += not answer.same_first(answers[index])
        else:
            unknown += 1
        answers[index] = answer
    passed = mismatches == 0 and matches > 0
    lines = [
        "Verifying accuracy. This might take a while...",
        "Reading accuracy mode results...",
        "Reading performance mode results...",
        f"num_acc_log_entries = {known}",
        f"num_acc_log_duplicate_keys = {duplicates}",
        f"num_acc_log_data_mismatch = {accuracy_mismatches}",
        f"num_perf_log_entries = {entries}",
        f"num_perf_log_qsl_idx_match = {matches}",
        f"num_perf_log_data_mismatch = {mismatches}",
        f"num_missing_qsl_idxs = {unknown}",
        "TEST PASS" if passed else "TEST FAIL",
        "",
    ]
    return Verdict(passed, "\n".join([*lines, ""]))


def baseline(reference: Path, audited: Path) -> Iterator[dict[str, Any]]:
    """The accuracy run's responses to the samples that the audit run logged: the baseline of TEST01's fallback by score."""
    wanted = {int(entry["qsl_idx"]) for entry in responses(audited)}
    return (entry for entry in responses(reference) if int(entry["qsl_idx"]) in wanted)


def delta_percent(base: float, other: float) -> float:
    """Difference of two scores in percent, as the official checker computes it."""
    return abs(1 - base / other) * 100


def allowed_delta_percent(benchmark_full: str) -> float:
    """Largest allowed difference in percent: 1 for a 99 % target, 0.1 for 99.9 %."""
    return 0.1 if "99.9" in benchmark_full else 1.0


def scores_agree(benchmark_full: str, base: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether every metric of the audit run is within the allowed difference of the accuracy run's on the same samples."""
    allowed = allowed_delta_percent(benchmark_full)
    return bool(base) and all(base[name] and other[name] and delta_percent(base[name], other[name]) <= allowed for name in base)


def accuracy_test06(audited: Path, scenario: str, eos_token: int, dtype: str) -> Verdict:
    """verify_accuracy.txt of TEST06: first tokens match those reported early, at most one end token at the end,
    and lengths match the reported token counts.

    Args:
        scenario: Offline reports no first tokens, so that check is skipped.
        eos_token: the tokenizer's end token.
        dtype: numpy dtype of the tokens.
    """
    entries, kind = list(responses(audited)), np.dtype(dtype)
    tokens = [np.frombuffer(bytes.fromhex(str(e["data"])), kind) for e in entries]
    first = scenario == "Offline" or all(_first_tokens(e, t, kind) for e, t in zip(entries, tokens, strict=True))
    ends = all(_end_tokens(t, eos_token) < 2 for t in tokens)
    lengths = all(len(t) == int(e.get("token_count", -1)) for e, t in zip(entries, tokens, strict=True))
    passed = bool(entries) and first and ends and lengths
    lines = [
        f"First token check pass: {'Skipped' if scenario == 'Offline' else first}",
        f"EOS check pass: {ends}",
        f"Sample length check pass: {lengths}",
        f"TEST06 verification {'complete' if passed else 'failed'}",
        "",
    ]
    return Verdict(passed, "\n".join(lines))


def _first_tokens(entry: Mapping[str, Any], tokens: np.ndarray[Any, Any], kind: np.dtype[Any]) -> bool:
    if "token_data" not in entry:
        return False
    reported = np.frombuffer(bytes.fromhex(str(entry["token_data"])), kind)
    count = min(len(tokens), len(reported))
    return bool(np.array_equal(tokens[:count], reported[:count]))


def _end_tokens(tokens: np.ndarray[Any, Any], eos_token: int) -> int:
    """Number of end tokens at the end of the sequence; its first element is not counted."""
    count = 0
    for token in tokens[:0:-1]:
        if token != eos_token:
            break
        count += 1
    return count
