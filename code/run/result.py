"""Runs one LoadGen test and stores its verdict and metadata.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from code.common import console, paths
from code.common.files import write_json
from code.plan import explain
from code.results import metadata, nodes, provenance, report
from code.results.loadgen_log import LoadGenLog
from code.run import afterwards, spec_fields
from code.run.folders import INCOMPLETE, log_root, new_log_folder
from code.run.identity import run_identity
from code.run.judgement import judged
from code.run.observed import observed

if TYPE_CHECKING:
    from code.run.resolved import Resolved

LoadGenTest = Callable[[str, Path, str], LoadGenLog]
"""Runs a test in a mode into a folder, with a label for its messages, and returns its log."""


def run(job: Resolved, mode: str, test: LoadGenTest | None = None) -> report.ReportRow:
    """Run, judge and store one test; returns its row of the report.

    The folder keeps its INCOMPLETE marker until everything is written.

    Args:
        test: runs it; None for the job itself.
    """
    workload = job.workload
    folder = new_log_folder(log_root(workload), workload)
    console.say(f"{job.label} {mode}: logs in {paths.shown(folder)}")
    write_json(folder / provenance.FILE_NAME, provenance.collect(explain.as_json(workload), mode, job.engines.first.folder))
    log = (test or job.test)(mode, folder, f"{job.label} {mode}")
    seen = observed(folder, log, f"{job.label} {mode}")
    verdict = judged(job, log, seen.notes)
    beside = job.company.words() if job.company else ""
    departed = "; ".join(note for note in (verdict.departure_note, nodes.departure(seen.content.get("nodes"))) if note)
    identity = run_identity(workload, mode, job.backend, int(job.dataset["count"]), departed, beside)
    if mode == "AccuracyOnly":
        scores = job.definition.check_accuracy(folder, job.values, workload.setting.accuracy_target)
        content = metadata.accuracy_metadata(identity, log, scores, verdict)
        row = report.accuracy_row(identity, scores, verdict)
        afterwards.prove(job, scores, verdict.valid)
    else:
        content = metadata.performance_metadata(identity, log, verdict)
        row = report.performance_row(identity, log, verdict)
        content.update(afterwards.limits(job, folder))
        afterwards.remember(job, log, seen.state)
    content.update(seen.content)
    if job.company is not None:
        content["beside"] = job.company.as_json(row.value, workload.scenario.loadgen)
    if not spec_fields.log_settings(workload)["enable_trace"]:
        (folder / "mlperf_log_trace.json").unlink(missing_ok=True)  # LoadGen leaves an empty one
    metadata.write_metadata(folder, content)
    (folder / INCOMPLETE).unlink()
    console.say(f"{job.label} {mode}: {content['summary_string']}")
    return replace(row, folder=folder)
