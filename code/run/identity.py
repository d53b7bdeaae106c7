"""Identity of a run: the names used in metadata.json and submissions."""

from __future__ import annotations

from typing import Any

from code.backends.base import Backend
from code.fields.consumer import Consumer
from code.plan import precision_choice
from code.plan.workload import Workload
from code.results.metadata import RunIdentity
from code.run.language import has_own_server, served
from code.run.nodes.wanted import wanted

READS = Consumer("results", ("precision",))


def run_identity(
    workload: Workload, mode: str, runtime: Backend, samples: int, departures: str = "", beside: str = ""
) -> RunIdentity:
    """The identity of a workload's run in `mode` on a data set of `samples` samples.

    Args:
        departures: its settings that are not the benchmark's own rule, which restrict it to the open division.
        beside: what else ran on the machine's other devices; it does so too.
    """
    variant = workload.variant if runtime.computes else "simulated"
    suffix = "" if variant in ("reference", "simulated") else f"_{variant}"
    server = "_Triton" if served(workload) and "Triton" not in runtime.label else "_OpenAI" if has_own_server(workload) else ""
    mixed = "_HeteroMultiUse" if beside else ""
    system = f"{workload.system_id}{_nodes(workload)}_{runtime.label}{server}{mixed}{suffix}"
    extras: dict[str, Any] = {"precision": READS.of(workload)["precision"], "system_id": workload.system_id}
    extras["detected_summary"] = workload.detected.config.words()
    if precision_choice.asked(workload.values):
        extras["precision_reason"] = precision_choice.reason(workload.values)
    extras |= runtime.recorded(workload.plain())
    if not runtime.computes:
        extras["division_note"] = "not for submission: the engine is simulated"
    elif reasons := "; ".join(reason for reason in (workload.open_reason, departures, beside) if reason):
        extras["division_note"] = f"open division only: {reasons}"
    return RunIdentity(
        benchmark_full=workload.full_name,
        benchmark_short=str(workload.benchmark),
        config_name=f"{system}-{workload.setting.shortname()}-{workload.scenario}",
        system_name=system,
        detected_system=repr(workload.detected.config),
        scenario=str(workload.scenario),
        test_mode=mode,
        runtime_key=runtime.runtime_key,
        runtime_version=runtime.version(),
        model_variant=variant,
        dataset_samples=samples,
        extras=extras,
        simulated=not runtime.computes,
    )


def _nodes(workload: Workload) -> str:
    """What several machines add to the name of a system; nothing for a local cluster, which is one machine."""
    asked = wanted(workload)
    return f"_{asked.count}nodes" if asked is not None and asked.count > 1 and not asked.local else ""
