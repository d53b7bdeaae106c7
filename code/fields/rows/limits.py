"""Ranges shared by numeric options, as (minimum, maximum)."""

from __future__ import annotations

Limits = tuple[float, float]

SHARE: Limits = (0, 1)
PERCENT: Limits = (0, 100)
PERCENTILE: Limits = (0.001, 99.999)
"""Given in per cent (99) or as a share (0.99); 0 and 100 are no percentiles."""
COUNT: Limits = (0, 2**53)
"""Queries, samples, bytes: integers that a double represents exactly, because run.json is read in two languages."""
SOME: Limits = (1, 2**53)
"""A count of which 0 would be nothing to do."""
SEED: Limits = (0, 2**64 - 1)
"""LoadGen's seeds have 64 bits."""
RATE: Limits = (0, 1e12)
NANOSECONDS: Limits = (0, 2**63 - 1)
"""LoadGen counts time in nanoseconds of 63 bits."""
MILLISECONDS: Limits = (0, 604_800_000)
"""A week."""
MICROSECONDS: Limits = (0, 3_600_000_000)
"""An hour."""
SECONDS: Limits = (0, 86_400)
"""A day."""
THREADS: Limits = (0, 4096)
"""Threads, streams and cores; 0 leaves the choice to the harness."""
ISSUE_THREADS: Limits = (0, 1024)
BATCH: Limits = (1, 2**20)
TOKENS: Limits = (0, 2**20)
LENGTH: Limits = (1, 2**20)
SMALL: Limits = (1, 1024)
"""Beams, ranks, attempts."""
HERTZ: Limits = (0, 10**12)
MEGAHERTZ: Limits = (1, 100_000)
