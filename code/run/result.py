"""Runs one LoadGen test and stores its verdict and metadata.json."""

from __future__ import annotations

from dataclasses import replace

from code.common import console, paths
from code.common.files import write_json
from code.plan import explain
from code.results import devices, metadata, provenance, report
from code.run import preparation, spec_fields, telemetry
from code.run.folders import INCOMPLETE, log_root, new_log_folder
from code.run.identity import run_identity
from code.run.judgement import judged
from code.run.resolved import Resolved


def run(job: Resolved, mode: str) -> report.ReportRow:
    """Run, judge and store one test; returns its row of the report.

    The folder keeps its INCOMPLETE marker until everything is written.
    """
    workload = job.workload
    folder = new_log_folder(log_root(workload), workload)
    console.say(f"{job.label} {mode}: logs in {paths.shown(folder)}")
    write_json(folder / provenance.FILE_NAME, provenance.collect(explain.as_json(workload), mode, job.engines.first.folder))
    log = job.test(mode, folder, f"{job.label} {mode}")
    verdict, state = judged(job, log, folder)
    identity = run_identity(workload, mode, job.backend, int(job.dataset["count"]), verdict.departure_note)
    of_devices = devices.read(folder)
    for line in devices.laggards(of_devices):
        console.warn(f"{job.label} {mode}: {line}")
    if mode == "AccuracyOnly":
        scores = job.definition.check_accuracy(folder, job.values, workload.setting.accuracy_target)
        content = metadata.accuracy_metadata(identity, log, scores, verdict)
        row = report.accuracy_row(identity, scores, verdict)
    else:
        content = metadata.performance_metadata(identity, log, verdict)
        row = report.performance_row(identity, log, verdict)
        preparation.remember(job, log, state)
    if of_devices:
        content["devices"] = [device.as_json() for device in of_devices]
    if state is not None:
        content["machine"] = state.as_json()
    seen = telemetry.described(folder, log, of_devices, f"{job.label} {mode}")
    if seen is not None:
        content["telemetry"] = seen
    if not spec_fields.log_settings(workload)["enable_trace"]:
        (folder / "mlperf_log_trace.json").unlink(missing_ok=True)  # LoadGen leaves an empty one
    metadata.write_metadata(folder, content)
    (folder / INCOMPLETE).unlink()
    console.say(f"{job.label} {mode}: {content['summary_string']}")
    return replace(row, folder=folder)
