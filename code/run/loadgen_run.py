"""One start of a harness process for a job: a LoadGen test, or a probe of its engine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.common import console, paths
from code.common.errors import Interrupted, UsageError
from code.results import loadgen_log, settings_check
from code.results.loadgen_log import LoadGenLog
from code.run import launch
from code.run.behind import behind
from code.run.forecast import forecast
from code.run.nodes.over_nodes import over_nodes
from code.run.observers import Test, observed
from code.run.places import THIS_MACHINE
from code.run.settings import user_conf, write_conf
from code.run.spec import run_spec
from code.run.surroundings import shares, watched

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.results.machine import MachineState
    from code.run.resolved import Resolved


def run(job: Resolved, mode: str, folder: Path, label: str, watch: launch.Take | None = None) -> LoadGenLog:
    """One LoadGen test into `folder`, its settings checked against what LoadGen logged. RunError where they differ.

    Args:
        watch: gets each report of the harness process, and ends it by raising.
    """
    if mode == "AccuracyOnly" and not job.backend.computes:
        raise UsageError(
            f"{job.label} has no accuracy",
            "a simulated engine computes nothing",
            "leave --test_mode out, or name a real --backend",
        )
    scenario = job.workload.scenario.loadgen
    conf = _settings(job)
    write_conf(folder / "user.conf", job.workload.loadgen_model, scenario, conf)
    spec = _spec(job, mode, folder, conf)
    needed = forecast(spec, conf)
    console.say(f"{label}: {needed.words()}")
    test = Test(job.workload, mode, folder, job.placement, job.backend.computes)
    with observed(test), behind(job, spec, watch) as served, over_nodes(job, served.spec) as (asked, place):
        launch.run(asked, label, job.language.language, served.place or place, needed, served.watch)
    log = loadgen_log.read_detail(folder / "mlperf_log_detail.txt")
    settings_check.require_settings(conf, log, scenario=scenario, mode=mode)
    return log


def probe(job: Resolved, label: str) -> tuple[dict[str, float], MachineState]:
    """What the harness measures of the engine (code/harness/python/probe.py), and the machine's state meanwhile.

    Raises what the engine raises. What the process printed is kept where it fails, because errors name the file.
    """
    devices = [device.name for device in job.placement.devices] if job.backend.computes else []
    parent = paths.build_dir() / "probes"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{job.workload.full_name}-{job.workload.scenario}-", dir=parent))
    spec = _spec(job, "PerformanceOnly", folder, {})
    try:
        with watched(devices, label, shares(job.workload)) as seen, behind(job, spec) as asked:
            found = launch.probe(asked.spec, label, job.language.language, folder, asked.place or THIS_MACHINE)
    except (Interrupted, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return found, seen.state


def probe_for_open_values(job: Resolved) -> tuple[dict[str, float], MachineState]:
    """The same, announced: a config leaves values to a measurement."""
    steps = "full batches, then single samples, for some seconds"
    console.say(f"{job.label}: measuring this machine for values that its config leaves open: {steps}")
    found, state = probe(job, f"{job.label} probe")
    rate, latency = found.get("samples_per_second"), found.get("latency_ns")
    if rate and latency:
        console.say(f"{job.label}: measured {rate:,.4g} samples/s in full batches, {latency / 1e6:,.4g} ms for a single sample")
    return found, state


def simulate(job: Resolved, folder: Path, label: str, most_queries: float) -> bool:
    """One test of a job with simulated engines in virtual time, into `folder`.

    A simulated engine has no first tokens, so where a scenario bounds token latencies, the bound is that of a whole text within them.

    Args:
        most_queries: the duration is cut to about as many; Offline's samples.

    Returns whether it was cut.
    """
    conf = _settings(job)
    if bound := whole_text_ns(job):
        conf.setdefault("target_latency", bound / 1e6)
    whole = _spec(job, "PerformanceOnly", folder, conf)
    needed = forecast(whole, conf)
    rate = float(conf.get("target_qps") or 0.0) if needed.expected_s else 0.0
    cut = rate * needed.least_s > most_queries
    if cut:
        conf["min_duration"] = int(1000 * most_queries / rate)
    write_conf(folder / "user.conf", job.workload.loadgen_model, job.workload.scenario.loadgen, conf)
    launch.simulate(whole, label)
    return cut


def whole_text_ns(job: Resolved) -> int:
    """The most that a whole text takes within the newest bounds of its scenario's token latencies; 0 where there are none."""
    facts, scenario = job.definition.facts, job.workload.scenario.valstr
    bounds = [rules.token_bounds[scenario] for rules in facts.rounds.values() if scenario in rules.token_bounds]
    return bounds[-1].whole(facts.text.max_new_tokens) if bounds and facts.text else 0


def background_spec(job: Resolved, folder: Path) -> RunSpec:
    """run.json, with its user.conf, of a load that runs beside another workload."""
    conf = _settings(job)
    write_conf(folder / "user.conf", job.workload.loadgen_model, job.workload.scenario.loadgen, conf)
    return _spec(job, "PerformanceOnly", folder, conf)


def server_spec(job: Resolved, folder: Path) -> RunSpec:
    """run.json for a server of a job's engine."""
    return _spec(job, "PerformanceOnly", folder, {})


def _settings(job: Resolved) -> dict[str, int | float]:
    """The keys of user.conf."""
    count, usual = int(job.dataset["count"]), int(job.dataset["usual_count"])
    return user_conf(job.workload.scenario.loadgen, job.values, count, usual, job.definition.whole_passes)


def _spec(job: Resolved, mode: str, folder: Path, conf: Mapping[str, Any]) -> RunSpec:
    """run.json for one start that logs to `folder`."""
    return run_spec(job.workload, mode, job.backend, job.engines.require(), job.dataset, folder, conf, job.placement)
