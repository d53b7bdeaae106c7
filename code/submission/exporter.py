"""Telemetry of this machine and the state of its runs for Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from code.backends.base import missing_sdk
from code.results.page.index import Entry
from code.submission import pages
from code.submission.stage import runs
from code.telemetry.families import PREFIX, readings
from code.telemetry.source import Source

HOST = "127.0.0.1"
LABELS = ("benchmark", "scenario", "mode", "system")
RESULT, RUNNING = f"{PREFIX}_run_result", f"{PREFIX}_runs"


class Collector:
    """Reads everything anew for each scrape, one at a time.

    Args:
        sources: of telemetry.
        root: the log folder.
    """

    def __init__(self, sources: Sequence[Source], root: Path) -> None:
        self.sources, self.root = sources, root
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Any]:
        """The metric families, as prometheus_client calls for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        with self._lock:
            found = list(readings(self.sources))
            entries = [*(pages.entry_of(one) for one in runs.scan(self.root)[0]), *pages.others(self.root)]
        families: dict[str, Any] = {}
        for one in found:
            family = families.get(one.name)
            if family is None:
                kind = CounterMetricFamily if one.counter else GaugeMetricFamily
                family = families[one.name] = kind(one.name, one.name.replace("_", " "), labels=[name for name, _ in one.labels])
            family.add_metric([value for _, value in one.labels], one.value)
        yield from families.values()
        counts = GaugeMetricFamily(RUNNING, "runs in the log folder by their state", labels=["state"])
        for word in sorted({entry.word for entry in entries}):
            counts.add_metric([word.lower()], sum(entry.word == word for entry in entries))
        yield counts
        results = GaugeMetricFamily(
            RESULT, "the newest result of each workload in the unit of its metric", labels=[*LABELS, "unit"]
        )
        for entry in newest(entries):
            scenario = entry.name.rpartition(" ")[2]
            labels = [entry.name.rpartition(" ")[0], scenario, entry.mode, entry.system, entry.metric.unit]
            results.add_metric(labels, float(entry.number or 0.0) * entry.metric.scale)
        yield results


def newest(entries: Sequence[Entry]) -> list[Entry]:
    """The newest performance result of each workload on each system."""
    found: dict[tuple[str, str], Entry] = {}
    for one in pages.ordered(entries):
        if one.mode == "PerformanceOnly" and one.number is not None:
            found.setdefault((one.name, one.system), one)
    return list(found.values())


def start(collector: Collector, port: int) -> tuple[Any, threading.Thread]:
    """Serve metrics on a port of loopback in a thread; returns server and thread. MissingError without prometheus_client, OSError for a
    port that is taken."""
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise missing_sdk("prometheus_client", "telemetry_exporter", error) from error
    registry = CollectorRegistry()
    registry.register(collector)  # type: ignore[arg-type,unused-ignore]
    server, thread = start_http_server(port, HOST, registry)
    return server, thread
