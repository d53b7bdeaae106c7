"""Judge a run from its detail log: VALID or not, the reasons, and the config fields to change.

LoadGen reports VALID if duration, query count, latency bound and early stopping are met, even if it logged
errors, which the submission checker rejects; here such a run is INVALID. LoadGen gives no reason if only early
stopping failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from code.results.explain import (
    early_stopping_reasons,
    error_reasons,
    latency_reasons,
    min_duration_reasons,
    query_count_reasons,
    seconds,
)
from code.results.loadgen_log import LoadGenLog
from code.results.reason import Reason
from code.rules.metrics import TEN_MINUTES_MS

__all__ = ["Reason", "Verdict", "judge"]


@dataclass(frozen=True)
class Verdict:
    """Verdict on a run.

    Args:
        valid: a performance run: LoadGen's VALID, a complete log and no errors; an accuracy run: complete and no errors.
        reasons: why it is not valid; empty if it is.
        notes: issues that only prevent a closed-division submission, departures included.
        ten_minutes_met: at least 600,000 ms were requested and met.
        early_stopping_met: as LoadGen logged it; None for an accuracy run.
        departures: settings that are not the benchmark's own rule.
    """

    valid: bool
    reasons: tuple[Reason, ...]
    notes: tuple[Reason, ...]
    ten_minutes_met: bool
    early_stopping_met: bool | None
    departures: tuple[Reason, ...] = ()

    @property
    def word(self) -> str:
        """'VALID' or 'INVALID'."""
        return "VALID" if self.valid else "INVALID"

    @property
    def departure_note(self) -> str:
        """The departures in one line; '' for none."""
        return "; ".join(reason.what for reason in self.departures)


def judge(log: LoadGenLog, departures: tuple[Reason, ...] = (), lengthen: str = "") -> Verdict:
    """Judge one run.

    Args:
        departures: its settings that are not the benchmark's own rule (code/results/departures.py).
        lengthen: what to do for a run of ten minutes, such as 'leave out --fast'.

    Raises:
        RunError: the log ends before LoadGen's settings, so the scenario is unknown.
    """
    performance = log.has_performance
    minimum_ms = int(log.need("effective_min_duration_ms"))
    reasons = tuple(_performance_reasons(log)) if performance else tuple(_accuracy_reasons(log))
    valid = log.complete and not log.errors and (log.is_valid or not performance)
    if not valid and not reasons:
        reasons = (Reason(f"LoadGen reports INVALID: {log.get('result_invalid_reason') or 'it gives no reason'}"),)
    return Verdict(
        valid=valid,
        reasons=() if valid else reasons,
        notes=(*departures, *_notes(log, minimum_ms, lengthen)),
        ten_minutes_met=performance and minimum_ms >= TEN_MINUTES_MS and bool(log.get("result_min_duration_met", False)),
        early_stopping_met=log.get("early_stopping_met"),
        departures=departures,
    )


def _performance_reasons(log: LoadGenLog) -> Iterator[Reason]:
    if not log.complete:
        yield _incomplete(log)
    yield from latency_reasons(log)
    yield from min_duration_reasons(log)
    yield from query_count_reasons(log)
    yield from early_stopping_reasons(log)
    yield from error_reasons(log)


def _accuracy_reasons(log: LoadGenLog) -> Iterator[Reason]:
    if not log.complete:
        asked = log.accuracy_sample_count
        seen = f" after {log.samples_loaded} of {asked} samples were loaded" if asked is not None else ""
        yield _incomplete(log, seen)
    yield from error_reasons(log)


def _notes(log: LoadGenLog, minimum_ms: int, lengthen: str) -> Iterator[Reason]:
    if log.has_performance and minimum_ms < TEN_MINUTES_MS:
        yield Reason(
            f"the minimum duration was {seconds(minimum_ms / 1e3)}; a closed-division result needs 10 minutes",
            "min_duration",
            f"{TEN_MINUTES_MS}" + (f" ({lengthen})" if lengthen else ""),
        )
    if log.audited:
        yield Reason(
            "LoadGen found an audit.config in its working directory, which overrode the settings",
            "",
            "this is an audit run; for a regular result remove that file and run again",
        )


def _incomplete(log: LoadGenLog, detail: str = "") -> Reason:
    last = log.entries[-1]
    cut = ", and its last line is truncated" if log.truncated else ""
    return Reason(
        f"the log is not complete{detail}: it ends with {last.key!r} in line {last.row}{cut}; the run was interrupted or failed",
        "",
        "run the workload again; stdout.txt beside the log has the cause",
    )
