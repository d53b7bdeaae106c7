"""The table of documentation/performance.md: rows from kept pieces, put between its marks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from code.backends import products
from tests.benchmarks import all as benchmarks
from tests.benchmarks import decoding, rows, workload_rows
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
    assert rows.of_figure(Figure(**values, unit="ns")).share is None
    assert rows.of_figure(Figure(**values, unit="samples/s")).share == 2.0


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

    monkeypatch.setattr(workload_rows, "called", fails)
    row = workload_rows._workload("bert", "int8", 1, tmp_path)
    assert row.share is None and row.limit == "error: no NNCF" and "int8" in row.what


def test_an_action_that_fails_is_an_error_with_its_words() -> None:
    with pytest.raises(SystemExit, match="unknown benchmark"):
        rows.called("roofline", "--benchmarks=nothing")


def test_every_kind_of_row_of_the_issue_has_a_piece() -> None:
    expected = ["null", "simulated", "bert", "bert_large", "bert_large_floats", "unet3d", "texts"]
    expected += ["server", "server_minilm", "start_up"]
    assert list(benchmarks.PIECES) == expected


def test_minilm_is_named_where_it_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workload_rows, "MINILM", Path("nothing"))
    (row,) = workload_rows.server_minilm(1, tmp_path)
    assert row.share is None and "nothing is not there" in row.limit


def test_padding_is_between_samples_and_up_to_the_multiple(tmp_path: Path) -> None:
    np.save(tmp_path / "batches.npy", np.array([[0.0, 1.0, 2.0, 30.0, 0.0], [1.0, 2.0, 1.0, 10.0, 0.0]]))
    network = products.Network(1.0, 0.0, {})
    assert workload_rows.padding(tmp_path, network, [30, 20, 10], 16) == pytest.approx(1 - 60 / 80)
    assert workload_rows.padding(tmp_path, network, [30, 30, 10], 1) == pytest.approx(0)


def test_the_largest_parts_come_first_and_small_ones_are_left_out() -> None:
    assert rows.parts({"padding": 0.02, "attention": 0.3, "layout": 0.001}) == "attention 30%, padding 2%"


def test_a_limit_that_varies_by_more_than_a_tenth_is_marked() -> None:
    assert rows.unsteady([100.0, 109.0, 104.0]) == ""
    assert rows.unsteady([100.0, 125.0]) == "disturbed: the limit itself varied by 25%; "


def test_a_share_is_of_the_best_limit_around_the_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made, asked, limits = iter(range(9)), [], iter((90.0, 95.0, 100.0, 98.0))

    def run(folder: Path, *_: str) -> Path:
        folder.mkdir()
        bound = {"samples_per_second": 40.0, "gflops": 80.0, "lost": {"others": 0.3}} if next(made) else {}
        content = {"result_samples_per_second": 25.0, "bound": bound}
        (folder / "metadata.json").write_text(json.dumps(content))
        np.save(folder / "batches.npy", np.array([[0.0, 1.0, 4.0, 30.0, 0.0], [1.0, 2.0, 4.0, 20.0, 0.0]]))
        return folder

    def rate(_network: products.Network, precision: str, rows_of_batch: int, _cores: int) -> float:
        assert (precision, rows_of_batch) == ("fp32", 100)
        return next(limits)

    monkeypatch.setattr(workload_rows, "called", lambda action, *_: asked.append(action) or "")
    monkeypatch.setattr(workload_rows, "ran", run)
    monkeypatch.setattr(workload_rows, "_network_of", lambda _: products.Network(1.0, 0.0, {}))
    monkeypatch.setattr(products, "rate", rate)
    row = workload_rows._workload("bert", "fp32", 1, tmp_path)
    assert row.limit == "50 samples/s" and row.share == 0.5 and row.rest.endswith("; others 30%")
    assert asked == ["generate_engines", "roofline"]


def test_several_values_have_their_range() -> None:
    assert rows.middle([3.0]) == "3"
    assert rows.middle([3.0, 1.0, 2.0]) == "2 (1 to 3)"


def test_loadgen_s_own_time_is_from_its_first_entry_to_its_last(tmp_path: Path) -> None:
    log = tmp_path / "mlperf_log_detail.txt"
    log.write_text(':::MLLOG {"key": "a", "time_ms": 20.5}\n:::MLLOG {"key": "b", "time_ms": 1020.5}\n')
    assert workload_rows._loadgen_s(log) == 1.0


def test_decoding_is_compared_with_what_a_step_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(decoding, "step_bytes", lambda *_: (1000.0, 10.0))
    whole = decoding.Way(flight=4)
    first = decoding.Way(name="prefill", flight=4, new=1)
    subject = decoding.Subject("x", "x", tmp_path, [[0]] * 4, None, whole, tmp_path)  # type: ignore[arg-type]
    found = decoding.of_bound(subject, {whole: [(2.0, 44)], first: [(0.5, 4)]}, read=10_400.0)
    assert found is not None
    assert (found.step_bytes, found.flight, found.most) == (1040.0, 4, 40.0)
    assert found.rate == pytest.approx(40 / 1.5)
    assert (found.prefill, found.prefill_s) == (0.25, 0.5)
    assert decoding.of_bound(subject, {whole: [(2.0, 44)]}, read=1.0) is None
