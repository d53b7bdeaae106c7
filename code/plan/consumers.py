"""Every consumer of options, collected from the modules that read them, and what follows from their declarations.

Modules are imported when the first question is asked, never when this one is. None of them imports an SDK.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from functools import cache
from itertools import chain
from types import ModuleType

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
    "code.plan.precision_choice",
    "code.precision.graphs",
    "code.precision.samples",
    "code.run.debugging",
    "code.run.early_out",
    "code.run.identity",
    "code.run.job",
    "code.run.language",
    "code.run.llm_serving",
    "code.run.mixed",
    "code.run.nodes.telemetry_of_nodes",
    "code.run.nodes.wanted",
    "code.run.placement",
    "code.run.preparation",
    "code.run.serving",
    "code.run.triton_models",
    "code.run.triton_requests",
    "code.run.roofline",
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

    found = [one for name in MODULES for one in _of_module(name)]
    found += [one for name in BACKENDS for one in _of_backend(name)]
    found += [one for name in BENCHMARKS for one in _of_benchmark(name)]
    return tuple(dict.fromkeys(found))


def is_read(field: str, run: Run) -> bool:
    """Whether an option has an effect in a run. What another backend or benchmark declares is looked at last, and seldom imported."""
    at_hand = sorted(
        MODULES, key=lambda name: type(sys.modules.get(name)) is not ModuleType
    )  # others are imported last, if at all
    own = chain.from_iterable(_of_module(name) for name in at_hand)
    nearest = chain(_of_benchmark(run.benchmark), _of_backend(run.backend), own)
    return any(one.reads(field, run) for one in nearest) or any(one.reads(field, run) for one in consumers())


@cache
def _of_module(name: str) -> list[Consumer]:
    return [item for item in vars(importlib.import_module(name)).values() if isinstance(item, Consumer)]


def _of_backend(name: str) -> tuple[Consumer, ...]:
    from code.backends.base import BACKENDS

    return tuple(importlib.import_module(BACKENDS[name]).BACKEND.reads)


def _of_benchmark(name: str) -> tuple[Consumer, ...]:
    from code.rules.benchmarks import BENCHMARKS

    return tuple(importlib.import_module(f"{BENCHMARKS[name]}.benchmark").BENCHMARK.reads)


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
