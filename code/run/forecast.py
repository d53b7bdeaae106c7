"""How long a test takes, before it starts and while it runs, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from code.common.console import duration
from code.harness.schema.run_spec import RunSpec
from code.rules.benchmarks import BENCHMARKS, facts_of
from code.rules.metrics import PERCENTILES, queries_for_estimate, queries_without_late

LEAST_QUERIES = {"SingleStream": 100, "Server": 100, "MultiStream": 662}
"""min_query_count of LoadGen's own mlperf.conf, 6.0.17."""
MARGIN = 1.1
"""LoadGen adds 10 % to an Offline query."""


@dataclass(frozen=True)
class Forecast:
    """What a test needs before LoadGen ends it.

    Args:
        queries: the fewest queries; samples in Offline and in accuracy runs.
        least_s: the shortest duration.
        expected_s: how long it takes at the expected rate or latency; None where none is known.
        why: what decides it.
        note: what the result lacks if it ends then; '' for nothing.
    """

    queries: int
    least_s: float
    expected_s: float | None
    why: str
    note: str = ""

    def words(self) -> str:
        """'takes about 1 min 40 s: 10,833 samples …'."""
        takes = f"takes about {duration(self.expected_s)}" if self.expected_s else "how long it takes is not known"
        return f"{takes}: {self.why}" + (f"; {self.note}" if self.note else "")


def forecast(spec: RunSpec, conf: Mapping[str, Any]) -> Forecast:
    """The forecast for a test.

    Args:
        conf: its user.conf, whose target_qps is the expected rate, or in the stream scenarios target_latency the expected latency in ms.
    """
    least_s = spec.expects.min_duration_ms / 1e3
    rate = float(conf.get("target_qps") or 0.0)
    if spec.test_mode == "AccuracyOnly":
        seconds = spec.dataset.count / rate if rate else None
        return Forecast(spec.dataset.count, 0.0, seconds, f"each of the {spec.dataset.count:,} samples once")
    if spec.scenario == "Offline":
        return _offline(spec, conf, rate, least_s)
    return _queries(spec, conf, rate, least_s)


def _queries(spec: RunSpec, conf: Mapping[str, Any], rate: float, least_s: float) -> Forecast:
    least = int(conf.get("min_query_count") or LEAST_QUERIES[spec.scenario])
    latency_ms = float(conf.get("target_latency") or 0.0)
    per_s = rate if spec.scenario == "Server" else 1e3 / latency_ms if latency_ms else 0.0
    by_queries = least / per_s if per_s else None
    share = PERCENTILES[spec.scenario]
    needed = queries_without_late(share) if spec.scenario == "Server" else queries_for_estimate(share)
    queries = max(least, math.ceil(least_s * per_s)) if per_s else least
    lacks = f"early stopping needs {needed} queries for the {100 * share:g} % latency, and about {queries} are asked for"
    note = lacks if queries < needed else ""
    if by_queries is None:
        return Forecast(
            least, least_s, least_s or None, f"its minimum duration, or longer if {least:,} queries take longer", note
        )
    if by_queries > least_s:
        return Forecast(least, least_s, by_queries, f"{least:,} queries (min_query_count) at {per_s:,.4g} a second", note)
    return Forecast(least, least_s, least_s, "its minimum duration", note)


def _offline(spec: RunSpec, conf: Mapping[str, Any], rate: float, least_s: float) -> Forecast:
    asked = (rate or 1.0) * MARGIN * least_s
    least = int(conf.get("min_query_count") or _usual_count(spec))
    samples = max(least, round(asked))
    why = f"{samples:,} samples: " + (
        f"{MARGIN:g} × the expected rate × the minimum duration"
        if asked > least
        else "min_query_count, by default as many as the benchmark's data set has"
    )
    return Forecast(samples, least_s, samples / rate if rate else None, why)


def _usual_count(spec: RunSpec) -> int:
    """Samples of the benchmark's own data set, which mlperf.conf asks of an Offline run also where the data set in use has others."""
    return facts_of(spec.benchmark).samples if spec.benchmark in BENCHMARKS else spec.dataset.count


def remaining_s(spec: RunSpec, needed: Forecast, line: Mapping[str, Any]) -> float | None:
    """The seconds that are left, by what a harness process reports; None where nothing is known yet.

    Offline and accuracy runs go by the share of the work, which the harness reports where samples differ in length. The others last until
    LoadGen has both enough queries and its minimum duration.
    """
    completed, issued, elapsed = float(line["completed"]), float(line["issued"]), float(line["elapsed_s"])
    if elapsed <= 0:
        return None
    if spec.scenario == "Offline" or spec.test_mode == "AccuracyOnly":
        total = max(issued, needed.queries if spec.test_mode == "AccuracyOnly" else 0.0)
        share = float(line.get("work") or 0.0) if spec.scenario == "Offline" else 0.0
        share = share or (completed / total if total else 0.0)
        return elapsed * (1 - share) / share if 0 < share <= 1 else None
    queries = completed / (spec.expects.samples_per_query if spec.scenario == "MultiStream" else 1)
    missing = max(0.0, needed.queries - queries)
    if missing and not queries:
        return None
    return max(needed.least_s - elapsed, missing * elapsed / queries if missing else 0.0)
