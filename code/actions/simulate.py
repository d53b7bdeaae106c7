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
from code.run import service_model, service_times, simulation, virtual
from code.run.job import Job
from code.run.service_model import ServiceModel
from code.run.virtual import Simulated

PESSIMISTIC = (
    "whole batches are simulated, and continuous batching answers sooner: latencies and Server rates are too pessimistic"
)


def run(job: Job, context: Context) -> Sequence[ReportRow]:
    """Print what a simulation predicts; --sweep varies fields, --real_time runs the same under the real LoadGen."""
    simulated = service_times.simulated(job)
    fields = context.request["sweep"] or []
    varied = {name: _values_around(simulated, name) for name in fields}
    if _pessimistic(simulated):
        console.warn(f"{simulated.label}: {PESSIMISTIC}")
    model = _kept_model(simulated, context)
    if context.request["real_time"]:
        return [_in_real_time(simulated, model, context)]
    _print(simulated, model, *_predicted(simulated, model))
    if _is_server(simulated):
        _print_highest(simulated, model)
    for name, values in varied.items():
        _sweep(simulated, context, name, values, service_times.table(simulated, model))
    return []


def as_json(job: Job, context: Context) -> dict[str, Any]:
    """The same as an object."""
    simulated = service_times.simulated(job)
    if context.request["real_time"]:
        raise _only_in_virtual_time("json")
    model = _kept_model(simulated, context)
    usual, (low, high) = _predicted(simulated, model)
    rates = _highest(simulated, model) if _is_server(simulated) else ()
    return {
        "benchmark_full": simulated.workload.full_name,
        "simulated": True,
        "source": model.source if model else simulation.SOURCE,
        **usual.as_json(),
        "low": low.as_json(),
        "high": high.as_json(),
        **({"highest_valid": dict(zip(("rate", "low", "high"), rates, strict=True))} if rates else {}),
        **({"warning": PESSIMISTIC} if _pessimistic(simulated) else {}),
    }


def _in_real_time(job: Job, model: ServiceModel | None, context: Context) -> ReportRow:
    """Run it under the real LoadGen with the same service times. The result keeps the table; the engine goes."""
    if context.request["sweep"]:
        raise _only_in_virtual_time("sweep")
    table = simulation.kept(service_times.table(job, model))
    with virtual.home_of(job) as home:
        given = virtual.with_table(job, table, home)
        given.build()
        return given.run("PerformanceOnly")


def _only_in_virtual_time(option: str) -> UsageError:
    return UsageError(
        f"--{option} and --real_time exclude each other",
        "a run in real time makes a result of its own",
        f"leave --{option} or --real_time out",
        f"--{option}",
    )


def _kept_model(job: Job, context: Context) -> ServiceModel | None:
    """The model that the request asks for, kept for `make list_models`."""
    model = service_times.model_of(job, str(context.request["service_model"]))
    if model is not None:
        service_model.keep(model)
    return model


def _predicted(job: Job, model: ServiceModel | None) -> tuple[Simulated, tuple[Simulated, Simulated]]:
    """The simulation with the model's times, and with those of its bounds: the worse, the better."""
    usual = virtual.simulate(job, service_times.table(job, model), job.label)
    if model is None or model.slow == model.fast:
        return usual, (usual, usual)
    slow, fast = (
        virtual.simulate(job, service_times.table(job, model, factor), job.label) for factor in (model.slow, model.fast)
    )
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


def _pessimistic(job: Job) -> bool:
    """Whether the job's latencies are worse than those of a real system."""
    return _is_server(job) and job.definition.facts.text is not None


def _is_server(job: Job) -> bool:
    return bool(job.workload.scenario.loadgen == Scenario.Server.valstr)


def _highest(job: Job, model: ServiceModel | None) -> tuple[float | None, float | None, float | None]:
    """The highest VALID Server rate in queries/s at the model's times, at its slow and at its fast ones."""
    usual = virtual.highest(job, service_times.table(job, model))
    if model is None or model.slow == model.fast:
        return usual, usual, usual
    slow, fast = (virtual.highest(job, service_times.table(job, model, factor)) for factor in (model.slow, model.fast))
    return usual, slow, fast


def _print_highest(job: Job, model: ServiceModel | None) -> None:
    found = _highest(job, model)
    usual, slow, fast = (f"{rate:,.4g} queries/s" if rate else "no rate" for rate in found)
    between = "" if len(set(found)) == 1 else f", {slow} to {fast} at the bounds"
    console.say(f"  highest rate   {usual} would be VALID{between}")
    public = service_times.public(job, str(job.workload.scenario))
    if public is not None:
        console.say(f"  public results {public.words()} queries/s predicted from {public.source}")


def _value(job: Job, name: str) -> object:
    """A field's value for the job's benchmark."""
    given = job.workload[name]
    return given.get(str(job.workload.benchmark)) if isinstance(given, dict) else given


def _values_around(job: Job, name: str) -> Sequence[object]:
    """The values of a field to compare. UsageError for an unknown field or one that is not a number here."""
    if name not in field_table():
        raise unknown("field", name, list(field_table()), "--sweep", listing=False)
    value = _value(job, name)
    values = virtual.neighbours(value)
    if not values:
        raise UsageError(
            f"--sweep={name} has nothing to vary",
            f"{name} is {value!r} in this config, not a number",
            "name a field with a number, such as gpu_batch_size or server_target_qps",
        )
    return values


def _sweep(job: Job, context: Context, name: str, values: Sequence[object], table: dict[str, Any]) -> None:
    """One table: how the result moves with a field."""
    value, rows = _value(job, name), []
    for one in values:
        changed = {str(job.workload.benchmark): one} if isinstance(job.workload[name], dict) else one
        varied = context.job(job.workload.with_values({name: Value(changed, "--sweep")}))
        found = virtual.simulate(varied, table, f"{job.label} {name}={one}", virtual.SHORT)
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
