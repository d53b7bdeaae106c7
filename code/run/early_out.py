"""Ends an accuracy run that certainly fails (`accuracy_early_out`): not even full marks for all samples left would reach the target.

LoadGen writes its accuracy log as answers come. At each sixteenth of the data set the responses since the last check are scored, and
samples without one are taken as entirely right (code/results/accuracy.py, AccuracyBound), so that the bound is exact and never an estimate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from code.common.errors import RunError, UsageError
from code.fields.consumer import Consumer
from code.results.accuracy import AccuracyBound, AccuracyResult
from code.results.accuracy_log import LOG_NAME
from code.run import spec_fields
from code.run.resolved import Resolved

READS = Consumer("early end of accuracy runs", ("accuracy_early_out",))
STEP = 1 / 16
"""Share of the samples between two checks."""
BLOCK = 1 << 20
"""Bytes of the log that are in memory at a time."""


class CertainFailureError(RunError):
    """An accuracy run can no longer reach its target."""


def watcher(job: Resolved, mode: str, folder: Path) -> Callable[[Mapping[str, Any]], None] | None:
    """Gets each report of the harness process of a test that logs to `folder`; None where there is nothing to watch.

    UsageError for a benchmark whose score has no bound.
    """
    if mode != "AccuracyOnly" or not READS.of(job.workload)["accuracy_early_out"]:
        return None
    count = max(1, int(job.dataset["count"]))
    bound = job.definition.accuracy_bound(job.values, job.workload.setting.accuracy_target, count)
    if bound is None:
        raise UsageError(
            f"{job.label}: accuracy_early_out is not supported",
            f"no bound of {job.definition.name}'s score is known while samples are missing",
            "leave --accuracy_early_out out",
            "--accuracy_early_out",
        )
    repeated = spec_fields.samples_per_query(job.workload) - 1 if job.workload.scenario.loadgen == "MultiStream" else 0
    return _Watcher(job.label, bound, count, repeated, folder / LOG_NAME).take


class _Watcher:
    """Checks the log at each STEP of the samples.

    Args:
        repeated: samples that LoadGen may ask for once more.
    """

    def __init__(self, label: str, bound: AccuracyBound, count: int, repeated: int, log: Path) -> None:
        self._label, self._bound, self._count, self._repeated, self._log = label, bound, count, repeated, log
        self._next = STEP
        self._read = 0  # bytes of the log

    def take(self, line: Mapping[str, Any]) -> None:
        """One report. CertainFailureError where no outcome of the samples left passes."""
        if line.get("phase") != "run":
            return
        share = float(line.get("completed", 0)) / self._count
        if self._next <= share < 1:
            self._next = share + STEP
            self.check()

    def check(self) -> None:
        """Score what is new in the log. CertainFailureError as for `take`."""
        with tempfile.TemporaryDirectory(prefix="accuracy-") as made:
            end = snapshot(self._log, Path(made) / LOG_NAME, self._read)
            if end == self._read:
                return
            self._read = end
            self._bound.add(Path(made))
        bounds, words = self._bound.best(self._repeated)
        failed = [one for one in bounds if not one.passed]
        if failed:
            raise CertainFailureError(
                f"{self._label}: the accuracy run was ended, because it can no longer pass",
                f"{'; '.join(map(_in_words, failed))}: {words}",
                "use another precision or check the engine (make debug_accuracy); without accuracy_early_out the run goes on",
            )


def _in_words(bound: AccuracyResult) -> str:
    if bound.higher_is_better:
        return f"{bound.name} is at most {bound.value:.3f}, and {bound.threshold:.3f} is required"
    return f"{bound.name} is at least {bound.value:,.3f}, and at most {bound.threshold:,.3f} is allowed"


def snapshot(log: Path, copy: Path, begin: int) -> int:
    """Copy the whole responses of an accuracy log that is being written, closed as LoadGen closes it.

    Args:
        begin: where the last copy ended, in bytes; 0 at first.

    Returns the end of this one; `begin` where there is no whole response more.
    """
    try:
        with log.open("rb") as source:
            end = _last_end(source, begin)
            if end == begin:
                return begin
            source.seek(begin)
            with copy.open("wb") as out:
                for number, block in enumerate(_blocks(source, end - begin)):
                    out.write(b"[\n" + block.lstrip(b"[,\r\n ") if number == 0 else block)
                out.write(b"\n]\n")
    except OSError:
        return begin
    return end


def _blocks(source: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (block := source.read(min(BLOCK, length))):
        length -= len(block)
        yield block


def _last_end(source: BinaryIO, begin: int) -> int:
    """The position after the last '}' that follows `begin`; `begin` where there is none."""
    at = source.seek(0, 2)
    while at > begin:
        first = max(begin, at - BLOCK)
        source.seek(first)
        found = source.read(at - first).rfind(b"}")
        if found >= 0:
            return first + found + 1
        at = first
    return begin
