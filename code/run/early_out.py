"""Ends an accuracy run that certainly fails (`accuracy_early_out`): not even full marks for all samples left would reach the target.

LoadGen writes its accuracy log as answers come. At each sixteenth of the data set the samples in it are scored, and those that are not
are taken as entirely right, so that the bound is exact and never an estimate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from code.common.errors import RunError, UsageError
from code.fields.consumer import Consumer
from code.results.accuracy_log import LOG_NAME
from code.run import spec_fields
from code.run.resolved import Resolved

READS = Consumer("early end of accuracy runs", ("accuracy_early_out",))
STEP = 1 / 16
"""Share of the samples between two checks."""


class CertainFailureError(RunError):
    """An accuracy run can no longer reach its target."""


def watcher(job: Resolved, mode: str, folder: Path) -> Callable[[Mapping[str, Any]], None] | None:
    """Gets each report of the harness process of a test that logs to `folder`; None where there is nothing to watch.

    UsageError for a benchmark whose score has no bound.
    """
    if mode != "AccuracyOnly" or not READS.of(job.workload)["accuracy_early_out"]:
        return None
    if not job.definition.bounds_accuracy:
        raise UsageError(
            f"{job.label}: accuracy_early_out is not supported",
            f"no bound of {job.definition.name}'s score is known while samples are missing",
            "leave --accuracy_early_out out",
            "--accuracy_early_out",
        )
    return _Watcher(job, folder).take


class _Watcher:
    """Checks the log at each STEP of the samples."""

    def __init__(self, job: Resolved, folder: Path) -> None:
        self._job, self._folder, self._next = job, folder, STEP
        self._count = max(1, int(job.dataset["count"]))

    def take(self, line: Mapping[str, Any]) -> None:
        """One report. CertainFailureError where no outcome of the samples left passes."""
        if line.get("phase") != "run":
            return
        share = float(line.get("completed", 0)) / self._count
        if self._next <= share < 1:
            self._next = share + STEP
            self.check()

    def check(self) -> None:
        """Score what is logged. CertainFailureError as for `take`."""
        job = self._job
        with tempfile.TemporaryDirectory(prefix="accuracy-") as made:
            if not snapshot(self._folder / LOG_NAME, Path(made) / LOG_NAME):
                return
            repeated = spec_fields.samples_per_query(job.workload) - 1 if job.workload.scenario.loadgen == "MultiStream" else 0
            target = job.workload.setting.accuracy_target
            bounds, words = job.definition.best_possible(Path(made), job.values, target, repeated)
        failed = [one for one in bounds if not one.passed]
        if not failed:
            return
        raise CertainFailureError(
            f"{job.label}: the accuracy run was ended, because it can no longer pass",
            "; ".join(f"{one.name} is at most {one.value:.3f}, and {one.threshold:.3f} is required" for one in failed)
            + f": {words}",
            "use another precision or check the engine (make debug_accuracy); without accuracy_early_out the run goes on",
        )


def snapshot(log: Path, copy: Path) -> bool:
    """Copy the whole lines of an accuracy log that is being written, closed as LoadGen closes it. Whether it has any."""
    try:
        content = log.read_bytes()
    except OSError:
        return False
    whole = content[: content.rfind(b"}") + 1]
    if not whole.startswith(b"[") or b"}" not in whole:
        return False
    copy.write_bytes(whole + b"\n]\n")
    return True
