"""The final report of an invocation: a table of all workloads, then the reasons and remedies for those that failed."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from code.common import console, paths
from code.common.errors import HarnessError
from code.results.accuracy import AccuracyResult, accuracy_pass
from code.results.loadgen_log import LoadGenLog
from code.results.metadata import RunIdentity
from code.results.reason import Reason
from code.results.verdict import Verdict
from code.rules.metrics import Metric

COLUMNS = ("Benchmark", "Scenario", "Mode", "Result", "Verdict")
WIDTH = 80


class Outcome(Enum):
    """Outcome of a workload."""

    VALID = "VALID"
    INVALID = "INVALID"
    PASSED = "PASSED"
    FAILED = "FAILED"
    ERROR = "ERROR"
    SKIPPED = "SKIPPED"
    UNDEFINED = "NOT DEFINED"

    @property
    def green(self) -> bool:
        """Whether the outcome needs no explanation."""
        return self in (Outcome.VALID, Outcome.PASSED)


COLOURS = {Outcome.VALID: "green", Outcome.PASSED: "green", Outcome.SKIPPED: "yellow", Outcome.UNDEFINED: "yellow"}


@dataclass(frozen=True)
class ReportRow:
    """One row of the report: a workload in one mode.

    Args:
        benchmark_full: 'bert-99'.
        scenario: 'Offline'.
        mode: 'PerformanceOnly', 'AccuracyOnly', or the action's name.
        outcome: how it ended.
        result: the value and its unit; '' if there is none.
        reasons: why it is INVALID or FAILED.
        notes: further information that does not affect the outcome.
        error: the lines of an error, instead of reasons.
        value: the result in LoadGen's unit; None if there is none.
        metric: what the value counts; None if there is none.
        folder: its log folder, <logs>/<system_id>/<benchmark>/<scenario>; None if nothing was run.
    """

    benchmark_full: str
    scenario: str
    mode: str
    outcome: Outcome
    result: str = ""
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    error: tuple[str, ...] = field(default=())
    folder: Path | None = None
    value: float | None = None
    metric: Metric | None = None

    def as_json(self) -> dict[str, Any]:
        """The row as JSON; its folder as an absolute path, in which metadata.json has the whole result."""
        return {
            "benchmark": self.benchmark_full,
            "scenario": self.scenario,
            "mode": self.mode,
            "outcome": self.outcome.value,
            "result": self.result,
            "reasons": [{"what": one.what, "change": one.knob()} for one in self.reasons],
            "notes": [{"what": one.what, "change": one.knob()} for one in self.notes],
            "error": list(self.error),
            "folder": str(self.folder) if self.folder else "",
        }


def performance_row(identity: RunIdentity, log: LoadGenLog, verdict: Verdict) -> ReportRow:
    """The row of a performance run."""
    outcome = Outcome.VALID if verdict.valid else Outcome.INVALID
    return ReportRow(
        identity.benchmark_full,
        identity.scenario,
        "PerformanceOnly",
        outcome,
        shown_value(log) + (" SIMULATED" if identity.simulated else ""),
        verdict.reasons,
        verdict.notes,
        value=log.value,
        metric=log.metric,
    )


def accuracy_row(identity: RunIdentity, results: Sequence[AccuracyResult], verdict: Verdict) -> ReportRow:
    """The row of an accuracy run."""
    missed = tuple(_missed_target(one) for one in results if not one.passed)
    well = accuracy_pass(results) and verdict.valid
    shown = ", ".join(f"{one.name} {one.value:.3f}" for one in results)
    outcome = Outcome.PASSED if well else Outcome.FAILED
    return ReportRow(
        identity.benchmark_full,
        identity.scenario,
        "AccuracyOnly",
        outcome,
        shown,
        (*missed, *verdict.reasons),
        verdict.notes,
    )


def _missed_target(one: AccuracyResult) -> Reason:
    bound = "at least" if one.higher_is_better else "at most"
    what = f"{one.name} is {one.value:.6g}, the target is {bound} {one.threshold:.6g}"
    return Reason(what, "precision", "use a higher precision or recalibrate")


def error_row(benchmark_full: str, scenario: str, mode: str, error: HarnessError) -> ReportRow:
    """The row of a workload that failed."""
    return ReportRow(benchmark_full, scenario, mode, Outcome.ERROR, error=tuple(error.lines()))


def skipped_row(benchmark_full: str, scenario: str, mode: str, why: str) -> ReportRow:
    """The row of a workload that was not run."""
    return ReportRow(benchmark_full, scenario, mode, Outcome.SKIPPED, reasons=(Reason(why),))


def undefined_row(benchmark: str, scenario: str, mode: str, why: str) -> ReportRow:
    """The row of a workload that MLPerf does not define."""
    return ReportRow(benchmark, scenario, mode, Outcome.UNDEFINED, reasons=(Reason(why),))


def shown_value(log: LoadGenLog) -> str:
    """The result formatted with its unit: '8,766 samples/s', '1.553 ms (90 %)'; '' if there is none."""
    value = log.value
    if value is None:
        return ""
    return log.metric.shown(value)


def print_report(rows: Sequence[ReportRow], title: str = "Results") -> None:
    """Print the table and the explanations."""
    from rich.text import Text

    console.table(
        title,
        COLUMNS,
        [
            (
                row.benchmark_full,
                row.scenario,
                row.mode,
                row.result or "-",
                Text(row.outcome.value, style=COLOURS.get(row.outcome, "red")),
            )
            for row in rows
        ],
    )
    for line in explanation_lines(rows):
        console.say(line)
    if last := last_line(rows):
        console.say(f"\n{last}")


def last_line(rows: Sequence[ReportRow]) -> str:
    """Where the logs of the rows are, and the command that makes pages of them; '' where nothing was run."""
    folders = [row.folder for row in rows if row.folder is not None]
    if not folders:
        return ""
    root = folders[0].parents[2]
    usual = paths.build_dir() / "logs"
    command = "make report" if usual in folders[0].parents else f"make report LOG_DIR={paths.shown(root)}"
    return f"Logs: {paths.shown(Path(os.path.commonpath(folders)))}   Report: {command}"


def explanation_lines(rows: Sequence[ReportRow], width: int = WIDTH) -> list[str]:
    """The lines below the table, wrapped to `width` columns: each row that failed, then every note once.

    Lines of an error are not wrapped, so that its command can be copied.
    """
    blocks: list[list[str]] = []
    noted: dict[Reason, list[str]] = {}
    for row in rows:
        for note in row.notes:
            noted.setdefault(note, []).append(f"{row.benchmark_full} {row.scenario}")
        if not row.outcome.green:
            blocks.append([f"{row.benchmark_full} {row.scenario} {row.mode}: {row.outcome.value}"])
            blocks[-1].extend(f"  {line}" for line in row.error)
            for reason in row.reasons:
                blocks[-1].extend(_reason_lines(reason, "  - ", width))
    for note, workloads in noted.items():
        merged = Reason(f"{note.what} ({', '.join(dict.fromkeys(workloads))})", note.field, note.suggestion)
        blocks.append(_reason_lines(merged, "note: ", width))
    return [line for block in blocks for line in ("", *block)][1:]


def _reason_lines(reason: Reason, head: str, width: int) -> list[str]:
    lines = _wrapped(reason.what, head, " " * len(head), width)
    if reason.knob():
        lines += _wrapped(reason.knob(), " " * len(head) + "-> ", " " * len(head) + "   ", width)
    return lines


def _wrapped(text: str, first: str, rest: str, width: int) -> list[str]:
    """`text` wrapped to `width`; names and paths are never broken, so that they can be copied."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
