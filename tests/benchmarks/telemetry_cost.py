"""What telemetry costs: tiny BERT with it over without it, in Offline and Server.

    .venv/bin/python -m tests.benchmarks.telemetry_cost alternated [--only offline|server] [--seconds 180] [--qps 400]
    .venv/bin/python -m tests.benchmarks.telemetry_cost runs       [--only offline|server] [--turns 10] [--seconds 5]
    .venv/bin/python -m tests.benchmarks.telemetry_cost sampling   [--seconds 10]

`alternated` is the figure to trust on a machine whose speed drifts: one run without telemetry, beside which a process with the same sampler
reads in windows of half a second in the order on, off, off, on, and sleeps in between. Work is counted by batches.npy, each batch
worth what its shape costs by a fit over the whole run. Two ratios, each with a 95 % interval over the blocks of four windows: work by the
clock, which has all costs, and work by the harness's processor time, which has what sampling does to caches and clocks, and which other
processes hardly disturb. With the sampler's own processor time they bound the cost from both sides.

`runs` does the same by whole runs through the command line, in the order with, without, without, with.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy import stats

from code.results.loadgen_log import read_detail
from code.results.telemetry import window
from code.telemetry.recorder import OPENERS, Recorder, recorded
from code.telemetry.source import Watched

ROOT = Path(__file__).resolve().parents[2]
PATTERN = (True, False, False, True)
WINDOW_S = 0.5
EDGE_S = 1.0
"""Of the beginning and the end of a run nothing counts."""
KEYS = {"offline": "result_samples_per_second", "server": "result_completed_samples_per_sec"}


@dataclass(frozen=True)
class Window:
    """A stretch of a run.

    Args:
        on: whether the sampler ran.
        begin, end: in s since the epoch.
        used: processor time of the harness, in s.
    """

    on: bool
    begin: float
    end: float
    used: float


def interval(ratios: Sequence[float]) -> str:
    """'0.9980 (95 %: 0.9960 to 1.0000, 40 pairs)': the geometric mean."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    half = float(stats.t.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
    low, high = math.exp(mean - half), math.exp(mean + half)
    return f"{math.exp(mean):.4f} (95 %: {low:.4f} to {high:.4f}; median {statistics.median(ratios):.4f} of {len(ratios)})"


def command(folder: Path, scenario: str, telemetry: bool, words: Sequence[str]) -> list[str]:
    """The command of one run."""
    found = [
        sys.executable,
        "-m",
        "code.main",
        "--action=run",
        "--benchmarks=bert",
        f"--scenarios={scenario}",
        "--model_variant=tiny",
    ]
    return [*found, f"--log_dir={folder}", f"--telemetry={str(telemetry).lower()}", *words]


def processor_s(pid: int) -> float:
    """Processor time of a process and its threads, in s, to the nanosecond (clock_getcpuclockid(3): the clock of another process)."""
    return time.clock_gettime((~pid << 3) | 2)


def on_at(at: float) -> bool:
    """Whether the sampler runs at a time since the epoch, in s."""
    return PATTERN[int(at / WINDOW_S) % len(PATTERN)]


class Alternating(Recorder):
    """Takes readings in the windows that are on, and does not even wake in the others."""

    def _run(self) -> None:
        while True:
            now = time.time()
            if not on_at(now):
                time.sleep(WINDOW_S - now % WINDOW_S)
            elif not self._ended.acquire(timeout=self._ahead()):
                self._round(time.monotonic() - self._origin)


def sample(pid: int, cpus: tuple[int, ...]) -> None:
    """Record a process in every second window until the end of this one."""
    watched = Watched(cpus, (), pid)
    Alternating([source for opener in OPENERS for source in opener(watched)]).start()
    time.sleep(3600)


def harness_of(launcher: subprocess.Popen[bytes]) -> int:
    """The pid of the harness that a launcher has started."""
    while launcher.poll() is None:
        for child in psutil.Process(launcher.pid).children():
            with contextlib.suppress(psutil.Error):
                if any(word.endswith("run.json") for word in child.cmdline()):
                    return int(child.pid)
        time.sleep(0.05)
    raise SystemExit("the run ended before its harness was seen")


def alternate(launcher: subprocess.Popen[bytes], harness: int) -> tuple[list[Window], float]:
    """(windows, the sampler's share of one core while it ran)."""
    sampler = multiprocessing.get_context("spawn").Process(
        target=sample, args=(launcher.pid, tuple(sorted(os.sched_getaffinity(0))))
    )
    sampler.start()
    windows: list[Window] = []
    try:
        time.sleep(3)  # the first readings search for processes
        assert sampler.pid is not None
        before = processor_s(sampler.pid)
        begin, used = time.time(), processor_s(harness)
        while launcher.poll() is None:
            time.sleep(WINDOW_S - time.time() % WINDOW_S)
            try:
                end, later = time.time(), processor_s(harness)
            except OSError:
                break
            windows.append(Window(on_at((begin + end) / 2), begin, end, later - used))
            begin, used = end, later
        while windows and round(windows[0].begin / WINDOW_S, 1) % len(PATTERN):
            del windows[0]  # so that a block begins where the pattern does
        took = sum(one.end - one.begin for one in windows if one.on)
        return windows, (processor_s(sampler.pid) - before) / took
    finally:
        sampler.kill()
        sampler.join()


def worth(batches: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The seconds that a batch of each one's shape takes, by a fit over all of them: samples, tokens, tokens squared."""
    took, samples, longest = batches[:, 1] - batches[:, 0], batches[:, 2], batches[:, 3]
    terms = np.stack([np.ones_like(samples), samples, samples * longest, samples * longest**2], axis=1)
    found = np.linalg.lstsq(terms / took[:, None], np.ones_like(took), rcond=None)[0]
    return np.maximum(terms @ found, 1e-6)


def scores(folder: Path, windows: Sequence[Window], scenario: str) -> list[tuple[float, float]]:
    """(work by the clock, work by processor time) of each window. In Server, where lanes wait, the clock runs during batches only."""
    span = window(read_detail(folder / "mlperf_log_detail.txt"))
    if span is None:
        raise SystemExit(f"no marks of the test in {folder}")
    batches = np.load(folder / "batches.npy")
    begins, ends, values = batches[:, 0] + span[0], batches[:, 1] + span[0], worth(batches)
    found = []
    for one in windows:
        if one.begin < begins.min() + EDGE_S or one.end > ends.max() - EDGE_S:
            found.append((math.nan, math.nan))
            continue
        share = np.clip((np.minimum(ends, one.end) - np.maximum(begins, one.begin)) / (ends - begins), 0, 1)
        work = float(share @ values)
        clock = one.end - one.begin if scenario == "offline" else float(share @ (ends - begins))
        found.append((work / clock, work / one.used))
    return found


def alternated(scenario: str, seconds: int, qps: float) -> None:
    """Print the ratios of one run."""
    target = f"--offline_expected_qps={qps:g}" if scenario == "offline" else f"--server_target_qps={qps:g}"
    with tempfile.TemporaryDirectory() as folder:
        launcher = subprocess.Popen(
            command(Path(folder), scenario, False, [f"--min_duration={seconds * 1000}", target]),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        windows, share = alternate(launcher, harness_of(launcher))
        launcher.wait()
        logs = next(Path(folder).rglob("batches.npy")).parent
        found = scores(logs, windows, scenario)
        size = len(PATTERN)
        blocks = [found[place : place + size] for place in range(0, len(found) - size + 1, size)]
        for name, place in (("clock", 0), ("processor time", 1)):
            ratios = []
            for block in blocks:
                logged = [math.log(score[place]) for score in block]
                if not any(map(math.isnan, logged)):
                    on, off = (
                        [value for value, way in zip(logged, PATTERN, strict=True) if way is which] for which in (True, False)
                    )
                    ratios.append(math.exp(statistics.fmean(on) - statistics.fmean(off)))
            print(f"{scenario}, work by {name}, on over off: {interval(ratios)}", flush=True)
        print(f"{scenario}, sampler while on: {share:.2%} of one core", flush=True)
        if keep := os.environ.get("KEEP"):
            np.savez(
                keep,
                batches=np.load(logs / "batches.npy"),
                windows=[(w.on, w.begin, w.end, w.used) for w in windows],
                scores=found,
            )


def one_run(scenario: str, telemetry: bool, words: Sequence[str]) -> tuple[float, float]:
    """(LoadGen's rate, processor seconds of launcher and harness) of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command(Path(folder), scenario, telemetry, words), cwd=ROOT, capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = list(Path(folder).rglob("metadata.json"))
        if not found:
            raise SystemExit(done.stdout + done.stderr)
        rate = float(json.loads(found[0].read_text())[KEYS[scenario]])
    return rate, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def runs(scenario: str, seconds: int, qps: float, turns: int) -> None:
    """Print the ratios of whole runs."""
    target = f"--offline_expected_qps={qps:g}" if scenario == "offline" else f"--server_target_qps={qps:g}"
    words = [f"--min_duration={seconds * 1000}", target]
    rates, times = [], []
    for turn in range(turns):
        values = {way: one_run(scenario, way, words) for way in (PATTERN[:2] if turn % 2 == 0 else PATTERN[2:])}
        rates.append(values[True][0] / values[False][0])
        times.append(values[True][1] / values[False][1])
        print(f"{scenario} turn {turn + 1}: rate {rates[-1]:.4f}, processor time {times[-1]:.4f}", flush=True)
    print(f"{scenario}, rate with over without: {interval(rates)}")
    print(f"{scenario}, processor time of the whole command with over without: {interval(times)}")


def sampling(seconds: float) -> float:
    """The share of one core that sampling alone takes."""
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(tuple(sorted(os.sched_getaffinity(0))), (), os.getpid())
        with recorded(Path(folder), watched):
            time.sleep(1)  # the first readings search for processes
            before = time.process_time()
            time.sleep(seconds)
            return (time.process_time() - before) / seconds


def main() -> None:
    """Print a row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=("alternated", "runs", "sampling"))
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument(
        "--qps", type=float, default=400, help="Offline: what the run's length is planned by; Server: the rate offered"
    )
    parser.add_argument("--only", choices=tuple(KEYS), help="one scenario")
    given = parser.parse_args()
    if given.way == "sampling":
        print(f"sampling alone: {sampling(given.seconds):.2%} of one core")
        return
    for scenario in (given.only,) if given.only else tuple(KEYS):
        if given.way == "alternated":
            alternated(scenario, given.seconds, given.qps)
        else:
            runs(scenario, given.seconds, given.qps, given.turns)


if __name__ == "__main__":
    main()
