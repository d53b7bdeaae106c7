"""Telemetry: the sources of a machine, how they are recorded, and what the record says of a run."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pynvml
import pytest

from code.common import npyfile
from code.machine import jitter
from code.results import noise, telemetry
from code.results.loadgen_log import LoadGenLog, LogEntry
from code.run import telemetry as run_telemetry
from code.telemetry import gpus, own, processors, recorder
from code.telemetry.recorder import Recorder, Track, recorded
from code.telemetry.source import FILE, Source, Watched

BEGIN = 1_800_000_000.0


def machine(root: Path, files: dict[str, str], cpus: tuple[int, ...] = (0, 1)) -> Watched:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Watched(cpus, (), os.getpid(), root)


def read(sources: list[Source]) -> dict[str, float]:
    return {name: value for source in sources for name, value in zip(source.columns, source.read(), strict=True)}


# ── sources ────────────────────────────────────────────────────────────


def test_processor_time_is_the_kernels() -> None:
    found = read(processors.usage(Watched((0,), (), os.getpid())))
    fields = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu0 ")).split()
    busy = sum(int(fields[place]) for place in (1, 2, 3, 6, 7)) / os.sysconf("SC_CLK_TCK")
    assert found["cpu0_busy_s_total"] == pytest.approx(busy, abs=2.0)


def test_a_processor_that_went_offline_is_unknown() -> None:
    assert all(map(math.isnan, read(processors.usage(Watched((4096,), (), os.getpid()))).values()))


CPUFREQ = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq"


def test_clocks_where_the_kernel_reports_them(tmp_path: Path) -> None:
    watched = machine(tmp_path, {CPUFREQ.format(1): "2400000\n"})
    assert read(processors.clocks(watched)) == {"cpu1_clock_mhz": 2400.0}
    assert processors.clocks(Watched((0, 1), (), os.getpid(), tmp_path / "empty")) == []


def test_what_the_control_group_held_back(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/box\n",
        "sys/fs/cgroup/box/cpu.stat": "usage_usec 5\nnr_throttled 3\nthrottled_usec 2500000\n",
    }
    assert read(processors.system(machine(tmp_path, files)))["throttled_s_total"] == 2.5
    assert math.isnan(read(processors.system(Watched((0,), (), os.getpid(), tmp_path / "empty")))["throttled_s_total"])
    files |= {"proc/self/cgroup": "0::/pod/box\n4:cpu,cpuacct:/pod\n"}
    files |= {"sys/fs/cgroup/pod/box/cpu.stat": "usage_usec 5\n", "sys/fs/cgroup/pod/cpu.stat": "throttled_usec 1500000\n"}
    files |= {"sys/fs/cgroup/cpu/pod/cpu.stat": "nr_throttled 2\nthrottled_time 500000000\n"}
    assert read(processors.system(machine(tmp_path / "pod", files)))["throttled_s_total"] == 2.0  # its parents' limits, v2 and v1


def test_misses_of_each_numa_node(tmp_path: Path) -> None:
    nodes = {f"sys/devices/system/node/node{n}/numastat": f"numa_hit 9\nnuma_miss {n + 4}\n" for n in (0, 1)}
    assert read(processors.numa(machine(tmp_path, nodes))) == {"node0_misses_total": 4.0, "node1_misses_total": 5.0}


RAPL = "sys/class/powercap/intel-rapl:0"


def test_energy_counts_on_when_the_kernels_counter_wraps(tmp_path: Path) -> None:
    files = {f"{RAPL}/name": "package-0\n", f"{RAPL}/energy_uj": "900000\n", f"{RAPL}/max_energy_range_uj": "1000000\n"}
    inside = "sys/class/powercap/intel-rapl:0:0"
    files |= {f"{inside}/name": "core\n", f"{inside}/energy_uj": "1\n", f"{inside}/max_energy_range_uj": "9\n"}
    (source,) = processors.energy(machine(tmp_path, files))
    assert source.columns == ("package0_energy_j_total",)
    assert source.read() == [0.0]
    (tmp_path / RAPL / "energy_uj").write_text("100000\n", encoding="utf-8")
    assert source.read() == pytest.approx([0.2])
    (tmp_path / RAPL / "energy_uj").unlink()  # the right was taken away
    assert source.read() == pytest.approx([0.2])


def test_energy_that_may_not_be_read_is_no_source(tmp_path: Path) -> None:
    assert processors.energy(machine(tmp_path, {f"{RAPL}/name": "package-0\n"})) == []


def test_the_runs_own_work_includes_its_children() -> None:
    command = "import time; end = time.time() + 0.6\nwhile time.time() < end: pass"
    (source,) = own.own(Watched(tuple(sorted(os.sched_getaffinity(0))), (), os.getpid()))
    before = source.read()
    with subprocess.Popen([sys.executable, "-c", command]) as child:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and source.read()[0] - before[0] < 0.2:
            time.sleep(0.05)
        child.wait()
    after = source.read()
    assert after[0] - before[0] >= 0.2
    assert sum(after[2:]) - sum(before[2:]) >= 0.1
    assert before[1] > 2**20


def test_children_of_children_are_found_with_and_without_the_kernels_lists(tmp_path: Path) -> None:
    inner = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", inner], stdin=subprocess.PIPE) as child:
        deadline, grandchildren = time.monotonic() + 60, []
        while time.monotonic() < deadline and not grandchildren:
            grandchildren = [process.pid for process in psutil.Process(child.pid).children()]
        found, searched = (own._Own(Watched((0,), (), os.getpid(), root)).tree() for root in (Path("/"), tmp_path))
        # Other tests may have left children that serve the whole session, such as multiprocessing's resource tracker.
        wanted = {os.getpid(), child.pid, *grandchildren}
        assert wanted <= set(found) and wanted <= set(searched)
        assert len(grandchildren) == 1 and found[0] == os.getpid()
        child.communicate(b"\n")
    assert own._Own(Watched((0,), (), 2**22 + 1)).tree() == []


class Nvml:
    """NVML's answers, recorded in its own types; constants are the package's."""

    NVMLError = pynvml.NVMLError

    def __init__(self, **answers: Any) -> None:
        self.answers, self.shut = answers, 0

    def __getattr__(self, name: str) -> Any:
        if name in self.answers:
            return lambda *_: self.answers[name]
        value = getattr(pynvml, name)
        if callable(value):

            def unsupported(*_: object) -> None:
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

            return unsupported
        return value


def field(value: int, status: int = 0) -> Any:
    return SimpleNamespace(nvmlReturn=status, value=SimpleNamespace(ullVal=value))


def test_a_gpus_readings_in_their_units() -> None:
    nvml = Nvml(
        nvmlDeviceGetPowerUsage=352_000,
        nvmlDeviceGetTotalEnergyConsumption=7_500,
        nvmlDeviceGetClockInfo=1410,
        nvmlDeviceGetCurrentClocksThrottleReasons=0x4,  # an older driver has no event reasons
        nvmlDeviceGetUtilizationRates=SimpleNamespace(gpu=97, memory=60),
        nvmlDeviceGetMemoryInfo=SimpleNamespace(used=2**30),
        nvmlDeviceGetFieldValues=[field(10), field(20, status=3)],
    )
    gpu = gpus.Gpu(nvml, "device", "board")
    fast = dict(zip(gpus.FAST, gpu.fast(), strict=True))
    assert (fast["power_w"], fast["energy_j_total"], fast["sm_clock_mhz"]) == (352.0, 7.5, 1410.0)
    assert (fast["throttle_reasons"], fast["busy_percent"], fast["memory_used_bytes"]) == (4.0, 97.0, 2.0**30)
    assert math.isnan(fast["temperature_c"])
    slow = dict(zip(gpus.SLOW, gpu.slow(), strict=True))
    assert slow["pcie_sent_bytes_total"] == 10 and math.isnan(slow["pcie_received_bytes_total"])
    assert math.isnan(slow["ecc_corrected_total"])


def test_every_nvml_symbol_exists_in_the_package() -> None:
    text = Path(gpus.__file__).read_text(encoding="utf-8")
    symbols = set(re.findall(r"\b(nvml(?:Device|Init|Shutdown)\w*|NVML_\w+)", text))
    assert len(symbols) > 15
    assert [name for name in sorted(symbols) if not hasattr(pynvml, name)] == []


def test_a_slice_has_the_power_of_its_gpu_and_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml(nvmlDeviceGetHandleByUUID="slice", nvmlDeviceGetDeviceHandleFromMigDeviceHandle="whole")
    gpu = gpus._opened(nvml, "MIG-1")
    assert gpu is not None and (gpu.device, gpu.board) == ("slice", "whole")
    assert gpus.gpus(Watched((0,), ("GPU-1",), 1)) == []  # no driver here, or no such GPU


# ── recording ────────────────────────────────────────────────────────────


def test_a_record_is_whole_also_when_the_test_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), recorded(tmp_path, Watched((0,), (), os.getpid())):
        time.sleep(0.25)
        raise RuntimeError
    found = npyfile.read_archive(tmp_path / FILE)
    times = found["processors/t"]
    assert len(times) >= 2 and (np.diff(times) > 0).all() and abs(times[-1] - time.time()) < 60
    assert len(found["processors/cpu0_busy_s_total"]) == len(times)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_long_record_is_thinned() -> None:
    track = Track(Source("one", ("a", "b"), lambda: [float(len(track.times)), 0.5]))
    for at in range(recorder.ROWS):
        track.take(float(at))
    assert track.period_s == 0.2
    assert track.rows().shape == (recorder.ROWS // 2, 2) and list(track.times[:3]) == [0.0, 2.0, 4.0]
    assert (track.rows()[:, 1] == 0.5).all()


def compute(seconds: float) -> list[float]:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return [1.0]


class DearWaking(Recorder):
    def _ahead(self) -> float:
        compute(0.005)
        return super()._ahead()


@pytest.mark.parametrize("kind, reading_s", [(Recorder, 0.02), (DearWaking, 0.0)])
def test_where_readings_or_waking_for_them_are_expensive_they_are_taken_less_often(
    kind: type[Recorder], reading_s: float
) -> None:
    running = kind([Source("slow", ("a",), lambda: compute(reading_s), 0.01)])
    running.start()
    time.sleep(0.5)
    running.stop()
    assert len(running.tracks[0].times) <= 5


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04 nothing", b"\x93NUMPY"])
def test_a_damaged_record_is_no_record(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert telemetry.read(tmp_path, log()) is None


# ── what it says of a run ────────────────────────────────────────────────────────────


def log(zone_hours: float = 0.0, seconds: float = 20.0) -> LoadGenLog:
    def power(at: float) -> str:
        whole = time.gmtime(at + zone_hours * 3600)
        return time.strftime("%m-%d-%Y %H:%M:%S.", whole) + f"{at % 1 * 1000:03.0f}"

    values = {
        "test_datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BEGIN - 3)),
        "power_begin": power(BEGIN),
        "power_end": power(BEGIN + seconds),
    }
    entries = tuple(LogEntry(key, value, 0.0, False, False, "", 0, 0) for key, value in values.items())
    return LoadGenLog(Path("mlperf_log_detail.txt"), entries)


@pytest.mark.parametrize("zone_hours", [0.0, 5.75, -8.0])
def test_the_test_is_found_in_any_time_zone(zone_hours: float) -> None:
    assert telemetry.window(log(zone_hours)) == (BEGIN, BEGIN + 20)


def record(folder: Path, **more: tuple[Sequence[float], Sequence[float]]) -> telemetry.Telemetry:
    """A quiet run of 20 s on two processors, both busy with the run's own work; `more` replaces columns ('source/column')."""
    t = np.arange(-2.0, 23.0, 0.5)
    columns = {
        "processors": {f"cpu{cpu}_{what}_s_total": t * (what == "busy") for cpu in (0, 1) for what in ("busy", "stolen")},
        "own": {"cpu_s_total": 2 * t, "cpu0_s_total": t, "cpu1_s_total": t, "resident_bytes": np.full(len(t), 3e8)},
    }
    arrays: dict[str, Any] = {
        f"{source}/{name}": values for source, content in columns.items() for name, values in content.items()
    }
    arrays |= {f"{source}/t": BEGIN + t for source in columns}
    for name, (times, values) in more.items():
        arrays[name], arrays[name.split("/")[0] + "/t"] = np.array(values, float), BEGIN + np.array(times, float)
    np.savez_compressed(folder / FILE, **arrays)
    found = telemetry.read(folder, log())
    assert found is not None
    return found


def test_a_quiet_run(tmp_path: Path) -> None:
    content, disturbed = noise.described(record(tmp_path), 1000)
    assert disturbed == [] and content["noise"] == [] and content["verdict"] == "quiet"
    assert content["resident_bytes_peak"] == 300_000_000 and content["seconds"] == 20.0 and "energy" not in content


def test_other_work_on_one_core_is_named_with_its_time(tmp_path: Path) -> None:
    t = np.arange(-2.0, 23.0, 0.5)
    taken = np.clip(t - 5, 0, 8) * 0.31  # from 5 s on for 8 s
    own = {"own/cpu_s_total": (t, 2 * t - taken), "own/cpu1_s_total": (t, t - taken)}
    (event,) = noise.events(record(tmp_path, **own))
    assert event.words == "other work took 31 % of core 1"
    assert (event.begin - BEGIN, event.end - BEGIN) == (5.0, 13.0)
    assert event.line().endswith("for 8 s")


def test_a_core_that_was_busy_before_the_run(tmp_path: Path) -> None:
    before = {"before/cpu0_lost_share": ([-1.0], [0.01]), "before/cpu1_lost_share": ([-1.0], [0.31])}
    before |= {"before/watched_s": ([-1.0], [2.0]), "before/cpu1_longest_gap_s": ([-1.0], [0.004])}
    content, (event,) = noise.described(record(tmp_path, **before), None)
    assert event.words == "before the run, other work took 31 % of core 1" and (event.begin, event.end) == (BEGIN - 3, BEGIN - 1)
    assert content["longest_gap_before_ms"] == 4.0 and content["verdict"] == event.line()


def test_processors_are_probed_before_a_run_that_is_long_enough() -> None:
    for given, seconds in (
        ({}, 2.0),
        ({"min_duration": 60_000}, 1.2),
        ({"min_duration": 1000}, 0.0),
        ({"test_query_count": 5}, 0.0),
    ):
        values = {"telemetry": True, "min_duration": None, "test_query_count": None, **given}
        assert run_telemetry.probe_s(values) == pytest.approx(seconds)
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    found = run_telemetry.probed(cpus, 0.05)
    assert found["watched_s"] >= 0.05 and all(0 <= value <= 1 for name, value in found.items() if name.endswith("share"))
    assert os.sched_getaffinity(0) == set(cpus) and run_telemetry.probed(cpus, 0.0) == {}


def test_a_core_that_another_process_keeps_busy_is_noticed() -> None:
    cpu = min(os.sched_getaffinity(0))
    busy = f"import os; os.sched_setaffinity(0, [{cpu}])\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None and other.stdout.readline()
            (found,) = jitter.probe([cpu], 0.5)
        finally:
            other.kill()
    assert found.cpu == cpu and found.lost > noise.LEAST_LOST and found.longest_s > jitter.GAP_S


def test_a_core_that_gets_busy_in_the_middle_of_a_run_is_named(tmp_path: Path) -> None:
    """Real counters of this machine, while a process is held to one core; what else runs here is more other work."""
    cpu = min(os.sched_getaffinity(0))
    work = "until = time.monotonic() + 4\nwhile time.monotonic() < until: pass"
    busy = f"import os, time; os.sched_setaffinity(0, [{cpu}])\n{work}"
    begin = time.time()
    with recorded(tmp_path, Watched((cpu,), (), os.getpid())):
        time.sleep(1)
        script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}], start_new_session=True)"
        subprocess.run([sys.executable, "-c", script], check=True)  # an orphan: no child of the run
        time.sleep(3.5)
        end = time.time()
    arrays = np.load(tmp_path / FILE)
    sources: dict[str, Any] = {}
    for name in arrays.files:
        sources.setdefault(name.split("/")[0], {})[name.split("/")[1]] = arrays[name]
    found = noise.events(telemetry.Telemetry(sources, begin, end))
    assert any(event.kind == "other work" and event.words.endswith(f"of core {cpu}") for event in found), found


def test_other_work_on_all_cores_is_a_number_of_processors(tmp_path: Path) -> None:
    t = np.arange(-2.0, 23.0, 0.5)
    half = {f"own/{name}": (t, t * share) for name, share in (("cpu_s_total", 1.0), ("cpu0_s_total", 0.5), ("cpu1_s_total", 0.5))}
    (event,) = noise.events(record(tmp_path, **half))
    assert event.words == "other work took 1.0 of 2 processors" and event.end - event.begin == 20.0


def test_stolen_time_is_the_hypervisors(tmp_path: Path) -> None:
    t = np.arange(-2.0, 23.0, 0.5)
    (event,) = noise.events(record(tmp_path, **{"processors/cpu0_stolen_s_total": (t, np.clip(t, 0, 4) * 0.5)}))
    assert event.kind == "stolen" and event.words == "the hypervisor took 50 % of core 0"


def test_a_clock_that_falls(tmp_path: Path) -> None:
    t = np.arange(0.0, 20.5, 1.0)
    (event,) = noise.events(record(tmp_path, **{"clocks/cpu0_clock_mhz": (t, np.where((t >= 6) & (t < 12), 1200.0, 2400.0))}))
    assert event.words == "the clock of core 0 fell from 2,400 to 1,200 MHz" and event.end - event.begin == 6.0


def test_a_gpu_that_was_too_hot(tmp_path: Path) -> None:
    t = np.arange(0.0, 20.1, 0.1)
    (event,) = noise.events(record(tmp_path, **{"gpu0/throttle_reasons": (t, np.where(t > 15, 0x20, 0))}))
    assert event.words == "gpu0 was held back (software thermal)"


def test_energy_by_the_counter_where_there_is_one(tmp_path: Path) -> None:
    t = np.arange(0.0, 20.1, 0.1)
    content, _ = noise.described(record(tmp_path, **{"gpu0/power_w": (t, 300 + 10 * (t == 7))}), 100)
    (by_power,) = content["energy"]
    assert by_power["joules"] == pytest.approx(6000, rel=0.01) and "part of the time" in by_power["method"]
    both = record(tmp_path, **{"gpu0/power_w": (t, 0 * t + 300), "gpu0/energy_j_total": (t, 250 * t)})
    content, _ = noise.described(both, 100)
    assert content["energy_j"] == pytest.approx(5000) and content["energy_per_sample_j"] == pytest.approx(50)
    assert content["energy"][0]["peak_w"] == 300 and content["energy"][0]["average_w"] == pytest.approx(250)


def test_the_control_groups_limit(tmp_path: Path) -> None:
    t = np.arange(0.0, 20.5, 1.0)
    content, disturbed = noise.described(record(tmp_path, **{"system/throttled_s_total": (t, t * 0.1)}), None)
    assert content["throttled_s"] == 2.0
    assert [event.words for event in disturbed] == ["the control group's CPU limit held it back for 2.0 s of processor time"]
