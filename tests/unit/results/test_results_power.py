"""The analyser's samples of a test, and metadata.json's figures of power: what counts, in which unit, and what is left out."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from code.results import power_log
from code.results.power_log import PowerError
from tests.unit.logs import log_of

DAY = "11-29-2026"
BEGIN, END = f"{DAY} 10:00:00.000", f"{DAY} 10:10:00.000"


def marks(*lines: str) -> str:
    return "".join(f":::MLLOG {line}\n" for line in lines)


def sample(clock: str, watts: str, head: str = "Time") -> str:
    return f"{head},{DAY} {clock},Watts,{watts},Volts,230.0,Amps,1.0,PF,0.99,Mark,run\n"


def run(folder: Path, *samples: str, begin: str = BEGIN, end: str = END) -> Path:
    folder.mkdir(exist_ok=True)
    detail = marks(f'{{"key": "power_begin", "value": "{begin}"}}', f'{{"key": "power_end", "value": "{end}"}}')
    (folder / "mlperf_log_detail.txt").write_text(detail)
    (folder / "spl.txt").write_text("".join(samples))
    return folder


def test_samples_between_begin_and_end_above_zero_count(tmp_path: Path) -> None:
    samples = [
        sample("09:59:59.999", "1"),
        sample("10:00:00.000", "2"),
        sample("10:00:00.001", "100.5"),
        sample("10:05:00.000", "0"),
        sample("10:05:01.000", "-3"),
        sample("10:05:02.000", "50", head="Note"),
        sample("10:09:59.999", "200"),
        sample("10:10:00.000", "4"),
        sample("10:10:00.001", "5"),
    ]
    assert power_log.watts(run(tmp_path, *samples)) == [100.5, 200.0]


def test_the_window_is_the_first_of_each_mark(tmp_path: Path) -> None:
    folder = run(tmp_path)
    detail = folder / "mlperf_log_detail.txt"
    detail.write_text(
        marks(
            '{"key": "POWER_BEGIN", "value": "no time"}',
            f'{{"key": "Power_Begin", "value": "{BEGIN}"}}',
            f'{{"key": "power_end", "value": "{END}"}}',
            f'{{"key": "power_begin", "value": "{DAY} 11:00:00.000"}}',
            f'{{"key": "power_end", "value": "{DAY} 12:00:00.000"}}',
        )
    )
    first, last = power_log.window(folder)
    assert first == datetime(2026, 11, 29, 10, tzinfo=timezone.utc) and (last - first).total_seconds() == 600
    for key in ("power_begin", "power_end"):
        text = run(folder) and detail.read_text()
        detail.write_text("".join(line + "\n" for line in text.splitlines() if key not in line))
        with pytest.raises(PowerError, match=f"has no {key}"):
            power_log.window(folder)


def test_figures_of_a_measured_run(tmp_path: Path) -> None:
    folder = run(tmp_path, sample("10:01:00.000", "100"), sample("10:02:00.000", "200"), sample("10:03:00.000", "300"))
    offline = power_log.described(folder, log_of("Offline"), 1000)
    assert offline is not None
    assert (offline["watts"], offline["joules"], offline["samples"]) == (200.0, 120_000.0, 3)
    assert offline["samples_per_joule"] == pytest.approx(1000 / 120_000, rel=1e-5)
    assert "an analyser" in offline["method"] and not offline.keys() & {"millijoules_per_query", "ranging_watts"}
    for scenario in ("SingleStream", "MultiStream"):
        stream = power_log.described(folder, log_of(scenario, result_query_count=500), None)
        assert stream is not None and stream["millijoules_per_query"] == 240_000.0 and "samples_per_joule" not in stream
    server = power_log.described(folder, log_of("Server", result_query_count=500), 500)
    assert server is not None and "millijoules_per_query" not in server


def test_ranging_and_the_record_of_the_session_are_part_of_it(tmp_path: Path) -> None:
    folder = run(tmp_path, sample("10:01:00.000", "100"))
    run(folder / "ranging", sample("10:01:00.000", "110"), sample("10:02:00.000", "130"))
    (folder / "power_session.json").write_text(json.dumps({"analyser": "WT310", "watts": 5}))
    found = power_log.described(folder, log_of("Offline"), None)
    assert found is not None and found["ranging_watts"] == 120.0 and found["analyser"] == "WT310" and found["watts"] == 100.0
    run(folder / "ranging")
    (folder / "power_session.json").write_text("{")
    found = power_log.described(folder, log_of("Offline"), None)
    assert found is not None and not found.keys() & {"ranging_watts", "analyser"}


def test_what_was_not_measured_is_none_and_an_empty_measurement_an_error(tmp_path: Path) -> None:
    folder = run(tmp_path)
    with pytest.raises(PowerError, match=r"spl\.txt has no sample between"):
        power_log.described(folder, log_of("Offline"), 5)
    (folder / "spl.txt").unlink()
    assert power_log.described(folder, log_of("Offline"), 5) is None
    instant = run(tmp_path / "instant", sample("10:00:00.000", "100"), begin=f"{DAY} 09:59:59.999", end=f"{DAY} 10:00:00.001")
    found = power_log.described(instant, log_of("Offline"), 5)
    assert found is not None and found["joules"] == pytest.approx(0.2) and found["samples_per_joule"] == 25.0
