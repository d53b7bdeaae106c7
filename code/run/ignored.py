"""Warnings of the options that somebody set and nobody acts on in a run."""

from __future__ import annotations

from code.backends.base import Backend
from code.common import console
from code.common.notices import Notices
from code.fields.consumer import Run
from code.plan.unused import unused
from code.plan.workload import Workload
from code.precision.graphs import precision_of
from code.run.language import asked_language, has_own_server, served
from code.run.placement import on_gpus


def warn(workload: Workload, runtime: Backend, notices: Notices, label: str) -> None:
    """Warn of them, each once per workload."""
    found = unused(workload.values, reader(workload, runtime))
    new = [f"{name} ({reason})" for name, reason in found if notices.first(f"ignored {workload.label} {name}")]
    if new:
        console.warn(f"{label}: ignored by the {runtime.name} backend: {'; '.join(new)}")


def reader(workload: Workload, runtime: Backend) -> Run:
    """What decides who acts on a workload's options."""
    return Run(
        backend=runtime.name,
        device="GPU" if on_gpus(workload, runtime) else "CPU",
        benchmark=str(workload.benchmark),
        scenario=workload.scenario.loadgen,
        language=asked_language(workload),
        precision=precision_of(workload.plain()),
        graphs=not runtime.makes_precision,
        served=served(workload),
        own_server=has_own_server(workload),
    )
