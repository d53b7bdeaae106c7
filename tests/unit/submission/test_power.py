"""Power: each comparison of the official power_checker.py finds what is wrong, and summary.csv has the official figure."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from code.results.loadgen_log import read_detail
from code.rules.rounds import round_named
from code.submission.check import power_checks, power_session, report_columns, tree_checks
from code.submission.check.finding import Finding, errors
from code.submission.check.tree_structure import Tree
from code.submission.stage.layout import LAYOUTS, POWER_FILES
from tests.unit.submission.made import edit, edit_key, result

V61 = round_named("v6.1")
DAY = "11-29-2026"
NAME = "2026-11-29_10-00-00"
WATTS = {"ranging": 205.0, "run_1": 200.0}
WINDOWS = {"ranging": ("10:01:00.000", "10:11:00.000"), "run_1": ("10:21:00.000", "10:31:00.000")}
PHASES = {"ranging": ("10:00:10", "10:00:30", "10:12:00"), "testing": ("10:20:10", "10:20:30", "10:32:00")}
PTD_LOG = f"""Selected power meter
{DAY} 10:00:00.000: Uncertainty checking for Yokogawa WT310 is activated
{DAY} 10:00:00.000: Uncertainty checking for YokogawaWT310 is activated
{DAY} 10:00:50.000: Go with mark '{NAME}_ranging'
{DAY} 10:05:00.000: ERROR: Bad watts reading nan from Yokogawa
{DAY} 10:11:50.000: Completed test
{DAY} 10:20:50.000: Go with mark '{NAME}_testing'
{DAY} 10:31:50.000: Completed test
"""


def seconds(clock: str) -> float:
    return datetime.strptime(f"{DAY} {clock}", "%m-%d-%Y %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()


def measure(performance: Path) -> None:
    """Give a result a complete power measurement: what MLCommons' power tools leave."""
    shutil.copytree(performance / "run_1", performance / "ranging")
    for folder, (begin, end) in WINDOWS.items():
        log = performance / folder / "mlperf_log_detail.txt"
        edit_key(log, "power_begin", f"{DAY} {begin}")
        edit_key(log, "power_end", f"{DAY} {end}")
        hour = begin[:3]
        lines = ["header"]
        for minute in range(int(begin[3:5]) - 1, int(end[3:5]) + 2):
            inside = int(begin[3:5]) <= minute < int(end[3:5])
            power = WATTS[folder] if inside else 20.0
            lines.append(f"Time,{DAY} {hour}{minute:02}:30.000,Watts,{power},Volts,230.0,Amps,1.0,PF,0.99,Mark,{NAME}_{folder}")
        (performance / folder / "spl.txt").write_text("\n".join(lines) + "\n")
    power = performance / "power"
    power.mkdir()
    for name in POWER_FILES:
        (power / name).write_text("log\n")
    (power / "ptd_logs.txt").write_text(PTD_LOG)
    write_sessions(performance)


def write_sessions(performance: Path, change: Callable[[dict[str, Any], dict[str, Any]], None] | None = None) -> None:
    """client.json and server.json, with the digests of the files there are now."""
    digests = {name: hashlib.sha1((performance / name).read_bytes()).hexdigest() for name in power_session.DIGESTED}
    session: dict[str, Any] = {
        "version": "1.0",
        "timezone": 0,
        "modules": {},
        "sources": {},
        "messages": [
            {"cmd": "mlcommons/power client v3", "reply": "mlcommons/power server v3"},
            {"cmd": "time", "reply": "1"},
            {"cmd": f"session,{NAME},start,ranging", "reply": "OK"},
        ],
        "uuid": {"client": "338c3c15-dd9c-47f3-a00d-fbc92f999ce9", "server": "c48fc41a-434d-47fc-acbf-784dda090721"},
        "session_name": NAME,
        "results": digests,
        "phases": {name: [[seconds(clock), 0.0] for clock in clocks] for name, clocks in PHASES.items()},
    }
    client, server = session, {**copy.deepcopy(session), "debug": False, "ptd_config": [], "ptd_messages": []}
    server["messages"][1]["reply"] = "2"
    if change is not None:
        change(client, server)
    for name, content in (("client", client), ("server", server)):
        (performance / "power" / f"{name}.json").write_text(json.dumps(content))


@pytest.fixture
def powered(foreign: Path) -> Path:
    """A good tree of others in which the Offline result has power."""
    measure(result(foreign) / "performance")
    return foreign


def preflight(root: Path) -> list[Finding]:
    return errors(tree_checks.preflight(root, V61, "Example"))


def test_a_good_measurement_has_no_error(powered: Path) -> None:
    assert [(str(one.path), one.what) for one in preflight(powered)] == []


def sessions(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[[Path], None]:
    return lambda performance: write_sessions(performance, change)


def in_file(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Edit a file, and the digests with it, so that the content alone is wrong."""

    def sabotage(performance: Path) -> None:
        edit(performance / name, old, new)
        write_sessions(performance)

    return sabotage


def drop(name: str) -> Callable[[Path], None]:
    def sabotage(performance: Path) -> None:
        path = performance / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return sabotage


def put(name: str, text: str) -> Callable[[Path], None]:
    def sabotage(performance: Path) -> None:
        (performance / name).write_text(text)

    return sabotage


def quiet(performance: Path) -> None:
    edit(performance / "run_1/spl.txt", "Watts,200.0", "Watts,150.0")
    write_sessions(performance)


def late(client: dict[str, Any], server: dict[str, Any]) -> None:
    server["phases"]["testing"][1][0] += 2


def outside(client: dict[str, Any], server: dict[str, Any]) -> None:
    for one in (client, server):
        one["phases"]["testing"] = [[seconds(clock), 0.0] for clock in ("12:20:10", "12:20:30", "12:32:00")]


SABOTAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no ranging": (drop("ranging"), "this folder is missing"),
    "no spl in ranging": (drop("ranging/spl.txt"), "this file is missing"),
    "no spl in the test": (drop("run_1/spl.txt"), "this file is missing"),
    "no server.log": (drop("power/server.log"), "this file is missing"),
    "a stray file in power": (put("power/notes.txt", "x"), "not one of the files allowed"),
    "a stray file in ranging": (put("ranging/ptd_out.txt", "x"), "not one of the files allowed"),
    "a stray file in the test": (put("run_1/ptd_out.txt", "x"), "not one of the files allowed"),
    "a session that does not parse": (put("power/client.json", "{"), "client.json cannot be read"),
    "a session without phases": (sessions(lambda c, s: s.pop("phases")), "server.json has no phases"),
    "another client": (sessions(lambda c, s: s["uuid"].update(client="x")), "uuid.client is x"),
    "another session": (sessions(lambda c, s: s.update(session_name="y")), "session_name is y"),
    "a debugged server": (sessions(lambda c, s: s.update(debug=True)), "debug mode"),
    "another reply": (sessions(lambda c, s: s["messages"][2].update(reply="Error")), "message 2 is"),
    "a missing message": (sessions(lambda c, s: s["messages"].pop()), "2 messages, but 3"),
    "clocks apart": (sessions(late), "clocks of client and server are 2.00 s apart"),
    "a test outside its phase": (sessions(outside), "outside the testing phase"),
    "a log that is not the measured one": (put("power/server.log", "another"), "its digest differs"),
    "a file that was not measured": (
        sessions(lambda c, s: [one["results"].pop("run_1/spl.txt") for one in (c, s)]),
        "not in the results",
    ),
    "no samples in the test": (in_file("run_1/spl.txt", DAY, "11-28-2026"), "no sample between"),
    "less power than in ranging": (quiet, "less than 95% of it"),
    "uncertainty unchecked": (in_file("power/ptd_logs.txt", "is activated", "is off"), "uncertainty check was not active"),
    "an error during the test": (
        in_file("power/ptd_logs.txt", "10:05:00.000: ERROR", "10:25:00.000: ERROR"),
        "outside the ranging run",
    ),
    "no ranging in the analyzer's log": (in_file("power/ptd_logs.txt", "_ranging'", "_other'"), "the ranging run is not in it"),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_is_found(powered: Path, name: str) -> None:
    sabotage, words = SABOTAGE[name]
    sabotage(result(powered) / "performance")
    found = preflight(powered)
    assert any(words in one.what and one.next_step for one in found), [(str(one.path), one.what) for one in found]


def test_older_rounds_want_the_analyzers_settings(powered: Path) -> None:
    v41 = Tree(powered, round_named("v4.1"))
    place = next(p for p in LAYOUTS["beside"].places(powered) if p.scenario == "Offline")
    measurements = v41.shape.measurements_dir(powered, place)
    measurements.mkdir(parents=True)

    def missing() -> list[str]:
        return [one.path.name for one in power_checks.check(v41, place) if "no such file" in one.what]

    assert missing() == ["analyzer_table.*", "power_settings.*"]
    (measurements.parents[1] / "analyzer_table.md").write_text("x")
    (measurements / "power_settings.txt").write_text("x")
    assert missing() == []


def test_the_summary_has_a_row_of_power(powered: Path, tmp_path: Path) -> None:
    stream = result(powered, "SingleStream") / "performance"
    measure(stream)
    report_columns.write(tmp_path, report_columns.rows(powered, V61))
    with (tmp_path / "summary.csv").open() as source:
        rows = [(row["Scenario"], row["Units"], row["Result"], row["has_power"]) for row in csv.DictReader(source)]
    queries = read_detail(stream / "run_1").query_count
    assert queries is not None
    figures = {(scenario, unit): float(value) for scenario, unit, value, power in rows if power == "True"}
    assert figures[("Offline", "Watts")] == pytest.approx(200.0)
    assert figures[("SingleStream", "millijoules")] == pytest.approx(200.0 * 600 * 1000 / queries)
    assert len(figures) == 4 and len(rows) == 6


def test_a_system_that_is_there_for_its_power_has_one_row_up_to_v5(powered: Path) -> None:
    path = powered / "open/Example/systems"
    [description] = path.glob("*.json")
    description.write_text(json.dumps({**json.loads(description.read_text()), "system_power_only": "true"}))
    shutil.copytree(result(powered).parents[2], powered / "open/Example/measurements", dirs_exist_ok=True)
    for name, number in (("v6.1", 2), ("v4.1", 1)):
        rows = [row for row in report_columns.rows(powered, round_named(name)) if row["Scenario"] == "Offline"]
        assert len(rows) == number
