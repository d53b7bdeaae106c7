"""Simulations in virtual time against the same runs under the real LoadGen: latencies within 1 %, and no VALID that is INVALID.

A setting whose simulations differ among themselves by more is compared within its own noise: there a lane that has two batches in flight
keeps them for seconds, and a query that arrives in the two microseconds in which a batch is started decides when that begins.

Five settings run at the same time: their devices only wait. `VIRTUAL_TIME_SETTINGS=0-4` tests a part of the twenty. Real runs get
real-time priority where that is allowed; elsewhere run them with nothing beside, because a thread that wakes up late by a millisecond is
a difference.
"""

from __future__ import annotations

import math
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.two_clocks import harness, in_real_time, set_conf, setting, simulated

pytestmark = [pytest.mark.full, pytest.mark.long, pytest.mark.cpp, pytest.mark.timeout(900)]

SHARES = ("0.5", "0.9", "0.99")
NEAR = 0.01
LASTS_MS = 180_000
TURNS = 3
PIECE = 5
SETTLED = 0.01
"""Standard deviation of a setting's simulations above which three minutes do not settle its latencies: they are compared as far as their
own noise allows, over more simulations and runs."""
MORE_NUDGES = [1 + 2.5e-5 * step for step in range(-18, 19)]
MORE_TURNS = 7
MOST_NOISE = 0.05


def pieces(total: int) -> list[list[int]]:
    """The settings to test, PIECE at a time: all, or those of $VIRTUAL_TIME_SETTINGS, such as 0-4."""
    first, _, last = os.environ.get("VIRTUAL_TIME_SETTINGS", f"0-{total - 1}").partition("-")
    numbers = list(range(int(first), int(last or first) + 1))
    return [numbers[i : i + PIECE] for i in range(0, len(numbers), PIECE)]


@pytest.mark.parametrize("numbers", pieces(20), ids=lambda numbers: "-".join(map(str, numbers)))
def test_virtual_time_has_the_latencies_of_real_time(numbers: list[int], project: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(PIECE) as pool:
        problems = list(pool.map(lambda number: compared(number, harness(project), tmp_path), numbers))
    assert not any(problems), "\n".join(line for found in problems for line in found)


def compared(number: int, binary: Path, parent: Path) -> list[str]:
    """What differs in a setting by more than NEAR, or where it does not settle by more than twice the standard error."""
    folder = parent / str(number)
    folder.mkdir()
    run = setting(number, folder)
    set_conf(folder, min_duration=LASTS_MS)
    virtual = simulated(binary, run)
    settled = all(deviation(at(virtual, share)) <= SETTLED for share in SHARES)
    if not settled:
        virtual = simulated(binary, run, MORE_NUDGES)
    turns = in_real_time(binary, run, TURNS if settled else MORE_TURNS)
    problems = []
    for share in SHARES:
        expected, real = at(virtual, share), [latencies[share] for latencies, _ in turns]
        off = statistics.median(real) / statistics.median(expected) - 1
        noise = 0.0 if settled else 2 * math.hypot(error_of_median(expected), error_of_median(real))
        line = (
            f"setting {number}, {share}: {statistics.median(expected) / 1e6:.3f} ms, real "
            f"{', '.join(f'{ns / 1e6:.3f}' for ns in real)}: {off:+.2%}, noise {noise:.2%}"
        )
        print(line)
        if abs(off) > max(NEAR, noise) or noise > MOST_NOISE:
            problems.append(line)
    if all(one["valid"] for one in virtual) and sum(valid for _, valid in turns) <= len(turns) // 2:
        problems.append(f"setting {number}: simulated VALID, and INVALID in real time")
    return problems


def at(virtual: list[dict[str, Any]], share: str) -> list[int]:
    return [one["latencies_ns"][share] for one in virtual]


def deviation(values: list[int]) -> float:
    """The standard deviation as a share of the median."""
    return statistics.stdev(values) / statistics.median(values)


def error_of_median(values: list[int]) -> float:
    """The standard error of a median, as a share of it: that of a normal distribution."""
    return 1.2533 * deviation(values) / math.sqrt(len(values))
