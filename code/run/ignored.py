"""Warnings of the options that somebody set and nobody acts on in a run."""

from __future__ import annotations

from dataclasses import replace

from code.backends.base import BACKENDS, Backend, backend
from code.common import console
from code.common.notices import Notices
from code.fields.consumer import AUTO, Run
from code.plan.unused import unused
from code.plan.workload import Workload
from code.precision.graphs import precision_of
from code.run.language import asked_language, has_own_server, served
from code.run.placement import on_gpus


def warn(workload: Workload, runtime: Backend, notices: Notices, label: str) -> None:
    """Warn of them, each once per workload."""
    own = _for_its_own(workload, runtime)
    found = [(name, why) for name, why in unused(workload.values, reader(workload, runtime)) if name not in own]
    new = [f"{name} ({why})" for name, why in found if notices.first(f"ignored {workload.label} {name}")]
    if new:
        console.warn(f"{label}: ignored by the {runtime.name} backend: {'; '.join(new)}")


def _for_its_own(workload: Workload, runtime: Backend) -> set[str]:
    """Options that a config sets for its own backend, where another one was chosen, as `make simulate` does."""
    own = workload.config_backend
    if own == runtime.name or own not in BACKENDS:
        return set()
    of_config = {name: item for name, item in workload.values.items() if item.origin.startswith("config ")}
    there = replace(reader(workload, backend(own)), language=AUTO)
    return of_config.keys() - {name for name, _ in unused(of_config, there)}


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
