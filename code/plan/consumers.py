"""Every consumer of options, collected from the modules that read them, and what follows from their declarations.

Modules are imported when the first question is asked, never when this one is. None of them imports an SDK.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache

from code.fields.consumer import Consumer, Run
from code.fields.table import FIELDS

MODULES = (
    "code.actions.explain",
    "code.actions.list_configs",
    "code.backends.store",
    "code.backends.triton.config",
    "code.backends.generators.text",
    "code.plan.conf_files",
    "code.plan.flags",
    "code.plan.limits",
    "code.plan.workload",
    "code.precision.graphs",
    "code.precision.samples",
    "code.run.debugging",
    "code.run.early_out",
    "code.run.identity",
    "code.run.job",
    "code.run.language",
    "code.run.mixed",
    "code.run.nodes.wanted",
    "code.run.placement",
    "code.run.preparation",
    "code.run.serving",
    "code.run.settings",
    "code.run.simulation",
    "code.run.slots",
    "code.run.spec",
    "code.run.spec_fields",
    "code.run.surroundings",
    "code.run.power",
    "code.run.power_run",
    "code.run.telemetry",
    "configs.inspection",
)
"""Modules with consumers, other than backends and benchmarks."""


@cache
def consumers() -> tuple[Consumer, ...]:
    """All consumers without duplicates: of MODULES, every backend and every benchmark."""
    from code.backends.base import BACKENDS
    from code.rules.benchmarks import BENCHMARKS

    found: list[Consumer] = []
    for name in MODULES:
        found += [item for item in vars(importlib.import_module(name)).values() if isinstance(item, Consumer)]
    for name in BACKENDS.values():
        found += importlib.import_module(name).BACKEND.reads
    for name in BENCHMARKS.values():
        found += importlib.import_module(f"{name}.benchmark").BENCHMARK.reads
    return tuple(dict.fromkeys(found))


def consumers_of(field: str) -> list[Consumer]:
    """The consumers that read an option."""
    return [consumer for consumer in consumers() if field in consumer.fields]


def honours(run: Run) -> frozenset[str]:
    """The options that have an effect in a run."""
    return frozenset(f.name for f in FIELDS for consumer in consumers() if consumer.reads(f.name, run))


def engine_fields(run: Run) -> frozenset[str]:
    """The options that determine the engine: another value means another engine."""
    return frozenset(name for c in consumers() if c.engine for name in c.fields if c.reads(name, run))


def cpp_fields(run: Run) -> frozenset[str]:
    """The options that only the C++ harness reads."""
    return honours(replace(run, language="cpp")) - honours(replace(run, language="python"))
