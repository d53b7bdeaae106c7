"""roofline: measure what limits a workload on this machine, so that later runs tell their share of it."""

from __future__ import annotations

from typing import Any

from code.actions import Context, EachWorkload
from code.common import console
from code.machine.measurements import PRECISIONS, SHARES
from code.run import roofline
from code.run.job import Job
from code.run.roofline import Measured

FIGURES = {
    "read_gb_per_s": ("Memory, read", "GB/s"),
    "copy_gb_per_s": ("Memory, copied", "GB/s, reads and writes together"),
    "loadgen_samples_per_second": ("LoadGen with an engine that takes no time", "samples/s, Offline"),
}


def run(job: Job, context: Context) -> None:
    """Measure, print and remember. UsageError for a job that does not compute on processors."""
    found, kept = _measured(job)
    rows = []
    for precision in PRECISIONS:
        general = found.machine.get(f"gflops_{precision}")
        if general:
            own, most = found.own.get(f"gflops_{precision}"), found.samples_per_second(precision)
            rows.append((precision, f"{general:,.0f}", f"{own:,.0f}" if own else "-", f"{most:,.5g}" if most else "-"))
    console.table(
        f"Limits of {job.label} on this machine",
        ("Precision", "Square products, GFLOP/s", "Its own products, GFLOP/s", "At most, samples/s"),
        rows,
    )
    for name, (what, unit) in FIGURES.items():
        if name in found.machine:
            console.say(f"{what}: {found.machine[name]:,.4g} {unit}")
    if "loadgen_samples_per_second" not in found.machine:
        console.say(
            f"{FIGURES['loadgen_samples_per_second'][0]}: not measured; `make build` builds the C++ harness that measures it"
        )
    precision = str(job.workload["precision"])
    shares = {kind: found.own[f"{kind}_{precision}"] for kind in SHARES if f"{kind}_{precision}" in found.own}
    if shares:
        console.say(f"The {precision} engine's time: " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items()))
    if kept:
        console.say(f"{job.label}: remembered for 30 days; a run records its share of the bound, and `make report` shows it")


def as_json(job: Job, context: Context) -> dict[str, Any]:
    """The measurement as JSON."""
    found, kept = _measured(job)
    return {
        "benchmark_full": job.workload.full_name,
        "scenario": str(job.workload.scenario),
        "kept": kept,
        "machine": dict(found.machine),
        "workload": dict(found.own),
        "samples_per_second": {name: found.samples_per_second(name) for name in PRECISIONS if f"gflops_{name}" in found.own},
        "state": found.state.as_json(),
    }


def _measured(job: Job) -> tuple[Measured, bool]:
    found = roofline.measure(job)
    kept = roofline.remember(job, found)
    if not kept:
        why = found.state.notes()[0].what.replace("during the run", "during the measurement")
        console.warn(f"{job.label}: {why}: the limits are too low, and not remembered; run it again on an idle machine")
    return found, kept


ACTION = EachWorkload(run, as_json=as_json)
