"""No Server run that a simulation finds VALID by more than noise is INVALID under the real LoadGen."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.two_clocks import harness, in_real_time, set_conf, setting, simulated

pytestmark = [pytest.mark.full, pytest.mark.long, pytest.mark.cpp, pytest.mark.timeout(900)]

CASES = 8
NEAR = 1.01
"""Factor between bounds that are tried: real latencies may differ by 1 % (test_virtual_time.py)."""
WAKING = [1 + 1e-3 * step for step in range(-2, 7)]
"""Factors on service times: what a thread takes to wake up is up to half a percent of them."""
STEPS = 40
QUERIES = 900
MOST_S = 12.0
TURNS = 3
"""Real runs of a case, of which most decide."""


@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(number=st.integers(1000, 2**31))
def test_no_run_is_valid_in_virtual_time_only(number: int, project: Path, tmp_path: Path) -> None:
    """Each case has the tightest bound with which all simulations of it are VALID, after one 1 % lower that had them VALID, too."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    run = setting(number, folder)
    assume(float((folder / "user.conf").read_text().split("target_qps = ")[1].split()[0]) > QUERIES / MOST_S)
    bound_ms = tightest(harness(project), run, folder)
    assume(bound_ms > 0)
    set_conf(folder, target_latency=round(bound_ms))
    verdicts = [valid for _, valid in in_real_time(harness(project), run, TURNS)]
    print(f"setting {number}: {bound_ms:.0f} ms, {verdicts}")
    assert sum(verdicts) > TURNS // 2, f"setting {number}, {bound_ms:.0f} ms: VALID in virtual time only"


def tightest(binary: Path, run: dict[str, Any], folder: Path) -> float:
    """The second of two latency bounds in ms, 1 % apart, with which all simulations are VALID; 0 where none is found.

    One bound is not enough: the queue's batches are as large as the bound allows, so that a higher bound may well have later answers.
    """
    set_conf(folder, min_duration=3000, min_query_count=QUERIES)
    bound_ms, held = max(one["percentile_ns"] for one in simulated(binary, run)) / 1e6, 0
    for _ in range(STEPS):
        set_conf(folder, target_latency=round(bound_ms))
        held = held + 1 if all(one["valid"] for one in simulated(binary, run, WAKING)) else 0
        if held == 2:
            return bound_ms
        bound_ms *= NEAR
    return 0.0
