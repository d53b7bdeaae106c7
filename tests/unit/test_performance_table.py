"""The table of documentation/performance.md: rows from kept pieces, put between its marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import all as benchmarks
from tests.benchmarks.harness_figures import Figure

KEPT = {
    "simulated": {
        "when": "2026-01-02 03:04",
        "machine": "2 cores",
        "load": 0.1,
        "times": 3,
        "rows": [{"what": "devices", "ours": "8", "limit": "8.1", "share": 0.987, "rest": ""}],
    },
    "null": {
        "when": "2026-01-01 01:01",
        "machine": "2 cores",
        "load": 0.2,
        "times": 5,
        "rows": [{"what": "latency", "ours": "1 ns", "limit": "2 ns", "share": None, "rest": "x"}],
    },
}


def test_the_table_has_every_kept_piece_in_order_with_its_date() -> None:
    made = benchmarks.table(KEPT)
    lines = made.splitlines()
    assert lines[2:4] == ["| latency | 1 ns | 2 ns |  | x |", "| devices | 8 | 8.1 | 0.987 |  |"]
    assert "`simulated`: 2026-01-02 03:04, 2 cores, 3 turns, load average 0.1." in lines


def test_a_latency_is_no_share() -> None:
    values = {"what": "x", "goal": "", "harness": 100.0, "against": 50.0, "ratio": 2.0, "spread": "s"}
    assert benchmarks.of_figure(Figure(**values, unit="ns")).share is None
    assert benchmarks.of_figure(Figure(**values, unit="samples/s")).share == 2.0


def test_the_page_has_the_marks_and_only_the_table_changes(project: Path) -> None:
    page = (project / "documentation" / "performance.md").read_text(encoding="utf-8")
    changed = benchmarks.written(page, "a table")
    assert f"{benchmarks.BEGIN}\na table\n{benchmarks.END}" in changed
    assert benchmarks.written(changed, "a table") == changed
    assert page.partition(benchmarks.BEGIN)[0] == changed.partition(benchmarks.BEGIN)[0]
    assert page.partition(benchmarks.END)[2] == changed.partition(benchmarks.END)[2]
    with pytest.raises(ValueError, match="has no lines"):
        benchmarks.written("nothing", "a table")


def test_workloads_that_cannot_run_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: str) -> str:
        raise SystemExit("error: no NNCF")

    monkeypatch.setattr(benchmarks, "_main", fails)
    (row,) = benchmarks._workload("bert", "int8", 1, tmp_path)
    assert row.share is None and row.limit == "error: no NNCF" and "int8" in row.what


def test_an_action_that_fails_is_an_error_with_its_words() -> None:
    with pytest.raises(SystemExit, match="unknown benchmark"):
        benchmarks._main("roofline", "--benchmarks=nothing")
