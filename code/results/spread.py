"""How far repeated runs of one config spread, and which differences such runs can tell from noise.

Student's t for the mean of a few runs, Welch's test for two sets with spreads of their own (Welch 1947). Runs are taken as independent and
roughly normal; from three runs on the figures are worth reading.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from code.rules.metrics import Metric

SIGNIFICANT = 0.05
"""Chance of calling noise a difference."""
LEAST = 2


@dataclass(frozen=True)
class Spread:
    """The results of repeated runs, in LoadGen's unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def share(self) -> float:
        """Highest less lowest value, as a share of the median; 0 for one run."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0

    @property
    def detectable(self) -> float | None:
        """The least difference, as a share of the mean, that two sets of so many runs with this spread show; None for one run."""
        count, mean = len(self.values), statistics.fmean(self.values)
        if count < LEAST or not mean:
            return None
        from scipy import stats

        quantile = float(stats.t.ppf(1 - SIGNIFICANT / 2, 2 * count - 2))
        return quantile * statistics.stdev(self.values) * math.sqrt(2 / count) / abs(mean)

    def words(self, metric: Metric) -> str:
        """'median 1,000 samples/s of 5 runs, 990 to 1,020 (3.0 %); such runs tell differences from 2.1 % on'."""
        low, high = metric.shown(min(self.values)), metric.shown(max(self.values))
        found = f"median {metric.shown(self.median)} of {len(self.values)} runs, {low} to {high} ({self.share * 100:.1f} %)"
        detectable = self.detectable
        return found if detectable is None else f"{found}; such runs tell differences from {detectable * 100:.1f} % on"


def chance(first: Sequence[float], second: Sequence[float]) -> float | None:
    """The chance that two sets of runs differ this much by noise alone (two-sided Welch test); None with fewer than two runs each."""
    if len(first) < LEAST or len(second) < LEAST:
        return None
    if statistics.stdev(first) == statistics.stdev(second) == 0:
        return 1.0 if statistics.fmean(first) == statistics.fmean(second) else 0.0
    from scipy import stats

    return float(stats.ttest_ind(first, second, equal_var=False).pvalue)


def verdict(first: Sequence[float], second: Sequence[float]) -> str:
    """Whether two results differ by more than noise, in words."""
    found = chance(first, second)
    runs = f"{len(first)} and {len(second)} runs"
    if found is None:
        return f"noise unknown from {runs}: --repeat=5 runs each test five times"
    if found < SIGNIFICANT:
        return f"more than the noise of {runs} (p = {found:.2g})"
    return f"within the noise of {runs} (p = {found:.2g})"
