"""Measured power: power-dev's client is driven through both runs, its files become the result's, and what goes wrong is said."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.common.errors import MissingError, RunError, UsageError
from code.plan.request import parse
from code.power import ask, session, tools
from code.power.session import Meter, address, measure
from code.power.stand_in.clock import Clock
from code.power.stand_in.meter import FILLING_LINES
from code.power.stand_in.meter import Meter as Analyser
from code.preflight import Level
from code.preflight import power as preflight
from code.preflight.finding import Subject
from code.results import power_log
from code.results.loadgen_log import read_detail
from code.run import power_run
from code.submission.stage import candidates, power_files
from code.submission.stage.identity import Identity
from code.submission.stage.runs import read_run
from tests.unit.submission.made import sealed, write_run

WHERE = Meter("127.0.0.1", 4950, "127.0.0.1")
CLIENT = """
import argparse, os, pathlib, subprocess, sys
options = argparse.ArgumentParser()
for name in ("addr", "port", "ntp", "run-workload", "loadgen-logs", "output"):
    options.add_argument(f"--{name}", required=True)
options.add_argument("--no-timestamp-path", action="store_true")
asked = options.parse_args()
out = pathlib.Path(asked.output)
out.mkdir()
BODY
for name in ("power/client.json", "power/server.json", "ranging/spl.txt", "run_1/spl.txt"):
    path = out / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
"""
RUNS = "for _ in range(2): subprocess.run(asked.run_workload, shell=True, check=True)"


def checkout(tmp_path: Path, body: str = RUNS) -> Path:
    """A checkout whose client speaks power-dev's command line and does as `body` says."""
    folder = tmp_path / "power-dev"
    for name, text in ((tools.CLIENT, CLIENT.replace("BODY", body)), (tools.CHECKER, "")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    return folder


def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def test_the_client_gets_both_runs_in_order(tmp_path: Path) -> None:
    ran: list[str] = []
    measure(checkout(tmp_path), WHERE, logs(tmp_path), tmp_path / "out", ran.append)
    assert ran == ["ranging", "testing"] and (tmp_path / "out/run_1/spl.txt").is_file()


@pytest.mark.parametrize(
    "body",
    [
        "print('client 2026 [ERROR] Could not synchronize with the server'); sys.exit(0)",
        "print('client 2026 [CRITICAL] Could not synchronize with the server'); sys.exit(1)",
        f"{RUNS}\nprint('client 2026 [ERROR] Could not synchronize with the server'); sys.exit(0)",
    ],
)
def test_a_client_that_ends_early_is_an_error_in_its_own_words(tmp_path: Path, body: str) -> None:
    with pytest.raises(RunError) as caught:
        measure(checkout(tmp_path, body), WHERE, logs(tmp_path), tmp_path / "out", lambda phase: None)
    assert caught.value.why == "Could not synchronize with the server"
    assert "power_client.txt" in caught.value.next_step


def test_a_run_that_fails_ends_the_client_with_its_own_error(tmp_path: Path) -> None:
    def fail(phase: str) -> None:
        raise RunError(f"the {phase} run failed")

    with pytest.raises(RunError, match="the ranging run failed"):
        measure(checkout(tmp_path), WHERE, logs(tmp_path), tmp_path / "out", fail)
    assert not [line for line in _processes() if str(tmp_path) in line]


def test_a_client_that_never_starts_a_run_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE_S", 0.5)
    with pytest.raises(RunError, match="power was not measured"):
        measure(checkout(tmp_path, "import time; time.sleep(600)"), WHERE, logs(tmp_path), tmp_path / "out", lambda phase: None)
    assert not [line for line in _processes() if str(tmp_path) in line]


def test_nothing_is_left_where_the_harness_is_killed(tmp_path: Path) -> None:
    script = f"""
        import sys, time
        from pathlib import Path
        from code.power.session import Meter, measure
        def run(phase):
            print(phase, flush=True)
            time.sleep(600)
        measure(Path({str(checkout(tmp_path))!r}), Meter("h", 1, "n"), Path({str(logs(tmp_path))!r}), Path({str(tmp_path / "out")!r}), run)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "ranging\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    until = time.monotonic() + 20
    while (left := [line for line in _processes() if str(tmp_path) in line]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def _processes() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_request_names_both_servers() -> None:
    asked = parse(["--power", "--power_server=bench:5000", "--ntp_server=clock"], {})
    assert power_run.meter(asked) == Meter("bench", 5000, "clock")
    assert power_run.meter(parse([], {})) is None
    for words, says in (
        (["--power"], "--power needs --power_server"),
        (["--power", "--power_server=bench"], "--power needs --ntp_server"),
        (["--power_server=bench"], "--power_server is given without --power"),
        (["--ntp_server=clock"], "--ntp_server is given without --power"),
        (["--power", "--power_server=bench:x", "--ntp_server=clock"], "has no port after the colon"),
        (["--power", "--power_server=bench:99999", "--ntp_server=clock"], "has no port after the colon"),
    ):
        with pytest.raises(UsageError, match=says):
            power_run.meter(parse(words, {}))


def test_addresses() -> None:
    assert address("bench") == ("bench", 4950) and address("[::1]:5000") == ("::1", 5000) and address("::1") == ("::1", 4950)


def test_a_checkout_is_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.delenv(tools.VARIABLE, raising=False)
    assert tools.present() is None
    folder = checkout(tmp_path)
    monkeypatch.setenv(tools.VARIABLE, str(folder))
    assert tools.present() == tools.checkout() == folder
    monkeypatch.setenv(tools.VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(MissingError, match="which has no"):
        tools.checkout()


@pytest.mark.parametrize(
    ("script", "passed", "problems"),
    [
        ("print('INFO:main:[x] Check UUID'); print('All checks passed')", True, ()),
        (
            "print('ERROR:main:[ ] Check UUID\\nERROR:main:\\tthey differ'); raise SystemExit(1)",
            False,
            ("Check UUID: they differ",),
        ),
        ("raise SystemExit('no such file')", False, ("no such file",)),
        ("pass", False, ("it printed nothing",)),
    ],
)
def test_the_compliance_check_is_read(tmp_path: Path, script: str, passed: bool, problems: tuple[str, ...]) -> None:
    folder = checkout(tmp_path)
    (folder / tools.CHECKER).write_text(script)
    found = tools.compliance(folder, tmp_path)
    assert (found.passed, found.problems) == (passed, problems)


@contextlib.contextmanager
def power_server(late: float = 0.0, magic: str = ask.ANSWER) -> Iterator[int]:
    """Answers as power-dev's server does, with a clock that is `late` seconds behind; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guest, _ = door.accept()
                    with guest, guest.makefile("rw", newline="\r\n") as lines:
                        for line in lines:
                            lines.write(f"{magic if 'mlcommons' in line else time.time() - late}\r\n")
                            lines.flush()

        threading.Thread(target=serve, daemon=True).start()
        yield int(door.getsockname()[1])
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


def test_the_stand_in_of_a_time_server_is_asked_like_a_real_one() -> None:
    with Clock(0) as clock:
        assert abs(ask.time_offset("127.0.0.1", clock.port)) < 0.2


def test_the_clock_of_the_power_server() -> None:
    with power_server() as port:
        assert abs(ask.server_offset("127.0.0.1", port)) < 0.2
    with power_server(magic="SSH-2.0") as port, pytest.raises(ask.SilentError, match=r"it answers 'SSH-2\.0'"):
        ask.server_offset("127.0.0.1", port)


def test_doctor_tells_of_servers_and_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(server: str, ntp: str = "") -> dict[str, tuple[Level, str]]:
        subject = Subject(None, None, power_server=server, ntp_server=ntp)  # type: ignore[arg-type]
        return {one.name: (one.level, one.message) for one in preflight.check(subject)}

    assert found("") == {}
    with power_server() as port:
        assert found(f"127.0.0.1:{port}")["server"][0] is Level.OK
    with power_server(late=2.0) as port:
        level, text = found(f"127.0.0.1:{port}")["server"]
        assert level is Level.ERROR and "power-dev allows 400 ms" in text
    assert found(f"127.0.0.1:{port}")["server"][0] is Level.ERROR
    with Clock(0) as clock:
        monkeypatch.setattr(ask, "NTP_PORT", clock.port)
        monkeypatch.setattr(ask.time_offset, "__defaults__", (clock.port, 5.0))
        assert found("", "127.0.0.1")["time server"][0] is Level.OK


def test_the_stand_in_answers_as_power_dev_expects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    analyser = Analyser(tmp_path / "log", watts=lambda now: 42.0)
    analyser.take()
    assert analyser.answer("RL") == ["Last 0 samples"] and not (tmp_path / "log").exists()
    analyser.answer("Go,1000,0,2026_ranging")
    analyser.take()
    assert analyser.answer("RL")[1].split(",")[2:4] == ["Watts", "42.000000"]
    assert (tmp_path / "log").read_text().rstrip().endswith("Mark,2026_ranging")
    assert analyser.answer("Stop") == ["Stopping untimed measurement"]
    assert analyser.answer("Stop") == ["Error: no measurement to stop"]
    assert analyser.answer("SR,V,Auto") == ["Range V changed"] and analyser.answer("XX") == ["Unknown command"]
    assert analyser.answer("RL,*,*") == ["Error: Invalid number of parameters"]
    printed = capsys.readouterr().out
    assert "Go with mark '2026_ranging'" in printed and len(printed.splitlines()) == FILLING_LINES + 2
    assert len(printed) > 8192, "power-dev's server copies its log before the last 8 KB are written"


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SingleStream run, made once."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    folder = tmp_path_factory.mktemp("runs") / "system/bert-99/SingleStream"
    return write_run(folder, "SingleStream", "PerformanceOnly")


@pytest.fixture
def measured(quick_run: Path, tmp_path: Path) -> Path:
    """A copy of it with the samples of an analyser that read 50 W during its test, and 10 W around it."""
    folder = tmp_path / "system/bert-99/SingleStream"
    shutil.copytree(quick_run, folder)
    begin, end = power_log.window(folder)
    step = (end - begin) / 4
    stamps = [(begin - step, 10.0), *((begin + step * part, 50.0) for part in (1, 2, 3)), (end + step, 10.0)]
    lines = [f"Time,{t:%m-%d-%Y %H:%M:%S.%f},Watts,{w},Volts,230,Amps,1,PF,0.9,Mark,x_testing" for t, w in stamps]
    (folder / "spl.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_the_figures_of_a_measurement(measured: Path) -> None:
    log = read_detail(measured)
    found = power_log.described(measured, log, 500)
    begin, end = power_log.window(measured)
    joules = 50.0 * (end - begin).total_seconds()
    assert found is not None and log.query_count
    assert found["watts"] == 50 and found["joules"] == pytest.approx(joules)
    assert found["samples_per_joule"] == pytest.approx(500 / joules, rel=1e-4)
    assert found["millijoules_per_query"] == pytest.approx(joules * 1000 / log.query_count, rel=1e-4)
    (measured / "spl.txt").write_text("")
    with pytest.raises(power_log.PowerError, match="no sample between"):
        power_log.described(measured, log, 500)


def test_a_dry_run_is_never_staged(measured: Path) -> None:
    root = measured.parents[2]
    found, notes = candidates.from_logs(root)
    assert not found and not [one for one in notes if "made up" in one.what]
    sealed(measured, power={"watts": 1.0, "dry_run": True})
    found, notes = candidates.from_logs(root)
    assert not found and any("dry runs, whose power is made up, cannot be staged" in one.what for one in notes)
    with pytest.raises(UsageError, match="is not a result"):
        candidates.from_logs(root, [str(measured)])


def test_a_measurement_that_power_dev_refused_is_not_staged(measured: Path) -> None:
    sealed(measured, power={"watts": 1.0, "compliance_problems": ["Check UUID: they differ"]})
    (measured / "power").mkdir()
    run = read_run(measured)
    assert run is not None
    one = candidates.Candidate(*run.key, measured, measured, run, run)
    assert any("refused the measurement: Check UUID" in finding.what for finding in candidates.power_findings(one))


def test_the_analyser_and_the_settings_are_written_down(measured: Path, tmp_path: Path) -> None:
    (measured / "power").mkdir()
    content = {
        "session_name": "2026",
        "ptd_config": [{"device_type": 49, "interface_flag": "-y", "channel": None}],
        "ptd_messages": [{"cmd": "Identify", "reply": "YokogawaWT310,C2PH,version=1.11.1-x"}],
    }
    (measured / "power/server.json").write_text(json.dumps(content))
    run = read_run(measured)
    assert run is not None
    one = candidates.Candidate(*run.key, measured, measured, run, run)
    out = tmp_path / "out"
    out.mkdir()
    who = Identity("Example", "open", "edge", "available", None, file=tmp_path / "submission.toml")
    power_files.write(out, one, who)
    assert "| 1 | YokogawaWT310,C2PH,version=1.11.1-x | 49 | -y | 1 |" in (out / "analyzer_table.md").read_text()
    assert "Nothing was set" in (out / "power_settings.md").read_text()
    (tmp_path / "power_settings.pdf").write_bytes(b"by hand")
    (tmp_path / f"{one.system}_power.yaml").write_text("supplies: 2\n")
    power_files.write(out, one, who)
    power_files.nameplate(out, one, who)
    assert (out / "power_settings.pdf").read_bytes() == b"by hand"
    assert (out / f"{one.system}_power.yaml").is_file()
