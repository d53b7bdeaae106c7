"""run.json of one LoadGen test: what the harness process is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.benchmarks.benchmark import definition_of
from code.fields.consumer import Consumer
from code.harness.schema.run_spec import RunSpec
from code.plan.workload import Workload
from code.run import spec_fields
from code.run.placement import Placement
from code.run.settings import seeds
from configs.configuration import Probed

READS = Consumer("the harness", ("precision",))
RULES_MIN_DURATION_MS = 600_000


def run_spec(
    workload: Workload,
    mode: str,
    runtime: Backend,
    placement: Placement,
    engine: Path,
    dataset: dict[str, Any],
    folder: Path,
    conf: Mapping[str, Any],
) -> RunSpec:
    """run.json's content for one LoadGen test."""
    values = workload.plain()
    multiple = spec_fields.length_multiple(values)
    if multiple > 1 and dataset["kind"] == "sequence":
        dataset = {**dataset, "pad_to_multiple_of": multiple}
    recorded = {name: value for name, value in values.items() if value is not None and not isinstance(value, Probed)}
    recorded["effective_min_duration_ms"] = conf.get("min_duration", RULES_MIN_DURATION_MS)
    several = len(placement.devices) > 1
    engine_part: dict[str, Any] = {
        "backend": runtime.name,
        "folder": str(engine),
        "precision": READS.of(values)["precision"],
        "streams": placement.devices[0].streams,
        "threads": placement.devices[0].threads,
        "devices": [{"index": d.index, "cores": list(d.cores)} for d in placement.devices] if several else [],
    }
    if runtime.name == "simulated":
        import json

        engine_part["simulated"] = json.loads((engine / "table.json").read_text(encoding="utf-8"))
    return RunSpec(
        benchmark=definition_of(workload.benchmark).name,
        scenario=str(workload.scenario),
        test_mode=mode,
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf="",
        engine=engine_part,
        # Where windows fill the engine's batches, a sample is a batch of its own.
        batch={
            "max_samples": 1 if definition_of(workload.benchmark).facts.family == "volume" else placement.batch or 1,
            "timeout_us": spec_fields.timeout_us(values),
            "padding": spec_fields.padding(values),
        },
        dataset=dataset,
        seeds=seeds(values, definition_of(workload.benchmark).name),
        log={
            name: value
            for name, value in spec_fields.log_settings(values).items()
            if name in ("enable_trace", "copy_summary_to_stdout")
        },
        issue_threads=spec_fields.issue_threads(values),
        warmup_s=spec_fields.warmup_s(values),
        fields=recorded,
    )
