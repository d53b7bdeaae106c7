"""simulate: predict a workload's result on a system, by the product's own scheduler in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from code.actions import Context, EachWorkload
from code.common import console
from code.common.constants import Scenario
from code.common.errors import UsageError, unknown
from code.fields.table import field_table
from code.plan.request import Value
from code.results.report import ReportRow
from code.run import service_model, simulation, virtual
from code.run.job import Job
from code.run.service_model import ServiceModel
from code.run.virtual import Simulated
from code.systems import prediction
from code.systems.estimate import known_name
from code.systems.prediction import Prediction
from code.systems.system_list import KnownSystem
from code.tuning.server_rate import highest_valid

LEAST = 3e5
"""Queries of a simulation in a sweep or a search."""
CLOSE = 0.005
"""Relative distance of the bounds at which the search for the highest VALID rate ends."""


def run(job: Job, context: Context) -> Sequence[ReportRow]:
    """Print what a simulation predicts; --sweep varies fields, --real_time runs the same under the real LoadGen."""
    simulated = _simulated(job, context)
    if context.request["real_time"]:
        simulated.build()
        return [simulated.run("PerformanceOnly")]
    model = _model(simulated, context)
    _print(simulated, model, *_predicted(simulated, model))
    if simulated.workload.scenario == Scenario.Server:
        _print_highest(simulated, context, model)
    for name in context.request["sweep"] or []:
        _sweep(simulated, context, name, _table(simulated, model))
    return []


def as_json(job: Job, context: Context) -> dict[str, Any]:
    """The same as an object."""
    simulated = _simulated(job, context)
    model = _model(simulated, context)
    usual, (low, high) = _predicted(simulated, model)
    return {
        "benchmark_full": simulated.workload.full_name,
        "simulated": True,
        "source": model.source if model else simulation.SOURCE,
        **usual.as_json(),
        "low": low.as_json(),
        "high": high.as_json(),
    }


def _simulated(job: Job, context: Context) -> Job:
    """The job with the simulated backend, whatever its config names."""
    return context.job(
        job.workload.with_values({"backend": Value("simulated", "simulate"), "harness_lang": Value("cpp", "simulate")})
    )


def _model(job: Job, context: Context) -> ServiceModel | None:
    """The service times that the request asks for; None for those of --simulated_table or of the config's expected rate."""
    word = str(context.request["service_model"])
    if word == "config" or job.workload["simulated_table"]:
        return None
    if word != "public":
        model = service_model.named(word)
        if model.benchmark != job.workload.full_name:
            raise UsageError(
                f"the service-time model {word} is not of {job.workload.full_name}",
                f"it is of {model.benchmark}",
                "name another one (make list_models), or --benchmarks of its benchmark",
            )
        return model
    found = _public(job, "Offline")
    if found is None:
        return None
    name = f"{job.workload.system_name}-{job.workload.full_name}"
    batch = job.placement.batch or 1
    model = service_model.of_prediction(
        name, found, job.placement.system_devices, batch, job.definition.facts, job.workload.full_name
    )
    service_model.keep(model)
    return model


def _public(job: Job, scenario: str) -> Prediction | None:
    """What public results predict for the job's system; None where they cannot tell."""
    system = KnownSystem.get(job.workload.system_name)
    if system is None or not system.accelerators:
        return None
    accelerator = system.accelerator or next(map(known_name, system.value.accelerator_conf.layout), "")
    return prediction.predict(job.workload.full_name, scenario, accelerator, system.accelerators)


def _table(job: Job, model: ServiceModel | None, factor: float = 1.0) -> dict[str, Any]:
    lengths = list(job.definition.facts.length_spread or (1,))
    if model is None:
        return simulation.read_or_derived(job.workload, job.placement, lengths)
    return model.table(job.placement.batch or 1, lengths, factor)


def _predicted(job: Job, model: ServiceModel | None) -> tuple[Simulated, tuple[Simulated, Simulated]]:
    """The simulation with the model's times, and with those of its bounds: the worse, the better."""
    usual = virtual.simulate(job, _table(job, model), job.label)
    if model is None or model.slow == model.fast:
        return usual, (usual, usual)
    slow, fast = (virtual.simulate(job, _table(job, model, factor), job.label) for factor in (model.slow, model.fast))
    return usual, (slow, fast)


def _print(job: Job, model: ServiceModel | None, usual: Simulated, bounds: tuple[Simulated, Simulated]) -> None:
    slow, fast = bounds
    source = f"{model.kind}: {model.source}" if model else simulation.SOURCE
    cut = ", fewer than a run computes" if usual.cut else ""
    latencies = ", ".join(f"{float(share):.1%} {ns / 1e6:,.4g} ms" for share, ns in sorted(usual.latencies_ns.items()))
    rows = [
        ("result", usual.shown(), slow.shown(), fast.shown()),
        ("verdict", usual.verdict(), slow.verdict(), fast.verdict()),
        (
            f"latency at {usual.percentile:.4g}",
            *(f"{one.percentile_ns / 1e6:,.4g} ms" for one in (usual, slow, fast)),
        ),
        ("load of the devices", *(f"{one.load:.0%}" for one in (usual, slow, fast))),
        ("samples in a batch", *(f"{one.batch:.3g}" for one in (usual, slow, fast))),
    ]
    console.table(
        f"{job.label} on {job.workload.system_name}, a prediction",
        ("", "Expected", "With times as slow as 1 in 20", "As fast as 1 in 20"),
        rows,
    )
    console.say(f"  service times  {source}")
    if usual.scenario != "Offline":
        console.say(f"  latencies      {latencies}{f'; the bound is {usual.bound_ns / 1e6:,.6g} ms' if usual.bound_ns else ''}")
    console.say(f"  limited by     {usual.limits()}")
    console.say(f"  simulated      {usual.samples:,} samples, {usual.seconds:,.4g} s{cut}")


def highest(job: Job, context: Context, table: dict[str, Any]) -> float | None:
    """The highest rate in queries/s that a simulation finds VALID; None where it finds none."""

    def is_valid(rate: float) -> bool:
        values = {"server_target_qps": Value(rate, "simulate"), "server_target_qps_adj_factor": Value(None, "simulate")}
        return virtual.simulate(context.job(job.workload.with_values(values)), table, f"{job.label} at {rate:,.4g}", LEAST).valid

    return highest_valid(virtual.capacity(table, job), is_valid, close=CLOSE)


def _print_highest(job: Job, context: Context, model: ServiceModel | None) -> None:
    factors = (1.0,) if model is None else (1.0, model.slow, model.fast)
    found = [highest(job, context, _table(job, model, factor)) for factor in factors]
    words = [f"{rate:,.4g}" if rate else "none" for rate in found]
    between = f", {words[1]} to {words[2]} at the bounds" if len(words) > 1 else ""
    console.say(f"  highest rate   {words[0]} queries/s would be VALID{between}")
    public = _public(job, "Server")
    if public is not None:
        console.say(f"  public results {public.words()} queries/s predicted from {public.source}")


def _sweep(job: Job, context: Context, name: str, table: dict[str, Any]) -> None:
    """One table: how the result moves with a field. UsageError for an unknown field or one that is not a number here."""
    if name not in field_table():
        raise unknown("field", name, list(field_table()), "--sweep", listing=False)
    given = job.workload[name]
    network = str(job.workload.benchmark)
    value = given.get(network) if isinstance(given, dict) else given
    values = virtual.neighbours(value)
    if not values:
        raise UsageError(
            f"--sweep={name} has nothing to vary",
            f"{name} is {value!r} in this config, not a number",
            "name a field with a number, such as gpu_batch_size or server_target_qps",
        )
    rows = []
    for one in values:
        changed = {network: one} if isinstance(given, dict) else one
        varied = context.job(job.workload.with_values({name: Value(changed, "--sweep")}))
        found = virtual.simulate(varied, table, f"{job.label} {name}={one}", LEAST)
        mark = " *" if one == value else ""
        rows.append(
            (f"{one:g}{mark}", found.shown(), f"{found.percentile_ns / 1e6:,.4g} ms", f"{found.load:.0%}", found.verdict())
        )
    console.table(
        f"{job.label}: {name} (* the config's)",
        (name, "Result", f"Latency at {found.percentile:.4g}", "Load", "Verdict"),
        rows,
    )


ACTION = EachWorkload(run, as_json=as_json)
