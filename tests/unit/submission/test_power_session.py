"""The limits of a power measurement: a second, a watt or a word to either side, on a measurement of a few lines."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from code.submission.check import power_checks, power_session
from code.submission.stage.layout import PERFORMANCE_FILES, POWER_FILES
from tests.unit.logs import log_of

NAME = "2026-11-29_10-00-00"
START = datetime(2026, 11, 29, 10, 0, 0, tzinfo=timezone.utc)
BEGINS = {"ranging": 60, "run_1": 1260}
LASTS = 600


def at(seconds: float) -> str:
    """A time of the measurement, as LoadGen and the power tools write it."""
    return (START + timedelta(seconds=seconds)).strftime("%m-%d-%Y %H:%M:%S.") + f"{round(seconds * 1000) % 1000:03}"


def sample(seconds: float, watts: float) -> str:
    return f"Time,{at(seconds)},Watts,{watts},Volts,230.0\n"


def analyzer(*lines: tuple[float, str]) -> str:
    """ptd_logs.txt: a good measurement, and these lines."""
    good = [
        (0.0, "Uncertainty checking for YokogawaWT310 is activated"),
        (50.0, f": Go with mark '{NAME}_ranging'"),
        (700.0, ": Completed test"),
        (1250.0, f": Go with mark '{NAME}_testing'"),
        (1900.0, ": Completed test"),
    ]
    ordered = sorted([*good, *lines])
    return "".join(f"{at(when)}{text if text.startswith(':') else ': ' + text}\n" for when, text in ordered)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The performance folder of a result with a good measurement: 200 W in the test, 200 W in the ranging run."""
    for name, begin in BEGINS.items():
        (tmp_path / name).mkdir()
        for file in PERFORMANCE_FILES:
            (tmp_path / name / file).write_text("x\n")
        log = f'power_begin "{at(begin)}"\npower_end "{at(begin + LASTS)}"\npower_begin "{at(begin + 5000)}"\n'
        (tmp_path / name / "mlperf_log_detail.txt").write_text(log)
        (tmp_path / name / "spl.txt").write_text("header\n" + sample(begin + 10, 200.0) + sample(begin + 20, 200.0))
    (tmp_path / "power").mkdir()
    for file in POWER_FILES:
        (tmp_path / "power" / file).write_text("log\n")
    (tmp_path / "power" / "ptd_logs.txt").write_text(analyzer())
    sessions(tmp_path)
    return tmp_path


def sessions(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], object] = lambda client, server: None) -> None:
    """Write both session files with the digests of the files there are now."""
    began = START.timestamp()
    client: dict[str, Any] = {
        **dict.fromkeys(power_session.FIELDS, 0),
        "messages": [{"cmd": "hello", "reply": "hello"}, {"cmd": "time", "reply": "1"}],
        "uuid": {"client": "AB", "server": "cd"},
        "session_name": NAME,
        "results": {name: hashlib.sha1((folder / name).read_bytes()).hexdigest() for name in power_session.DIGESTED},
        "phases": {
            phase: [[began + BEGINS[name] + offset, 0.0] for offset in (-20, -10, LASTS + 10)]
            for name, phase in power_session.RUNS.items()
        },
    }
    server = copy.deepcopy(client)
    server["messages"][1]["reply"] = "2"
    change(client, server)
    for name, content in (("client", client), ("server", server)):
        (folder / "power" / f"{name}.json").write_text(json.dumps(content))


def problems(folder: Path) -> list[tuple[str, str]]:
    return list(power_session.problems(power_session.read(folder)))


def changed(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> list[str]:
    sessions(folder, change)
    return [what for _, what in problems(folder)]


def logged(folder: Path, *lines: tuple[float, str]) -> list[str]:
    """Problems with these lines in the analyzer's log."""
    (folder / "power" / "ptd_logs.txt").write_text(analyzer(*lines))
    sessions(folder)
    return [what for _, what in problems(folder)]


def test_a_good_measurement(folder: Path) -> None:
    assert problems(folder) == []
    assert power_session.watts(folder / "run_1") == [200.0, 200.0]
    begin, end = power_session.window(folder / "run_1")
    assert (end - begin).total_seconds() == LASTS and begin == START + timedelta(seconds=BEGINS["run_1"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, s: s["uuid"].update(client="ab"), []),
        (lambda c, s: s["uuid"].update(server="xx"), ["uuid.server is xx, but cd in client.json"]),
        (lambda c, s: s.update(debug=False), []),
        (lambda c, s: s.update(debug=True), ["the server ran in debug mode"]),
        (lambda c, s: s.update(debug=0), ["the server ran in debug mode"]),
        (lambda c, s: s["messages"][1].update(cmd="x"), ["message 1 is 'x', '2', but 'time', '1' in client.json"]),
        (lambda c, s: s["messages"][0].update(reply="x"), ["message 0 is 'hello', 'x', but 'hello', 'hello' in client.json"]),
        (lambda c, s: s["messages"].append({}), ["3 messages, but 2 in client.json"]),
        (lambda c, s: s["phases"].pop("testing"), ["server.json has no phases.testing"]),
        (lambda c, s: s["phases"]["ranging"].pop(), ["ranging has 2 phases, but 3 in client.json"]),
        (lambda c, s: s.update(phases=1), ["server.json has no phases.ranging"]),
        (lambda c, s: [one["results"].pop("power/server.log") for one in (c, s)], ["power/server.log is not in the results"]),
        (lambda c, s: s["results"].pop("power/server.log"), []),
        (lambda c, s: c["results"].pop("power/server.log"), []),
        (
            lambda c, s: s["results"].update({"power/server.log": "x"}),
            ["the session files have different digests of power/server.log"],
        ),
        (lambda c, s: s["messages"].__setitem__(0, 1), ["not as the power tools write it: TypeError"]),
    ],
)
def test_the_two_session_files_agree(folder: Path, change: Callable[..., object], words: list[str]) -> None:
    found = changed(folder, change)
    assert len(found) == len(words) and all(found[n].startswith(words[n]) for n in range(len(words))), found


@pytest.mark.parametrize(("apart", "named"), [(0.79, 0), (0.81, 1), (-0.81, 1)])
def test_clocks_may_be_apart_by_eight_tenths_of_a_second(folder: Path, apart: float, named: int) -> None:
    found = changed(folder, lambda c, s: s["phases"]["ranging"][1].__setitem__(0, s["phases"]["ranging"][1][0] + apart))
    assert len(found) == named
    assert not named or found[0] == "the clocks of client and server are 0.81 s apart during ranging; 0.8 s are allowed"


def shifted(seconds: float, which: tuple[int, ...] = (0, 1, 2)) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(client: dict[str, Any], server: dict[str, Any]) -> None:
        for one in (client, server):
            for number in which:
                one["phases"]["testing"][number][0] += seconds

    return change


@pytest.mark.parametrize(
    ("seconds", "which", "ends"),
    [
        (9.9, (1,), []),
        (10.1, (1,), ["begins"]),
        (-9.9, (2,), []),
        (-10.1, (2,), ["ends"]),
        (-3600, (0, 1, 2), []),
        (-3590.1, (1, 2), []),
        (-3589.9, (1, 2), ["begins"]),
        (3600, (0, 1, 2), ["begins", "ends"]),
        (-7200, (0, 1, 2), ["begins", "ends"]),
    ],
)
def test_the_test_lies_within_its_phase_or_an_hour_later(
    folder: Path, seconds: float, which: tuple[int, ...], ends: list[str]
) -> None:
    found = changed(folder, shifted(seconds, which))
    assert [line.split()[2] for line in found] == ends, found
    assert all("outside the testing phase: see power_begin and power_end in run_1" in line for line in found)


@pytest.mark.parametrize(("watts", "named"), [(190.1, 0), (190.0, 1), (150.0, 1)])
def test_the_test_draws_more_than_95_percent_of_the_ranging_run(folder: Path, watts: float, named: int) -> None:
    begin = BEGINS["run_1"]
    (folder / "run_1" / "spl.txt").write_text(sample(begin + 10, watts - 10) + sample(begin + 20, watts + 10))
    sessions(folder)
    found = [what for _, what in problems(folder)]
    assert len(found) == named
    if named:
        assert found[0].startswith(f"the test drew {watts:.5g} W on average, the ranging run 200 W; less than 95% of it")


def test_only_samples_above_zero_within_the_test_count(folder: Path) -> None:
    begin = BEGINS["run_1"]
    lines = [
        (begin, 1.0),
        (begin + 0.001, 2.0),
        (begin + 5, 0.0),
        (begin + 6, -3.0),
        (begin + LASTS - 0.001, 4.0),
        (begin + LASTS, 5.0),
    ]
    text = "".join(sample(when, watts) for when, watts in lines) + f"Other,{at(begin + 9)},Watts,9.0\n"
    (folder / "run_1" / "spl.txt").write_text(text)
    assert power_session.watts(folder / "run_1") == [2.0, 4.0]
    (folder / "run_1" / "spl.txt").write_text("")
    sessions(folder)
    assert problems(folder) == [("run_1/spl.txt", "run_1/spl.txt has no sample between power_begin and power_end of run_1")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([(60.0, "ERROR: Bad watts reading")], []),
        ([(699.9, "ERROR: Bad watts reading")], []),
        ([(49.0, "ERROR: Bad watts reading")], ["outside the ranging run: "]),
        ([(701.0, "ERROR: Bad watts reading")], ["outside the ranging run: "]),
        ([(701.0, "ERROR: USB.")], []),
        ([(701.0, "ERROR: USB. Lost")], ["outside the ranging run: "]),
        ([(701.0, "WARNING: Bad watts reading")], []),
    ],
)
def test_errors_of_the_analyzer_are_allowed_in_the_ranging_run_only(folder: Path, lines: Any, words: list[str]) -> None:
    found = logged(folder, *lines)
    assert len(found) == len(words) and all(line.startswith(words[0]) for line in found), found


def lengthened(folder: Path, seconds: int) -> None:
    """A test of so many seconds, with its phase."""
    begin = BEGINS["run_1"]
    log = f'power_begin "{at(begin)}"\npower_end "{at(begin + seconds)}"\n'
    (folder / "run_1" / "mlperf_log_detail.txt").write_text(log)


TOO_UNCERTAIN = "WARNING: Uncertainty 1.50%, which is above 1.00% limit for the last sample!"


@pytest.mark.parametrize(("second", "named"), [(799, 0), (801, 1), (1199, 1), (1201, 0)])
def test_an_uncertain_sample_counts_from_800_s_into_the_test_to_800_s_before_its_end(
    folder: Path, second: int, named: int
) -> None:
    lengthened(folder, 2000)
    (folder / "power" / "ptd_logs.txt").write_text(analyzer((BEGINS["run_1"] + second, TOO_UNCERTAIN)))

    def longer(client: dict[str, Any], server: dict[str, Any]) -> None:
        for one in (client, server):
            one["phases"]["testing"][2][0] += 1400

    found = changed(folder, longer)
    assert len(found) == named and all(line.startswith("during the test: ") for line in found), found


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("is activated", "is off", ["the uncertainty check was not active before the ranging run"]),
        (f"{at(0)}: Unc", f"{at(50)}: Unc", ["the uncertainty check was not active before the ranging run"]),
        ("_ranging'", "_x'", ["the ranging run is not in it"]),
        (f"{at(700)}: Completed", f"{at(49)}: Completed", []),
        (": Completed test", ": Stopped", ["the end of the ranging run is not in it"]),
    ],
)
def test_the_analyzers_log_has_the_ranging_run_and_a_check_before_it(folder: Path, old: str, new: str, words: list[str]) -> None:
    path = folder / "power" / "ptd_logs.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    sessions(folder)
    assert [what for _, what in problems(folder)] == words


def test_files_of_another_measurement_and_missing_ones(folder: Path) -> None:
    path = folder / "ranging" / "spl.txt"
    path.write_text(path.read_text() + "\n")
    assert problems(folder) == [
        ("power/server.json results", "ranging/spl.txt is not the file of the measurement: its digest differs")
    ]
    (folder / "run_1" / "mlperf_log_detail.txt").write_text(f'power_begin "{at(1)}"\n')
    sessions(folder)
    found = dict(problems(folder))
    assert found["power/server.json phases"] == "the detail log in run_1 has no power_end"
    assert set(found) == {"power/server.json phases", "run_1/spl.txt", "power/ptd_logs.txt"}


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_session_file_that_cannot_be_used(folder: Path, text: str) -> None:
    (folder / "power" / "server.json").write_text(text)
    with pytest.raises(power_session.PowerError, match=r"server\.json (cannot be read|has no version, timezone)"):
        power_session.read(folder)


# ── the figure ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scenario", "measured", "queries", "figure"),
    [
        ("Offline", "Offline", 1, 200.0),
        ("Server", "Server", 1000, 200.0),
        ("Interactive", "Server", 1000, 200.0),
        ("SingleStream", "SingleStream", 1200, 200.0 * 600 * 1000 / 1200),
        ("MultiStream", "MultiStream", 1200, 200.0 * 600 * 1000 / 1200),
        ("MultiStream", "SingleStream", 1200, 200.0 * 600 * 1000 * 8 / 1200),
        ("SingleStream", "SingleStream", None, None),
        ("SingleStream", "SingleStream", 0, None),
    ],
)
def test_average_power_or_energy_of_a_query(
    folder: Path, scenario: str, measured: str, queries: int | None, figure: float | None
) -> None:
    log = log_of(measured, result_query_count=queries)
    assert power_checks.figure(folder / "run_1", log, scenario) == (None if figure is None else pytest.approx(figure))


def test_no_figure_where_nothing_was_measured(folder: Path) -> None:
    log = log_of("Offline", result_query_count=1)
    (folder / "run_1" / "spl.txt").write_text("")
    assert power_checks.figure(folder / "run_1", log, "Offline") is None
    (folder / "run_1" / "spl.txt").write_text("Time,x\n")
    assert power_checks.figure(folder / "run_1", log, "Offline") is None
    (folder / "run_1" / "spl.txt").unlink()
    assert power_checks.figure(folder / "run_1", log, "Offline") is None
