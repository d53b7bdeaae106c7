"""How good a point is: a probe of the harness for throughput and latency, short LoadGen runs for Server's rate."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.actions import Context, generate_engines
from code.actions.run_harness import run_spec
from code.backends import store
from code.backends.base import backend
from code.benchmarks.benchmark import definition_of
from code.common.constants import Scenario
from code.common.files import atomic_write
from code.plan.request import Value
from code.plan.workload import Workload
from code.precision import graph_for
from code.results import loadgen_log
from code.results.verdict import judge
from code.run import launch
from code.run.settings import conf_text, user_conf
from code.tuning.space import values_of

ORIGIN = "tune"


@dataclass(frozen=True)
class Aim:
    """What is searched for: a key of the probe's answer, and whether more of it is better."""

    key: str
    unit: str
    more_is_better: bool


AIMS: dict[Scenario, Aim] = {
    Scenario.Offline: Aim("samples_per_second", "samples/s", True),
    Scenario.Server: Aim("samples_per_second", "samples/s", True),
    Scenario.SingleStream: Aim("latency_ns", "ns", False),
    Scenario.MultiStream: Aim("query_latency_ns", "ns", False),
}
"""Scenario → what a trial measures. Server's rate is found afterwards, on the lanes with the most throughput."""


def at(workload: Workload, point: Mapping[str, Any]) -> Workload:
    """The workload with a point's values."""
    return workload.with_values({name: Value(value, ORIGIN) for name, value in values_of(workload, point).items()})


def probe(workload: Workload, context: Context) -> dict[str, float]:
    """What the harness measures of the workload's engine, which is built where it is not there. Raises what the engine raises."""
    generate_engines.run(workload, context)
    runtime, definition = backend(workload["backend"]), definition_of(workload.benchmark)
    engine = store.address(runtime, definition.name, graph_for(workload), workload.plain()).require()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec = run_spec(workload, "PerformanceOnly", runtime, engine, definition.dataset(workload.plain()), folder, {})
        return launch.probe(spec, f"{workload.label} trial", workload["harness_lang"], folder)


def server_is_valid(workload: Workload, rate: float, seconds: float) -> bool:
    """Whether a Server run of `seconds` at `rate` queries/s is VALID."""
    runtime, definition = backend(workload["backend"]), definition_of(workload.benchmark)
    changed = {"server_target_qps": rate, "min_duration": int(seconds * 1000), "min_query_count": max(1, int(rate))}
    workload = workload.with_values({name: Value(value, ORIGIN) for name, value in changed.items()})
    engine = store.address(runtime, definition.name, graph_for(workload), workload.plain()).require()
    dataset = definition.dataset(workload.plain())
    conf = user_conf("Server", workload.plain(), int(dataset["count"]), int(dataset["usual_count"]), definition.whole_passes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with atomic_write(folder / "user.conf") as out:
            out.write(conf_text(definition.name, "Server", conf))
        spec = run_spec(workload, "PerformanceOnly", runtime, engine, dataset, folder, conf)
        launch.run(spec, f"{workload.label} at {rate:,.1f} queries/s", workload["harness_lang"])
        return judge(loadgen_log.read_detail(folder / "mlperf_log_detail.txt")).valid
