"""Pages of a power result: analysers, settings and the nameplate; and the figure that the official checker reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.results import power_log
from code.results.loadgen_log import LoadGenLog
from code.rules.rounds import round_named
from code.submission.check import power_checks
from code.submission.stage import power_files
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.runs import ACCURACY, Run, read_run
from tests.unit.submission import light

V61 = round_named("v6.1")
ROWS_BEFORE = 2
"""Rows of a table above its first entry: names, and the line below them."""


def a_run(folder: Path, **given: Any) -> Run:
    (folder / "Offline" / "power").mkdir(parents=True)
    (folder / "Offline" / "power" / "server.json").write_text(json.dumps(given.pop("session", {})))
    kept = (folder / "Offline").rename(folder / "kept")
    path = light.write_run(folder / "Offline", **given)
    (kept / "power").rename(path / "power")
    found = read_run(path)
    assert found is not None
    return found


def pair(folder: Path, **given: Any) -> Candidate:
    one = a_run(folder / "p", **given)
    other = light.run(folder / "a" / "Offline", ACCURACY)
    return Candidate(*one.key, one.folder, other.folder, one, other)


def who(folder: Path | None) -> Identity:
    return Identity("Example", "open", "edge", "available", V61, file=folder / "submission.toml" if folder else None)


def table(text: str) -> list[list[str]]:
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[ROWS_BEFORE:]]


def test_each_analyser_has_a_row_with_its_own_name(tmp_path: Path) -> None:
    session = {
        "session_name": "2026-11-29",
        "ptd_config": [
            {"device_type": 49, "interface_flag": "-y", "channel": 2},
            "damaged",
            {"device_type": 8},
            {"device_type": 77, "interface_flag": "", "channel": None},
        ],
        "ptd_messages": [
            {"cmd": "Hello", "reply": "not a name"},
            {"cmd": "Identify", "reply": "WT310|1"},
            {"cmd": "Identify", "reply": "WT\n333"},
        ],
    }
    text = power_files.analyzer_table(a_run(tmp_path, session=session))
    assert "Session 2026-11-29." in text.splitlines() and text.startswith("# Analyzers\n") and text.endswith("|\n")
    assert table(text) == [
        ["1", r"WT310\|1", "49", "-y", "2"],
        ["2", "WT 333", "8", "RS232", "1"],
        ["3", "", "77", "RS232", "1"],
    ]


@pytest.mark.parametrize("session", [{}, {"ptd_config": {"a": 1}, "ptd_messages": "x"}, []])
def test_a_session_without_analysers_gives_an_empty_table(tmp_path: Path, session: Any) -> None:
    text = power_files.analyzer_table(a_run(tmp_path, session=session))
    assert table(text) == [] and "| analyzer |" in text


def test_the_settings_are_those_of_power_and_clocks(tmp_path: Path) -> None:
    run = a_run(tmp_path, config_name="DGX-custom_k_99_MaxQ-Offline", telemetry={"cpu_clock_mhz": {"least": 800, "most": 3100}})
    names = [field.name for field in power_files.FIELDS if field.group == power_files.FIELD_GROUP]
    set_here = {names[0]: 250, names[1]: None, "batch_size": 8}
    text = power_files.power_settings(cast(Run, SimpleNamespace(spec={"record": set_here}, metadata=run.metadata)))
    lines = text.splitlines()
    assert lines[0] == "# Power settings" and "Config DGX-custom_k_99_MaxQ-Offline." in lines
    assert f"* {names[0]}: 250" in lines and not any(names[1] in line or "batch_size" in line for line in lines)
    assert lines[-1] == "* Processor clocks during the test: 800 to 3100 MHz." and "Nothing was set" not in text


@pytest.mark.parametrize("telemetry", [None, "x", {}, {"cpu_clock_mhz": None}])
def test_without_settings_the_page_says_so(tmp_path: Path, telemetry: Any) -> None:
    text = power_files.power_settings(a_run(tmp_path, telemetry=telemetry))
    assert [line for line in text.splitlines() if line.startswith("*")] == [
        "* Nothing was set: limits and clocks were the machine's own."
    ]


def test_pages_are_written_for_a_measured_result_only(tmp_path: Path) -> None:
    one, out = pair(tmp_path), tmp_path / "out"
    out.mkdir()
    unmeasured = replace(one, performance_run=one.accuracy_run)
    power_files.write(out, unmeasured, who(tmp_path))
    power_files.write(out, replace(one, performance_run=None), who(tmp_path))
    assert list(out.iterdir()) == []
    power_files.write(out, one, who(tmp_path))
    assert {path.name for path in out.iterdir()} == {"analyzer_table.md", "power_settings.md"}


@pytest.mark.parametrize("ending", power_files.GIVEN_ENDINGS)
def test_a_page_that_somebody_wrote_is_taken_as_it_is(tmp_path: Path, ending: str) -> None:
    one, out = pair(tmp_path), tmp_path / "out"
    out.mkdir()
    (tmp_path / f"analyzer_table{ending}").write_bytes(b"by hand")
    power_files.write(out, one, who(tmp_path))
    assert (out / f"analyzer_table{ending}").read_bytes() == b"by hand"
    assert {path.name for path in out.iterdir()} == {f"analyzer_table{ending}", "power_settings.md"}


def test_the_nameplate_lies_beside_submission_toml_or_in_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, out, root = pair(tmp_path), tmp_path / "out", tmp_path / "root"
    (root / "systems").mkdir(parents=True)
    out.mkdir()
    monkeypatch.setattr(power_files, "project_root", lambda: root)
    target = out / f"{one.system}_power.yaml"
    power_files.nameplate(out, one, who(tmp_path))
    assert not target.exists()
    (root / "systems" / "DGX_power.yaml").write_text("of the system ID")
    power_files.nameplate(out, one, who(None))
    assert target.read_text() == "of the system ID"
    (root / f"{one.system}_power.yaml").write_text("in the project's root")
    power_files.nameplate(out, one, who(None))
    assert target.read_text() == "in the project's root", "submission.toml lies there where it was not named"
    (tmp_path / "DGX_power.yaml").write_text("beside, of the system ID")
    power_files.nameplate(out, replace(one, performance_run=None), who(tmp_path))
    assert target.read_text() == "in the project's root", "of a tree's result only the system's name is known"
    power_files.nameplate(out, one, who(tmp_path))
    assert target.read_text() == "beside, of the system ID"
    (tmp_path / f"{one.system}_power.yaml").write_text("beside, of the system")
    power_files.nameplate(out, one, who(tmp_path))
    assert target.read_text() == "beside, of the system"


# ── The figure of the official checker ────────────────────────────────────────────────────────────────────


def performance(folder: Path, watts: dict[int, float], minutes: int = 2) -> Path:
    """A run whose test began at ten and lasted so many minutes, with samples at these seconds after ten."""
    events = {"power_begin": "11-29-2026 10:00:00.000", "power_end": f"11-29-2026 10:{minutes:02}:00.000"}
    folder.mkdir()
    lines = [":::MLLOG " + json.dumps({"key": key, "value": value}) for key, value in events.items()]
    (folder / "mlperf_log_detail.txt").write_text("\n".join(lines) + "\n")
    rows = [f"Time,11-29-2026 10:{at // 60:02}:{at % 60:02}.500,Watts,{value},Volts,230,Amps,1" for at, value in watts.items()]
    (folder / "spl.txt").write_text("\n".join(rows) + "\n")
    return folder


def log(scenario: str, queries: int | None) -> LoadGenLog:
    return cast(LoadGenLog, SimpleNamespace(scenario=scenario, query_count=queries))


@pytest.mark.parametrize(
    ("measured", "submitted", "queries", "wanted"),
    [
        ("Offline", "Offline", 1, 150.0),
        ("Server", "Server", 600, 150.0),
        ("Server", "Interactive", 600, 150.0),
        ("SingleStream", "SingleStream", 600, 30_000.0),
        ("MultiStream", "MultiStream", 600, 30_000.0),
        ("SingleStream", "MultiStream", 600, 240_000.0),
        ("SingleStream", "Offline", 600, 150.0),
        ("SingleStream", "SingleStream", 0, None),
        ("SingleStream", "SingleStream", None, None),
    ],
)
def test_average_power_or_the_energy_of_a_query(
    tmp_path: Path, measured: str, submitted: str, queries: int | None, wanted: float | None
) -> None:
    """150 W for 120 s are 18,000 J; of 600 queries each took 30,000 mJ, and eight of them make a query of MultiStream."""
    folder = performance(tmp_path / "run_1", {10: 100.0, 100: 200.0, 130: 900.0})
    found = power_checks.figure(folder, log(measured, queries), submitted)
    assert found == (pytest.approx(wanted) if wanted is not None else None)


def test_no_figure_without_samples_in_the_test(tmp_path: Path) -> None:
    assert power_checks.figure(performance(tmp_path / "a", {130: 5.0}), log("Offline", 1), "Offline") is None
    missing = performance(tmp_path / "b", {10: 5.0})
    (missing / "spl.txt").unlink()
    assert power_checks.figure(missing, log("Offline", 1), "Offline") is None
    damaged = performance(tmp_path / "c", {10: 5.0})
    (damaged / "spl.txt").write_text("Time,11-29-2026\n")
    assert power_checks.figure(damaged, log("Offline", 1), "Offline") is None


def test_the_figures_in_metadata(tmp_path: Path) -> None:
    """Average, joules and samples of the test alone; what LoadGen's queries cost only where a query is what is measured."""
    folder = performance(tmp_path / "run_1", {10: 100.0, 70: 0.0, 100: 200.0, 130: 900.0})
    found = power_log.described(folder, log("SingleStream", 600), 900)
    assert found is not None
    assert {name: found[name] for name in ("watts", "joules", "samples", "samples_per_joule", "millijoules_per_query")} == {
        "watts": 150.0,
        "joules": 18_000.0,
        "samples": 2,
        "samples_per_joule": 0.05,
        "millijoules_per_query": 30_000.0,
    }
    assert "ranging_watts" not in found and "power-dev" in found["method"]
    offline = power_log.described(folder, log("Offline", 1), None)
    assert offline is not None and "millijoules_per_query" not in offline and "samples_per_joule" not in offline
    performance(folder / "ranging", {5: 90.0, 6: 110.0})
    (folder / "power_session.json").write_text('{"uuid": "x"}')
    session = power_log.described(folder, log("MultiStream", 600), 900)
    assert session is not None and (session["ranging_watts"], session["uuid"]) == (100.0, "x")
    assert session["millijoules_per_query"] == 30_000.0
    (folder / "spl.txt").unlink()
    assert power_log.described(folder, log("Offline", 1), 1) is None


def test_the_window_is_that_of_the_first_begin_and_end(tmp_path: Path) -> None:
    folder = performance(tmp_path / "run_1", {10: 1.0})
    detail = folder / "mlperf_log_detail.txt"
    detail.write_text(detail.read_text() + detail.read_text().replace("10:", "11:"))
    begin, end = power_log.window(folder)
    assert (begin.hour, (end - begin).total_seconds(), begin.utcoffset()) == (10, 120.0, end.utcoffset()) and not begin.dst()
    for key in ("power_begin", "power_end"):
        other = performance(tmp_path / key, {10: 1.0})
        detail = other / "mlperf_log_detail.txt"
        detail.write_text("".join(line for line in detail.read_text().splitlines(keepends=True) if key not in line))
        with pytest.raises(power_log.PowerError, match=f"the detail log in {key} has no {key}"):
            power_log.window(other)


def test_samples_at_the_very_begin_and_end_do_not_count(tmp_path: Path) -> None:
    folder = performance(tmp_path / "run_1", {10: 7.0})
    lines = [f"Time,11-29-2026 10:0{minute}:00.000,Watts,{value},Volts" for minute, value in ((0, 1.0), (1, 5.0), (2, 9.0))]
    (folder / "spl.txt").write_text("\n".join(["Mark,11-29-2026 10:01:00.000,Watts,3.0", *lines]) + "\n")
    assert power_log.watts(folder) == [5.0]


def test_figures_are_rounded_to_a_millionth_and_rates_to_six_digits(tmp_path: Path) -> None:
    folder = performance(tmp_path / "run_1", dict.fromkeys(range(1, 7), 10.0) | {7: 40.0})
    performance(folder / "ranging", {5: 10.0, 6: 10.0, 7: 30.0})
    found = power_log.described(folder, log("SingleStream", 7), 7)
    assert found is not None
    assert (found["watts"], found["joules"], found["ranging_watts"]) == (14.285714, 1714.285714, 16.666667)
    assert (found["samples_per_joule"], found["millijoules_per_query"]) == (0.00408333, 244898.0)


def test_a_test_without_a_sample_has_no_power(tmp_path: Path) -> None:
    folder = performance(tmp_path / "run_1", {130: 5.0, 10: 0.0})
    with pytest.raises(power_log.PowerError, match=r"spl\.txt has no sample between power_begin and power_end"):
        power_log.described(folder, log("Offline", 1), 1)
    ranged = performance(tmp_path / "run_2", {10: 5.0})
    performance(ranged / "ranging", {130: 5.0})
    found = power_log.described(ranged, log("Offline", 1), 1)
    assert found is not None and "ranging_watts" not in found


def test_a_test_of_half_a_second_has_its_rate(tmp_path: Path) -> None:
    folder = performance(tmp_path / "run_1", {0: 8.0})
    detail = folder / "mlperf_log_detail.txt"
    detail.write_text(detail.read_text().replace("10:02:00.000", "10:00:01.000"))
    found = power_log.described(folder, log("Offline", 1), 16)
    assert found is not None and (found["joules"], found["samples_per_joule"]) == (8.0, 2.0)
    detail.write_text(detail.read_text().replace("10:00:01.000", "10:00:00.800"))
    found = power_log.described(folder, log("Offline", 1), 16)
    assert found is not None and (found["joules"], found["samples_per_joule"]) == (6.4, 2.5)
