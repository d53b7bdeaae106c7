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


class Bound:
    """A score that can reach `best` at most; `asked` gets how many responses each call adds."""

    def __init__(self, best: float, asked: list[int]) -> None:
        self._best, self._asked = best, asked

    def add(self, log_dir: Path) -> None:
        self._asked.append(len(list(entries(log_dir / LOG_NAME))))

    def best(self, repeated: int) -> tuple[list[AccuracyResult], str]:
        assert repeated == 0
        return [AccuracyResult("F1", self._best, 89.0)], "3 of 30 questions are answered"


def job(best: float, asked: list[int], bounds: bool = True) -> Any:
    """A job of 32 samples whose score can reach `best` at most."""
    made = Bound(best, asked) if bounds else None
    definition = SimpleNamespace(accuracy_bound=lambda _values, _target, count: made if count == 32 else None, name="bert")
    workload = Workload(accuracy_early_out=True)
    return SimpleNamespace(workload=workload, definition=definition, dataset={"count": 32}, values={}, label="bert-99 Offline")


LINES = [f'{{ "seq_id" : {n}, "qsl_idx" : {n}, "data" : "{n:02x}" }}' for n in range(32)]
LOG = "[\n" + ",\n".join(LINES[:2]) + ',\n{ "seq_id" : 2, "qs'


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


def test_a_run_that_may_pass_goes_on_and_each_response_is_scored_once(tmp_path: Path) -> None:
    asked: list[int] = []
    watch = early_out.watcher(job(89.0, asked), "AccuracyOnly", tmp_path)
    assert watch is not None
    for completed in range(33):
        (tmp_path / LOG_NAME).write_text("[\n" + ",\n".join(LINES[:completed]) + ",\n{")
        watch(report(completed))
        watch(report(completed))
    assert 10 <= len(asked) <= 16 and all(asked)
    assert 30 <= sum(asked) < 32, "nothing is left to save after the last one"


def test_performance_runs_are_not_watched_and_benchmarks_without_a_bound_are_refused(tmp_path: Path) -> None:
    assert early_out.watcher(job(0.0, []), "PerformanceOnly", tmp_path) is None
    with pytest.raises(UsageError, match="not supported"):
        early_out.watcher(job(0.0, [], bounds=False), "AccuracyOnly", tmp_path)


@pytest.mark.parametrize("content", [b"", b"[", b'[\n{ "seq_id" : 0', b"nothing"])
def test_a_log_without_a_whole_line_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / LOG_NAME).write_bytes(content)
    assert early_out.snapshot(tmp_path / LOG_NAME, tmp_path / "copy", 0) == 0
    assert early_out.snapshot(tmp_path / "none", tmp_path / "copy", 7) == 7


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_pieces_of_a_log_that_grows_by_any_number_of_bytes_hold_every_response_once(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_out, "BLOCK", block)
    whole = ("[\n" + ",\n".join(LINES) + "\n]\n").encode()
    found: list[int] = []
    at = 0
    for length in range(0, len(whole) + 1, 37):
        (tmp_path / LOG_NAME).write_bytes(whole[:length])
        end = early_out.snapshot(tmp_path / LOG_NAME, tmp_path / "copy", at)
        if end > at:
            found += [index for _, index, _ in entries(tmp_path / "copy")]
        at = end
    assert found == list(range(max(found) + 1)) and len(found) >= 31
