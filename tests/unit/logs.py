"""Logs of LoadGen for tests that need some of its keys only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.results.loadgen_log import LoadGenLog, LogEntry


def log_of(scenario: str = "Offline", mode: str = "PerformanceOnly", **values: Any) -> LoadGenLog:
    """A log with a scenario, a mode and these keys; one that is not an identifier goes in a dict called `more`."""
    keys = {"effective_scenario": scenario, "effective_test_mode": mode, **values.pop("more", {}), **values}
    entries = [LogEntry(key, value, 0.0, False, False, "x.cc", 1, row) for row, (key, value) in enumerate(keys.items(), 1)]
    return LoadGenLog(Path("mlperf_log_detail.txt"), tuple(entries))
