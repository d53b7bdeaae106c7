"""What measured points of a space tell of the others: a Gaussian process around a model's prediction.

Over the logarithm of a measurement (Rasmussen and Williams, 2006, ch. 2): an unknown level, an effect of each field, smooth over its
neighbouring values, and one of all fields together. The next point is the one with the highest expected improvement (Jones, Schonlau and
Welch, 1998, "Efficient Global Optimization of Expensive Black-Box Functions", §4.1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = dict[str, Any]

LEVEL, FIELD, TOGETHER = 3.0, 0.25, 0.08
"""Standard deviations of the effects, in the logarithm."""
SCALES = (1.0, 0.5, 0.25, 0.12)
"""Factors on FIELD and TOGETHER, of which that with the highest likelihood is taken: some spaces are flat."""
REACH = 1.0
"""Values of a field over which its effect stays similar."""
NOISE = 0.015
"""Relative noise of one probe, as far as the probes of a machine do not tell it."""
SURE = 2.0
"""Repeated probes that NOISE counts as much as."""


class Known(NamedTuple):
    """A measured point: the median of its probes, and their number."""

    point: Point
    value: float
    probes: int = 1


class Next(NamedTuple):
    """A point to measure, and the expected relative gain over the best known."""

    point: Point
    gain: float


class Surrogate:
    """Points of a space with what is predicted of them.

    Args:
        space: field → values in ascending order.
        more_is_better: of the measurement.
        predicted: a positive figure proportional to the measurement of a point; None where no model tells.
    """

    def __init__(
        self, space: Mapping[str, Sequence[Any]], more_is_better: bool, predicted: Callable[[Point], float] | None = None
    ) -> None:
        self.points: list[Point] = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
        places = np.array(list(itertools.product(*(range(len(values)) for values in space.values()))), dtype=np.float64)
        near = [np.exp(-(((column[:, None] - column[None, :]) / REACH) ** 2) / 2) for column in places.T]
        varying: Floats = FIELD**2 * sum(near) + TOGETHER**2 * np.prod(near, axis=0)
        self._covariances = [LEVEL**2 + scale**2 * varying for scale in SCALES]
        self._sign = 1.0 if more_is_better else -1.0
        self._mean: Floats = np.array([math.log(predicted(point)) if predicted else 0.0 for point in self.points])

    def first(self) -> Point:
        """The point with the best prediction; without a model the middle of the space."""
        if np.ptp(self._mean) == 0:
            return self.points[len(self.points) // 2]
        return self.points[int(np.argmax(self._sign * self._mean))]

    def best(self, known: Sequence[Known], noise: float = NOISE) -> Known:
        """The measured point that is best by all measurements; a lucky probe among bad neighbours is not.

        Args:
            known: at least one.
            noise: relative, of one probe.
        """
        mean, _ = self._posterior(known, noise)
        return max(known, key=lambda one: self._sign * float(mean[self.points.index(one.point)]))

    def next(self, known: Sequence[Known], without: Sequence[Point], noise: float = NOISE) -> Next | None:
        """The point whose measurement is expected to gain most; None where all are known.

        Args:
            known: at least one.
            without: points that cannot be measured.
            noise: relative, of one probe.
        """
        mean, spread = self._posterior(known, noise)
        best = max(self._sign * float(mean[self.points.index(one.point)]) for one in known)
        ahead = self._sign * mean - best
        scaled = ahead / spread
        gain = ahead * _below(scaled) + spread * np.exp(-(scaled**2) / 2) / math.sqrt(2 * math.pi)
        for point in (*(one.point for one in known), *without):
            gain[self.points.index(point)] = -math.inf
        place = int(np.argmax(gain))
        return None if gain[place] == -math.inf else Next(self.points[place], float(gain[place]))

    def _posterior(self, known: Sequence[Known], noise: float) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the logarithm at every point."""
        rows = [self.points.index(one.point) for one in known]
        values = np.array([math.log(one.value) for one in known]) - self._mean[rows]
        noises = np.diag([noise**2 / one.probes for one in known])
        likelihoods = []
        for covariance in self._covariances:
            among = covariance[np.ix_(rows, rows)] + noises
            likelihoods.append(-values @ np.linalg.solve(among, values) - np.linalg.slogdet(among)[1])
        chosen = self._covariances[int(np.argmax(likelihoods))]
        inverse = np.linalg.inv(chosen[np.ix_(rows, rows)] + noises)
        towards = chosen[:, rows]
        variance = np.diag(chosen) - np.einsum("ij,jk,ik->i", towards, inverse, towards)
        return self._mean + towards @ inverse @ values, np.sqrt(np.maximum(variance, 1e-12))


def noise_of(repeated: Sequence[Sequence[float]]) -> float:
    """Relative noise of one probe: what the probes of the same points differ by, pooled with NOISE.

    Args:
        repeated: all probes of each point.
    """
    logarithms = [np.log(values) for values in repeated if len(values) > 1]
    squares = sum(float(np.sum((values - values.mean()) ** 2)) for values in logarithms)
    return math.sqrt((SURE * NOISE**2 + squares) / (SURE + sum(len(values) - 1 for values in logarithms)))


def _below(scaled: Floats) -> Floats:
    """The standard normal distribution function."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in scaled])
