"""`accuracy_early_out`: a run that cannot pass ends with its bound, any other goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.common.constants import Scenario
from code.common.errors import UsageError
from code.results.accuracy import AccuracyResult
from code.results.accuracy_log import LOG_NAME, entries
from code.run import early_out


class Workload(dict[str, Any]):
    """The values of a workload, with its scenario and setting."""

    scenario = Scenario.Offline
    setting = SimpleNamespace(accuracy_target=None)


def job(best: float, asked: list[int], bounds: bool = True) -> Any:
    """A job of 32 samples whose score can reach `best` at most."""

    def best_possible(folder: Path, _values: Any, _target: Any, _repeated: int) -> tuple[list[AccuracyResult], str]:
        asked.append(len(list(entries(folder / LOG_NAME))))
        return [AccuracyResult("F1", best, 89.0)], "3 of 30 questions are answered"

    definition = SimpleNamespace(bounds_accuracy=bounds, best_possible=best_possible, name="bert")
    workload = Workload(accuracy_early_out=True)
    return SimpleNamespace(workload=workload, definition=definition, dataset={"count": 32}, values={}, label="bert-99 Offline")


LOG = '[\n{ "seq_id" : 0, "qsl_idx" : 3, "data" : "00" },\n{ "seq_id" : 1, "qsl_idx" : 4, "data" : "01" },\n{ "seq_id" : 2, "qs'


def report(completed: int) -> dict[str, Any]:
    return {"phase": "run", "completed": completed, "issued": 32, "elapsed_s": 1.0}


def test_a_run_that_cannot_pass_ends_with_the_bound(tmp_path: Path) -> None:
    asked: list[int] = []
    watch = early_out.watcher(job(88.9, asked), "AccuracyOnly", tmp_path)
    assert watch is not None
    watch(report(10))
    assert asked == [], "LoadGen has not written a log yet"
    (tmp_path / LOG_NAME).write_text(LOG)
    watch({"phase": "warmup"})
    watch(report(1))
    with pytest.raises(early_out.CertainFailureError, match="can no longer pass") as caught:
        watch(report(14))
    assert asked == [2], "the line that LoadGen has not finished is left out"
    assert "F1 is at most 88.900, and 89.000 is required" in caught.value.why


def test_a_run_that_may_pass_goes_on_and_is_not_scored_at_each_report(tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_text(LOG)
    asked: list[int] = []
    watch = early_out.watcher(job(89.0, asked), "AccuracyOnly", tmp_path)
    assert watch is not None
    for completed in range(33):
        watch(report(completed))
    assert 10 <= len(asked) <= 16


def test_performance_runs_are_not_watched_and_benchmarks_without_a_bound_are_refused(tmp_path: Path) -> None:
    assert early_out.watcher(job(0.0, []), "PerformanceOnly", tmp_path) is None
    with pytest.raises(UsageError, match="not supported"):
        early_out.watcher(job(0.0, [], bounds=False), "AccuracyOnly", tmp_path)


@pytest.mark.parametrize("content", [b"", b"[", b'[\n{ "seq_id" : 0', b"nothing"])
def test_a_log_without_a_whole_line_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_bytes(content)
    assert not early_out.snapshot(tmp_path / LOG_NAME, tmp_path / "copy")
    assert not early_out.snapshot(tmp_path / "none", tmp_path / "copy")
