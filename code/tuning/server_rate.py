"""Search for the highest rate at which a Server run is VALID."""

from __future__ import annotations

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
    while high - low > close * most:
        middle = (low + high) / 2
        if is_valid(middle):
            low = middle
        else:
            high = middle
    return low
