"""What the nodes of a fleet measured: from a campaign, or from a folder with one folder of logs for each node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.campaign.plan import RUN, PlannedRun
from code.campaign.state import Share
from code.common import jsonfile
from code.common.files import write_json
from code.common.typed import listing, mapping, record, whole
from code.machine import nvml
from code.rules.metrics import metric_with
from code.rules.rounds import loadgen_scenario
from code.submission.stage import outcome, runs
from code.submission.stage.runs import PERFORMANCE, Run

NODE_FILE = "node.json"
KINDS = {"before": "busy", "other work": "busy", "stolen": "busy", "clocks": "clocks", "throttled": "throttled"}
"""Kind of what telemetry found (code/results/noise.py) → the cause in `[accept]`."""
_NODE = record({"gpus": listing(mapping(whole(0, 10**6)), 4096)})
NodeFacts = Sequence[Mapping[str, int]]
"""Of each GPU of a node: key → number."""


@dataclass(frozen=True)
class Measure:
    """One run of one node.

    Args:
        workload: 'bert-99 Offline', and in a campaign what else tells workloads apart.
        value: in the unit of reports; None without one.
        valid: LoadGen's verdict.
        verdict: in words.
        causes: what telemetry found, as (kind of `[accept]`, words).
        failed: why there is no result; '' where there is.
        simulated: it is no measurement.
    """

    node: str
    workload: str
    value: float | None
    unit: str
    higher_is_better: bool
    valid: bool
    verdict: str
    causes: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    failed: str = ""
    simulated: bool = False


def of_run(node: str, run: Run, workload: str = "") -> Measure:
    """A performance run as a measure."""
    metric = metric_with(run.scenario, run.metadata.get("scenario_key"))
    measured = run.metadata.get(metric.key)
    return Measure(
        *(node, workload or _workload(run)),
        float(measured) * metric.scale if isinstance(measured, (int, float)) else None,
        *(metric.unit, metric.higher_is_better),
        run.complete and run.metadata.get("result_validity") == "VALID",
        outcome.verdict(run),
        tuple(_causes(run)),
        str(run.folder),
        simulated=run.simulated,
    )


def of_folder(root: Path) -> tuple[list[str], list[Measure]]:
    """(nodes, their measures) of a folder: each folder in it is a node, with its performance runs anywhere below."""
    nodes = sorted(path.name for path in root.iterdir() if path.is_dir())
    found = [of_run(node, run) for node in nodes for run in runs.find_runs(root / node) if run.mode == PERFORMANCE]
    return nodes, found


def of_share(share: Share, planned: Sequence[PlannedRun]) -> Iterator[Measure]:
    """The measures of one node of a campaign: a run that failed is one without a value."""
    for one in planned:
        if one.target != RUN or one.request["test_mode"] == "AccuracyOnly":
            continue
        state, workload = share.run(one.name), workload_of(one)
        result, failure = state.result, state.failure
        for entry in (result or {}).get("results", []):
            run = runs.read_run(Path(entry.get("folder", "")))
            if run is not None and run.mode == PERFORMANCE:
                yield of_run(share.node, run, workload)
            elif run is None:
                yield Measure(share.node, workload, None, "", True, False, "gone", failed=f"{entry.get('folder')} was removed")
        if failure is not None:
            yield Measure(share.node, workload, None, "", True, False, "failed", failed=failure.get("reason", "it failed"))


def workload_of(one: PlannedRun) -> str:
    """The workload of a planned run: its label without the number of the repeat, with its benchmark's and scenario's usual names."""
    (benchmark,) = one.request.benchmarks()
    (scenario,) = one.request.scenarios(benchmark)
    rest = re.sub(r" \(\d+\)$", "", one.label).split(" ")[2:]
    return " ".join([str(benchmark), str(scenario), *rest])


def record_node(share: Share) -> None:
    """Keep what is known of this node's GPUs beside its runs."""
    keys = ("pcie_generation", "pcie_width", "pcie_width_now", "nvlinks")
    gpus: list[dict[str, Any]] = nvml.query().get("gpus") or []
    content = [{key: gpu[key] for key in keys if isinstance(gpu.get(key), int)} for gpu in gpus]
    write_json(share.folder / NODE_FILE, {"gpus": content})


def node_facts(shares: Sequence[Share]) -> dict[str, NodeFacts]:
    """What was kept of each node."""
    found = {}
    for share in shares:
        content = _NODE.read(jsonfile.object_or_empty(share.folder / NODE_FILE), NODE_FILE, [])
        if content is not None:
            found[share.node] = content["gpus"]
    return found


def _workload(run: Run) -> str:
    precision = str(run.metadata.get("precision") or "")
    return " ".join(filter(None, (run.benchmark, loadgen_scenario(run.scenario), precision)))


def _causes(run: Run) -> Iterator[tuple[str, str]]:
    """What a run's telemetry says, as far as it is whole."""
    content = run.metadata.get("telemetry")
    if not isinstance(content, dict):
        return
    for event in content.get("noise") or []:
        if isinstance(event, dict) and event.get("kind") in KINDS:
            yield KINDS[event["kind"]], str(event.get("words", ""))
    for gpu in content.get("gpus") or []:
        errors = gpu.get("ecc_uncorrected") if isinstance(gpu, dict) else None
        if isinstance(errors, int) and errors > 0:
            yield "ecc", f"{gpu.get('name')} met {errors} memory errors that ECC could not correct"
