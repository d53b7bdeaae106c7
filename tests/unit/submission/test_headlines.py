"""One log, one number: each scenario's result is the same, in its unit and direction, wherever a person or a program reads it."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from code.actions import Context, compare, list_results, report
from code.plan.request import parse
from code.results import metadata
from code.results.loadgen_log import read_detail
from code.results.metadata import RunIdentity
from code.results.page import write
from code.results.report import performance_row, print_report
from code.results.verdict import judge
from code.rules.metrics import METRICS
from code.rules.rounds import round_named
from code.submission.audit import comparison
from code.submission.check import report_columns
from code.submission.stage import runs
from tests.unit.submission import made
from tests.unit.submission.closed import set_keys


@dataclass(frozen=True)
class Headline:
    """What must be read of one scenario.

    Args:
        logged: key of LoadGen's log → value, as it is put there.
        value: in the unit for display, before rounding.
        shown: for people.
        official: in summary.csv, with its unit.
        more_is_better: the direction.
    """

    logged: dict[str, float]
    value: float
    shown: str
    official: tuple[float, str]
    more_is_better: bool


HEADLINES = {
    "Offline": Headline(
        {"result_samples_per_second": 1234.56}, 1234.56, "1,234.6 samples/s", (1234.56, "Samples/s"), more_is_better=True
    ),
    "Server": Headline(
        {"result_completed_samples_per_sec": 321.25}, 321.25, "321.2 queries/s", (321.25, "Queries/s"), more_is_better=True
    ),
    "SingleStream": Headline(
        {"result_90.00_percentile_latency_ns": 1_553_000, "early_stopping_latency_ss": 1_600_000},
        1.553,
        "1.553 ms (90 %)",
        (1.6, "Latency (ms)"),
        more_is_better=False,
    ),
    "MultiStream": Headline(
        {"result_99.00_percentile_per_query_latency_ns": 22_500_000, "early_stopping_latency_ms": 25_000_000},
        22.5,
        "22.5 ms (99 %)",
        (25.0, "Latency (ms)"),
        more_is_better=False,
    ),
}


@dataclass(frozen=True)
class Told:
    """A run whose log has the figures of a headline."""

    folder: Path
    wanted: Headline
    content: dict[str, Any]
    identity: RunIdentity

    @property
    def run(self) -> runs.Run:
        """The run as every reader of folders sees it."""
        found = runs.read_run(self.folder)
        assert found is not None
        return found


def a_run(master: Path, folder: Path, scenario: str, factor: float = 1.0) -> Told:
    """A run in `folder`, its figures multiplied by `factor`."""
    shutil.copytree(made.run_folder(master, scenario), folder)
    wanted = HEADLINES[scenario]
    log = folder / "mlperf_log_detail.txt"
    set_keys(log, wanted.logged if factor == 1 else {key: value * factor for key, value in wanted.logged.items()})
    name, runtime = f"{made.SYSTEM}-custom_k_99_MaxP-{scenario}", ("openvino_version", "2026.1", "tiny", made.SAMPLES)
    identity = RunIdentity("bert-99", "bert", name, made.SYSTEM, "a machine", scenario, "PerformanceOnly", *runtime)
    read = read_detail(folder)
    content = metadata.performance_metadata(identity, read, judge(read))
    metadata.write_metadata(folder, content)
    return Told(folder, wanted, content, identity)


@pytest.fixture(params=sorted(HEADLINES))
def told(request: pytest.FixtureRequest, master_runs: Path, tmp_path: Path) -> Told:
    """A run of each scenario."""
    return a_run(master_runs, tmp_path / "logs/2026.01.01-00.00.00" / made.SYSTEM_ID / "bert-99" / request.param, request.param)


def asked(*words: str) -> Context:
    """The context of a command line."""
    return Context(parse(list(words), {}))


def test_metadata(told: Told) -> None:
    (value, *more), (key, *_) = list(told.wanted.logged.values()), list(told.wanted.logged)
    assert told.content["scenario_key"] == key and told.content[key] == value
    assert told.content["summary_string"].startswith(f"{key}: {value}, Result is ")
    assert told.content[told.content["submission_key"]] == (more[0] if more else value)
    assert json.loads((told.folder / "metadata.json").read_text())[key] == value


def test_table(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    log = read_detail(told.folder)
    row = performance_row(told.identity, log, judge(log))
    assert row.result == told.wanted.shown
    print_report([row])
    assert told.wanted.shown in capsys.readouterr().out


def test_page(told: Told, tmp_path: Path) -> None:
    run = told.run
    assert write.RunPage(run.folder, run.metadata, run.spec, run.provenance, run.started).value == told.wanted.shown
    assert report.run(asked("--action=report", f"--log_dir={tmp_path}/logs", f"--report_dir={tmp_path}/report")) == 0
    pages = sorted((tmp_path / "report").glob("*.html"))
    assert len(pages) == 2 and all(told.wanted.shown in page.read_text() for page in pages)


def test_list(told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_results.run(asked("--action=list_results", f"--log_dir={tmp_path}/logs")) == 0
    assert told.wanted.shown in capsys.readouterr().out
    assert list_results.run(asked("--action=list_results", f"--log_dir={tmp_path}/logs", "--json")) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["scenario"], listed["result"]) == (told.run.scenario, told.wanted.shown)


def test_compare(told: Told, master_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = told.run.scenario
    side = comparison.of_run(told.run)
    assert side.value == pytest.approx(told.wanted.value) and side.unit == METRICS[scenario].unit
    assert told.wanted.shown.endswith(side.unit) and side.higher_is_better is told.wanted.more_is_better
    double = a_run(master_runs, tmp_path / "double", scenario, 2.0)
    pair = (f"--a={told.folder}", f"--b={double.folder}")
    assert compare.run(asked("--action=compare", *pair)) == 0
    said = capsys.readouterr().out
    assert f"{told.wanted.value:,.6g} {side.unit}" in said and f"{2 * told.wanted.value:,.6g} {side.unit}" in said
    word = "B is 100.0 % better than A" if told.wanted.more_is_better else "B's latency is 100.0 % higher than A's (worse)"
    assert word in said
    assert compare.run(asked("--action=compare", *reversed(pair))) == 0
    assert compare.run(asked("--action=compare", *pair, "--json")) == 0
    found = json.loads(capsys.readouterr().out.partition("\n{")[2].join(("{", "")))
    assert found["change_percent"] == pytest.approx(100.0) and found["b"]["value"] == pytest.approx(2 * told.wanted.value)


def test_compare_the_other_way(told: Told, master_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    half = a_run(master_runs, tmp_path / "half", told.run.scenario, 0.5)
    assert compare.run(asked("--action=compare", f"--a={told.folder}", f"--b={half.folder}")) == 0
    word = "B is 50.0 % worse than A" if told.wanted.more_is_better else "B's latency is 50.0 % lower than A's (better)"
    assert word in capsys.readouterr().out


def test_per_accelerator(told: Told) -> None:
    spec = json.loads((told.folder / "run.json").read_text())
    spec["devices"] = [{**spec["devices"][0], "index": index} for index in range(4)]
    (told.folder / "run.json").write_text(json.dumps(spec))
    side = comparison.of_run(told.run)
    share = 4 if told.wanted.more_is_better else 1
    assert side.accelerators == 4 and side.per_accelerator == pytest.approx(told.wanted.value / share)


@pytest.mark.parametrize("scenario", sorted(HEADLINES))
def test_summary_csv(foreign: Path, tmp_path: Path, scenario: str) -> None:
    wanted, round_ = HEADLINES[scenario], round_named("v6.1")
    set_keys(made.result(foreign, scenario) / "performance/run_1/mlperf_log_detail.txt", wanted.logged)
    report_columns.write(tmp_path, report_columns.rows(foreign, round_))
    with (tmp_path / "summary.csv").open() as source:
        (row,) = [row for row in csv.DictReader(source) if row["Scenario"] == scenario]
    assert (float(row["Result"]), row["Units"]) == (pytest.approx(wanted.official[0]), wanted.official[1])
    (of_json,) = [row for row in json.loads((tmp_path / "summary.json").read_text()) if row["Scenario"] == scenario]
    assert (of_json["Result"], of_json["Units"]) == (pytest.approx(wanted.official[0]), wanted.official[1])
