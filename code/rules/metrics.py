"""Metrics of the scenarios: log key, unit, and the query counts that the rules require.

Sources: LoadGen's results.cc (keys), the MLPerf Inference rules (query counts, ten minutes), and the submission checker (the keys
it ranks by: the early-stopping estimates in the stream scenarios).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from code.rules.rounds import loadgen_scenario

TEN_MINUTES_MS = 600_000
OFFLINE_SAMPLES_CAP = 24_576
"""Upper limit of the Offline sample requirement, which otherwise is the data set's size."""


@dataclass(frozen=True)
class Metric:
    """A scenario's result in LoadGen's detail log.

    Args:
        key: the log key of the value that the harness reports.
        unit: the unit for display.
        scale: factor from the logged unit to `unit`.
        higher_is_better: whether more is better.
        submission_key: the log key that the submission checker reads.
    """

    key: str
    unit: str
    scale: float
    higher_is_better: bool
    submission_key: str

    def shown(self, value: float) -> str:
        """A logged value as people read it: '8,766 samples/s', '1.553 ms (90 %)'."""
        scaled = value * self.scale
        digits = f"{scaled:,.0f}" if scaled >= 10_000 else f"{scaled:,.4g}" if scaled < 1000 else f"{scaled:,.1f}"
        return f"{digits} {self.unit}"


METRICS: dict[str, Metric] = {
    "Offline": Metric("result_samples_per_second", "samples/s", 1.0, True, "result_samples_per_second"),
    "Server": Metric("result_completed_samples_per_sec", "queries/s", 1.0, True, "result_completed_samples_per_sec"),
    "SingleStream": Metric("result_90.00_percentile_latency_ns", "ms (90 %)", 1e-6, False, "early_stopping_latency_ss"),
    "MultiStream": Metric("result_99.00_percentile_per_query_latency_ns", "ms (99 %)", 1e-6, False, "early_stopping_latency_ms"),
}

TOKEN_METRICS: dict[str, Metric] = {
    "Offline": Metric("result_tokens_per_second", "tokens/s", 1.0, True, "result_tokens_per_second"),
    "Server": Metric("result_completed_tokens_per_second", "tokens/s", 1.0, True, "result_completed_tokens_per_second"),
}
"""Scenario → the metric where LoadGen counts tokens (use_token_latencies); the stream scenarios keep theirs."""


def metric_with(scenario: str, key: object) -> Metric:
    """The metric of a scenario whose result has this key; the scenario's own for any other."""
    counted = TOKEN_METRICS.get(loadgen_scenario(scenario))
    return counted if counted is not None and counted.key == key else METRICS[loadgen_scenario(scenario)]


MIN_QUERY_COUNT: dict[str, int] = {"SingleStream": 1024, "MultiStream": 662, "Server": 270_336}
"""Queries that satisfy the rules without early stopping; with it (rounds since v2.0) fewer may suffice."""

PERCENTILES: dict[str, float] = {"Server": 0.99, "SingleStream": 0.9, "MultiStream": 0.99}
"""The latency percentile that each scenario is bound or ranked by (mlperf.conf), as a share."""
SAMPLES_PER_QUERY = 8
"""Samples of a MultiStream query."""
CONFIDENCE = 0.99
"""Of early stopping's estimate (MLPerf Inference rules, early stopping criterion)."""


def queries_for_estimate(percentile: float) -> int:
    """Queries from which LoadGen estimates a latency by early stopping, the slowest left out: the least n for which at most one late
    query of n shows the percentile with CONFIDENCE.

    Args:
        percentile: as a share; 0.9 needs 64 queries, 0.99 needs 662.
    """
    count = 1
    while percentile ** (count - 1) * (percentile + count * (1 - percentile)) > 1 - CONFIDENCE:
        count += 1
    return count


def queries_without_late(percentile: float) -> int:
    """Queries that early stopping needs where none is late: n with percentile ** n <= 1 - CONFIDENCE.

    Args:
        percentile: as a share; 0.99 needs 459 queries, 0.9 needs 44.
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(percentile))
