"""Repeated runs: their spread, and whether two results differ by more than noise."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from code.results.spread import Spread, chance, verdict
from code.rules.metrics import METRICS

STEADY = (1000.0, 1010.0, 990.0, 1005.0, 995.0)


def test_the_median_and_the_spread_of_repeated_runs() -> None:
    words = Spread((990.0, 1020.0, 1000.0)).words(METRICS["Offline"])
    assert words.startswith("median 1,000.0 samples/s of 3 runs, 990 samples/s to 1,020.0 samples/s (3.0 %); such runs tell")


def test_one_run_tells_nothing() -> None:
    assert Spread((1000.0,)).detectable is None
    assert verdict((1000.0,), STEADY) == "noise unknown from 1 and 5 runs: --repeat=5 runs each test five times"


def test_the_least_difference_that_so_many_runs_show() -> None:
    """Student's t at 97.5 %, of 2 and of 8 degrees of freedom as tables have it, times the standard error of a difference."""
    assert Spread((990.0, 1010.0)).detectable == pytest.approx(4.3027 * 14.1421 / 1000, rel=1e-4)
    assert Spread(STEADY).detectable == pytest.approx(2.3060 * 7.9057 * (2 / 5) ** 0.5 / 1000, rel=1e-4)
    assert Spread((-1.0, 1.0)).detectable is None and Spread((-1.0, 1.0)).share == 0.0, "no share of nothing"
    assert (
        Spread((1000.0,)).words(METRICS["Offline"])
        == "median 1,000.0 samples/s of 1 runs, 1,000.0 samples/s to 1,000.0 samples/s (0.0 %)"
    )


def test_the_chance_is_that_of_welchs_test() -> None:
    """Of sets with variances 1 and 80 / 3: t = 6 / sqrt(7), with 49 / (1 / 18 + 400 / 27) degrees of freedom."""
    expected = 2 * stats.t.sf(6 / 7**0.5, 49 / (1 / 18 + 400 / 27))
    assert chance((1.0, 2.0, 3.0), (2.0, 6.0, 10.0, 14.0)) == pytest.approx(expected)
    assert chance((1.0,), (2.0, 3.0)) is None and chance((1.0, 2.0), (3.0,)) is None


def test_more_runs_tell_smaller_differences() -> None:
    three, five = Spread(STEADY[:3]).detectable, Spread(STEADY).detectable
    assert three is not None and five is not None and five < three < 0.05


def test_a_difference_is_named_only_beyond_noise() -> None:
    assert verdict(STEADY, [value * 1.1 for value in STEADY]).startswith("more than the noise of 5 and 5 runs")
    assert verdict(STEADY, [value * 1.001 for value in STEADY]).startswith("within the noise of 5 and 5 runs")


@pytest.mark.parametrize(("second", "expected"), [((5.0, 5.0), 1.0), ((6.0, 6.0), 0.0)])
def test_runs_without_any_spread(second: tuple[float, float], expected: float) -> None:
    assert chance((5.0, 5.0), second) == expected


def test_noise_is_called_a_difference_as_rarely_as_promised() -> None:
    source = random.Random(5)

    def runs() -> list[float]:
        return [source.gauss(1000, 20) for _ in range(5)]

    wrong = sum(verdict(runs(), runs()).startswith("more") for _ in range(400))
    assert wrong / 400 < 0.09
