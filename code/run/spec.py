"""Composes run.json for one LoadGen test of a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, cast

from code.backends.base import Backend
from code.benchmarks.benchmark import definition_of
from code.fields.consumer import Consumer
from code.harness.schema import datasets
from code.harness.schema.datasets import DatasetSpec
from code.harness.schema.options import ApartOptions
from code.harness.schema.run_spec import (
    BatchSettings,
    DeviceEntry,
    EngineEntry,
    Expectations,
    LogSettings,
    RunSpec,
    ServerSettings,
)
from code.plan.workload import Workload
from code.run import spec_fields
from code.run.placement import Placement, needs_processes
from code.run.settings import seeds
from configs.configuration import Probed

READS = Consumer("the harness", ("precision",))
RULES_MIN_DURATION_MS = 600_000


def most_samples(workload: Workload, placement: Placement) -> int:
    """Most samples in a batch. A volume is one by itself: the batches of its engine are windows."""
    return 1 if definition_of(workload.benchmark).facts.family == "volume" else placement.batch or 1


def run_spec(
    workload: Workload,
    mode: str,
    runtime: Backend,
    engines: Sequence[Path],
    dataset: Mapping[str, Any],
    folder: Path,
    conf: Mapping[str, Any],
    placement: Placement,
    audit_conf: str = "",
) -> RunSpec:
    """Compose run.json.

    Args:
        mode: 'PerformanceOnly' or 'AccuracyOnly'.
        engines: engine folders, one per device kind of the placement, in its order.
        dataset: the `dataset` part from the benchmark's definition.
        folder: the folder of LoadGen's logs and user.conf.
        conf: the keys of user.conf.

    Raises:
        UsageError: an invalid value, with its origin if known.
    """
    values = workload.plain()
    name = definition_of(workload.benchmark).name
    data = data_of(workload, dataset)
    spec = RunSpec(
        benchmark=workload.loadgen_model,
        scenario=cast(Any, workload.scenario.loadgen),
        test_mode=cast(Literal["PerformanceOnly", "AccuracyOnly"], mode),
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf=audit_conf,
        engines=tuple(
            EngineEntry(runtime.name, str(engine), str(READS.of(values)["precision"]), runtime.options(values, engine))
            for engine in engines
        ),
        devices=tuple(
            DeviceEntry(device.index, device.name, device.engine, device.cores, device.streams, device.threads, device.pci)
            for device in placement.devices
        ),
        batch=BatchSettings(
            # If sliding windows fill the engine's batches, each sample forms its own batch.
            max_samples=most_samples(workload, placement),
            timeout_us=spec_fields.timeout_us(values),
            padding=spec_fields.padding(values),
        ),
        dataset=data,
        seeds=cast(Any, seeds(values, name)),
        log=log_of(values),
        server=ServerSettings(
            issue_threads=spec_fields.issue_threads(values),
            soft_drop=spec_fields.soft_drop(values),
        ),
        warmup_s=spec_fields.warmup_s(values, workload.scenario.loadgen, placement.on_gpus),
        expects=Expectations(
            min_duration_ms=float(conf.get("min_duration", RULES_MIN_DURATION_MS)),
            samples_per_query=spec_fields.samples_per_query(values),
        ),
        record={field: value for field, value in values.items() if value is not None and not isinstance(value, Probed)},
    )
    return apart(spec) if needs_processes(placement, runtime) else spec


def apart(spec: RunSpec) -> RunSpec:
    """The run.json whose engines are each loaded by a process of their device's own."""
    engines = tuple(
        replace(engine, backend="apart", options=ApartOptions(engine.backend, asdict(engine.options))) for engine in spec.engines
    )
    return replace(spec, engines=engines)


def data_of(workload: Workload, dataset: Mapping[str, Any]) -> DatasetSpec:
    """run.json's data set: the benchmark's, with the workload's own values."""
    return datasets.of_benchmark(
        dataset, pad_to_multiple_of=spec_fields.length_multiple(workload), **spec_fields.text_requests(workload)
    )


def log_of(values: Mapping[str, Any]) -> LogSettings:
    """LoadGen's LogSettings; unset fields keep LoadGen's defaults."""
    return LogSettings(**{name: value for name, value in spec_fields.log_settings(values).items() if value is not None})
