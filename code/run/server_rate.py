"""Search for the highest rate at which a Server run is VALID."""

from __future__ import annotations

import math
from collections.abc import Callable

CLOSE = 0.02
"""Relative distance of the bounds at which the search ends: about the noise of a short run."""


def highest_valid(most: float, is_valid: Callable[[float], bool], least: float = 0.0, close: float = CLOSE) -> float | None:
    """The highest rate in queries/s for which `is_valid` holds, to a relative `close`; None if none down to the floor does.

    Args:
        most: a rate that cannot be sustained, such as Offline's throughput.
        least: the lowest rate that can be measured; the floor is this or most / 64, whichever is higher.
    """
    low, high = 0.0, most
    rate = most * 0.75
    floor = max(least, most / 64)
    while rate >= floor:
        if is_valid(rate):
            low = rate
            break
        high, rate = rate, (rate / 2 if rate == floor else max(floor, rate / 2))
    if low == 0.0:
        return None
    return _between(low, high, is_valid, lambda _: close * most)


FIRST_STEP = 0.04
"""First relative step away from a predicted rate; each further one is twice as long."""


def near_prediction(
    predicted: float, most: float, is_valid: Callable[[float], bool], least: float = 0.0, close: float = CLOSE
) -> float | None:
    """As `highest_valid`, from a prediction: steps away from it until a VALID and an INVALID rate are known, then between them.

    Args:
        predicted: the rate that is probably the highest VALID one.
    """
    floor = max(least, most / 64)
    rate, low, high, step = min(max(predicted, floor), most), 0.0, math.inf, FIRST_STEP
    while low == 0.0 or high == math.inf:
        if is_valid(rate):
            low = rate
            if rate >= most:
                return rate
            rate = min(most, rate * (1 + step))
        else:
            high = rate
            if rate <= floor:
                return None
            rate = max(floor, rate * (1 - step))
        step = min(2 * step, 0.5)
    return _between(low, high, is_valid, lambda invalid: close * invalid)


def _between(low: float, high: float, is_valid: Callable[[float], bool], apart: Callable[[float], float]) -> float:
    """The highest VALID rate between a VALID and an INVALID one, to within what `apart` says of the lowest INVALID one."""
    while high - low > apart(high):
        middle = (low + high) / 2
        if is_valid(middle):
            low = middle
        else:
            high = middle
    return low
