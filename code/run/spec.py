"""run.json of one LoadGen test: what the harness process is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.benchmarks.benchmark import definition_of
from code.common.errors import UsageError
from code.harness.schema.run_spec import RunSpec
from code.plan.workload import Workload
from code.run.placement import Placement
from code.run.settings import seeds
from configs.configuration import Probed

WARMUP_S = 0.7
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
    multiple = int(values["pad_to_multiple_of"] or 1)
    if multiple < 1:
        raise UsageError(
            f"pad_to_multiple_of cannot be {multiple}",
            "lengths are rounded up to a multiple of one token or more",
            "for example --pad_to_multiple_of=16, or 1 for no rounding",
            workload.values["pad_to_multiple_of"].origin,
        )
    if multiple > 1 and dataset["kind"] == "sequence":
        dataset = {**dataset, "pad_to_multiple_of": multiple}
    recorded = {name: value for name, value in values.items() if value is not None and not isinstance(value, Probed)}
    recorded["effective_min_duration_ms"] = conf.get("min_duration", RULES_MIN_DURATION_MS)
    several = len(placement.devices) > 1
    engine_part: dict[str, Any] = {
        "backend": runtime.name,
        "folder": str(engine),
        "precision": values["precision"],
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
            "timeout_us": float(values["deque_timeout_usec"] or 0),
            "padding": float(values["batch_padding"]),
        },
        dataset=dataset,
        seeds=seeds(values, definition_of(workload.benchmark).name),
        log={
            "enable_trace": bool(values["log_enable_trace"]),
            "copy_summary_to_stdout": not values["disable_log_copy_summary_to_stdout"],
        },
        issue_threads=int(values["server_num_issue_query_threads"] or 0),
        warmup_s=float(WARMUP_S if values["warmup_duration"] is None else values["warmup_duration"]),
        fields=recorded,
    )
