"""Types of the values in LoadGen's detail log, by key: the door through which a log passes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from code.rules.metrics import METRICS

MODES = ("SubmissionRun", "AccuracyOnly", "PerformanceOnly", "FindPeakPerformance")
_SETTING = "(requested|effective)_"
_FLAGS = (
    "performance_issue_(same|unique)|print_timestamps|sample_concatenate_permutation|server_coalesce_queries|use_token_latencies"
)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64


def _number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64)


def _samples(value: Any) -> bool:
    """A list of counts; a log of the whole data set names each sample, so that no call is made for each."""
    return isinstance(value, list) and (not value or (set(map(type, value)) == {int} and min(value) >= 0 and max(value) < 2**64))


TYPES: tuple[tuple[re.Pattern[str], str, Callable[[Any], bool]], ...] = tuple(
    (re.compile(pattern), kind, test)
    for pattern, kind, test in (
        (_SETTING + "scenario", f"one of {', '.join(METRICS)}", lambda value: isinstance(value, str) and value in METRICS),
        (_SETTING + "test_mode", f"one of {', '.join(MODES)}", lambda value: isinstance(value, str) and value in MODES),
        (f"{_SETTING}({_FLAGS})|result_.*_met|early_stopping.*_met", "true or false", _flag),
        (
            "result_validity|result_invalid_reason|early_stopping.*_result|loadgen_version|sut_name|qsl_name|test_datetime",
            "text",
            _text,
        ),
        ("loaded_qsl_set", "a list of sample numbers", _samples),
        (f"{_SETTING}.*(_count|_override|_seed|_samples_per_query|_duration_ms)", "a whole number", _count),
        ("(qsl_reported|generated|result)_.*_count|generated_samples_per_query", "a whole number", _count),
        (f"({_SETTING}|result_|early_stopping_latency_).*", "a number", _number),
    )
)
"""Pattern of keys, what their values are, and whether a value is that; the first pattern counts. Other keys hold anything."""


def misfit(key: str, value: Any) -> str:
    """Why a value cannot be one of `key`; '' if it can."""
    kind, fits = _wanted(key)
    return "" if fits(value) else f"{key} is {str(value)[:40]!r}, not {kind}"


@lru_cache(maxsize=1024)
def _wanted(key: str) -> tuple[str, Callable[[Any], bool]]:
    return next(((kind, fits) for pattern, kind, fits in TYPES if pattern.fullmatch(key)), ("anything", lambda value: True))
