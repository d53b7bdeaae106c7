"""The final table fits 80 columns, and every workload that is not well is followed by why and the knob to turn."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError
from code.results.accuracy import AccuracyResult
from code.results.metadata import RunIdentity
from code.results.report import (
    Outcome,
    ReportRow,
    accuracy_row,
    error_row,
    explanation_lines,
    performance_row,
    print_report,
    shown_value,
    skipped_row,
)
from code.results.verdict import judge

WORDS = [outcome.value for outcome in Outcome]
IDENTITY = RunIdentity("bert-99.9", "bert", "c", "s", "d", "Offline", "PerformanceOnly", "openvino_version", "1")


@pytest.fixture
def rows(loadgen_run: Callable[[str], Any]) -> list[ReportRow]:
    made = []
    for name in ("offline_valid", "offline_short", "server_saturated", "single_valid", "multi_too_few"):
        run = loadgen_run(name)
        made.append(performance_row(replace(IDENTITY, scenario=run.scenario), run.log, judge(run.log)))
    log = loadgen_run("accuracy_Offline").log
    made.append(accuracy_row(IDENTITY, [AccuracyResult("F1", 90.2147, 89.96526)], judge(log)))
    made.append(accuracy_row(IDENTITY, [AccuracyResult("F1", 61.5, 89.96526)], judge(log)))
    error = MissingError(
        "no model at build/models/bert/model.onnx", "it was not downloaded", "make download_model BENCHMARKS=bert"
    )
    made.append(error_row("3d-unet-99.9", "SingleStream", "PerformanceOnly", error))
    made.append(skipped_row("gptj-99", "Server", "AccuracyOnly", "interrupted before it began"))
    return made


def test_table_says_everything_in_80_columns_without_a_terminal(
    rows: list[ReportRow], capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(rows)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 80
    table = [line for line in out.splitlines() if line.startswith(" ") and line.split()[:1] and line.split()[-1] in WORDS]
    assert [line.split()[-1] for line in table] == [row.outcome.value for row in rows]
    assert "samples/s" in table[0] and "ms (90 %)" in table[3] and "F1 90.215" in table[5]
    for advice in (
        "offline_expected_qps: ",
        "server_target_qps: ",
        "multi_stream_expected_latency_ns: ",
        "F1 is 61.5, the target is at least 89.9653",
        "next: make download_model BENCHMARKS=bert",
        "interrupted before it began",
    ):
        assert advice in out


def test_table_on_a_narrow_terminal(tmp_path: Path) -> None:
    script = tmp_path / "show.py"
    script.write_text(
        "from code.results.report import *\n"
        "print_report([skipped_row('bert-99.9', 'MultiStream', 'PerformanceOnly', 'why'),"
        " ReportRow('bert-99', 'SingleStream', 'PerformanceOnly', Outcome.VALID, '123,456 samples/s')])\n"
    )
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm", "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    environment.pop("NO_COLOR", None)
    done = subprocess.run([sys.executable, str(script)], stdout=follower, stderr=subprocess.PIPE, env=environment, timeout=60)
    os.close(follower)
    assert done.returncode == 0, done.stderr.decode()
    out = os.read(leader, 65536).decode()
    os.close(leader)
    assert "\x1b[32mVALID" in out and "\x1b[33mSKIPPED" in out
    assert "bert-99.9" in out and "PerformanceOnly" in out and "123,456 samples/s" in out


def test_green_rows_are_not_explained() -> None:
    green = ReportRow("bert-99", "Offline", "PerformanceOnly", Outcome.VALID, "1 samples/s")
    assert explanation_lines([green, replace(green, outcome=Outcome.PASSED)]) == []


def test_each_row_that_is_not_green_has_its_head(rows: list[ReportRow]) -> None:
    lines = explanation_lines(rows)
    heads = [line for line in lines if line and not line.startswith((" ", "note: "))]
    told = [row for row in rows if not row.outcome.green]
    assert heads == [f"{row.benchmark_full} {row.scenario} {row.mode}: {row.outcome.value}" for row in told]
    assert lines[-1] != "" and len(lines) > 3 * len(heads)


def test_a_note_that_several_workloads_share_is_told_once(rows: list[ReportRow]) -> None:
    short = [row for row in rows if row.outcome is Outcome.VALID]
    shared_note = replace(short[0], scenario="Server", notes=short[0].notes)
    (text,) = "\n".join(explanation_lines([short[0], shared_note], width=500)).split("\n\n")
    assert text.startswith("note: the minimum duration was 0.3 s") and "(bert-99.9 Offline, bert-99.9 Server)" in text
    assert "-> min_duration: 600000" in text


def test_errors_keep_their_lines_for_copying(rows: list[ReportRow]) -> None:
    assert "    next: make download_model BENCHMARKS=bert" in explanation_lines(rows, width=40)


def test_accuracy_of_an_invalid_run_fails_with_the_runs_reasons(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("killed").log
    row = accuracy_row(IDENTITY, [AccuracyResult("F1", 99.0, 89.9)], judge(log))
    assert row.outcome is Outcome.FAILED and row.reasons[0].what.startswith("the log is not complete")


def test_values_are_shown_in_units_people_read(loadgen_run: Callable[[str], Any]) -> None:
    log = loadgen_run("single_valid").log
    assert shown_value(log) == f"{log.value / 1e6:.4g} ms (90 %)"
    log = loadgen_run("offline_short").log
    assert shown_value(log).endswith(" samples/s") and float(shown_value(log).split()[0].replace(",", "")) == pytest.approx(
        log.value, rel=1e-3
    )
    assert shown_value(loadgen_run("accuracy_Offline").log) == ""
