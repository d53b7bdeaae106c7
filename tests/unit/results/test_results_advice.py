"""Whoever does what the verdict suggests, and nothing else, ends with a VALID run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from code.results.verdict import Verdict, judge

ATTEMPTS = 6
CONF = {  # field → (key in user.conf, factor to its unit)
    "offline_expected_qps": ("target_qps", 1.0),
    "server_target_qps": ("target_qps", 1.0),
    "single_stream_expected_latency_ns": ("target_latency", 1e-6),
    "multi_stream_expected_latency_ns": ("target_latency", 1e-6),
    "min_query_count": ("min_query_count", 1),
    "max_query_count": ("max_query_count", 1),
    "max_duration": ("max_duration", 1),
}


def advised(verdict: Verdict) -> dict[str, float]:
    """user.conf's keys with the first number of each suggestion."""
    conf: dict[str, float] = {}
    for reason in verdict.reasons:
        if reason.field:
            key, factor = CONF[reason.field]
            first = reason.suggestion.split()[0].replace(",", "")
            conf[key] = float(first) * factor if isinstance(factor, float) else int(first)
    return conf


@pytest.mark.parametrize(
    "name",
    [
        "offline_low_rate",
        "server_overrun",
        "server_early_stop",
        "single_early_stop",
        "single_max_duration",
        "multi_early_stop",
    ],
)
def test_advice_leads_to_a_valid_run(name: str, loadgen_run: Callable[[str], Any], loadgen_again: Callable[..., Any]) -> None:
    run = loadgen_run(name)
    assert not judge(run.log).valid
    told = []
    for _ in range(ATTEMPTS):
        verdict = judge(run.log)
        if verdict.valid:
            return
        told.append(advised(verdict))
        assert told[-1], f"no knob for {verdict.reasons}"
        run = loadgen_again(run, told[-1])
    pytest.fail(f"still INVALID after {told}: {judge(run.log).reasons}")


@pytest.mark.parametrize("name", ["single_too_few", "multi_too_few"])
def test_expected_latency_as_advised_generates_enough_queries(
    name: str, loadgen_run: Callable[[str], Any], loadgen_again: Callable[..., Any]
) -> None:
    run = loadgen_run(name)
    for _ in range(ATTEMPTS):
        run = loadgen_again(run, {**advised(judge(run.log)), "min_duration": 100})
        if run.log.get("result_min_duration_met"):
            return
    pytest.fail(f"still too short: {judge(run.log).reasons}")
