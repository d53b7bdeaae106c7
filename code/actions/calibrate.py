"""calibrate: quantise a workload's graph to int8 or fp8 and report the cost in accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.actions import Context, EachWorkload
from code.common import console, jsonfile, paths
from code.common.errors import RunError
from code.plan import precision_choice
from code.plan.request import Value
from code.precision.graphs import CALIBRATED, asked_again, graph_for, precision_of, report_of
from code.run.job import Job


def run(job: Job, context: Context) -> None:
    """Calibrate unless an identical calibration exists; force_calibration always recalibrates.

    A workload of any other precision is calibrated to int8. MissingError without NNCF or the data set, RunError when the accuracy
    target cannot be met.
    """
    workload = job.workload
    if precision_of(workload.plain()) not in CALIBRATED:
        workload = workload.with_values({"precision": Value("int8", "calibrate")})
    values = workload.plain()
    key = f"{workload.full_name} {precision_of(values)} {values['model_path']}"
    if not context.notices.first(f"calibrated {key}"):
        return
    graph = graph_for(workload, make=True, again=asked_again(workload))
    console.say(f"{workload.full_name}: the {precision_of(values)} graph is {paths.shown(graph)}")
    report = report_of(graph)
    if not report.is_file():
        console.say("the model is already quantised; its own scales are used")
        return
    content = _made(report.with_suffix(".json"))
    console.table(
        "Costliest layers",
        ("Layer", "Cost", "Noise (dB)", "Kept high"),
        [
            (
                r["name"],
                "" if r["cost"] is None else f"{r['cost']:.1%}",
                f"{r['noise_db']:.1f}",
                "yes" if r["name"] in high else "",
            )
            for high in [content["trials"][-1]["kept"]]
            for r in content["layers"][:8]
        ],
    )
    share = content["trials"][-1].get("share")
    if isinstance(share, float):
        precision_choice.remember_proof(values, str(workload.benchmark), workload.detected, share)
    provenance = _made(graph.parent / "graph.json")
    console.say(provenance["result"]["verdict"])
    console.say(f"full report: {paths.shown(report)}")


def _made(path: Path) -> Any:
    """The JSON that calibration wrote beside its graph. RunError if it is damaged."""
    try:
        return jsonfile.read_object(path)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{paths.shown(path)} is damaged", str(error), "run `make calibrate RUN_ARGS='… --force_calibration'`"
        ) from error


ACTION = EachWorkload(run)
