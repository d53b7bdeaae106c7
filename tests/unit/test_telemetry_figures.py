"""What telemetry says of a run at its limits: how much other work is an event, how long a clock falls, and each figure of the summary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.results import noise, telemetry
from code.results.loadgen_log import LogEntry
from code.results.noise import Event
from code.results.telemetry import Telemetry
from code.telemetry.source import FILE
from tests.unit.test_telemetry import BEGIN, log, record

T = np.arange(-2.0, 23.0, 0.5)


def at(**columns: Any) -> Telemetry:
    """A test of 20 s from 0 on: source__column=(times, values)."""
    sources: dict[str, dict[str, Any]] = {}
    for name, (times, values) in columns.items():
        source, _, column = name.partition("__")
        sources.setdefault(source, {})["t"] = np.array(times, float)
        sources[source][column] = np.array(values, float)
    return Telemetry(sources, 0.0, 20.0)


def work(share: float, begin: float, seconds: float, cpus: int = 2) -> Telemetry:
    """Other work of so many processors' worth on the first one, while the run itself does nothing."""
    taken = np.clip(T - begin, 0.0, seconds) * share
    columns = {f"processors__cpu{cpu}_busy_s_total": (T, taken * (cpu == 0)) for cpu in range(cpus)}
    return at(own__cpu_s_total=(T, 0 * T), **columns)


# ── what is an event ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("share", "cpus", "found"), [(0.14, 2, 0), (0.16, 2, 1), (0.3, 32, 0), (0.34, 32, 1), (0.16, 1, 1), (0.14, 1, 0)]
)
def test_other_work_counts_from_a_share_of_a_processor_or_of_a_large_machine_on(share: float, cpus: int, found: int) -> None:
    events = noise.events(work(share, 4.0, 6.0, cpus))
    assert len(events) == found
    assert all((one.kind, one.begin, one.end) == ("other work", 4.0, 10.0) for one in events)
    assert all(one.words == f"other work took {share * 100:.0f} % of core 0" for one in events)


@pytest.mark.parametrize(("seconds", "found"), [(1.0, 0), (2.0, 1), (3.0, 1)])
def test_one_second_may_be_an_error_of_counting(seconds: float, found: int) -> None:
    assert len(noise.events(work(0.5, 4.0, seconds))) == found


@pytest.mark.parametrize(("gap", "spans"), [(1, [(3.0, 10.0)]), (2, [(3.0, 11.0)]), (3, [(3.0, 6.0), (9.0, 12.0)])])
def test_a_short_pause_is_inside_an_event(gap: int, spans: list[tuple[float, float]]) -> None:
    taken = (np.clip(T - 3, 0, 3) + np.clip(T - 6 - gap, 0, 3)) * 0.5
    events = noise.events(at(own__cpu_s_total=(T, 0 * T), processors__cpu0_busy_s_total=(T, taken)))
    assert [(one.begin, one.end) for one in events] == spans


def test_without_the_runs_own_work_nothing_is_called_foreign() -> None:
    taken = np.clip(T, 0, 20) * 0.9
    assert noise.events(at(processors__cpu0_busy_s_total=(T, taken))) == []
    once = at(own__cpu_s_total=([0.0], [1.0]), processors__cpu0_busy_s_total=(T, taken))
    assert noise.events(once) == [], "one reading tells no work"
    assert noise.events(at(own__cpu_s_total=(T, T))) == [], "no processor was watched"


def test_work_of_the_run_on_another_core_is_not_subtracted_from_this_one() -> None:
    busy = {f"processors__cpu{cpu}_busy_s_total": (T, np.clip(T, 0, 20) * share) for cpu, share in ((3, 1.0), (7, 0.5))}
    own = {"own__cpu_s_total": (T, np.clip(T, 0, 20)), "own__cpu3_s_total": (T, np.clip(T, 0, 20))}
    (event,) = noise.events(at(**busy, **own))
    assert event.words == "other work took 50 % of core 7"


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.4, 0.1), "50 % of core 0"),
        ((0.39, 0.11), "0.5 of 2 processors"),
        ((0.1, 0.9), "100 % of core 1"),
        ((0.7, 0.7), "1.4 of 2 processors"),
    ],
)
def test_most_of_it_on_one_core_names_the_core(shares: tuple[float, float], words: str) -> None:
    columns = {f"processors__cpu{cpu}_stolen_s_total": (T, np.clip(T, 0, 20) * share) for cpu, share in enumerate(shares)}
    columns |= {f"processors__cpu{cpu}_busy_s_total": (T, 0 * T) for cpu in (0, 1)}
    (event,) = noise.events(at(own__cpu_s_total=(T, 0 * T), **columns))
    assert (event.kind, event.words) == ("stolen", f"the hypervisor took {words}")
    assert (event.begin, event.end) == (0.0, 20.0)


@pytest.mark.parametrize(("lost", "found"), [(0.05, 0), (0.051, 1)])
def test_a_processor_that_lost_time_before_the_run(lost: float, found: int) -> None:
    probed = {"before__cpu4_lost_share": ([-1.0], [lost]), "before__cpu5_lost_share": ([-1.0], [0.01])}
    events = noise.events(at(**probed, before__watched_s=([-1.0], [2.5])))
    assert [(one.kind, one.begin, one.end) for one in events] == [("before", -3.5, -1.0)][:found]
    assert all("5 % of core 4" in one.words for one in events)
    assert noise.events(at(**probed)) == [], "how long it was watched is not known"
    assert noise.events(at(before__watched_s=([-1.0], [2.5]))) == []


@pytest.mark.parametrize(("low", "seconds", "found"), [(0.91, 6, 0), (0.9, 6, 0), (0.89, 6, 1), (0.5, 1, 0), (0.5, 2, 1)])
def test_a_clock_that_falls_far_and_long_enough(low: float, seconds: int, found: int) -> None:
    t = np.arange(0.0, 20.5, 1.0)
    values = np.where((t >= 5) & (t < 5 + seconds), 2000.0 * low, 2000.0)
    for column, what in (("clocks__cpu12_clock_mhz", "core 12"), ("gpu3__sm_clock_mhz", "gpu3")):
        events = noise.events(at(**{column: (t, values)}))
        assert [one.words for one in events] == [f"the clock of {what} fell from 2,000 to {2000 * low:,.0f} MHz"][:found]
        assert all((one.kind, one.begin, one.end) == ("clocks", 5.0, 5.0 + seconds) for one in events)


def test_clocks_outside_the_test_and_too_few_readings_say_nothing() -> None:
    assert noise.events(at(clocks__cpu0_clock_mhz=([-5.0, -4.0, -3.0, -2.0, 1.0, 2.0, 3.0], [1, 1, 1, 1, 2, 2, 2]))) == []
    assert noise.events(at(clocks__cpu0_clock_mhz=([1.0, 19.0], [2000.0, 100.0]))) == []


def test_each_reason_that_held_a_gpu_back_is_an_event_of_its_own() -> None:
    t = np.arange(-3.0, 24.0, 1.0)
    bits = np.where(t >= 10, 0x4, 0) | np.where((t >= 4) & (t < 8), 0x40, 0) | 0x1  # 0x1: idle, which holds nothing back
    events = noise.events(at(gpu1__throttle_reasons=(t, bits)))
    assert [(one.kind, one.begin, one.end) for one in events] == [("throttled", 4.0, 8.0), ("throttled", 10.0, 20.0)]
    assert all(one.words.startswith("gpu1 was held back (") for one in events) and events[0].words != events[1].words


@pytest.mark.parametrize(("lost", "found"), [(0.19, 0), (0.21, 1)])
def test_a_control_group_that_takes_a_hundredth_of_the_test(lost: float, found: int) -> None:
    events = noise.events(at(system__throttled_s_total=([0.0, 20.0], [5.0, 5.0 + lost])))
    assert [(one.kind, one.begin, one.end) for one in events] == [("throttled", 0.0, 20.0)][:found]


def test_events_are_in_order_and_a_short_one_lasts_a_second() -> None:
    t = np.arange(0.0, 20.5, 1.0)
    late = at(clocks__cpu0_clock_mhz=(t, np.where(t >= 15, 500.0, 2000.0)), gpu0__throttle_reasons=(t, np.where(t < 5, 0x4, 0)))
    assert [one.kind for one in noise.events(late)] == ["throttled", "clocks"]
    event = Event("clocks", 1000.12345, 1000.2, "it fell")
    assert event.line().endswith(" for 1 s") and replace(event, end=1003.6).line().endswith(" for 3 s")
    assert event.as_json() == {"kind": "clocks", "begin": 1000.123, "end": 1000.2, "words": "it fell"}


def test_a_test_of_less_than_a_second_is_one_bin() -> None:
    short = replace(work(0.9, 0.0, 20.0), begin=1.0, end=1.5)
    (event,) = noise.events(short)
    assert (event.begin, event.end, event.words) == (1.0, 1.5, "other work took 90 % of core 0")


def test_two_readings_tell_what_was_gained_between_them() -> None:
    ends = [0.0, 20.0]
    (event,) = noise.events(at(own__cpu_s_total=(ends, [0.0, 0.0]), processors__cpu0_busy_s_total=(ends, [0.0, 10.0])))
    assert event.words == "other work took 50 % of core 0" and (event.begin, event.end) == (0.0, 20.0)


def test_what_disturbed_a_run_is_its_verdict() -> None:
    content, disturbed = noise.described(work(0.5, 2.0, 4.0), None)
    assert content["verdict"] == disturbed[0].line() and content["noise"] == [disturbed[0].as_json()]
    t = np.arange(0.0, 20.5, 1.0)
    both = at(clocks__cpu0_clock_mhz=(t, np.where(t >= 15, 500.0, 2000.0)), gpu0__throttle_reasons=(t, np.where(t < 5, 0x4, 0)))
    assert noise.described(both, None)[0]["verdict"].count("; ") == 1


# ── the summary ────────────────────────────────────────────────────────


def test_a_gpus_clocks_memory_and_links() -> None:
    t = np.arange(-1.0, 22.0, 1.0)
    during = (t >= 0) & (t <= 20)
    found = at(
        gpu0__sm_clock_mhz=(t, np.where(during, 1400 + t, 5)),
        gpu0__temperature_c=(t, np.where(during, 60.0, 20.0)),
        gpu0__busy_percent=(t, np.full(len(t), np.nan)),
        gpu0__memory_used_bytes=(t, np.where(t == 7, 9e9, 8e9)),
        gpu0_links__ecc_corrected_total=(t, np.where(t > 5, 3.0, 1.0)),
        gpu0_links__pcie_sent_bytes_total=(t, 1000 * t),
        own__resident_bytes=(t, np.where(t == 3, 5e6, np.where(during, 4e6, 9e6))),
        clocks__cpu0_clock_mhz=(t, np.where(during, 2000.0, 100.0)),
        clocks__cpu1_clock_mhz=(t, np.where(during, 3000.0, 100.0)),
        processors__cpu0_busy_s_total=(t, t),
    )
    content = telemetry.summary(found, None)
    assert content["gpus"] == [
        {
            "name": "gpu0",
            "sm_clock_mhz": {"least": 1400.0, "mean": 1410.0, "most": 1420.0},
            "temperature_c": {"least": 60.0, "mean": 60.0, "most": 60.0},
            "memory_bytes_peak": 9_000_000_000,
            "ecc_corrected": 2,
            "pcie_sent_bytes": 20_000,
        }
    ]
    assert content["cpu_clock_mhz"] == {"least": 2000.0, "mean": 2500.0, "most": 3000.0}
    assert content["resident_bytes_peak"] == 5_000_000 and content["readings"] == 21
    assert content["file"] == FILE and content["seconds"] == 20.0
    assert not content.keys() & {"energy", "energy_j", "energy_per_sample_j", "throttled_s", "longest_gap_before_ms"}


def test_energy_of_packages_and_gpus_is_added() -> None:
    t = np.arange(-1.0, 22.0, 1.0)
    found = at(
        rapl__package0_energy_j_total=(t, 50 * t),
        rapl__package1_energy_j_total=(t, 25 * t),
        gpu0__energy_j_total=(t, 100 * t),
        gpu1__power_w=(t, np.where((t >= 0) & (t <= 20), 300.0, 10.0)),
        gpu2__power_w=([30.0], [300.0]),
    )
    content = telemetry.summary(found, 700)
    named = {one["of"]: (one["joules"], one["average_w"], one.get("peak_w")) for one in content["energy"]}
    assert named == {
        "package0": (1000.0, 50.0, None),
        "package1": (500.0, 25.0, None),
        "gpu0": (2000.0, 100.0, None),
        "gpu1": (6000.0, 300.0, 300.0),
    }
    methods = {one["of"]: one["method"] for one in content["energy"]}
    assert "RAPL" in methods["package0"] and "counter" in methods["gpu0"] and "part of the time" in methods["gpu1"]
    assert content["energy_j"] == 9500.0 and content["energy_per_sample_j"] == pytest.approx(9500 / 700, rel=1e-5)
    assert "energy_per_sample_j" not in telemetry.summary(found, None)


def test_what_rises_is_counted_within_the_test_and_never_falls() -> None:
    found = at(a__b=([-10.0, 0.0, 20.0, 30.0], [0.0, 10.0, 40.0, 90.0]), c__d=([0.0, 20.0], [9.0, 1.0]), e__f=([5.0], [1.0]))
    assert found.gained("a", "b") == 30.0 and found.gained("c", "d") == 0.0
    assert found.gained("e", "f") is None is found.gained("a", "x") and found.gained("x", "b") is None
    assert list(found.during("a", "b")) == [10.0, 40.0], "its first and last moment are within the test"
    assert Telemetry({}, 5.0, 5.0).seconds == 0.001


def test_the_longest_gap_before_a_run_is_that_of_the_worst_core() -> None:
    found = at(before__cpu0_longest_gap_s=([-1.0], [0.002]), before__cpu1_longest_gap_s=([-1.0], [0.0071234]))
    assert telemetry.summary(found, None)["longest_gap_before_ms"] == 7.123


# ── what is read ───────────────────────────────────────────────────────


def entry(key: str, value: str) -> LogEntry:
    return LogEntry(key, value, 0.0, False, False, "", 0, 0)


def test_the_window_is_from_the_first_mark_to_the_last() -> None:
    usual = log()
    more = replace(usual, entries=(*usual.entries, *log(seconds=30.0).entries))
    assert telemetry.window(more) == (BEGIN, BEGIN + 30)
    backwards = log(seconds=-5.0)
    assert telemetry.window(backwards) == (BEGIN, BEGIN)
    for key in ("test_datetime", "power_begin", "power_end"):
        without = tuple(one for one in usual.entries if one.key != key)
        assert telemetry.window(replace(usual, entries=without)) is None
        assert telemetry.window(replace(usual, entries=(*without, entry(key, "yesterday")))) is None


def test_columns_that_do_not_fit_their_times_cost_their_source(tmp_path: Path) -> None:
    assert set(record(tmp_path).sources) == {"processors", "own"}
    t = BEGIN + np.arange(0.0, 5.0)
    sources: dict[str, dict[str, Any]] = {
        "good": {"t": t, "a": t},
        "standing": {"t": np.full(5, BEGIN), "a": t},
        "short": {"t": t, "a": t[:3]},
        "backwards": {"t": t[::-1], "a": t},
        "unknown": {"t": np.where(t == t[2], np.nan, t), "a": t},
        "timeless": {"a": t},
        "empty": {"t": t[:0], "a": t[:0]},
        "mixed": {"t": t, "a": t, "words": np.array(["x"] * 5), "square": np.zeros((5, 5))},
    }
    np.savez(tmp_path / FILE, **{f"{name}/{column}": v for name, content in sources.items() for column, v in content.items()})
    found = telemetry.read(tmp_path, log())
    assert found is not None and set(found.sources) == {"good", "standing", "mixed"} and set(found.sources["mixed"]) == {"t", "a"}
    nothing = replace(log(), entries=())
    assert telemetry.read(tmp_path, nothing) is None, "the log does not tell when the test ran"
    np.savez(tmp_path / FILE, **{"short/t": t, "short/a": t[:3]})
    assert telemetry.read(tmp_path, log()) is None
