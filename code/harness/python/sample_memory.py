"""Refuses a test whose samples do not fit into memory, which LoadGen would find out by ending the process.

The C++ counterpart is `check_memory` in code/harness/cpp/settings.cc.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.common.errors import UsageError
from code.common.typed import natural
from code.harness.schema.run_spec import RunSpec

BYTES_PER_SAMPLE = 450
"""What LoadGen keeps of a sample, measured with version 6.0."""
MEMINFO = Path("/proc/meminfo")


def expected_samples(spec: RunSpec, settings: Any) -> float:
    """Samples that LoadGen generates before the test, from its TestSettings."""
    if spec.test_mode == "AccuracyOnly":
        return float(spec.dataset.count)
    seconds, least = float(settings.min_duration_ms) / 1000, float(settings.min_query_count)
    if spec.scenario == "Offline":
        return max(least, 1.1 * seconds * float(settings.offline_expected_qps))
    if spec.scenario == "Server":
        return max(least, seconds * float(settings.server_target_qps))
    if spec.scenario == "SingleStream":
        return max(least, 2 * seconds * 1e9 / float(settings.single_stream_expected_latency_ns))
    queries = max(least, 2 * seconds * 1e9 / float(settings.multi_stream_expected_latency_ns))
    return float(settings.multi_stream_samples_per_query) * queries


def require_fits(spec: RunSpec, settings: Any) -> None:
    """UsageError where the records of all samples exceed the free memory."""
    samples, free = expected_samples(spec, settings), _available()
    if free is not None and samples * BYTES_PER_SAMPLE > free:
        raise UsageError(
            "this run does not fit in memory",
            f"LoadGen allocates the records of all {samples:,.0f} samples before the test, about "
            f"{samples * BYTES_PER_SAMPLE / 1e9:,.1f} GB; {free / 1e9:,.1f} GB are free",
            "lower the expected QPS (or raise the expected latency), or the minimum duration",
        )


def _available() -> int | None:
    """Free memory in bytes; None where the kernel does not say."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    words = next((line.split() for line in lines if line.startswith("MemAvailable:")), [])
    kilobytes = natural(words[1]) if len(words) > 1 else None
    return None if kilobytes is None else 1024 * kilobytes
